-- What is under way in all copies, for the operators' numbers.
-- $1 timestamptz  now, unmoved
-- Returns one row: rounds of sending, the earliest end of a lease, rounds
-- past theirs; copies alive, silent for 30 s to a day, and alive under a name
-- that another has; receipts to be worked on, and those that fitted nothing
-- for two minutes, each up to 10,000; stops that stand; when the oldest reply
-- came that is not worked on.
-- Locks: none.  Index: inbox_due, stop_standing; batch and copy hold a
-- handful of rows.
SELECT
	(SELECT count(*) FROM batch),
	(SELECT min(lease_until) FROM batch),
	(SELECT count(*) FROM batch WHERE lease_until < $1::timestamptz),
	(SELECT count(*) FROM copy
	WHERE heartbeat_at >= $1::timestamptz - interval '30 s'),
	(SELECT count(*) FROM copy
	WHERE heartbeat_at < $1::timestamptz - interval '30 s'
		AND heartbeat_at > $1::timestamptz - interval '1 day'),
	(SELECT count(*) - count(DISTINCT copy_id) FROM copy
	WHERE heartbeat_at >= $1::timestamptz - interval '30 s'),
	(SELECT count(*) FROM (
		SELECT FROM inbox
		WHERE type = 1 AND state = 0 AND next_at < 'infinity'
		LIMIT 10000) waiting),
	(SELECT count(*) FROM (
		SELECT FROM inbox
		WHERE type = 1 AND state = 0 AND next_at < 'infinity'
			AND tries >= 8
		LIMIT 10000) unknown),
	(SELECT count(*) FROM (
		SELECT FROM stop WHERE ended_at IS NULL
		LIMIT 10000) standing),
	(SELECT min(received_at) FROM (
		SELECT received_at FROM inbox WHERE type = 2 AND state = 0
		LIMIT 10000) replies)
