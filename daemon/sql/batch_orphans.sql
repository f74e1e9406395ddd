-- What a lapsed round left in sending is unknown from now on.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- $3 bigint      batch_ref
-- Returns nothing; the command tag counts.  Locks: delivery rows;
-- agenda_lock came before.  Index: delivery_pkey by (bucket, patient_id).
UPDATE delivery d
SET state = 6, code = 'lease_lapsed'
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
WHERE d.bucket = u.bucket AND d.patient_id = u.patient_id
	AND d.batch_ref = $3::bigint AND d.state = 1
