-- Take a portion of a day's quota, or give one back.
-- $1 text    account
-- $2 date    its day
-- $3 bigint  messages wanted; below 0: given back
-- $4 bigint  the quota
-- Returns how many were got.  Locks: the row.  Index: account_use_pkey.
WITH had AS MATERIALIZED (
	SELECT account, used_on,
		least($3::bigint, greatest($4::bigint - taken, 0)) AS got
	FROM account_use
	WHERE account = $1::text AND used_on = $2::date
	FOR UPDATE
)
UPDATE account_use u
SET taken = greatest(u.taken + had.got, 0)
FROM had
WHERE u.account = had.account AND u.used_on = had.used_on
RETURNING had.got
