-- A person ends what holds a patient, and with it the tasks about it.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 boolean      the safety hold
-- $4 boolean      the suspected adverse event
-- $5 boolean      the pause
-- $6 boolean      addresses that were given up
-- $7 integer[]    labels of the replies behind it
-- $8 timestamptz  now, care time
-- $9 text         who
-- Returns whether each of the four stood.  Locks: the patient row, contacts,
-- tasks; agenda_touch came before.  A task about an emergency stays while
-- its suspected adverse event does.  Index: patient_pkey, task_pkey,
-- contact_pkey.
WITH stood AS (
	SELECT bucket, patient_id, safety_hold, adverse_event,
		paused_until > $8::timestamptz AS paused
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
), right_again AS (
	UPDATE contact
	SET usable = true
	WHERE bucket = $1::smallint AND patient_id = $2::bigint
		AND NOT usable AND $6::boolean
	RETURNING contact_no
), done AS (
	UPDATE task t
	SET done_at = $8::timestamptz, done_by = $9::text
	FROM stood s
	WHERE t.bucket = $1::smallint AND t.patient_id = $2::bigint
		AND t.kind = 5 AND t.slot = ANY ($7::integer[])
		AND t.done_at IS NULL
		AND (t.slot > 0 OR $4::boolean OR NOT s.adverse_event)
)
SELECT safety_hold, adverse_event, paused,
	EXISTS (SELECT FROM right_again)
FROM stood
