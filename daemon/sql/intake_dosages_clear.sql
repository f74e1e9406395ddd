-- Forget the dosages of a prescription: its new ones follow.
-- $1 smallint  bucket
-- $2 bigint    patient id
-- $3 integer   prescription no
-- Returns nothing.  Locks: the rows; agenda_lock came before.
-- Index: dosage_pkey.
DELETE FROM dosage
WHERE bucket = $1::smallint AND patient_id = $2::bigint
AND prescription_no = $3::integer
