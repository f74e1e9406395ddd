-- This copy is alive.
-- $1 text         copy
-- $2 text         role
-- $3 timestamptz  when it began, unmoved: two of one name differ by it
-- $4 timestamptz  now, unmoved
-- $5 timestamptz  a heartbeat since then is of one that lives, unmoved
-- Returns when the other that lives under this name began, or null.
-- Locks: the copy's row.  Index: copy_pkey.
WITH before AS (
	SELECT started_at FROM copy
	WHERE copy_id = $1::text AND heartbeat_at > $5::timestamptz
		AND started_at <> $3::timestamptz
)
INSERT INTO copy (copy_id, role, started_at, heartbeat_at)
VALUES ($1::text, $2::text, $3::timestamptz, $4::timestamptz)
ON CONFLICT (copy_id) DO UPDATE SET role = excluded.role,
	started_at = excluded.started_at, heartbeat_at = excluded.heartbeat_at
RETURNING (SELECT started_at FROM before)
