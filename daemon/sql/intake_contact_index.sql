-- Have a contact point found by its address.
-- $1 bytea     blind index
-- $2 integer   tenant
-- $3 smallint  bucket
-- $4 bigint    patient id
-- $5 integer   contact no
-- Returns nothing.  Locks: the new row.
INSERT INTO contact_index (address_index, tenant_id, bucket, patient_id,
	contact_no)
VALUES ($1::bytea, $2::integer, $3::smallint, $4::bigint, $5::integer)
