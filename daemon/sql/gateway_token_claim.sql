-- Claim the refresh of a provider's token, where nobody has it under way and
-- the token that is there will not do.
-- $1 text         gateway
-- $2 text         who refreshes
-- $3 timestamptz  now, unmoved
-- $4 timestamptz  end of the lease
-- $5 timestamptz  end of the token that is of no use; -infinity: none
-- $6 timestamptz  a token that ends by then will not do
-- Returns a row where it is ours.  Locks: the row.  Index: gateway_token_pkey.
INSERT INTO gateway_token AS t (gateway, refreshing, lease_until)
VALUES ($1::text, $2::text, $4::timestamptz)
ON CONFLICT (gateway) DO UPDATE
SET refreshing = $2::text, lease_until = $4::timestamptz
WHERE t.lease_until <= $3::timestamptz
	AND (t.expires_at <= $6::timestamptz OR t.expires_at = $5::timestamptz)
RETURNING t.gateway
