-- Compile the dossiers of people anew, as dossier_rebuild does for one.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns nothing.  Locks: the dossier rows; agenda_touch holds the agenda
-- rows.  Index: primary keys, (bucket, patient_id) first.
INSERT INTO dossier AS old (bucket, patient_id, version, doc)
SELECT v.bucket, v.patient_id, 1, v.doc
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
JOIN dossier_compiled v
	ON v.bucket = u.bucket AND v.patient_id = u.patient_id
ON CONFLICT (bucket, patient_id) DO UPDATE
SET version = old.version + 1, doc = excluded.doc
WHERE old.doc <> excluded.doc
