-- Which patients have these addresses?
-- $1 bytea[]    blind index of an address about to be used, each once
-- $2 integer[]  tenant
-- $3 integer    at most so many of one address
-- $4 integer    at most so many in all
-- Returns the position in the arrays, from 1 and in that order, bucket,
-- patient_id, contact_no.  Locks: none.  Index: contact_index_pkey.
SELECT u.position::integer, c.bucket, c.patient_id, c.contact_no
FROM unnest($1::bytea[], $2::integer[])
	WITH ORDINALITY u (address_index, tenant_id, position)
CROSS JOIN LATERAL (
	SELECT i.bucket, i.patient_id, i.contact_no
	FROM contact_index i
	WHERE i.address_index = u.address_index AND i.tenant_id = u.tenant_id
	ORDER BY i.bucket, i.patient_id, i.contact_no
	LIMIT $3::integer) c
ORDER BY u.position
LIMIT $4::integer
