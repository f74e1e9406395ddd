-- An operator ends stops.
-- $1 integer[]    stop_id
-- $2 timestamptz  now, care time
-- $3 text         who
-- Returns the stop_id of those that stood.  Locks: the rows; it waits for
-- the rounds that obey them.  Index: stop_pkey.
UPDATE stop
SET ended_at = $2::timestamptz, ended_by = $3::text
WHERE stop_id = ANY ($1::integer[]) AND ended_at IS NULL
RETURNING stop_id
