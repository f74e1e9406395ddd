-- What people answered of late, of each the last 50.
-- $1 smallint[]   bucket
-- $2 bigint[]     patient id
-- $3 timestamptz  since then, care time
-- $4 integer      effect of an order
-- $5 smallint     label of a task about one
-- $6 integer      effect of a refusal of everything
-- $7 integer      effect of a consent
-- Returns bucket, patient_id, contact_no, asked_kind, received_at, answered,
-- reply_no, whether it is an order, and one that nobody took up or cancelled;
-- whether it refused and that was confirmed, whether it consented.
-- Locks: none.  Index: reply_pkey by (bucket, patient_id), task_pkey.
SELECT r.bucket, r.patient_id, r.contact_no, r.asked_kind, r.received_at,
	r.answered, r.reply_no, (r.effects & $4::integer) <> 0,
	(r.effects & $4::integer) <> 0 AND EXISTS (
		SELECT FROM task t
		WHERE t.bucket = r.bucket AND t.patient_id = r.patient_id
			AND t.kind = 5 AND t.source = r.reply_no
			AND t.slot = $5::smallint AND t.done_at IS NULL),
	(r.effects & $6::integer) <> 0 AND r.answer <> 0,
	(r.effects & $7::integer) <> 0
FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)
CROSS JOIN LATERAL (
	SELECT * FROM reply l
	WHERE l.bucket = u.bucket AND l.patient_id = u.patient_id
	ORDER BY l.reply_no DESC
	LIMIT 50) r
WHERE r.received_at >= $3::timestamptz
