-- Close open deliveries that plan gave up: expired, held, or unknown for
-- good.
-- $1..$7 arrays   the key, as delivery_insert
-- $8 smallint[]   the state it is believed to have
-- $9 smallint[]   the state that it ends in
-- $10 smallint[]  reason, 0 none
-- $11 timestamptz now, unmoved
-- Returns nothing.  Locks: delivery rows; the agenda rows are held.
-- Index: delivery_pkey.
UPDATE delivery d
SET state = u.state, reason = u.reason, settled_at = $11::timestamptz
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[], $8::smallint[],
	$9::smallint[], $10::smallint[])
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel,
	believed, state, reason)
WHERE d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.occurrence_on = u.occurrence_on AND d.kind = u.kind
	AND d.source = u.source AND d.slot = u.slot AND d.channel = u.channel
	AND d.state = u.believed
