-- Each of these members is told of each of these tasks.
-- $1 smallint[]     bucket of a member
-- $2 bigint[]       patient id
-- $3 timestamptz[]  when the message is owed, care time
-- $4 smallint       stage of the message
-- $5..$10 arrays    bucket, patient_id, occurrence_on, kind, source, slot
-- Returns nothing.  Locks: the new rows; agenda_touch came before.
-- Index: notice_pkey.
INSERT INTO notice (bucket, patient_id, told_at, stage, task_bucket, task_patient_id,
	task_on, task_kind, task_source, task_slot)
SELECT m.bucket, m.patient_id, m.told_at, $4::smallint, t.bucket, t.patient_id,
	t.occurrence_on, t.kind, t.source, t.slot
FROM unnest($1::smallint[], $2::bigint[], $3::timestamptz[])
	m (bucket, patient_id, told_at)
CROSS JOIN unnest($5::smallint[], $6::bigint[], $7::date[], $8::smallint[],
	$9::integer[], $10::integer[])
	t (bucket, patient_id, occurrence_on, kind, source, slot)
ON CONFLICT DO NOTHING
