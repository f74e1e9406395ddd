-- The care team (adherctl).
-- $1 text  name of the tenant, or null: all
-- Returns the tenant's name, source_id, care_role, active, channels of the
-- addresses that can be used, tasks that were told to them and nobody took.
-- Locks: none.  Index: patient_care_team, notice_pkey.
SELECT t.name, p.source_id, p.care_role, p.active,
	(SELECT coalesce(bit_or(1 << c.channel), 0) FROM contact c
	WHERE c.bucket = p.bucket AND c.patient_id = p.patient_id AND c.usable),
	(SELECT count(*) FROM (
		SELECT DISTINCT n.task_bucket, n.task_patient_id, n.task_on,
			n.task_kind, n.task_source, n.task_slot
		FROM notice n
		JOIN task k ON k.bucket = n.task_bucket
			AND k.patient_id = n.task_patient_id
			AND k.occurrence_on = n.task_on AND k.kind = n.task_kind
			AND k.source = n.task_source AND k.slot = n.task_slot
		WHERE n.bucket = p.bucket AND n.patient_id = p.patient_id
			AND k.done_at IS NULL AND k.taken_at IS NULL) open)
FROM patient p
JOIN tenant t ON t.tenant_id = p.tenant_id
WHERE p.care_role > 0 AND ($1::text IS NULL OR t.name = $1::text)
ORDER BY t.name, p.care_role, p.source_id
