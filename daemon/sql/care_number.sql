-- Take the next number of each of these people.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns bucket, patient_id, the number.  Locks: the patient rows;
-- agenda_touch came before.  Index: patient_pkey.
UPDATE patient p
SET next_no = p.next_no + 1
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
WHERE p.bucket = u.bucket AND p.patient_id = u.patient_id
RETURNING p.bucket, p.patient_id, p.next_no - 1
