-- A person ends what holds a patient, and with it the tasks about it.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 boolean      the safety hold
-- $4 boolean      the suspected adverse event
-- $5 boolean      the pause
-- $6 integer[]    labels of the replies behind it
-- $7 timestamptz  now, care time
-- $8 text         who
-- Returns whether each of the three stood.  Locks: the patient row, the
-- tasks; agenda_touch came before.  Index: patient_pkey, task_pkey.
WITH stood AS (
	SELECT bucket, patient_id, safety_hold, adverse_event,
		paused_until > $7::timestamptz AS paused
	FROM patient
	WHERE bucket = $1::smallint AND patient_id = $2::bigint
	FOR UPDATE
), ended AS (
	UPDATE patient p
	SET safety_hold = p.safety_hold AND NOT $3::boolean,
		adverse_event = p.adverse_event AND NOT $4::boolean,
		paused_until = CASE WHEN $5::boolean THEN '-infinity'
			ELSE p.paused_until END
	FROM stood s
	WHERE p.bucket = s.bucket AND p.patient_id = s.patient_id
), done AS (
	UPDATE task t
	SET done_at = $7::timestamptz, done_by = $8::text
	WHERE t.bucket = $1::smallint AND t.patient_id = $2::bigint
		AND t.kind = 5 AND t.slot = ANY ($6::integer[])
		AND t.done_at IS NULL
)
SELECT safety_hold, adverse_event, paused FROM stood
