-- Forget copies that ended without saying so.
-- $1 timestamptz  last heard of before, unmoved
-- Returns nothing; the command tag counts.  Locks: the rows.
DELETE FROM copy WHERE heartbeat_at < $1::timestamptz
