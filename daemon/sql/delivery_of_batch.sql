-- Which of these deliveries are ours to send?  Asked where a COMMIT went
-- without an answer, or where a row was there before.
-- $1..$7 arrays  the key, as delivery_insert
-- $8 bigint      batch_ref
-- Returns the position in the arrays, from 1.  Locks: none.
-- Index: delivery_pkey.
SELECT u.position::integer
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[]) WITH ORDINALITY
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel,
	position)
JOIN delivery d ON d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.occurrence_on = u.occurrence_on AND d.kind = u.kind
	AND d.source = u.source AND d.slot = u.slot AND d.channel = u.channel
WHERE d.batch_ref = $8::bigint AND d.state = 1
