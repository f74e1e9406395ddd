-- What was taken of an account since then.
-- $1 text  account
-- $2 date  first day
-- Returns one number.  Locks: none.  Index: account_use_pkey.
SELECT coalesce(sum(taken), 0)::bigint
FROM account_use
WHERE account = $1::text AND used_on >= $2::date
