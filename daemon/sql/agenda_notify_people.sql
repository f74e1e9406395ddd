-- Tell the daemons, at commit, that facts of these people changed: what was
-- planned for them and has not left is planned anew.
-- $1 smallint[]  bucket
-- $2 bigint[]    patient id
-- Returns nothing of use.  Locks: none.  Payload: "bucket/patient …", or "*"
-- where they are more than 200.
SELECT pg_notify('agenda', CASE WHEN cardinality($1::smallint[]) > 200 THEN '*'
	ELSE (SELECT coalesce(string_agg(u.bucket || '/' || u.patient_id, ' '), '')
	FROM unnest($1::smallint[], $2::bigint[]) u (bucket, patient_id)) END)
