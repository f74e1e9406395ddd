-- Record that a patient opts in by a reply: to what was ever allowed, no more.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 timestamptz  given, care time
-- $4 integer      topics, where nothing was ever allowed
-- $5 integer      channels
-- $6 smallint     who gave it
-- $7 text         evidence
-- Returns nothing.  Locks: the patient row; agenda_touch came before.
-- Index: patient_pkey, consent_pkey.
WITH numbered AS (
	UPDATE patient SET next_no = next_no + 1
	WHERE bucket = $1::smallint AND patient_id = $2::bigint
	RETURNING bucket, patient_id, tenant_id, next_no - 1 AS no
)
INSERT INTO consent (bucket, patient_id, consent_no, rule_no, tenant_id,
	given_at, permit, topics, channels, actor, evidence)
SELECT n.bucket, n.patient_id, n.no, 1, n.tenant_id, $3::timestamptz, true,
	coalesce((
		SELECT nullif(bit_or(c.topics) & 15, 0)
		FROM consent c
		WHERE c.bucket = n.bucket AND c.patient_id = n.patient_id
			AND c.permit AND c.actor <> 3), $4::integer),
	$5::integer, $6::smallint, $7::text
FROM numbered n
