-- The tenants.
-- Returns tenant_id, name, zone, locale, attendance_fed, display_name.  Locks: none.
SELECT tenant_id, name, zone, locale, attendance_fed, display_name FROM tenant
