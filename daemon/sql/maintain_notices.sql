-- Delete what the care team was told before the tenant's retention.
-- $1 smallint     from this bucket
-- $2 smallint     to the one before this
-- $3 timestamptz  now, care time
-- Returns nothing; the command tag counts.  Locks: the rows, which nobody
-- writes any more.  Index: notice_pkey by bucket.
DELETE FROM notice n
USING patient p
JOIN tenant t ON t.tenant_id = p.tenant_id
WHERE n.bucket >= $1::smallint AND n.bucket < $2::smallint
	AND p.bucket = n.bucket AND p.patient_id = n.patient_id
	AND n.told_at < $3::timestamptz - t.retention_days * interval '1 day'
