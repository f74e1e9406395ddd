-- The tenants.
-- Returns tenant_id, name, zone, locale, attendance_fed, display_name, abroad.
-- Locks: none.
SELECT tenant_id, name, zone, locale, attendance_fed, display_name, abroad
FROM tenant
