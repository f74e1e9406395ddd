-- Whom outside identifiers name.
-- $1 integer  tenant
-- $2 text[]   source, '' where the system is named
-- $3 text[]   system
-- $4 text[]   value
-- Returns the position in the arrays, from 1, bucket, patient_id.
-- Locks: none.  Index: identity_pkey.
SELECT u.position::integer, i.bucket, i.patient_id
FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY
	u (source, system, value, position)
JOIN identity i ON i.tenant_id = $1::integer AND i.source = u.source
	AND i.system = u.system AND i.value = u.value
