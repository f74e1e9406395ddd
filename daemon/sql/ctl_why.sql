-- What was decided about a person, or about what was due: deliveries, tasks
-- and obstacles.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 timestamptz  from, care time
-- $4 timestamptz  until, exclusive
-- $5 integer      at most so many, the newest
-- Returns what (1 delivery, 2 task, 3 obstacle), at, kind, stage, state,
-- reason, channel, due_at, ended_at, attempts, gateway, code, items,
-- program_version, retry_at, valid_until; oldest first.  Locks: none.
-- Index: primary keys by (bucket, patient_id).
SELECT * FROM (
	SELECT * FROM (
		SELECT 1::smallint AS what, planned_at AS at, kind, stage,
			state, reason, channel, due_at,
			settled_at AS ended_at, attempts, gateway, code, items,
			program_version, retry_at, valid_until
		FROM delivery
		WHERE bucket = $1::smallint AND patient_id = $2::bigint
			AND ((planned_at >= $3::timestamptz
					AND planned_at < $4::timestamptz)
				OR (due_at >= $3::timestamptz
					AND due_at < $4::timestamptz))
		UNION ALL
		SELECT 2::smallint, created_at, kind, stage, 0::smallint,
			reason, 0::smallint, due_at, done_at, 0::smallint,
			NULL, NULL, items, program_version, NULL, NULL
		FROM task
		WHERE bucket = $1::smallint AND patient_id = $2::bigint
			AND ((created_at >= $3::timestamptz
					AND created_at < $4::timestamptz)
				OR (due_at >= $3::timestamptz
					AND due_at < $4::timestamptz))
		UNION ALL
		SELECT 3::smallint, began_at, 0::smallint, 0::smallint,
			0::smallint, reason, 0::smallint, began_at, ended_at,
			0::smallint, NULL, NULL, '{}'::integer[], 0, NULL, NULL
		FROM obstacle
		WHERE bucket = $1::smallint AND patient_id = $2::bigint
			AND began_at < $4::timestamptz
			AND (ended_at IS NULL OR ended_at >= $3::timestamptz)
	) every
	ORDER BY at DESC, due_at DESC
	LIMIT $5::integer
) newest
ORDER BY at, what, kind, stage, items, due_at
