-- Rounds of sending whose lease lapsed.
-- $1 timestamptz  now, unmoved
-- Returns owner, how many, the earliest lease_until.  Locks: none.
-- Index: none; the table holds what is under way.
SELECT owner, count(*), min(lease_until)
FROM batch
WHERE lease_until <= $1::timestamptz
GROUP BY owner
ORDER BY owner
