-- The last round of a copy that this database knows.
-- $1 bytea  the copy's record
-- Returns its number and time (care time), or no row.  Locks: none.
-- Index: sending_mark_pkey.
SELECT sequence, sent_at FROM sending_mark WHERE state_id = $1::bytea
