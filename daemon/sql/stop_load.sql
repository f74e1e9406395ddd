-- The stops that stand, as of now: read behind the row locks of a claim.
-- $1 integer  at most so many, and one more to see that there are more
-- Returns stop_id, tenant_id, kind, stage, drug.  Locks: the rows, shared,
-- until the transaction ends: who ends a stop waits for the rounds under it.
-- Index: stop_standing.
SELECT stop_id, tenant_id, kind, stage, drug
FROM stop
WHERE ended_at IS NULL
ORDER BY stop_id
LIMIT $1::integer + 1
FOR SHARE
