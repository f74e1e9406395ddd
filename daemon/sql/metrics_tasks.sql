-- Tasks that nobody has done yet.
-- Returns whether they are urgent, tasks up to 10,000, when the oldest fell
-- due (care time).  Urgent are answers that tell of an emergency or harm, by
-- the label in slot (enum reply_label).
-- Locks: none.  Index: task_open.
SELECT k.urgent, (SELECT count(*) FROM (
	SELECT FROM task t
	WHERE t.kind = k.kind AND t.done_at IS NULL
		AND (t.kind <> 5 OR (t.slot <= 1) = k.urgent)
	LIMIT 10000) open), first.due_at
FROM (VALUES (1::smallint, false), (2, false), (3, false), (4, false),
	(5, false), (5, true)) k (kind, urgent)
CROSS JOIN LATERAL (
	SELECT t.due_at FROM task t
	WHERE t.kind = k.kind AND t.done_at IS NULL
		AND (t.kind <> 5 OR (t.slot <= 1) = k.urgent)
	ORDER BY t.due_at LIMIT 1) first
