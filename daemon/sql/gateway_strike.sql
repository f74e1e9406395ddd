-- A process died while this gateway's plug-in ran.
-- $1 text         gateway
-- $2 timestamptz  now, unmoved
-- $3 timestamptz  deaths before that are forgotten, unmoved
-- Returns the deaths.  Locks: the row.  Index: gateway_strike_pkey.
INSERT INTO gateway_strike AS s (gateway, deaths, last_at)
VALUES ($1::text, 1, $2::timestamptz)
ON CONFLICT (gateway) DO UPDATE
SET deaths = CASE WHEN s.last_at < $3::timestamptz THEN 1
		ELSE least(s.deaths + 1, 1000) END,
	last_at = excluded.last_at
RETURNING deaths
