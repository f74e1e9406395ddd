-- Claim people of one class who are due, or will be soon, in bucket order.
-- $1 smallint[]   buckets: all, or those from one on
-- $2 smallint     class
-- $3 timestamptz  due by then, care time: now, or a moment ahead of it
-- $4 integer      at most so many
-- $5 timestamptz  now, care time: nobody with open deliveries is taken ahead
-- Returns bucket, patient_id, tenant_id, next_at, planned_through,
-- attention, standing, recent, stopped.
-- Locks: the agenda rows, until the transaction ends; locked ones are
-- skipped.  Index: agenda_due.
SELECT bucket, patient_id, tenant_id, next_at, planned_through, attention,
	standing, recent, stopped
FROM agenda
WHERE bucket = ANY ($1::smallint[]) AND class = $2::smallint
	AND next_at <= $3::timestamptz
	AND (next_at <= $5::timestamptz OR NOT attention)
LIMIT $4::integer
FOR UPDATE SKIP LOCKED
