-- Drop the oldest partition of delivery that is wholly older than a date.
-- $1 date     that date
-- $2 integer  milliseconds to wait for locks
-- Returns its name, or null.
-- Locks: delivery and its default partition, against everybody.
SELECT delivery_partition_drop($1::date, $2::integer)
