-- Load the compiled dossiers of the people claimed.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns bucket, patient_id, version, doc.  Locks: none; the agenda row is
-- held, and who changes a dossier holds it too.  Index: dossier_pkey.
SELECT d.bucket, d.patient_id, d.version, d.doc
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
JOIN dossier d ON d.bucket = u.bucket AND d.patient_id = u.patient_id
