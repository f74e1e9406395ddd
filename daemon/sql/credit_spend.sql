-- Messages about to be sent spend a credit each.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- $3 integer[]   contact no
-- $4 text[]      the provider's code of the template
-- Returns nothing; the dossiers of these people are rebuilt next.
-- Locks: credit rows; the agenda rows are held.  Index: credit_pkey.
UPDATE credit c
SET credits_left = greatest(c.credits_left - u.spent, 0)
FROM (
	SELECT bucket, patient_id, contact_no, template_code,
		count(*)::integer AS spent
	FROM unnest($1::smallint[], $2::bigint[], $3::integer[], $4::text[])
		t (bucket, patient_id, contact_no, template_code)
	GROUP BY bucket, patient_id, contact_no, template_code
) u
WHERE c.bucket = u.bucket AND c.patient_id = u.patient_id
	AND c.contact_no = u.contact_no AND c.template_code = u.template_code
