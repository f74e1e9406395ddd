-- This copy stops in order.
-- $1 text  copy
-- Returns nothing.  Index: copy_pkey.
DELETE FROM copy WHERE copy_id = $1::text
