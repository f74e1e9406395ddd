-- Compile the dossier rows of people from the tables, in the transaction that
-- changed them.  A row that stays the same is not written.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id; somebody may be named twice
-- Returns nothing.  Locks: the dossier rows; the caller holds the agenda
-- rows.  Index: primary keys, (bucket, patient_id) first.
INSERT INTO dossier AS old (bucket, patient_id, version, doc)
SELECT v.bucket, v.patient_id, 1, v.doc
FROM (SELECT DISTINCT bucket, patient_id
	FROM unnest($1::smallint[], $2::bigint[]) n (bucket, patient_id)) u
JOIN dossier_compiled v
	ON v.bucket = u.bucket AND v.patient_id = u.patient_id
ON CONFLICT (bucket, patient_id) DO UPDATE
SET version = old.version + 1, doc = excluded.doc
WHERE old.doc <> excluded.doc
