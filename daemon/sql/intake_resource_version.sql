-- The same version under every identifier of a thing known before.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 text         resource type
-- $4 integer      no
-- $5 text         the source that told this version
-- $6 text         version; or null
-- $7 timestamptz  when the source changed it; -infinity: not known
-- $8 bytea        hash of the content
-- Returns nothing.  Locks: the rows; agenda_lock came before.
-- Index: resource_pkey, its first two columns.
UPDATE resource
SET taken_from = $5::text, source_version = $6::text,
	source_at = $7::timestamptz, content_hash = $8::bytea
WHERE bucket = $1::smallint AND patient_id = $2::bigint AND type = $3::text
AND no = $4::integer
