-- Pause a gateway, or a template or sender of it.
-- $1 text[]       gateway
-- $2 text[]       scope: '', 'template:CODE', 'sender:NAME'
-- $3 text[]       the provider's code
-- $4 timestamptz[] until, unmoved
-- $5 timestamptz  now, unmoved
-- Returns nothing.  Locks: the rows.  Index: gateway_pause_pkey.
INSERT INTO gateway_pause AS p (gateway, scope, code, paused_at, paused_until)
SELECT DISTINCT ON (u.gateway, u.scope) u.gateway, u.scope, u.code,
	$5::timestamptz, u.until
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
	u (gateway, scope, code, until)
ORDER BY u.gateway, u.scope, u.until DESC
ON CONFLICT (gateway, scope) DO UPDATE
SET code = excluded.code, paused_at = excluded.paused_at,
	paused_until = greatest(p.paused_until, excluded.paused_until)
