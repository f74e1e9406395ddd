-- What was decided about a person: deliveries, tasks and obstacles.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 timestamptz  from, care time
-- $4 timestamptz  until, exclusive
-- $5 integer      at most so many, the newest
-- Returns what (1 delivery, 2 task, 3 obstacle), at, kind, stage, state,
-- reason, channel, due_at, ended_at, attempts, gateway, code, items; oldest
-- first.  Locks: none.  Index: primary keys by (bucket, patient_id).
SELECT * FROM (
	SELECT * FROM (
		SELECT 1::smallint AS what, planned_at AS at, kind, stage,
			state, reason, channel, due_at,
			settled_at AS ended_at, attempts, gateway, code, items
		FROM delivery
		WHERE bucket = $1::smallint AND patient_id = $2::bigint
		UNION ALL
		SELECT 2::smallint, created_at, kind, stage, 0::smallint,
			reason, 0::smallint, due_at, done_at, 0::smallint,
			NULL, NULL, items
		FROM task
		WHERE bucket = $1::smallint AND patient_id = $2::bigint
		UNION ALL
		SELECT 3::smallint, began_at, 0::smallint, 0::smallint,
			0::smallint, reason, 0::smallint, began_at, ended_at,
			0::smallint, NULL, NULL, '{}'::integer[]
		FROM obstacle
		WHERE bucket = $1::smallint AND patient_id = $2::bigint
	) every
	WHERE at >= $3::timestamptz AND at < $4::timestamptz
	ORDER BY at DESC
	LIMIT $5::integer
) newest
ORDER BY at, what, kind, stage
