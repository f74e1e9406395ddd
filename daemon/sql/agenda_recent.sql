-- What people were sent of late.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns bucket, patient_id, recent.  Locks: none.  Index: agenda_pkey.
SELECT a.bucket, a.patient_id, a.recent
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
JOIN agenda a ON a.bucket = u.bucket AND a.patient_id = u.patient_id
