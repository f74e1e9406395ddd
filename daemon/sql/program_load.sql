-- The programs of every tenant, the newest of each kind and class and two
-- before it, for one that is not valid.
-- $1 integer  at most so many rows
-- Returns tenant_id, attendance_fed, kind, product_class, version, settings
-- as text; by tenant, kind and class in the order of their bytes, newest
-- version first.  A tenant without programs has one row with nulls.
-- Locks: none.  Index: none, the tables are small.
SELECT t.tenant_id, t.attendance_fed, p.kind, p.product_class, p.version,
	p.settings::text
FROM tenant t
LEFT JOIN (
	SELECT tenant_id, kind, product_class, version, settings,
		row_number() OVER (PARTITION BY tenant_id, kind, product_class
			ORDER BY version DESC) AS age
	FROM program
) p ON p.tenant_id = t.tenant_id AND p.age <= 3
ORDER BY t.tenant_id, p.kind, p.product_class COLLATE "C", p.version DESC
LIMIT $1::integer
