-- The next event about an address to work on, in the order in which they came.
-- $1 timestamptz  now, unmoved
-- Returns event_key, tenant_id, address_index, address_bad, tries.
-- Locks: the inbox row; locked ones are skipped.  Index: inbox_due.
SELECT event_key, tenant_id, address_index, address_bad, tries
FROM inbox
WHERE type = 4 AND state = 0 AND next_at <= $1::timestamptz
ORDER BY next_at, event_at
LIMIT 1
FOR UPDATE SKIP LOCKED
