-- Delete obstacles that ended before the tenant's retention.
-- $1 smallint     from this bucket
-- $2 smallint     to the one before this
-- $3 timestamptz  now, care time
-- Returns nothing; the command tag counts.  Locks: the rows, which nobody
-- writes any more.  Index: obstacle_pkey and agenda_pkey by bucket.
DELETE FROM obstacle o
USING agenda a, tenant t
WHERE o.bucket >= $1::smallint AND o.bucket < $2::smallint
	AND a.bucket = o.bucket AND a.patient_id = o.patient_id
	AND t.tenant_id = a.tenant_id
	AND o.ended_at < $3::timestamptz - t.retention_days * interval '1 day'
