-- What a maintenance found, for the alarms.
-- $1 timestamptz  now, unmoved
-- $2 integer      dossiers compared
-- $3 integer      those of them that differ
-- Returns nothing.  Locks: the row.
INSERT INTO maintenance (one, ended_at, dossiers_compared, dossiers_differing)
VALUES (true, $1::timestamptz, $2::integer, $3::integer)
ON CONFLICT (one) DO UPDATE SET ended_at = excluded.ended_at,
	dossiers_compared = excluded.dossiers_compared,
	dossiers_differing = excluded.dossiers_differing
