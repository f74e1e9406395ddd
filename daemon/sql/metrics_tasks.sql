-- Tasks that nobody has done yet.
-- Returns kind, tasks up to 10,000, when the oldest fell due (care time), of
-- kinds that have any.
-- Locks: none.  Index: task_open.
SELECT k.kind, (SELECT count(*) FROM (
	SELECT FROM task t WHERE t.kind = k.kind AND t.done_at IS NULL
	LIMIT 10000) open), first.due_at
FROM unnest('{1,2,3,4,5}'::smallint[]) k (kind) CROSS JOIN LATERAL (
	SELECT t.due_at FROM task t
	WHERE t.kind = k.kind AND t.done_at IS NULL
	ORDER BY t.due_at LIMIT 1) first
