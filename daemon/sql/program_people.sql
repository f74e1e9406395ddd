-- The next people of a tenant, for the slices of a changed program.
-- $1 integer   tenant
-- $2 smallint  after this bucket
-- $3 bigint    and this patient
-- $4 integer   at most so many
-- Returns bucket, patient_id, in that order.  Locks: none.
-- Index: agenda_pkey, all of it once.
SELECT bucket, patient_id
FROM agenda
WHERE tenant_id = $1::integer
	AND (bucket, patient_id) > ($2::smallint, $3::bigint)
ORDER BY bucket, patient_id
LIMIT $4::integer
