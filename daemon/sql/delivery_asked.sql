-- Record what asking a provider about unknown deliveries came to.
-- $1..$7 arrays      the key, as delivery_insert
-- $8 smallint[]      the state found: 6 still unknown, 3, 7, 8
-- $9 boolean[]       it has nothing: counts as asked
-- $10 text[]         the provider's message id, or null
-- $11 text[]         its code, or null
-- $12 timestamptz    now, unmoved
-- Returns nothing.  Locks: delivery rows; agenda_lock came before.
-- Index: delivery_pkey.
UPDATE delivery d
SET state = u.state, asked = d.asked + u.nothing::integer::smallint,
	provider_id = coalesce(u.provider_id, d.provider_id),
	code = coalesce(u.code, d.code),
	settled_at = CASE WHEN u.state IN (7, 8) THEN $12::timestamptz END
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[], $8::smallint[],
	$9::boolean[], $10::text[], $11::text[])
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel,
	state, nothing, provider_id, code)
WHERE d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.occurrence_on = u.occurrence_on AND d.kind = u.kind
	AND d.source = u.source AND d.slot = u.slot AND d.channel = u.channel
	AND d.state = 6 AND d.settled_at IS NULL
