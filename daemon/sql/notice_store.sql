-- Each of these members is told of each of these tasks.
-- $1 smallint[]     bucket of a member
-- $2 bigint[]       patient id
-- $3 timestamptz[]  when the message goes, care time
-- $4..$9 arrays     bucket, patient_id, occurrence_on, kind, source, slot
-- Returns nothing.  Locks: the new rows; agenda_touch came before.
-- Index: notice_pkey.
INSERT INTO notice (bucket, patient_id, told_at, task_bucket, task_patient_id,
	task_on, task_kind, task_source, task_slot)
SELECT m.bucket, m.patient_id, m.told_at, t.bucket, t.patient_id,
	t.occurrence_on, t.kind, t.source, t.slot
FROM unnest($1::smallint[], $2::bigint[], $3::timestamptz[])
	m (bucket, patient_id, told_at)
CROSS JOIN unnest($4::smallint[], $5::bigint[], $6::date[], $7::smallint[],
	$8::integer[], $9::integer[])
	t (bucket, patient_id, occurrence_on, kind, source, slot)
ON CONFLICT DO NOTHING
