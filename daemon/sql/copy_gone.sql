-- This copy stops in order.
-- $1 text         copy
-- $2 timestamptz  when it began, unmoved
-- Returns nothing.  Index: copy_pkey.
DELETE FROM copy WHERE copy_id = $1::text AND started_at = $2::timestamptz
