-- A new patient's agenda row: class 2, bulk.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 integer      tenant
-- $4 timestamptz  when to look first, care time
-- Returns nothing.  Locks: the new row.
INSERT INTO agenda (bucket, patient_id, tenant_id, class, next_at)
VALUES ($1::smallint, $2::bigint, $3::integer, 2, $4::timestamptz)
