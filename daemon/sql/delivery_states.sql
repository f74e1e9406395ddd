-- The deliveries that receipts speak of.
-- $1..$7 arrays  the key, as delivery_insert
-- Returns the position in the arrays, state, batch_ref, address_index,
-- provider_id, contact_no.  Locks: none.  Index: delivery_pkey.
SELECT u.position::integer, d.state, d.batch_ref, d.address_index,
	d.provider_id, d.contact_no
FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
	$5::integer[], $6::integer[], $7::smallint[]) WITH ORDINALITY
	u (bucket, patient_id, occurrence_on, kind, source, slot, channel,
	position)
JOIN delivery d ON d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.occurrence_on = u.occurrence_on AND d.kind = u.kind
	AND d.source = u.source AND d.slot = u.slot AND d.channel = u.channel
