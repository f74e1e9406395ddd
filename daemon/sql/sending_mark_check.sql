-- Does this database know all that copies remember to have sent?  What an
-- operator said may be assumed counts as known.
-- $1 bytea[]        records of the state file
-- $2 bigint[]       number of the last round of each
-- $3 timestamptz[]  its time, care time
-- $4 text           this copy
-- $5 timestamptz    now, unmoved
-- Returns the times of the records that it does not know; they are noted in
-- sending_behind.  Locks: those rows.  Index: sending_mark_pkey.
INSERT INTO sending_behind AS b (state_id, copy_id, sent_at, found_at)
SELECT u.state_id, $4::text, u.sent_at, $5::timestamptz
FROM unnest($1::bytea[], $2::bigint[], $3::timestamptz[])
	u (state_id, sequence, sent_at)
LEFT JOIN sending_mark m ON m.state_id = u.state_id
WHERE coalesce(m.sequence, 0) < u.sequence
	AND NOT EXISTS (SELECT FROM assumed_sent a WHERE a.until_at >= u.sent_at)
ON CONFLICT (state_id) DO UPDATE
SET sent_at = greatest(b.sent_at, excluded.sent_at),
	copy_id = excluded.copy_id, found_at = excluded.found_at
RETURNING sent_at
