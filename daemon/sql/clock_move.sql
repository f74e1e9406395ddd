-- Move care time.  Demo and tests.
-- $1 bigint  care time minus real time, microseconds
-- Returns nothing.  Locks: the row.
INSERT INTO care_clock (one, offset_us) VALUES (true, $1::bigint)
ON CONFLICT (one) DO UPDATE SET offset_us = excluded.offset_us
