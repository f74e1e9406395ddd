-- The token of a provider that all copies share.
-- $1 text  gateway
-- Returns token_sealed, expires_at.  Locks: none.  Index: gateway_token_pkey.
SELECT token_sealed, expires_at
FROM gateway_token
WHERE gateway = $1::text
