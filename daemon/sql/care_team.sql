-- The members of a tenant's care team, each with the address to use: one that
-- was refused is tried where there is no other.
-- $1 integer   tenant
-- $2 integer   at most so many
-- Returns bucket, patient_id, care_role, zone, contact_no.  Locks: none.
-- Index: patient_care_team, contact_pkey.
SELECT p.bucket, p.patient_id, p.care_role, p.zone, c.contact_no
FROM patient p
CROSS JOIN LATERAL (
	SELECT k.contact_no FROM contact k
	WHERE k.bucket = p.bucket AND k.patient_id = p.patient_id
	ORDER BY k.usable DESC, k.rank, k.contact_no
	LIMIT 1) c
WHERE p.tenant_id = $1::integer AND p.care_role > 0 AND p.active
ORDER BY p.care_role DESC, p.bucket, p.patient_id
LIMIT $2::integer
