-- Whose address is it?
-- $1 bytea    blind index
-- $2 integer  tenant
-- $3 integer  at most so many
-- Returns bucket, patient_id, contact_no, channel, owner, usable.  Locks: none.
-- Index: contact_index_pkey, contact_pkey.
SELECT c.bucket, c.patient_id, c.contact_no, c.channel, c.owner,
	c.usable
FROM contact_index i
JOIN contact c ON c.bucket = i.bucket AND c.patient_id = i.patient_id
	AND c.contact_no = i.contact_no
WHERE i.address_index = $1::bytea AND i.tenant_id = $2::integer
ORDER BY c.bucket, c.patient_id, c.owner, c.contact_no
LIMIT $3::integer
