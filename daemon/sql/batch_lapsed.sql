-- A round whose owner did not finish it in time.
-- $1 timestamptz  now, unmoved
-- Returns batch_ref, owner, buckets, patient_ids of one.
-- Locks: the batch row; a locked one is skipped.
-- Index: none, the table holds the rounds under way only.
SELECT batch_ref, owner, buckets, patient_ids
FROM batch
WHERE lease_until < $1::timestamptz
ORDER BY lease_until
LIMIT 1
FOR UPDATE SKIP LOCKED
