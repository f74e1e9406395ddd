-- Compare the stored dossiers of one bucket with the tables.
-- $1 smallint  bucket
-- Returns patient_id of every patient whose row is missing or differs.
-- Locks: none.  Index: primary keys.
SELECT v.patient_id
FROM dossier_compiled v
LEFT JOIN dossier d ON d.bucket = v.bucket AND d.patient_id = v.patient_id
WHERE v.bucket = $1::smallint AND d.doc IS DISTINCT FROM v.doc
