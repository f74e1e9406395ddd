-- A pause ends: an operator says so (adherctl).  The row stays, as a trace.
-- $1 text         gateway; '*' the pause of all
-- $2 text         scope
-- $3 timestamptz  now, unmoved
-- $4 text         who
-- Returns nothing; the command tag counts.  Locks: the row.
-- Index: gateway_pause_pkey.
UPDATE gateway_pause
SET paused_until = $3::timestamptz, code = code || ', resumed by ' || $4::text
WHERE gateway = $1::text AND scope = $2::text
	AND paused_until > $3::timestamptz
