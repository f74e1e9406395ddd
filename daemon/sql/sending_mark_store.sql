-- The round of this transaction, as its copy will remember it: the last
-- statement before COMMIT, so that rounds of a copy commit in the order of
-- their numbers.
-- $1 bytea        the copy's record
-- $2 bigint       number of the last round that it remembers
-- $3 timestamptz  until when it sent, care time: all of it was due before
-- Returns the number of this round.  Locks: the row.
-- Index: sending_mark_pkey.
INSERT INTO sending_mark AS m (state_id, sequence, sent_at)
VALUES ($1::bytea, $2::bigint + 1, $3::timestamptz)
ON CONFLICT (state_id) DO UPDATE
SET sequence = greatest(m.sequence + 1, excluded.sequence),
	sent_at = greatest(m.sent_at, excluded.sent_at)
RETURNING sequence
