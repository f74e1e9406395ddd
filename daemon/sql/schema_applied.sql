-- Is this migration applied, and in which form?
-- $1 integer  its number
-- Returns sha256, or no row.  Locks: none.  Index: schema_migration_pkey.
SELECT sha256 FROM schema_migration WHERE number = $1::integer
