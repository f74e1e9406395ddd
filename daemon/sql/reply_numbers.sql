-- The next number within each patient, which nobody else takes while the
-- agenda rows are locked, and the only product, if there is one.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- $3 timestamptz told since then, care time
-- $4 timestamptz received, care time
-- Returns bucket, patient_id, next_no, drug of the active prescriptions or
-- null where they are of several, whether orders are held, care_role, which is
-- nobody's once a member was ended, and whether a member was told of anything
-- that nobody took.
-- Locks: none; agenda_touch came before.
-- Index: patient_pkey, prescription_pkey, notice_pkey, task_pkey,
-- delivery_pkey.
SELECT p.bucket, p.patient_id, p.next_no, (
	SELECT CASE WHEN min(r.drug) = max(r.drug) THEN min(r.drug) END
	FROM prescription r
	WHERE r.bucket = p.bucket AND r.patient_id = p.patient_id
		AND r.status = 1), p.safety_hold OR p.adverse_event,
	CASE WHEN p.care_role > 0 AND NOT p.active THEN -1 ELSE p.care_role END,
	p.care_role > 0 AND EXISTS (
		SELECT FROM notice_open n
		WHERE n.bucket = p.bucket AND n.patient_id = p.patient_id
			AND n.told_at > $3::timestamptz
			AND n.told_at <= $4::timestamptz)
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
JOIN patient p ON p.bucket = u.bucket AND p.patient_id = u.patient_id
