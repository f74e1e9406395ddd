-- What is known of patients, as far as an import compares it.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns the position in the arrays, from 1, zone, locale, birth_from_on,
-- birth_on, next_no.  Locks: none; agenda_lock came before.
-- Index: patient_pkey.
SELECT u.position::integer, p.zone, p.locale, p.birth_from_on, p.birth_on,
	p.next_no
FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY
	u (bucket, patient_id, position)
JOIN patient p ON p.bucket = u.bucket AND p.patient_id = u.patient_id
