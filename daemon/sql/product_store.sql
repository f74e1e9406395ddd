-- Store what is known of a product.  What is null stays as it was.
-- $1 integer  tenant
-- $2 text     drug, the key of its ingredient
-- $3 text     product class; or null
-- $4 boolean  sensitive; or null
-- $5 text     name; or null
-- Returns product_class, sensitive, name.  Locks: the row.
-- Index: product_pkey.
INSERT INTO product AS old (tenant_id, drug, product_class, sensitive, name)
VALUES ($1::integer, $2::text, coalesce($3::text, ''),
	coalesce($4::boolean, false), coalesce($5::text, $2::text))
ON CONFLICT (tenant_id, drug) DO UPDATE
SET product_class = coalesce($3::text, old.product_class),
	sensitive = coalesce($4::boolean, old.sensitive),
	name = coalesce($5::text, old.name)
RETURNING product_class, sensitive, name
