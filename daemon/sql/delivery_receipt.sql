-- Record receipts.  The send's answer may come between the look and this
-- write: accepted and unknown become delivered or undelivered alike.
-- $1..$7 arrays      the key, as delivery_insert
-- $8 smallint[]      delivered or undelivered
-- $9 text[]          the provider's code, or null
-- $10 timestamptz    now, unmoved
-- Returns nothing; the command tag counts.  Locks: delivery rows;
-- agenda_lock came before.  Index: delivery_pkey.
UPDATE delivery d
SET state = u.state, code = coalesce(u.code, d.code),
	settled_at = $10::timestamptz
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[], $8::smallint[],
	$9::text[])
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel,
	state, code)
WHERE d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.occurrence_on = u.occurrence_on AND d.kind = u.kind
	AND d.source = u.source AND d.slot = u.slot AND d.channel = u.channel
	AND d.state IN (3, 6)
