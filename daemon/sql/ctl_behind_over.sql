-- Nobody says any more that this database is behind (adherctl).
-- $1 timestamptz  what was sent until then is accounted for, care time
-- Returns nothing.  Locks: the rows.
DELETE FROM sending_behind WHERE sent_at <= $1::timestamptz
