-- An operator stops something.  One that stands already stays as it is.
-- $1 integer      tenant, 0 every one
-- $2 smallint     kind, 0 every one
-- $3 smallint     stage, 0 every one
-- $4 text         drug, or null
-- $5 text         reason
-- $6 timestamptz  now, care time
-- $7 text         who
-- $8 integer      so many may stand; one that stops everything always may
-- Returns stop_id; no row where it stands already, or too many do.
-- Locks: the new row.  Index: stop_once, stop_standing.
INSERT INTO stop (tenant_id, kind, stage, drug, reason, began_at, began_by)
SELECT $1::integer, $2::smallint, $3::smallint, $4::text, $5::text,
	$6::timestamptz, $7::text
WHERE ((SELECT count(*) FROM stop WHERE ended_at IS NULL) < $8::integer
		OR ($1::integer = 0 AND $2::smallint = 0 AND $3::smallint = 0
			AND $4::text IS NULL))
	AND NOT EXISTS (
		SELECT FROM stop s
		WHERE s.ended_at IS NULL AND s.tenant_id = $1::integer
			AND s.kind = $2::smallint AND s.stage = $3::smallint
			AND s.drug IS NOT DISTINCT FROM $4::text)
ON CONFLICT (tenant_id, kind, stage, drug) WHERE ended_at IS NULL DO NOTHING
RETURNING stop_id
