-- How many people wait for room at each gateway.
-- $1 smallint[]  lanes
-- Returns lane, people, counted up to 10,000.  Locks: none.
-- Index: agenda_parked.
SELECT l.lane, (SELECT count(*) FROM (
	SELECT FROM agenda a WHERE a.lane = l.lane AND a.lane > 0
	LIMIT 10000) waiting)
FROM unnest($1::smallint[]) l (lane)
