-- Store what the look at each person came to.
-- $1 smallint[]     bucket
-- $2 bigint[]       patient id
-- $3 timestamptz[]  when to look again, care time
-- $4 smallint[]     lane: > 0 waits for that gateway
-- $5 boolean[]      attention: open deliveries to load at the next look
-- $6 smallint[]     standing obstacle, 0 none
-- $7 bytea[]        recent, said_encode()
-- $8 timestamptz    planned through: now, care time
-- $9 boolean[]      stopped: something waits for a stop's end
-- $10 smallint[]    class: 0 where it is urgent and waits for a slot, else 1
-- Returns nothing.  Locks: agenda rows, which the claim holds already.
-- Index: agenda_pkey.
UPDATE agenda a
SET next_at = u.next_at, class = u.class, lane = u.lane, attention = u.attention,
	standing = u.standing, recent = u.recent, stopped = u.stopped,
	planned_through = $8::timestamptz, deaths = 0
FROM unnest($1::smallint[], $2::bigint[], $3::timestamptz[], $4::smallint[],
	$5::boolean[], $6::smallint[], $7::bytea[], $9::boolean[],
	$10::smallint[])
	u (bucket, patient_id, next_at, lane, attention, standing, recent,
	stopped, class)
WHERE a.bucket = u.bucket AND a.patient_id = u.patient_id
