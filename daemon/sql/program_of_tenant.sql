-- The programs of a tenant as they were at a version of one kind, or are.
-- $1 integer   tenant
-- $2 smallint  kind whose version is given; -1: none is
-- $3 integer   that version: what came after it is left out
-- Returns kind, product_class, version, settings as text, stored_at: the
-- newest of each kind and class.  Locks: none.  Index: program_pkey.
SELECT DISTINCT ON (kind, product_class) kind, product_class, version,
	settings::text, stored_at
FROM program
WHERE tenant_id = $1::integer
	AND (kind <> $2::smallint OR version <= $3::integer)
ORDER BY kind, product_class, version DESC
