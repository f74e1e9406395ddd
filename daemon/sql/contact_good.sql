-- Use addresses again that a provider says can be used.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- $3 integer[]   contact no
-- Returns nothing; the dossiers of these people are rebuilt next.
-- Locks: contact rows; agenda_touch came before.
-- Index: contact_pkey.
UPDATE contact c
SET usable = true
FROM unnest($1::smallint[], $2::bigint[], $3::integer[])
	u (bucket, patient_id, contact_no)
WHERE c.bucket = u.bucket AND c.patient_id = u.patient_id
	AND c.contact_no = u.contact_no AND NOT c.usable
