-- Delete stops that ended before the longest retention: one may have held
-- messages of every tenant.
-- $1 timestamptz  now, care time
-- Returns nothing; the command tag counts.  Locks: the rows, which nobody
-- writes any more.  Index: none, stops are few.
DELETE FROM stop
WHERE ended_at < $1::timestamptz
	- (SELECT max(retention_days) FROM tenant) * interval '1 day'
