-- Lock people's agenda rows before their deliveries are written.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns nothing of use.  Locks: agenda rows, in key order.
-- Index: agenda_pkey.
SELECT a.bucket
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
JOIN agenda a ON a.bucket = u.bucket AND a.patient_id = u.patient_id
ORDER BY a.bucket, a.patient_id
FOR UPDATE OF a
