-- The one place where the database's clock is read, and how far care time
-- is moved (demo and tests; no row: not at all).
-- Returns the database's time, offset_us or null, and whether the database
-- lies on another machine than we do (a socket has no addresses).
-- Locks: none.
SELECT clock_timestamp(), (SELECT offset_us FROM care_clock WHERE one),
	inet_server_addr() IS DISTINCT FROM inet_client_addr()
