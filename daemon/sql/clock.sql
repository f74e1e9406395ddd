-- The one place where the database's clock is read, and how far care time
-- is moved (demo and tests; no row: not at all).
-- Returns the database's time, offset_us or null.  Locks: none.
SELECT clock_timestamp(), (SELECT offset_us FROM care_clock WHERE one)
