-- What is paused now.
-- $1 timestamptz  now, unmoved
-- Returns gateway, scope, paused_until, code.  Locks: none.
-- Index: none, a handful of rows.
SELECT gateway, scope, paused_until, code
FROM gateway_pause
WHERE paused_until > $1::timestamptz
