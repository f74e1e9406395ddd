-- What was taken of the accounts' quotas today.
-- $1 text[]  accounts
-- $2 date[]  the day of each
-- Returns its place in the arrays, messages, of those that have a row.
-- Locks: none.  Index: account_use_pkey.
SELECT w.place, u.taken
FROM unnest($1::text[], $2::date[])
	WITH ORDINALITY w (account, used_on, place)
JOIN account_use u ON u.account = w.account AND u.used_on = w.used_on
