-- The standing obstacles of these people are over.
-- $1 smallint[]   bucket
-- $2 bigint[]     patient id
-- $3 timestamptz  now, care time
-- Returns nothing.  Locks: obstacle rows; the agenda rows are held.
-- Index: obstacle_pkey by (bucket, patient_id).
UPDATE obstacle o
SET ended_at = $3::timestamptz
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
WHERE o.bucket = u.bucket AND o.patient_id = u.patient_id
	AND o.ended_at IS NULL
