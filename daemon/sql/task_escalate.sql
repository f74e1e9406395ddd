-- Tasks that nobody took up, of one tenant, sort and rung: the urgent first.
-- $1 timestamptz  now, care time
-- $2 integer      at most so many
-- Returns tenant_id, bucket, patient_id, occurrence_on, kind, source, slot,
-- rung.  Locks: the rows; locked ones are skipped.  Index: task_escalation.
WITH first AS MATERIALIZED (
	SELECT t.tenant_id, t.rung, u.urgent,
		CASE WHEN u.urgent THEN t.slot END AS label
	FROM (VALUES (true), (false)) u (urgent)
	CROSS JOIN LATERAL (
		SELECT * FROM task k
		WHERE (k.kind = 5 AND k.slot <= 1) = u.urgent
			AND k.done_at IS NULL AND k.taken_at IS NULL
			AND k.escalate_at <= $1::timestamptz
		ORDER BY k.escalate_at
		LIMIT 1) t
	ORDER BY u.urgent DESC
	LIMIT 1
)
SELECT t.tenant_id, t.bucket, t.patient_id, t.occurrence_on, t.kind, t.source,
	t.slot, t.rung
FROM first f
JOIN task t ON (t.kind = 5 AND t.slot <= 1) = f.urgent
	AND t.done_at IS NULL AND t.taken_at IS NULL
	AND t.escalate_at <= $1::timestamptz
	AND t.tenant_id = f.tenant_id AND t.rung = f.rung
	AND (f.label IS NULL OR t.slot = f.label)
LIMIT $2::integer
FOR UPDATE OF t SKIP LOCKED
