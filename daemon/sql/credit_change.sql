-- What patients gave or took back: messages of one template.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- $3 integer[]   contact no
-- $4 text        the provider's code of the template
-- $5 integer     credits added; 0: there are none left
-- Returns nothing; the dossiers of these people are rebuilt next.
-- Locks: credit rows; agenda_touch came before.  Index: credit_pkey.
INSERT INTO credit AS c (bucket, patient_id, contact_no, template_code,
	credits_left)
SELECT u.bucket, u.patient_id, u.contact_no, $4::text,
	least($5::integer, 1000)
FROM unnest($1::smallint[], $2::bigint[], $3::integer[])
	u (bucket, patient_id, contact_no)
ON CONFLICT (bucket, patient_id, contact_no, template_code) DO UPDATE
SET credits_left = CASE WHEN $5::integer = 0 THEN 0
	ELSE least(c.credits_left + $5::integer, 1000) END
