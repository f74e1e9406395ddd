-- An operator stops something.  One that stands already stays as it is.
-- $1 integer      tenant, 0 every one
-- $2 smallint     kind, 0 every one
-- $3 smallint     stage, 0 every one
-- $4 text         drug, or null
-- $5 text         reason
-- $6 timestamptz  now, care time
-- $7 text         who
-- $8 integer      so many may stand
-- Returns stop_id; no row where it stands already, or too many do.
-- Locks: the new row.  Index: stop_standing.
INSERT INTO stop (tenant_id, kind, stage, drug, reason, began_at, began_by)
SELECT $1::integer, $2::smallint, $3::smallint, $4::text, $5::text,
	$6::timestamptz, $7::text
WHERE (SELECT count(*) FROM stop WHERE ended_at IS NULL) < $8::integer
	AND NOT EXISTS (
		SELECT FROM stop s
		WHERE s.ended_at IS NULL AND s.tenant_id = $1::integer
			AND s.kind = $2::smallint AND s.stage = $3::smallint
			AND s.drug IS NOT DISTINCT FROM $4::text)
RETURNING stop_id
