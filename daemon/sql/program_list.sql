-- Every version of every program of a tenant, for people.
-- $1 integer  tenant
-- Returns kind, product_class, version, stored_at, settings as text.
-- Locks: none.  Index: program_pkey.
SELECT kind, product_class, version, stored_at, settings::text
FROM program
WHERE tenant_id = $1::integer
ORDER BY kind, version
