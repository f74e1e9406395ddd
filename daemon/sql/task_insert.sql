-- Give tasks to people.  One that exists stays.
-- $1..$6 arrays      bucket, patient_id, occurrence_on, kind, source, slot
-- $7 integer[]       tenant
-- $8 smallint[]      stage
-- $9 smallint[]      reason, 0 none
-- $10 integer[]      items of all rows, $11 from, $12 to, as delivery_insert
-- $13 timestamptz[]  due, care time
-- $14 timestamptz    now, care time
-- $15 integer[]      version of the program it was decided under
-- $16 timestamptz[]  when the care team hears, care time
-- Returns nothing.  Index: task_pkey.
INSERT INTO task (bucket, patient_id, occurrence_on, kind, source, slot,
	tenant_id, stage, reason, items, due_at, created_at, escalate_at,
	program_version)
SELECT u.bucket, u.patient_id, u.occurrence_on, u.kind, u.source, u.slot,
	u.tenant_id, u.stage, u.reason,
	($10::integer[])[u.items_from:u.items_to], u.due_at, $14::timestamptz,
	u.team_at, u.program_version
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::integer[], $8::smallint[],
	$9::smallint[], $11::integer[], $12::integer[], $13::timestamptz[],
	$15::integer[], $16::timestamptz[])
	u (bucket, patient_id, occurrence_on, kind, source, slot, tenant_id,
	stage, reason, items_from, items_to, due_at, program_version,
	team_at)
ON CONFLICT (bucket, patient_id, occurrence_on, kind, source, slot)
DO NOTHING
