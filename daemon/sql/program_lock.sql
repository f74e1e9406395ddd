-- Let programs of a tenant be stored one after another: versions count up.
-- $1 text  tenant's name
-- Returns tenant_id.  Locks: the tenant row.  Index: the unique one on name.
SELECT tenant_id FROM tenant WHERE name = $1::text FOR UPDATE
