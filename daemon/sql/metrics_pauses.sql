-- Pauses that stand, by what is paused: the gateway, a sender, a template.
-- $1 timestamptz  now, unmoved
-- Returns gateway, scope, pauses.  Locks: none.
-- Index: none, a handful of rows.
SELECT gateway,
	CASE WHEN scope = '' THEN 'gateway' ELSE split_part(scope, ':', 1) END,
	count(*)
FROM gateway_pause
WHERE paused_until > $1::timestamptz
GROUP BY 1, 2
