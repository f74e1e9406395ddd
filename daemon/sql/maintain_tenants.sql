-- Tenants that keep deliveries equally long and are swept equally far.
-- Returns tenant ids, retention_days, swept_on, the longest retention of all.
-- Locks: none.
SELECT array_agg(tenant_id ORDER BY tenant_id), retention_days, swept_on,
	max(max(retention_days)) OVER ()
FROM tenant
GROUP BY retention_days, swept_on
ORDER BY retention_days, swept_on
