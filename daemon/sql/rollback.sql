-- Give up what began with begin.sql.
ROLLBACK
