-- Have people looked at again, and at their open deliveries: something about
-- them is about to change.
-- The first statement of a transaction that writes facts of a patient.
-- $1 smallint[]   bucket
-- $2 bigint[]     patient id
-- $3 timestamptz  now, care time
-- $4 smallint     class: 0 urgent, 1 timed, 2 bulk; one that is due keeps its own
-- Returns nothing.  Locks: agenda rows, in key order.  Index: agenda_pkey.
WITH locked AS MATERIALIZED (
	SELECT a.bucket, a.patient_id
	FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
	JOIN agenda a ON a.bucket = u.bucket AND a.patient_id = u.patient_id
	ORDER BY a.bucket, a.patient_id
	FOR UPDATE OF a
)
UPDATE agenda a
SET next_at = least(a.next_at, $3::timestamptz), lane = 0, attention = true,
	class = CASE WHEN a.next_at <= $3::timestamptz
		THEN least(a.class, $4::smallint) ELSE $4::smallint END
FROM locked l
WHERE a.bucket = l.bucket AND a.patient_id = l.patient_id
