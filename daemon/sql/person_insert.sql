-- Store somebody who is written to and is no patient of a source: a member of
-- the care team, or whoever told of danger from nobody's number.
-- $1 smallint  bucket
-- $2 bigint    patient id
-- $3 integer   tenant
-- $4 smallint  enum care_role
-- $5 text      their id
-- $6 text      zone
-- $7 text      locale
-- Returns nothing.  Locks: the new row.
INSERT INTO patient (bucket, patient_id, tenant_id, care_role, source_id, zone,
	locale, next_no)
VALUES ($1::smallint, $2::bigint, $3::integer, $4::smallint, $5::text,
	$6::text, $7::text, 2)
