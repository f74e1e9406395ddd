-- Store what a person was sent of late, and what is owed.
-- $1 smallint  bucket
-- $2 bigint    patient id
-- $3 bytea     recent, said_encode()
-- Returns nothing.  Locks: the agenda row, which agenda_touch took.
-- Index: agenda_pkey.
UPDATE agenda SET recent = $3::bytea
WHERE bucket = $1::smallint AND patient_id = $2::bigint
