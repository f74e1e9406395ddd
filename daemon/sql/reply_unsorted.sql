-- Replies whose text nobody has read, the oldest first.
-- $1 timestamptz  now, unmoved
-- $2 integer      at most so many
-- Returns event_key, tenant_id, text_sealed.  Locks: the inbox rows; locked
-- ones are skipped.  Index: inbox_unsorted.
SELECT event_key, tenant_id, text_sealed
FROM inbox
WHERE type = 2 AND state = 0 AND urgency < 0 AND next_at <= $1::timestamptz
ORDER BY next_at
LIMIT $2::integer
FOR UPDATE SKIP LOCKED
