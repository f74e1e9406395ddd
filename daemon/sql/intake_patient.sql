-- Store a Patient.  What a later version leaves unsaid stays as it was.
-- $1 smallint      bucket
-- $2 bigint        patient id
-- $3 integer       tenant
-- $4 text          source id, the first one stays; or null
-- $5 text          zone
-- $6 text          locale
-- $7 bytea         name, sealed; or null
-- $8 boolean       active
-- $9 timestamptz   since when it is not, where it was until now
-- $10 timestamptz  deceased
-- $11 date         birth, the first day that it can be; or null
-- $12 date         birth, the last; or null
-- $13 integer      next number within the patient
-- Returns nothing.  Locks: the row; agenda_lock came before.
-- Index: patient_pkey.
INSERT INTO patient AS old (bucket, patient_id, tenant_id, source_id, zone,
	locale, name_sealed, active, inactive_at, deceased_at, birth_from_on,
	birth_on, next_no)
VALUES ($1::smallint, $2::bigint, $3::integer, $4::text, $5::text, $6::text,
	$7::bytea, $8::boolean, $9::timestamptz, $10::timestamptz, $11::date,
	$12::date, $13::integer)
ON CONFLICT (bucket, patient_id) DO UPDATE
SET source_id = coalesce(old.source_id, excluded.source_id),
	zone = excluded.zone, locale = excluded.locale,
	name_sealed = coalesce(excluded.name_sealed, old.name_sealed),
	active = excluded.active,
	inactive_at = CASE WHEN old.active
		THEN excluded.inactive_at ELSE old.inactive_at END,
	deceased_at = excluded.deceased_at,
	birth_from_on = coalesce(excluded.birth_from_on, old.birth_from_on),
	birth_on = coalesce(excluded.birth_on, old.birth_on),
	next_no = excluded.next_no
