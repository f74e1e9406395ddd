-- The patient cancels an order that waits.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 integer      number of the reply that ordered
-- $4 smallint     label of a task about an order
-- $5 timestamptz  now, care time
-- Returns nothing.  Locks: the task.  Index: task_pkey.
UPDATE task
SET done_at = $5::timestamptz, done_by = 'patient'
WHERE bucket = $1::smallint AND patient_id = $2::bigint AND kind = 5
	AND source = $3::integer AND slot = $4::smallint AND done_at IS NULL
