-- A migration is applied (adherctl migrate, within its transaction).
-- $1 integer  its number
-- $2 text     its name
-- $3 text     SHA-256 of its text, hexadecimal
-- Returns nothing.  Locks: the new row.  Index: schema_migration_pkey.
INSERT INTO schema_migration (number, name, sha256, applied_at)
VALUES ($1::integer, $2::text, $3::text, now())
