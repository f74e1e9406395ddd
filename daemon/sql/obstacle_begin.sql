-- Standing obstacles that begin now.
-- $1 smallint[]   bucket
-- $2 bigint[]     patient id
-- $3 smallint[]   reason
-- $4 timestamptz  now, care time
-- Returns nothing.  Index: obstacle_pkey.
INSERT INTO obstacle (bucket, patient_id, began_at, reason)
SELECT u.bucket, u.patient_id, $4::timestamptz, u.reason
FROM unnest($1::smallint[], $2::bigint[], $3::smallint[])
	u (bucket, patient_id, reason)
ON CONFLICT (bucket, patient_id, began_at, reason) DO NOTHING
