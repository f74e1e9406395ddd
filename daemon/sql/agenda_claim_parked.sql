-- Claim people who wait for a gateway that has room now, urgent ones first,
-- then those whose next instant comes first.  Who is due besides is agenda_claim's.
-- $1 smallint     lane of the gateway
-- $2 timestamptz  now, care time
-- $3 integer      at most so many
-- Returns as agenda_claim.  Locks: the agenda rows; locked ones are skipped.
-- Index: agenda_parked.
SELECT bucket, patient_id, tenant_id, next_at, planned_through, attention,
	standing, recent, stopped
FROM agenda
WHERE lane = $1::smallint AND lane > 0 AND next_at > $2::timestamptz
ORDER BY class, next_at
LIMIT $3::integer
FOR UPDATE SKIP LOCKED
