-- Delete what nobody keeps any more from the partition that is never dropped.
-- $1 smallint  from this bucket
-- $2 smallint  to the one before this
-- $3 date      occurrences before this
-- Returns nothing; the command tag counts.  Locks: the rows, which nobody
-- writes any more.  Index: delivery_default_pkey.
DELETE FROM delivery_default
WHERE bucket >= $1::smallint AND bucket < $2::smallint
	AND occurrence_on < $3::date
