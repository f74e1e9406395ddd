-- Find a patient by a name that people use (adherctl).
-- $1 text  system of an identifier; '' for the resource's own id
-- $2 text  its value
-- Returns bucket, patient_id of at most 10.  Locks: none.
-- Index: none leads with the value; one look at a time, by a person.
SELECT bucket, patient_id
FROM identity
WHERE system = $1::text AND value = $2::text
UNION
SELECT bucket, patient_id
FROM patient
WHERE $1::text = '' AND source_id = $2::text
LIMIT 10
