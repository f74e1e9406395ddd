-- Attempt open deliveries again: a retry, or the one repeat after unknown.
-- $1..$7 arrays    the key, as delivery_insert
-- $8 smallint[]    the state it is believed to have
-- $9 boolean[]     this is the repeat after unknown
-- $10 integer[]    contact no
-- $11 bytea[]      blind index of the address
-- $12 integer[]    items of all rows, $13 from, $14 to, as delivery_insert
-- $15 text[]       gateway
-- $16 bigint       batch_ref
-- $17 timestamptz  now, care time
-- $18 timestamptz  now, unmoved
-- Returns nothing; the command tag counts.  Locks: delivery rows; the agenda
-- rows are held.  Index: delivery_pkey.
UPDATE delivery d
SET state = 1, attempts = d.attempts + 1, repeated = d.repeated OR u.repeat,
	contact_no = u.contact_no, address_index = u.address_index,
	items = ($12::integer[])[u.items_from:u.items_to],
	gateway = u.gateway, batch_ref = $16::bigint,
	planned_at = $17::timestamptz, sent_at = $18::timestamptz,
	retry_at = NULL, asked = 0, code = NULL
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[], $8::smallint[],
	$9::boolean[], $10::integer[], $11::bytea[], $13::integer[],
	$14::integer[], $15::text[])
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel,
	believed, repeat, contact_no, address_index, items_from, items_to,
	gateway)
WHERE d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.occurrence_on = u.occurrence_on AND d.kind = u.kind
	AND d.source = u.source AND d.slot = u.slot AND d.channel = u.channel
	AND d.state = u.believed AND d.settled_at IS NULL
