-- Delete tasks that were done before the tenant's retention.
-- $1 smallint     from this bucket
-- $2 smallint     to the one before this
-- $3 timestamptz  now, care time
-- Returns nothing; the command tag counts.  Locks: the rows, which nobody
-- writes any more.  Index: task_pkey by bucket.
DELETE FROM task k
USING tenant t
WHERE k.bucket >= $1::smallint AND k.bucket < $2::smallint
	AND t.tenant_id = k.tenant_id
	AND k.done_at < $3::timestamptz - t.retention_days * interval '1 day'
