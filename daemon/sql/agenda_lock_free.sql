-- Lock those agenda rows that nobody else holds.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns bucket, patient_id of the locked.  Locks: agenda rows, without
-- waiting: it cannot close a circle.  Index: agenda_pkey.
SELECT a.bucket, a.patient_id
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
JOIN agenda a ON a.bucket = u.bucket AND a.patient_id = u.patient_id
FOR UPDATE OF a SKIP LOCKED
