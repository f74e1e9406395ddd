-- Store a visit.  Where it moves, where it stood before is kept.
-- $1 smallint      bucket
-- $2 bigint        patient id
-- $3 integer       follow-up no
-- $4 integer       tenant
-- $5 text          source id, the first one stays
-- $6 smallint      status
-- $7 timestamptz   start
-- $8 boolean       start with a time
-- $9 integer       the visit that it replaces; 0: none, or as it was
-- $10 text         practitioners; or null
-- $11 text         description; or null
-- $12 timestamptz  when this version became known
-- Returns nothing.  Locks: the row; agenda_lock came before.
-- Index: follow_up_pkey.
INSERT INTO follow_up AS old (bucket, patient_id, follow_up_no, tenant_id,
	source_id, status, start_at, start_has_time, moved_at, replaces_no,
	practitioners, description)
VALUES ($1::smallint, $2::bigint, $3::integer, $4::integer, $5::text,
	$6::smallint, $7::timestamptz, $8::boolean,
	CASE WHEN $9::integer = 0
		THEN 'infinity' ELSE $12::timestamptz END,
	$9::integer, $10::text, $11::text)
ON CONFLICT (bucket, patient_id, follow_up_no) DO UPDATE
SET status = excluded.status,
	status_at = CASE WHEN old.status = excluded.status
		THEN old.status_at ELSE $12::timestamptz END,
	start_at = excluded.start_at,
	start_has_time = excluded.start_has_time,
	previous_start_at = CASE WHEN old.start_at IN ('infinity', excluded.start_at)
		THEN old.previous_start_at ELSE old.start_at END,
	moved_at = CASE
		WHEN old.start_at NOT IN ('infinity', excluded.start_at)
			OR excluded.replaces_no NOT IN (0, old.replaces_no)
		THEN $12::timestamptz ELSE old.moved_at END,
	replaces_no = CASE WHEN excluded.replaces_no = 0
		THEN old.replaces_no ELSE excluded.replaces_no END,
	practitioners = excluded.practitioners,
	description = excluded.description
