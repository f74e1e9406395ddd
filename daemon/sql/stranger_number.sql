-- A number for whoever told of danger from nobody's address, while a tenant
-- has not too many of them whom nobody saw to.
-- $1 integer  tenant
-- $2 integer  so many are too many
-- Returns the number, the tenant's zone and locale; or no row.
-- Locks: none.  Index: tenant_pkey, patient_unlisted, task_pkey.
SELECT nextval('patient_id_seq'), t.zone, t.locale
FROM tenant t
WHERE t.tenant_id = $1::integer
	AND (SELECT count(*) FROM patient p
		WHERE p.tenant_id = $1::integer AND p.care_role < 0
			AND EXISTS (SELECT FROM task k
				WHERE k.bucket = p.bucket
					AND k.patient_id = p.patient_id
					AND k.done_at IS NULL))
	< $2::integer
