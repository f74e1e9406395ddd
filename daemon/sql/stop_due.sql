-- How many people a stop may concern soon (adherctl; a person waits).
-- $1 integer      tenant, 0 every one
-- $2 text         drug, or null
-- $3 timestamptz  due until then, care time
-- Returns people who have the drug (all of the tenant where it is null), and
-- those of them who are looked at until then.  Locks: none.
-- Index: none leads with the drug.
SELECT count(*), count(*) FILTER (WHERE a.next_at < $3::timestamptz)
FROM agenda a
WHERE ($1::integer = 0 OR a.tenant_id = $1::integer)
	AND ($2::text IS NULL OR EXISTS (
		SELECT FROM prescription p
		WHERE p.bucket = a.bucket AND p.patient_id = a.patient_id
			AND (p.drug = $2::text
				OR substr(p.drug, strpos(p.drug, '|') + 1)
					= $2::text)))
