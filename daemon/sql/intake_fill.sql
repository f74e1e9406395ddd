-- Store a fill.
-- $1 smallint      bucket
-- $2 bigint        patient id
-- $3 integer       fill no
-- $4 integer       tenant
-- $5 text          source id, the first one stays
-- $6 integer       prescription no; 0: not known, or as it was
-- $7 smallint      status
-- $8 text          drug
-- $9 bigint        quantity, millionths; -1
-- $10 text         its unit; or null
-- $11 integer      days' supply; -1
-- $12 timestamptz  handed over
-- Returns nothing.  Locks: the row; agenda_lock came before.
-- Index: fill_pkey.
INSERT INTO fill AS old (bucket, patient_id, fill_no, tenant_id, source_id,
	prescription_no, status, drug, quantity_micro, quantity_unit,
	days_supply, handed_over_at)
VALUES ($1::smallint, $2::bigint, $3::integer, $4::integer, $5::text,
	$6::integer, $7::smallint, $8::text, $9::bigint, $10::text,
	$11::integer, $12::timestamptz)
ON CONFLICT (bucket, patient_id, fill_no) DO UPDATE
SET prescription_no = CASE WHEN excluded.prescription_no = 0
		THEN old.prescription_no ELSE excluded.prescription_no END,
	status = excluded.status, drug = excluded.drug,
	quantity_micro = excluded.quantity_micro,
	quantity_unit = excluded.quantity_unit,
	days_supply = excluded.days_supply,
	handed_over_at = excluded.handed_over_at
