-- The next people with a prescription of a drug.
-- $1 integer   tenant
-- $2 text      drug
-- $3 smallint  after this bucket
-- $4 bigint    and this patient
-- $5 integer   at most so many
-- Returns bucket, patient_id, in that order, each once.  Locks: none.
-- Index: prescription_pkey, all of it once.
SELECT DISTINCT bucket, patient_id
FROM prescription
WHERE tenant_id = $1::integer AND drug = $2::text
	AND (bucket, patient_id) > ($3::smallint, $4::bigint)
ORDER BY bucket, patient_id
LIMIT $5::integer
