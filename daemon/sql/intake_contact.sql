-- Store a new contact point.
-- $1 smallint      bucket
-- $2 bigint        patient id
-- $3 integer       contact no
-- $4 integer       tenant
-- $5 smallint      channel
-- $6 bytea         address, sealed
-- $7 bytea         its blind index
-- $8 smallint      owner
-- $9 integer       rank
-- $10 timestamptz  from
-- $11 timestamptz  until
-- $12 integer[]    the resources that state it
-- Returns nothing.  Locks: the new row.
INSERT INTO contact (bucket, patient_id, contact_no, tenant_id, channel,
	address_sealed, address_index, owner, rank, from_at, until_at,
	stated_by)
VALUES ($1::smallint, $2::bigint, $3::integer, $4::integer, $5::smallint,
	$6::bytea, $7::bytea, $8::smallint, $9::integer, $10::timestamptz,
	$11::timestamptz, $12::integer[])
