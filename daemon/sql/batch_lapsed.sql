-- A round whose owner did not finish it in time.
-- $1 timestamptz  now, unmoved
-- $2 bigint       batch_ref to leave out: its take-over failed last time
-- Returns batch_ref, buckets, patient_ids of one.
-- Locks: none; taking it over locks the agenda rows first, like its owner.
-- Index: none, the table holds the rounds under way only.
SELECT batch_ref, buckets, patient_ids
FROM batch
WHERE lease_until < $1::timestamptz AND batch_ref <> $2::bigint
ORDER BY lease_until
LIMIT 1
