-- Claim people of class 0 who are due: read first, and every time.
-- $1 timestamptz  now, care time
-- $2 integer      at most so many
-- Returns as agenda_claim.  Locks: the agenda rows; locked ones are skipped.
-- Index: agenda_urgent.
SELECT bucket, patient_id, tenant_id, next_at, planned_through, attention,
	standing, recent, stopped
FROM agenda
WHERE class = 0 AND next_at <= $1::timestamptz
ORDER BY next_at
LIMIT $2::integer
FOR UPDATE SKIP LOCKED
