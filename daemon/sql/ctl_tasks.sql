-- Tasks for people, the urgent ones first (adherctl).
-- $1 smallint  bucket, or null: everybody's
-- $2 bigint    patient id, or null
-- $3 text      name of the tenant, or null: all
-- $4 boolean   those that are done, too
-- $5 integer   at most so many
-- Returns bucket, patient_id, occurrence_on, kind, source, slot, stage,
-- reason, due_at, done_at, done_by, source_id, zone, tenant_id, event_key,
-- text_sealed, whether the patient is on hold, how often the care team was told,
-- who sees to it, the sealed address of somebody who is in no record.
-- Locks: none.  Index: task_open; task_pkey of a patient.
SELECT t.bucket, t.patient_id, t.occurrence_on, t.kind, t.source, t.slot,
	t.stage, t.reason, t.due_at, t.done_at, t.done_by, p.source_id, p.zone,
	t.tenant_id, r.event_key, r.text_sealed,
	p.safety_hold OR p.adverse_event, t.rung, t.taken_by, c.address_sealed
FROM task t
JOIN patient p ON p.bucket = t.bucket AND p.patient_id = t.patient_id
LEFT JOIN reply r ON t.kind = 5 AND r.bucket = t.bucket
	AND r.patient_id = t.patient_id AND r.reply_no = t.source
LEFT JOIN contact c ON p.care_role < 0 AND c.bucket = p.bucket
	AND c.patient_id = p.patient_id AND c.contact_no = 1
WHERE ($1::smallint IS NULL
		OR (t.bucket = $1::smallint AND t.patient_id = $2::bigint))
	AND (t.done_at IS NULL OR $4::boolean)
	AND ($3::text IS NULL OR t.tenant_id = (
		SELECT tenant_id FROM tenant WHERE name = $3::text))
ORDER BY t.done_at DESC, (t.kind = 5 AND t.slot <= 1) DESC, t.due_at,
	t.bucket, t.patient_id, t.kind, t.source, t.slot
LIMIT $5::integer
