-- The deliveries to other addresses of the batch that a reference led: one
-- reference covers a whole request.
-- $1 bigint[]  batch_ref of the delivery that led
-- $2 bytea[]   blind index of the address that the receipt names
-- $3 integer[] tenant
-- Returns the position in the arrays, from 1, the key, state, provider_id,
-- contact_no.
-- Locks: none.  Index: contact_index_pkey, delivery_pkey.
SELECT u.position::integer, d.bucket, d.patient_id, d.occurrence_on, d.kind,
	d.source, d.slot, d.channel, d.state, d.provider_id,
	d.contact_no
FROM unnest($1::bigint[], $2::bytea[], $3::integer[]) WITH ORDINALITY
	u (batch_ref, address_index, tenant_id, position)
JOIN contact_index c ON c.address_index = u.address_index
	AND c.tenant_id = u.tenant_id
JOIN delivery d ON d.bucket = c.bucket AND d.patient_id = c.patient_id
	AND d.contact_no = c.contact_no AND d.batch_ref = u.batch_ref
