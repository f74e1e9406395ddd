-- Who waits to be looked at, by class and lane.
-- $1 timestamptz  now, care time
-- Returns class, lane, people, due, late (by more than a minute), the
-- earliest next_at.  Locks: none.  Index: none, it counts everybody.
SELECT class, lane, count(*),
	count(*) FILTER (WHERE next_at <= $1::timestamptz),
	count(*) FILTER (WHERE next_at <= $1::timestamptz - interval '1 minute'),
	min(next_at)
FROM agenda
GROUP BY class, lane
ORDER BY class, lane
