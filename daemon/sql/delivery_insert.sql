-- Write new deliveries, sending or held.  One that exists stays.
-- $1..$7 arrays     bucket, patient_id, occurrence_on, kind, source, slot,
--                   channel
-- $8 integer[]      tenant
-- $9 smallint[]     stage
-- $10 smallint[]    state
-- $11 smallint[]    reason
-- $12 integer[]     contact no
-- $13 bytea[]       blind index of the address, or null
-- $14 integer[]     items of all rows, one after another
-- $15 integer[]     position of the row's first item number, from 1
-- $16 integer[]     position of its last
-- $17 text[]        gateway, or null
-- $18 timestamptz[] due, care time
-- $19 timestamptz[] valid until, care time
-- $20 bigint        batch_ref of the rows that are sending
-- $21 timestamptz   now, care time
-- $22 timestamptz   now, unmoved
-- $23 integer[]     version of the program it was decided under
-- Returns nothing; the command tag counts.  Index: delivery_pkey.
INSERT INTO delivery (bucket, patient_id, occurrence_on, kind, source, slot,
	channel, tenant_id, stage, state, reason, attempts, contact_no,
	address_index, items, gateway, batch_ref, due_at, valid_until,
	planned_at, sent_at, settled_at, program_version)
SELECT u.bucket, u.patient_id, u.occurrence_on, u.kind, u.source, u.slot,
	u.channel, u.tenant_id, u.stage, u.state, u.reason,
	CASE u.state WHEN 1 THEN 1 ELSE 0 END, u.contact_no, u.address_index,
	($14::integer[])[u.items_from:u.items_to], u.gateway,
	CASE u.state WHEN 1 THEN $20::bigint END, u.due_at, u.valid_until,
	$21::timestamptz, CASE u.state WHEN 1 THEN $22::timestamptz END,
	CASE u.state WHEN 1 THEN NULL ELSE $22::timestamptz END,
	u.program_version
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[], $8::integer[],
	$9::smallint[], $10::smallint[], $11::smallint[], $12::integer[],
	$13::bytea[], $15::integer[], $16::integer[], $17::text[],
	$18::timestamptz[], $19::timestamptz[], $23::integer[])
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel,
	tenant_id, stage, state, reason, contact_no, address_index,
	items_from, items_to, gateway, due_at, valid_until, program_version)
ON CONFLICT (bucket, patient_id, occurrence_on, kind, source, slot, channel)
DO NOTHING
