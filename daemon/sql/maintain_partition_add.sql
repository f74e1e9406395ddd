-- Give a span of dates a partition of its own.
-- $1 date     its first
-- $2 date     the first that is not in it
-- $3 bigint   move at most so many rows out of the default partition
-- $4 bigint   read a default partition of at most so many bytes, or null
-- $5 integer  milliseconds to wait for locks
-- Returns the number of rows moved; -1: too many; -2: too many bytes.
-- Locks: delivery and its default partition, against everybody.
SELECT delivery_partition_add($1::date, $2::date, $3::bigint, $4::bigint,
	$5::integer)
