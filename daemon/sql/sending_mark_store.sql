-- The round of this transaction, as its copy remembers it.
-- $1 bytea        the copy's record
-- $2 bigint       number of the round
-- $3 timestamptz  now, care time
-- Returns nothing.  Locks: the row.  Index: sending_mark_pkey.
INSERT INTO sending_mark (state_id, sequence, sent_at)
VALUES ($1::bytea, $2::bigint, $3::timestamptz)
ON CONFLICT (state_id) DO UPDATE
SET sequence = excluded.sequence, sent_at = excluded.sent_at
