-- Forget a hospital stay that was cancelled.
-- $1 smallint  bucket
-- $2 bigint    patient id
-- $3 integer   stay no
-- Returns nothing.  Locks: the row; agenda_lock came before.
-- Index: stay_pkey.
DELETE FROM stay
WHERE bucket = $1::smallint AND patient_id = $2::bigint
AND stay_no = $3::integer
