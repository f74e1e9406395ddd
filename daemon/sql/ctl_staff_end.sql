-- A member of the care team is written to no more, or again (adherctl).
-- $1 smallint  bucket
-- $2 bigint    patient id
-- $3 boolean   active
-- Returns a row where there is such a member.  Locks: the patient row;
-- agenda_touch came before.  Index: patient_pkey.
UPDATE patient
SET active = $3::boolean
WHERE bucket = $1::smallint AND patient_id = $2::bigint AND care_role > 0
RETURNING care_role
