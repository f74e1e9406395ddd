-- Store a program as the next version of its kind, unless the newest one of
-- that kind and class says the same.
-- $1 integer      tenant, whose row the caller locked
-- $2 smallint     kind; 0: what holds for all kinds
-- $3 text         product class; '': none
-- $4 text         settings, JSON
-- $5 timestamptz  now, care time
-- Returns the version; no row where nothing changed.  Index: program_pkey.
INSERT INTO program (tenant_id, kind, product_class, version, settings,
	stored_at)
SELECT $1::integer, $2::smallint, $3::text,
	coalesce((SELECT max(version) FROM program
		WHERE tenant_id = $1::integer AND kind = $2::smallint), 0) + 1,
	$4::text::jsonb, $5::timestamptz
WHERE $4::text::jsonb IS DISTINCT FROM (
	SELECT settings FROM program
	WHERE tenant_id = $1::integer AND kind = $2::smallint
		AND product_class = $3::text
	ORDER BY version DESC
	LIMIT 1
)
RETURNING version
