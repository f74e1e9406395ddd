-- For how many days from today on is there a partition of delivery?
-- $1 date  today, care time
-- Returns one number, 0 where there is none.  Locks: none.
SELECT greatest(0, coalesce(max(until_on) - $1::date, 0))
FROM delivery_partition
