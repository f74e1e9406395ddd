-- How urgent replies are, by their text.
-- $1 bytea[]     event key
-- $2 smallint[]  2 an emergency, 1 harm, 0 the rest
-- Returns nothing.  Locks: the rows, which reply_unsorted took.
-- Index: inbox_pkey.
UPDATE inbox i
SET urgency = u.urgency
FROM unnest($1::bytea[], $2::smallint[]) u (event_key, urgency)
WHERE i.event_key = u.event_key
