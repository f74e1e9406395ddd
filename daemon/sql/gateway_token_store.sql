-- End the refresh of a token: the new one, or none where it failed.
-- $1 text         gateway
-- $2 text         who claimed it
-- $3 bytea        sealed token; null: what is there stays
-- $4 timestamptz  its end, unmoved
-- Returns nothing.  Locks: the row.  Index: gateway_token_pkey.
UPDATE gateway_token
SET token_sealed = coalesce($3::bytea, token_sealed),
	expires_at = CASE WHEN $3::bytea IS NULL THEN expires_at
		ELSE $4::timestamptz END,
	refreshing = NULL, lease_until = '-infinity'
WHERE gateway = $1::text AND refreshing = $2::text
