-- The contact points of patients.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns the position in the arrays, from 1, contact_no, channel, owner,
-- address_index, rank, from_at, until_at, stated_by.
-- Locks: none; agenda_lock came before.  Index: contact_pkey.
SELECT u.position::integer, c.contact_no, c.channel, c.owner, c.address_index,
	c.rank, c.from_at, c.until_at, c.stated_by
FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY
	u (bucket, patient_id, position)
JOIN contact c ON c.bucket = u.bucket AND c.patient_id = u.patient_id
ORDER BY u.position, c.contact_no
