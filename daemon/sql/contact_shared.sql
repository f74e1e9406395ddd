-- Which other patients have these addresses too?
-- $1 bytea[]     blind index of an address about to be used
-- $2 integer[]   tenant
-- $3 smallint[]  bucket of its patient
-- $4 bigint[]    patient id
-- $5 integer     at most so many
-- Returns the position in the arrays, from 1, bucket, patient_id, contact_no
-- of the others.  Locks: none.  Index: contact_index_pkey.
SELECT u.position::integer, c.bucket, c.patient_id, c.contact_no
FROM unnest($1::bytea[], $2::integer[], $3::smallint[], $4::bigint[])
	WITH ORDINALITY u (address_index, tenant_id, bucket, patient_id,
	position)
JOIN contact_index c ON c.address_index = u.address_index
	AND c.tenant_id = u.tenant_id
	AND (c.bucket, c.patient_id) <> (u.bucket, u.patient_id)
LIMIT $5::integer
