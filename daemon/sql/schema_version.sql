-- The newest migration that this database has.
-- Returns number.  Locks: none.
SELECT max(number) FROM schema_migration
