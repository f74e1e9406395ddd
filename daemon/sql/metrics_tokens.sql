-- How long the providers' tokens last.
-- Returns gateway, expires_at.  Locks: none.  Index: none, a row a gateway.
SELECT gateway, expires_at
FROM gateway_token
WHERE expires_at > '-infinity'
