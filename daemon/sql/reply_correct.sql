-- Record how much a patient says is left.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 text         drug
-- $4 timestamptz  stated, care time
-- $5 integer      days, counting that day; -1: in units
-- $6 bigint       millionths of a unit; -1: in days
-- $7 text         the unit, or null
-- Returns nothing.  Locks: the patient row; agenda_touch came before.
-- Index: patient_pkey.
WITH numbered AS (
	UPDATE patient SET next_no = next_no + 1
	WHERE bucket = $1::smallint AND patient_id = $2::bigint
	RETURNING bucket, patient_id, tenant_id, next_no - 1 AS no
)
INSERT INTO correction (bucket, patient_id, correction_no, tenant_id, drug,
	stated_at, days, quantity_micro, quantity_unit, evidence)
SELECT bucket, patient_id, no, tenant_id, $3::text, $4::timestamptz,
	$5::integer, $6::bigint, $7::text, 'reply'
FROM numbered
