-- What the last maintenance found.
-- Returns dossiers that differed, when it ended; no row before the first.
-- Locks: none.  Index: none, one row.
SELECT dossiers_differing, ended_at
FROM maintenance
