-- Remember which numbers within a patient are used.
-- $1 smallint  bucket
-- $2 bigint    patient id
-- $3 integer   the next one
-- Returns nothing.  Locks: the row; agenda_lock came before.
-- Index: patient_pkey.
UPDATE patient SET next_no = $3::integer
WHERE bucket = $1::smallint AND patient_id = $2::bigint
