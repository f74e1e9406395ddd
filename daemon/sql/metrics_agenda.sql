-- Who has been due longest, by class, for the operators' numbers.
-- Returns one row: the earliest next_at of class 0, 1 and 2 (care time), and
-- how many are set aside, counted up to 10,000.
-- Locks: none.  Index: agenda_urgent; agenda_due, one step a bucket and
-- class; agenda_set_aside.
SELECT
	(SELECT min(next_at) FROM agenda WHERE class = 0),
	(SELECT min(first.next_at)
	FROM generate_series(0, 1023) b (bucket) CROSS JOIN LATERAL (
		SELECT a.next_at FROM agenda a
		WHERE a.bucket = b.bucket::smallint AND a.class = 1
		ORDER BY a.next_at LIMIT 1) first),
	(SELECT min(first.next_at)
	FROM generate_series(0, 1023) b (bucket) CROSS JOIN LATERAL (
		SELECT a.next_at FROM agenda a
		WHERE a.bucket = b.bucket::smallint AND a.class = 2
		ORDER BY a.next_at LIMIT 1) first),
	(SELECT count(*) FROM (
		SELECT FROM agenda WHERE deaths > 0 LIMIT 10000) aside)
