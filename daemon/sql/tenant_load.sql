-- The tenants.
-- Returns tenant_id, name, zone, locale, attendance_fed.  Locks: none.
SELECT tenant_id, name, zone, locale, attendance_fed FROM tenant
