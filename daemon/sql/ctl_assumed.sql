-- Until when messages are assumed sent, by whose word (adherctl).
-- Returns until_at (care time), made_at (unmoved), made_by: the latest.
-- Locks: none.  Index: assumed_sent_pkey.
SELECT until_at, made_at, made_by
FROM assumed_sent
ORDER BY until_at DESC
LIMIT 1
