-- The stops, those that stand and those that were ended (adherctl).
-- $1 timestamptz  of the ended ones those since then, care time
-- $2 integer      at most so many: those that stand, then the newest
-- Returns stop_id, tenant_id, the tenant's name, kind, stage, drug, reason,
-- began_at, began_by, ended_at, ended_by; oldest first.  Locks: none.
-- Index: none, stops are few.
SELECT * FROM (
	SELECT s.stop_id, s.tenant_id, t.name, s.kind, s.stage, s.drug,
		s.reason, s.began_at, s.began_by, s.ended_at, s.ended_by
	FROM stop s
	LEFT JOIN tenant t ON t.tenant_id = s.tenant_id
	WHERE s.ended_at IS NULL OR s.ended_at >= $1::timestamptz
	ORDER BY s.ended_at IS NULL DESC, s.stop_id DESC
	LIMIT $2::integer
) newest
ORDER BY stop_id
