-- The next reply to work on: danger first, then in the order in which they
-- came.
-- $1 timestamptz  now, unmoved
-- Returns event_key, tenant_id, gateway, received_at, address_index,
-- text_sealed, opted_out, tries, extension, address_sealed.  Locks: the inbox
-- row; locked ones are skipped.  Index: inbox_danger, inbox_due.
SELECT event_key, tenant_id, gateway, received_at, address_index, text_sealed,
	opted_out, tries, extension, address_sealed
FROM inbox
WHERE ctid = coalesce(
	(SELECT ctid FROM inbox
	WHERE type = 2 AND state = 0 AND urgency > 0
		AND next_at <= $1::timestamptz
	ORDER BY urgency DESC, next_at
	LIMIT 1
	FOR UPDATE SKIP LOCKED),
	(SELECT ctid FROM inbox
	WHERE type = 2 AND state = 0 AND next_at <= $1::timestamptz
	ORDER BY next_at
	LIMIT 1
	FOR UPDATE SKIP LOCKED))
