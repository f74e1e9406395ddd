-- Commit what began with begin.sql.
COMMIT
