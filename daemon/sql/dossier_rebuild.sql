-- Compile the dossier row of one patient from the tables, in the
-- transaction that changed them.  A row that stays the same is not written.
-- $1 smallint  bucket
-- $2 bigint    patient id
-- Returns nothing.  Locks: the dossier row; the caller holds the agenda
-- row.  Index: primary keys, (bucket, patient_id) first.
INSERT INTO dossier AS old (bucket, patient_id, version, doc)
SELECT v.bucket, v.patient_id, 1, v.doc
FROM dossier_compiled v
WHERE v.bucket = $1::smallint AND v.patient_id = $2::bigint
ON CONFLICT (bucket, patient_id) DO UPDATE
SET version = old.version + 1, doc = excluded.doc
WHERE old.doc <> excluded.doc
