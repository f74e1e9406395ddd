-- The next people for whom something waits for a stop's end.
-- $1 smallint  bucket, and
-- $2 bigint    patient id, after which
-- $3 integer   tenant, 0 every one
-- $4 text      drug that they have, or null
-- $5 integer   at most so many
-- Returns bucket, patient_id, in key order.  Locks: none.
-- Index: agenda_stopped.
SELECT a.bucket, a.patient_id
FROM agenda a
WHERE a.stopped AND (a.bucket, a.patient_id) > ($1::smallint, $2::bigint)
	AND ($3::integer = 0 OR a.tenant_id = $3::integer)
	AND ($4::text IS NULL OR EXISTS (
		SELECT FROM prescription p
		WHERE p.bucket = a.bucket AND p.patient_id = a.patient_id
			AND (p.drug = $4::text
				OR substr(p.drug, strpos(p.drug, '|') + 1)
					= $4::text)))
ORDER BY a.bucket, a.patient_id
LIMIT $5::integer
