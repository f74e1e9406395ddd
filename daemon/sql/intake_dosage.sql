-- Store a dosage of a prescription.
-- $1 smallint  bucket
-- $2 bigint    patient id
-- $3 integer   prescription no
-- $4 integer   dosage no
-- $5 integer   sequence
-- $6 boolean   as needed
-- $7 bigint    dose, millionths; -1
-- $8 text      its unit; or null
-- $9 text      FHIR Timing, JSON; or null
-- $10 bytea    the rule, timing_encode(); or null
-- $11 text     why a person must look at it; or null
-- Returns nothing.  Locks: the new row.
INSERT INTO dosage (bucket, patient_id, prescription_no, dosage_no, sequence,
	as_needed, dose_micro, dose_unit, timing, rule, needs_review)
VALUES ($1::smallint, $2::bigint, $3::integer, $4::integer, $5::integer,
	$6::boolean, $7::bigint, $8::text, ($9::text)::jsonb, $10::bytea,
	$11::text)
