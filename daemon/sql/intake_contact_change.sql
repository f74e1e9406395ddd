-- Change a contact point's rank, period and who states it.
-- $1 smallint     bucket
-- $2 bigint       patient id
-- $3 integer      contact no
-- $4 integer      rank
-- $5 timestamptz  from
-- $6 timestamptz  until
-- $7 integer[]    the resources that state it
-- Returns nothing.  Locks: the row; agenda_lock came before.
-- Index: contact_pkey.
UPDATE contact
SET rank = $4::integer, from_at = $5::timestamptz,
	until_at = $6::timestamptz, stated_by = $7::integer[]
WHERE bucket = $1::smallint AND patient_id = $2::bigint
AND contact_no = $3::integer
