-- Record a reply of a patient, with what it changes about the person and the
-- task that it makes.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 timestamptz  received, care time
-- $4 text         gateway
-- $5 integer      contact no
-- $6 boolean      certain
-- $7 smallint     kind of the question; 0: none
-- $8 integer      its source
-- $9 date         its occurrence
-- $10 smallint[]  labels, the primary first
-- $11 text[]      the rules that decided
-- $12 text        slots, a JSON object
-- $13 integer     effects
-- $14 smallint    stage of the answer; 0: none
-- $15 bytea       event key
-- $16 bytea       sealed text, or null
-- $17 boolean     safety hold from now on
-- $18 boolean     suspected adverse event from now on
-- $19 boolean     paused from now on
-- $20 smallint    label that the task is about; -1: no task
-- $21 date        the day of it (UTC): of the task's key
-- $22 smallint    kind of an answer
-- $23 boolean     it answers the question
-- $24 timestamptz when the task is due, care time
-- Returns nothing.  Locks: the patient row; agenda_touch came before.
-- Index: patient_pkey.
WITH numbered AS (
	UPDATE patient
	SET next_no = next_no + 1,
		safety_hold = safety_hold OR $17::boolean,
		adverse_event = adverse_event OR $18::boolean,
		paused_until = CASE WHEN $19::boolean THEN 'infinity'
			ELSE paused_until END
	WHERE bucket = $1::smallint AND patient_id = $2::bigint
	RETURNING bucket, patient_id, tenant_id, next_no - 1 AS no
), stored AS (
	INSERT INTO reply (bucket, patient_id, reply_no, tenant_id, received_at,
		gateway, contact_no, certain, asked_kind, asked_source,
		asked_on, answered, labels, rules, slots, effects, answer,
		event_key, text_sealed)
	SELECT bucket, patient_id, no, tenant_id, $3::timestamptz, $4::text,
		$5::integer, $6::boolean, $7::smallint, $8::integer, $9::date,
		$23::boolean, $10::smallint[], $11::text[], $12::text::jsonb,
		$13::integer, $14::smallint, $15::bytea, $16::bytea
	FROM numbered
)
INSERT INTO task (bucket, patient_id, occurrence_on, kind, source, slot,
	tenant_id, stage, items, due_at, created_at, escalate_at)
SELECT bucket, patient_id, $21::date, $22::smallint, no, $20::smallint,
	tenant_id, $14::smallint, '{}', $24::timestamptz, $3::timestamptz,
	$24::timestamptz
FROM numbered
WHERE $20::smallint >= 0
