-- What a patient answered, and what it was taken for.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 timestamptz  from, care time
-- $4 timestamptz  until, exclusive
-- $5 integer      at most so many, the newest
-- Returns reply_no, received_at, gateway, certain, asked_kind, labels,
-- rules joined by a line end, slots, effects, answer; oldest first.
-- Locks: none.  Index: reply_pkey by (bucket, patient_id).
SELECT * FROM (
	SELECT reply_no, received_at, gateway, certain, asked_kind, labels,
		array_to_string(rules, E'\n'), slots::text, effects, answer
	FROM reply
	WHERE bucket = $1::smallint AND patient_id = $2::bigint
		AND received_at >= $3::timestamptz
		AND received_at < $4::timestamptz
	ORDER BY received_at DESC, reply_no DESC
	LIMIT $5::integer
) newest
ORDER BY received_at, reply_no
