-- When somebody thinks about this person next, and what was said.
-- $1 smallint  bucket
-- $2 bigint    patient id
-- Returns class, lane, next_at, planned_through, standing, recent.
-- Locks: none.  Index: agenda_pkey.
SELECT class, lane, next_at, planned_through, standing, recent
FROM agenda
WHERE bucket = $1::smallint AND patient_id = $2::bigint
