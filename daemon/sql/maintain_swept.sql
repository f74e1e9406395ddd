-- These tenants have no deliveries before that date any more.
-- $1 integer[]  tenants
-- $2 integer    their retention_days when it was begun
-- $3 date       that date
-- Returns nothing.  Locks: the tenants' rows.
UPDATE tenant SET swept_on = $3::date
WHERE tenant_id = ANY ($1::integer[]) AND retention_days = $2::integer
