-- Draw numbers for new patients.
-- $1 integer  how many
-- Returns one number a row.  Locks: none.
SELECT nextval('patient_id_seq')
FROM generate_series(1, $1::integer)
