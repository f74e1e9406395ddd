-- The deliveries that receipts name by the provider's id and the address.
-- $1 text[]     the provider's message id
-- $2 bytea[]    blind index of the address
-- $3 integer[]  tenant
-- $4 date       none that was due before
-- Returns the position in the arrays, from 1, and the key.
-- Locks: none.  Index: contact_index_pkey, delivery_pkey.
SELECT u.position::integer, d.bucket, d.patient_id, d.occurrence_on, d.kind,
	d.source, d.slot, d.channel
FROM unnest($1::text[], $2::bytea[], $3::integer[]) WITH ORDINALITY
	u (provider_id, address_index, tenant_id, position)
JOIN contact_index c ON c.address_index = u.address_index
	AND c.tenant_id = u.tenant_id
JOIN delivery d ON d.bucket = c.bucket AND d.patient_id = c.patient_id
	AND d.contact_no = c.contact_no AND d.occurrence_on >= $4::date
	AND d.provider_id = u.provider_id
