-- Give an outside identifier to a patient.  It fails with 23505 where
-- somebody else did so since it was looked up: the INSERT decides.
-- $1 integer   tenant
-- $2 text      source, '' where the system is named
-- $3 text      system
-- $4 text      value
-- $5 smallint  bucket
-- $6 bigint    patient id
-- Returns nothing.  Locks: the new row.  Index: identity_pkey.
INSERT INTO identity (tenant_id, source, system, value, bucket, patient_id)
VALUES ($1::integer, $2::text, $3::text, $4::text, $5::smallint, $6::bigint)
