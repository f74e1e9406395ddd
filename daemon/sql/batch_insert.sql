-- A round of sending begins: who owns it, until when, and whom it concerns.
-- $1 bigint       batch_ref
-- $2 text         copy that owns it
-- $3 timestamptz  end of the lease, unmoved
-- $4 smallint[]   bucket
-- $5 bigint[]     patient id
-- Returns nothing.  Index: batch_pkey.
INSERT INTO batch (batch_ref, owner, lease_until, buckets, patient_ids)
VALUES ($1::bigint, $2::text, $3::timestamptz, $4::smallint[], $5::bigint[])
