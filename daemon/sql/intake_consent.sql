-- Store one rule of a Consent.
-- $1 smallint      bucket
-- $2 bigint        patient id
-- $3 integer       consent no
-- $4 integer       rule no
-- $5 integer       tenant
-- $6 timestamptz   given
-- $7 timestamptz   from
-- $8 timestamptz   until, exclusive
-- $9 boolean       permit; else it denies
-- $10 boolean      withdrawn
-- $11 timestamptz  when; -infinity: always was
-- $12 integer      topics
-- $13 integer      channels
-- $14 smallint     who gave it
-- $15 text         evidence: the resource it came from
-- Returns nothing.  Locks: the new row.
INSERT INTO consent (bucket, patient_id, consent_no, rule_no, tenant_id,
	given_at, from_at, until_at, permit, withdrawn, withdrawn_at, topics,
	channels, actor, evidence)
VALUES ($1::smallint, $2::bigint, $3::integer, $4::integer, $5::integer,
	$6::timestamptz, $7::timestamptz, $8::timestamptz, $9::boolean,
	$10::boolean, $11::timestamptz, $12::integer, $13::integer,
	$14::smallint, $15::text)
