-- Store a prescription; its dosages follow one by one.
-- $1 smallint      bucket
-- $2 bigint        patient id
-- $3 integer       prescription no
-- $4 integer       tenant
-- $5 text          source id, the first one stays
-- $6 smallint      status
-- $7 smallint      course
-- $8 boolean       sensitive
-- $9 text          drug
-- $10 text         name
-- $11 text         prescriber; or null
-- $12 timestamptz  authored
-- $13 boolean      authored with a time
-- $14 timestamptz  since when it has its status, where it had another
-- $15 bigint       quantity, millionths; -1
-- $16 text         its unit; or null
-- $17 integer      supply, days; -1
-- $18 integer      repeats allowed; -1
-- $19 date         valid from
-- $20 date         valid until, inclusive
-- $21 integer      interval, days; -1
-- $22 integer      prior prescription; 0: as it was
-- $23 bigint       initial quantity, millionths; -1
-- $24 text         its unit; or null
-- $25 integer      initial supply, days; -1
-- Returns nothing.  Locks: the row; agenda_lock came before.
-- Index: prescription_pkey.
INSERT INTO prescription AS old (bucket, patient_id, prescription_no,
	tenant_id, source_id, status, course, sensitive, drug, name,
	prescriber, authored_at, authored_has_time, quantity_micro,
	quantity_unit, supply_days, repeats_allowed, valid_from_on,
	valid_until_on, interval_days, prior_no, initial_quantity_micro,
	initial_quantity_unit, initial_days)
VALUES ($1::smallint, $2::bigint, $3::integer, $4::integer, $5::text,
	$6::smallint, $7::smallint, $8::boolean, $9::text, $10::text,
	$11::text, $12::timestamptz, $13::boolean, $15::bigint, $16::text,
	$17::integer, $18::integer, $19::date, $20::date, $21::integer,
	$22::integer, $23::bigint, $24::text, $25::integer)
ON CONFLICT (bucket, patient_id, prescription_no) DO UPDATE
SET status = excluded.status, course = excluded.course,
	sensitive = excluded.sensitive, drug = excluded.drug,
	name = excluded.name, prescriber = excluded.prescriber,
	authored_at = excluded.authored_at,
	authored_has_time = excluded.authored_has_time,
	status_at = CASE WHEN old.status = excluded.status
		THEN old.status_at ELSE $14::timestamptz END,
	quantity_micro = excluded.quantity_micro,
	quantity_unit = excluded.quantity_unit,
	supply_days = excluded.supply_days,
	initial_quantity_micro = excluded.initial_quantity_micro,
	initial_quantity_unit = excluded.initial_quantity_unit,
	initial_days = excluded.initial_days,
	repeats_allowed = excluded.repeats_allowed,
	valid_from_on = excluded.valid_from_on,
	valid_until_on = excluded.valid_until_on,
	interval_days = excluded.interval_days,
	prior_no = CASE WHEN excluded.prior_no = 0
		THEN old.prior_no ELSE excluded.prior_no END
