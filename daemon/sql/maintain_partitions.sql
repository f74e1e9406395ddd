-- The partitions of delivery, without the default one.
-- Returns from_on, until_on (the first date without); oldest first.
-- Locks: none.
SELECT from_on, until_on FROM delivery_partition ORDER BY from_on
