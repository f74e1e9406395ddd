-- When somebody thinks about these people next, and what was said.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns bucket, patient_id, class, lane, next_at, planned_through,
-- standing, recent, stopped.  Locks: none.  Index: agenda_pkey.
SELECT a.bucket, a.patient_id, a.class, a.lane, a.next_at, a.planned_through,
	a.standing, a.recent, a.stopped
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
JOIN agenda a ON a.bucket = u.bucket AND a.patient_id = u.patient_id
