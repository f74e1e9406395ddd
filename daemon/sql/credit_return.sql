-- What providers did not take gives its credit back; where they say that there
-- was none, none is left.  Before delivery_outcome, and on the same terms: a
-- delivery that is told once more changes nothing.
-- $1..$7 arrays  the key, as delivery_insert
-- $8 bigint[]    batch_ref that was sent
-- $9 smallint[]  new state: 4 rejected, 5 retry
-- $10 integer[]  contact no
-- $11 text[]     the provider's code of the template
-- $12 boolean[]  there is none left
-- Returns nothing; the dossiers of these people are rebuilt next.
-- Locks: credit rows; the agenda rows are held.
-- Index: credit_pkey, delivery_pkey.
UPDATE credit c
SET credits_left = CASE WHEN u.gone THEN 0
	ELSE least(c.credits_left + u.returned, 1000) END
FROM (
	SELECT t.bucket, t.patient_id, t.contact_no, t.template_code,
		bool_or(t.gone) AS gone, count(*)::integer AS returned
	FROM unnest($1::smallint[], $2::bigint[], $3::date[], $4::smallint[],
		$5::integer[], $6::integer[], $7::smallint[], $8::bigint[],
		$9::smallint[], $10::integer[], $11::text[], $12::boolean[])
		t (bucket, patient_id, occurrence_on, kind, source, slot,
		channel, batch_ref, state, contact_no, template_code, gone)
	JOIN delivery d ON d.bucket = t.bucket AND d.patient_id = t.patient_id
		AND d.occurrence_on = t.occurrence_on AND d.kind = t.kind
		AND d.source = t.source AND d.slot = t.slot
		AND d.channel = t.channel AND d.batch_ref = t.batch_ref
		AND (d.state = 1 OR (d.state = 6 AND t.state = 4))
	GROUP BY t.bucket, t.patient_id, t.contact_no, t.template_code
) u
WHERE c.bucket = u.bucket AND c.patient_id = u.patient_id
	AND c.contact_no = u.contact_no AND c.template_code = u.template_code
