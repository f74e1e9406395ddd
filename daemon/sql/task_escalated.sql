-- The care team was told of these tasks.
-- $1..$6 arrays   bucket, patient_id, occurrence_on, kind, source, slot
-- $7 smallint     the rung from now on
-- $8 timestamptz  when the next one is due, care time
-- Returns nothing.  Locks: the rows, which task_escalate took.
-- Index: task_pkey.
UPDATE task t
SET rung = $7::smallint, escalate_at = $8::timestamptz
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[])
	u (bucket, patient_id, occurrence_on, kind, source, slot)
WHERE t.bucket = u.bucket AND t.patient_id = u.patient_id
	AND t.occurrence_on = u.occurrence_on AND t.kind = u.kind
	AND t.source = u.source AND t.slot = u.slot
