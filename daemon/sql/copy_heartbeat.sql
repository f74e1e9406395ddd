-- This copy is alive.
-- $1 text         copy
-- $2 text         role
-- $3 timestamptz  now, unmoved
-- Returns nothing.  Locks: the copy's row.  Index: copy_pkey.
INSERT INTO copy (copy_id, role, started_at, heartbeat_at)
VALUES ($1::text, $2::text, $3::timestamptz, $3::timestamptz)
ON CONFLICT (copy_id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at
