-- Receipts to work on.
-- $1 timestamptz  now, unmoved
-- $2 integer      at most so many
-- Returns event_key, tenant_id, received_at, reference, provider_id,
-- address_index, code, delivered, opted_out, address_bad, tries.  Locks: the inbox rows; locked ones are skipped.
-- Index: inbox_due.
SELECT event_key, tenant_id, received_at, reference, provider_id,
	address_index, code, delivered, opted_out, address_bad,
	tries
FROM inbox
WHERE type = 1 AND state = 0 AND next_at <= $1::timestamptz
ORDER BY next_at
LIMIT $2::integer
FOR UPDATE SKIP LOCKED
