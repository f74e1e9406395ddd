-- An account's day has a row.
-- $1 text  account
-- $2 date  its day
-- Returns nothing.  Index: account_use_pkey.
INSERT INTO account_use (account, used_on, taken)
VALUES ($1::text, $2::date, 0)
ON CONFLICT (account, used_on) DO NOTHING
