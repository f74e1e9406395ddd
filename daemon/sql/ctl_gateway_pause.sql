-- An operator pauses a gateway, or a template or sender of it (adherctl):
-- the latest word holds, also where a longer pause stood.
-- $1 text         gateway
-- $2 text         scope: '', 'template:CODE', 'sender:NAME'
-- $3 text         who, as the pause's code
-- $4 timestamptz  until, unmoved
-- $5 timestamptz  now, unmoved
-- Returns paused_until, code of the pause that stood, or no row.
-- Locks: the row.  Index: gateway_pause_pkey.
WITH stood AS (
	SELECT paused_until, code FROM gateway_pause
	WHERE gateway = $1::text AND scope = $2::text
		AND paused_until > $5::timestamptz
	FOR UPDATE
), paused AS (
	INSERT INTO gateway_pause (gateway, scope, code, paused_at,
		paused_until)
	VALUES ($1::text, $2::text, $3::text, $5::timestamptz,
		$4::timestamptz)
	ON CONFLICT (gateway, scope) DO UPDATE
	SET code = excluded.code, paused_at = excluded.paused_at,
		paused_until = excluded.paused_until
)
SELECT paused_until, code FROM stood
