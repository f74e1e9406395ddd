-- Which things of patients their identifiers name, and the versions taken.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- $3 text[]      resource type
-- $4 text[]      source, '' where the system is named
-- $5 text[]      system
-- $6 text[]      value
-- $7 text        the source that asks
-- Returns the position in the arrays, from 1, no, taken_from,
-- source_version, source_at, content_hash, and whether the thing has an id
-- of that source.  Locks: none; agenda_lock came before.
-- Index: resource_pkey.
SELECT u.position::integer, r.no, r.taken_from, r.source_version, r.source_at,
	r.content_hash, EXISTS (
		SELECT FROM resource o
		WHERE o.bucket = r.bucket AND o.patient_id = r.patient_id
		AND o.source = $7::text AND o.type = r.type
		AND o.system = '' AND o.no = r.no
	)
FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
	$6::text[]) WITH ORDINALITY
	u (bucket, patient_id, type, source, system, value, position)
JOIN resource r ON r.bucket = u.bucket AND r.patient_id = u.patient_id
	AND r.source = u.source AND r.type = u.type AND r.system = u.system
	AND r.value = u.value
