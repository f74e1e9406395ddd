-- A plug-in is trusted again (adherctl).
-- $1 text  gateway
-- Returns nothing.  Locks: the row.  Index: gateway_strike_pkey.
DELETE FROM gateway_strike WHERE gateway = $1::text
