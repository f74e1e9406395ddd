-- What became of events.
-- $1 bytea[]        event key
-- $2 smallint[]     state: 0 try again, 1 done, 2 unmatched
-- $3 timestamptz[]  when to try again, unmoved
-- Returns nothing.  Locks: inbox rows, claimed before.  Index: inbox_pkey.
UPDATE inbox i
SET state = u.state, tries = i.tries + 1, next_at = u.next_at
FROM unnest($1::bytea[], $2::smallint[], $3::timestamptz[])
	u (event_key, state, next_at)
WHERE i.event_key = u.event_key
