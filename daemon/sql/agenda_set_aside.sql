-- Set a person aside whose round cannot be written.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 timestamptz  when to try again, care time
-- Returns nothing.  Locks: the agenda row.  Index: agenda_pkey.
UPDATE agenda
SET next_at = $3::timestamptz, lane = 0, deaths = least(deaths + 1, 1000)
WHERE bucket = $1::smallint AND patient_id = $2::bigint
