-- Has a program been stored, or a tenant made, since the rules were read?
-- Read in every claim, behind its row locks.
-- Returns how many programs and how many tenants there are: rows of both
-- are added, never changed.  Locks: none.  Index: none, both are small.
SELECT (SELECT count(*) FROM program), (SELECT count(*) FROM tenant)
