-- A process died while it planned this person.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 timestamptz  when to try again, care time
-- $4 integer      so many deaths, and the person is set aside
-- $5 timestamptz  until then, care time
-- Returns the deaths.  Locks: the agenda row.  Index: agenda_pkey.
UPDATE agenda
SET deaths = least(deaths + 1, 1000), lane = 0,
	next_at = CASE WHEN deaths + 1 >= $4::integer THEN $5::timestamptz
		ELSE $3::timestamptz END
WHERE bucket = $1::smallint AND patient_id = $2::bigint
RETURNING deaths
