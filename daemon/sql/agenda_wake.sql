-- Look at people again, no later than at the instant given, and then at
-- their open deliveries too.
-- $1 smallint[]     bucket
-- $2 bigint[]       patient id
-- $3 timestamptz[]  when, care time
-- Returns nothing.  Locks: agenda rows, locked by agenda_lock before.
-- Index: agenda_pkey.
UPDATE agenda a
SET next_at = least(a.next_at, u.at), attention = true
FROM (
	SELECT bucket, patient_id, min(at) AS at
	FROM unnest($1::smallint[], $2::bigint[], $3::timestamptz[])
		t (bucket, patient_id, at)
	GROUP BY bucket, patient_id
) u
WHERE a.bucket = u.bucket AND a.patient_id = u.patient_id
