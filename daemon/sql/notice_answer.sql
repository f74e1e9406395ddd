-- A member of the care team answered: what that one was told of is taken, if
-- the message left, or may have, and nobody else was quicker.
-- $1 smallint     bucket of the member
-- $2 bigint       patient id
-- $3 timestamptz  told since then, care time
-- $4 timestamptz  received, care time
-- Returns nothing; the command tag counts.  Locks: the tasks, in key order.
-- Index: notice_pkey, task_pkey, delivery_pkey.
WITH told AS MATERIALIZED (
	SELECT t.bucket, t.patient_id, t.occurrence_on, t.kind, t.source, t.slot,
		p.source_id
	FROM notice_open n
	JOIN patient p ON p.bucket = n.bucket AND p.patient_id = n.patient_id
	JOIN task t ON t.bucket = n.task_bucket
		AND t.patient_id = n.task_patient_id
		AND t.occurrence_on = n.task_on AND t.kind = n.task_kind
		AND t.source = n.task_source AND t.slot = n.task_slot
	WHERE n.bucket = $1::smallint AND n.patient_id = $2::bigint
		AND n.told_at > $3::timestamptz AND n.told_at <= $4::timestamptz
		AND t.done_at IS NULL AND t.taken_at IS NULL
	ORDER BY t.bucket, t.patient_id, t.occurrence_on, t.kind, t.source,
		t.slot
	FOR UPDATE OF t
)
UPDATE task t
SET taken_at = $4::timestamptz, taken_by = d.source_id
FROM told d
WHERE t.bucket = d.bucket AND t.patient_id = d.patient_id
	AND t.occurrence_on = d.occurrence_on AND t.kind = d.kind
	AND t.source = d.source AND t.slot = d.slot
