-- How many copies send.
-- $1 timestamptz  a heartbeat since then, unmoved
-- Returns one number.  Locks: none.  Index: none, a handful of rows.
SELECT count(*) FROM copy
WHERE heartbeat_at > $1::timestamptz AND role <> 'inbox'
