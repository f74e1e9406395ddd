-- Claim people who wait for a gateway that nobody here knows: it was renamed
-- or removed.
-- $1 smallint[]   lanes of the gateways that are known
-- $2 timestamptz  now, care time
-- $3 integer      at most so many
-- Returns as agenda_claim.  Locks: the agenda rows; locked ones are skipped.
-- Index: agenda_parked.
SELECT bucket, patient_id, tenant_id, next_at, planned_through, attention,
	standing, recent, stopped
FROM agenda
WHERE lane > 0 AND lane <> ALL ($1::smallint[]) AND next_at > $2::timestamptz
LIMIT $3::integer
FOR UPDATE SKIP LOCKED
