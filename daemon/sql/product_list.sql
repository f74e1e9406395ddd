-- What is known of products, and what else is prescribed.
-- $1 integer  tenant
-- $2 integer  at most so many
-- Returns drug, name, product_class, sensitive, prescriptions; those
-- of which something is known first.  Locks: none.  Index: none: for people.
SELECT coalesce(g.drug, r.drug),
	coalesce(nullif(g.name, g.drug), r.name, g.name),
	coalesce(g.product_class, ''), coalesce(g.sensitive, false),
	coalesce(r.prescriptions, 0)
FROM (SELECT * FROM product WHERE tenant_id = $1::integer) g
FULL JOIN (
	SELECT drug, min(name) AS name, count(*) AS prescriptions
	FROM prescription
	WHERE tenant_id = $1::integer
	GROUP BY drug
) r ON r.drug = g.drug
ORDER BY g.drug IS NULL, coalesce(g.drug, r.drug)
LIMIT $2::integer
