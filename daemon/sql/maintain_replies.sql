-- Delete replies from before the tenant's retention.
-- $1 smallint     from this bucket
-- $2 smallint     to the one before this
-- $3 timestamptz  now, care time
-- Returns nothing; the command tag counts.  Locks: the rows, which nobody
-- writes any more.  Index: reply_pkey by bucket.
DELETE FROM reply r
USING tenant t
WHERE r.bucket >= $1::smallint AND r.bucket < $2::smallint
	AND t.tenant_id = r.tenant_id
	AND r.received_at < $3::timestamptz - t.retention_days * interval '1 day'
