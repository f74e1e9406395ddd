-- Record that a patient refuses, for both who may decide; a Consent that is
-- dated later, but known by now, must not outlive it: at its instant the
-- denial stands beside it, and outranks.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 timestamptz  given, care time
-- $4 integer      topics
-- $5 integer      channels
-- $6 text         evidence
-- Returns nothing.  Locks: the patient row; agenda_touch came before.
-- Index: patient_pkey, consent_pkey.
WITH numbered AS (
	UPDATE patient SET next_no = next_no + 1
	WHERE bucket = $1::smallint AND patient_id = $2::bigint
	RETURNING bucket, patient_id, tenant_id, next_no - 1 AS no
), instants AS (
	SELECT $3::timestamptz AS given_at
	UNION
	SELECT c.given_at FROM consent c
	WHERE c.bucket = $1::smallint AND c.patient_id = $2::bigint
		AND c.permit AND c.given_at > $3::timestamptz
)
INSERT INTO consent (bucket, patient_id, consent_no, rule_no, tenant_id,
	given_at, permit, topics, channels, actor, evidence)
SELECT n.bucket, n.patient_id, n.no,
	row_number() OVER (ORDER BY i.given_at, a.actor), n.tenant_id,
	i.given_at, false, $4::integer, $5::integer, a.actor, $6::text
FROM numbered n
CROSS JOIN instants i
CROSS JOIN (VALUES (1::smallint), (2)) a (actor)
