-- Store a hospital stay.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 integer      stay no
-- $4 integer      tenant
-- $5 timestamptz  from
-- $6 timestamptz  until, exclusive
-- Returns nothing.  Locks: the row; agenda_lock came before.
-- Index: stay_pkey.
INSERT INTO stay (bucket, patient_id, stay_no, tenant_id, from_at, until_at)
VALUES ($1::smallint, $2::bigint, $3::integer, $4::integer, $5::timestamptz,
	$6::timestamptz)
ON CONFLICT (bucket, patient_id, stay_no) DO UPDATE
SET from_at = excluded.from_at, until_at = excluded.until_at
