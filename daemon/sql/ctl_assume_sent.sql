-- An operator's word: what was due before then counts as sent (adherctl).
-- $1 timestamptz  until then, care time
-- $2 timestamptz  now, unmoved
-- $3 text         who
-- Returns nothing.  Index: assumed_sent_pkey.
INSERT INTO assumed_sent (until_at, made_at, made_by)
VALUES ($1::timestamptz, $2::timestamptz, $3::text)
ON CONFLICT (until_at) DO NOTHING
