-- An identifier names a thing of a patient from now on, in this version.
-- $1 smallint      bucket
-- $2 bigint        patient id
-- $3 text          source of the identifier, '' where the system is named
-- $4 text          resource type
-- $5 text          system
-- $6 text          value
-- $7 integer       no
-- $8 text          the source that told this version
-- $9 text          version; or null
-- $10 timestamptz  when the source changed it; -infinity: not known
-- $11 bytea        hash of the content
-- Returns nothing.  Locks: the row; agenda_lock came before.
-- Index: resource_pkey.
INSERT INTO resource (bucket, patient_id, source, type, system, value, no,
	taken_from, source_version, source_at, content_hash)
VALUES ($1::smallint, $2::bigint, $3::text, $4::text, $5::text, $6::text,
	$7::integer, $8::text, $9::text, $10::timestamptz, $11::bytea)
ON CONFLICT (bucket, patient_id, source, type, system, value) DO UPDATE
SET no = excluded.no, taken_from = excluded.taken_from,
	source_version = excluded.source_version,
	source_at = excluded.source_at, content_hash = excluded.content_hash
