-- Load deliveries of people that may not be over, or whose end may lead to
-- another channel.  By whole keys, as `recent` names them: a range would
-- probe every partition.
-- $1..$7 arrays  the key, as delivery_insert
-- Returns the key, state, attempts, repeated, asked, due_at, sent_at,
-- retry_at, valid_until, gateway, provider_id, contact_no, planned_at.
-- Locks: none; the agenda row is held.  Index: delivery_pkey.
SELECT d.bucket, d.patient_id, d.occurrence_on, d.kind, d.source, d.slot,
	d.channel, d.state, d.attempts, d.repeated, d.asked, d.due_at,
	d.sent_at, d.retry_at, d.valid_until, d.gateway, d.provider_id,
	d.contact_no, d.planned_at
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[])
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel)
JOIN delivery d ON d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.occurrence_on = u.occurrence_on AND d.kind = u.kind
	AND d.source = u.source AND d.slot = u.slot AND d.channel = u.channel
WHERE d.state IN (3, 4, 7, 8)
	OR (d.state IN (5, 6) AND d.settled_at IS NULL)
