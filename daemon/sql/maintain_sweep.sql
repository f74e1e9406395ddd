-- Delete deliveries of tenants that keep them for less long than others.
-- $1 smallint   from this bucket
-- $2 smallint   to the one before this
-- $3 integer[]  tenants
-- $4 date       from this occurrence date
-- $5 date       to the one before this
-- Returns nothing; the command tag counts.  Locks: the rows, which nobody
-- writes any more.  Index: delivery_pkey of the partitions in between.
DELETE FROM delivery
WHERE bucket >= $1::smallint AND bucket < $2::smallint
	AND tenant_id = ANY ($3::integer[])
	AND occurrence_on >= $4::date AND occurrence_on < $5::date
