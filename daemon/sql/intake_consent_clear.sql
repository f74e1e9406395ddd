-- Forget the rules of a Consent: its new ones follow, if it has any.
-- $1 smallint  bucket
-- $2 bigint    patient id
-- $3 integer   consent no
-- Returns nothing.  Locks: the rows; agenda_lock came before.
-- Index: consent_pkey.
DELETE FROM consent
WHERE bucket = $1::smallint AND patient_id = $2::bigint
AND consent_no = $3::integer
