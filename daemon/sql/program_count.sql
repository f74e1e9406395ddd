-- Has a program been stored, or a tenant made, since the rules were read?
-- And what may be assumed to have been sent?  Read in every claim, behind
-- its row locks.
-- Returns how many programs and how many tenants there are: rows of both
-- are added, never changed; the instant before which what was due counts as
-- sent, care time, or null.  Locks: none.  Index: assumed_sent_pkey; none of
-- the others, both are small.
SELECT (SELECT count(*) FROM program), (SELECT count(*) FROM tenant),
	(SELECT max(until_at) FROM assumed_sent)
