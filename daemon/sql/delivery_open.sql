-- Load the deliveries of people that are not over: retry and unknown.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns the key, state, attempts, repeated, asked, due_at, sent_at,
-- retry_at, valid_until, gateway, provider_id, contact_no.
-- Locks: none; the agenda row is held.
-- Index: delivery_pkey by (bucket, patient_id).
SELECT d.bucket, d.patient_id, d.occurrence_on, d.kind, d.source, d.slot,
	d.channel, d.state, d.attempts, d.repeated, d.asked, d.due_at,
	d.sent_at, d.retry_at, d.valid_until, d.gateway, d.provider_id,
	d.contact_no
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
JOIN delivery d ON d.bucket = u.bucket AND d.patient_id = u.patient_id
WHERE d.state IN (5, 6) AND d.settled_at IS NULL
