-- A person sees to these tasks: nobody else is told of them.
-- $1..$6 arrays   bucket, patient_id, occurrence_on, kind, source, slot
-- $7 timestamptz  now, care time
-- $8 text         who
-- Returns nothing; the command tag counts those that were open.
-- Locks: the rows.  Index: task_pkey.
UPDATE task t
SET taken_at = $7::timestamptz, taken_by = $8::text
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[])
	u (bucket, patient_id, occurrence_on, kind, source, slot)
WHERE t.bucket = u.bucket AND t.patient_id = u.patient_id
	AND t.occurrence_on = u.occurrence_on AND t.kind = u.kind
	AND t.source = u.source AND t.slot = u.slot AND t.done_at IS NULL
