-- Deliveries by gateway and state.
-- $1 date  occurrences from this day on
-- Returns gateway, state, how many.  Locks: none.
-- Index: none; the partitions of these days.
SELECT coalesce(gateway, ''), state, count(*)
FROM delivery
WHERE occurrence_on >= $1::date
GROUP BY coalesce(gateway, ''), state
ORDER BY 1, 2
