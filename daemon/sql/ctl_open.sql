-- Deliveries of a person whose outcome is not known yet (adherctl).
-- $1 smallint  bucket
-- $2 bigint    patient id
-- $3 integer   at most so many
-- Returns as ctl_why; oldest first.  Locks: none.
-- Index: delivery_pkey by (bucket, patient_id).
SELECT 1::smallint, planned_at, kind, stage, state, reason, channel, due_at,
	settled_at, attempts, gateway, code, items, program_version, retry_at,
	valid_until
FROM delivery
WHERE bucket = $1::smallint AND patient_id = $2::bigint
	AND (state IN (1, 3, 5) OR (state = 6 AND settled_at IS NULL))
ORDER BY due_at, kind, source, slot, channel
LIMIT $3::integer
