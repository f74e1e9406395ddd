-- Record what providers answered.
-- $1..$7 arrays      the key, as delivery_insert
-- $8 bigint[]        batch_ref that was sent: a later attempt is not touched
-- $9 smallint[]      new state
-- $10 text[]         the provider's message id, or null
-- $11 text[]         the provider's code, or null
-- $12 timestamptz[]  retry at, care time, or null
-- $13 timestamptz[]  sent at, unmoved, or null: as it was
-- $14 timestamptz    now, unmoved
-- Sending becomes whatever it is told; unknown (its lease lapsed meanwhile)
-- only accepted or rejected.
-- Returns nothing; the command tag counts.  Locks: delivery rows.
-- Index: delivery_pkey.
UPDATE delivery d
SET state = u.state, provider_id = coalesce(u.provider_id, d.provider_id),
	code = u.code, retry_at = u.retry_at,
	sent_at = coalesce(u.sent_at, d.sent_at),
	settled_at = CASE WHEN u.state IN (4, 9) THEN $14::timestamptz END
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[], $8::bigint[],
	$9::smallint[], $10::text[], $11::text[], $12::timestamptz[],
	$13::timestamptz[])
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel,
	batch_ref, state, provider_id, code, retry_at, sent_at)
WHERE d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.occurrence_on = u.occurrence_on AND d.kind = u.kind
	AND d.source = u.source AND d.slot = u.slot AND d.channel = u.channel
	AND d.batch_ref = u.batch_ref
	AND (d.state = 1 OR (d.state = 6 AND u.state IN (3, 4, 9)))
