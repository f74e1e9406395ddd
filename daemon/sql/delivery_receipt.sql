-- Record receipts.
-- $1..$7 arrays      the key, as delivery_insert
-- $8 smallint[]      the state it is believed to have
-- $9 smallint[]      delivered or undelivered
-- $10 text[]         the provider's code, or null
-- $11 timestamptz    now, unmoved
-- Returns nothing; the command tag counts.  Locks: delivery rows.
-- Index: delivery_pkey.
UPDATE delivery d
SET state = u.state, code = coalesce(u.code, d.code),
	settled_at = $11::timestamptz
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[], $8::smallint[],
	$9::smallint[], $10::text[])
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel,
	believed, state, code)
WHERE d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.occurrence_on = u.occurrence_on AND d.kind = u.kind
	AND d.source = u.source AND d.slot = u.slot AND d.channel = u.channel
	AND d.state = u.believed
