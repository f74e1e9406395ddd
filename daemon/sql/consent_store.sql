-- Record a consent, or its refusal, that a patient gave here.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 timestamptz  given, care time
-- $4 boolean      permit; else it denies
-- $5 integer      topics
-- $6 integer      channels
-- $7 smallint     who gave it
-- $8 text         evidence, or null
-- Returns nothing.  Locks: the patient row; agenda_touch came before.
-- Index: patient_pkey.
WITH numbered AS (
	UPDATE patient SET next_no = next_no + 1
	WHERE bucket = $1::smallint AND patient_id = $2::bigint
	RETURNING bucket, patient_id, tenant_id, next_no - 1 AS no
)
INSERT INTO consent (bucket, patient_id, consent_no, rule_no, tenant_id,
	given_at, permit, topics, channels, actor, evidence)
SELECT bucket, patient_id, no, 1, tenant_id, $3::timestamptz, $4::boolean,
	$5::integer, $6::integer, $7::smallint, $8::text
FROM numbered
