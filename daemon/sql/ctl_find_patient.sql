-- Find a patient by a name that people use (adherctl).
-- $1 text  system of an identifier; '' for the resource's own id
-- $2 text  its value
-- $3 text  name of the tenant, or null: whichever has it
-- Returns bucket, patient_id of at most 10.  Locks: none.
-- Index: identity_pkey, once for each source of a tenant; they are hopped
-- over one by one.
WITH RECURSIVE origin (tenant_id, source) AS (
	SELECT t.tenant_id, ''
	FROM tenant t
	WHERE $3::text IS NULL OR t.name = $3::text
	UNION ALL
	SELECT o.tenant_id, (
		SELECT min(i.source)
		FROM identity i
		WHERE i.tenant_id = o.tenant_id AND i.source > o.source)
	FROM origin o
	WHERE o.source IS NOT NULL
)
SELECT DISTINCT i.bucket, i.patient_id
FROM origin o
JOIN identity i ON i.tenant_id = o.tenant_id AND i.source = o.source
	AND i.system = $1::text AND i.value = $2::text
LIMIT 10
