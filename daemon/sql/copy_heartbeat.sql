-- This copy is alive.
-- $1 text         copy
-- $2 text         role
-- $3 timestamptz  when it began, unmoved: two of one name differ by it
-- $4 timestamptz  now, unmoved
-- $5 timestamptz  a heartbeat since then is of one that lives, unmoved
-- $6 bool         is it the first: then the rows of its name go, those of the
--                 dead for good
-- Returns how many others live under this name.
-- Locks: the copy's rows.  Index: copy_pkey.
WITH others AS (
	SELECT count(*) FROM copy
	WHERE copy_id = $1::text AND started_at <> $3::timestamptz
		AND heartbeat_at > $5::timestamptz
), gone AS (
	DELETE FROM copy
	WHERE $6::bool AND copy_id = $1::text AND started_at <> $3::timestamptz
)
INSERT INTO copy (copy_id, role, started_at, heartbeat_at)
VALUES ($1::text, $2::text, $3::timestamptz, $4::timestamptz)
ON CONFLICT (copy_id, started_at) DO UPDATE SET role = excluded.role,
	heartbeat_at = excluded.heartbeat_at
RETURNING (SELECT count FROM others)
