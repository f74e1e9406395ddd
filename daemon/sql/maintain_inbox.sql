-- Delete events that are done or fitted nothing for a week.
-- $1 bytea        from this key: keys are digests, so that spans of them
--                 hold equally many
-- $2 bytea        to before this one, or null
-- $3 timestamptz  received before, unmoved
-- Returns nothing; the command tag counts.  Locks: the rows, which nobody
-- writes any more.  Index: inbox_pkey.
DELETE FROM inbox
WHERE event_key >= $1::bytea
	AND ($2::bytea IS NULL OR event_key < $2::bytea)
	AND state IN (1, 2) AND received_at < $3::timestamptz
