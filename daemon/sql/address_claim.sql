-- The next event about an address, or of credits, to work on, in the order in
-- which they came.
-- $1 timestamptz  now, unmoved
-- $2 smallint     type: 3 credit, 4 address
-- Returns event_key, tenant_id, address_index, address_bad, tries, code,
-- credits.
-- Locks: the inbox row; locked ones are skipped.  Index: inbox_due.
SELECT event_key, tenant_id, address_index, address_bad, tries, code,
	credits
FROM inbox
WHERE type = $2::smallint AND state = 0 AND next_at <= $1::timestamptz
ORDER BY next_at, event_at
LIMIT 1
FOR UPDATE SKIP LOCKED
