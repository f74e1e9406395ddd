-- Pauses that an operator ended, by whom.
-- $1 timestamptz  now, unmoved
-- Returns gateway, scope, who.  Locks: none.
-- Index: none, a handful of rows.
SELECT gateway, scope, substring(code FROM ', resumed by (.*)$')
FROM gateway_pause
WHERE paused_until <= $1::timestamptz
	AND strpos(code, ', resumed by ') > 0
