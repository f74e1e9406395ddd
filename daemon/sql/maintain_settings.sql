-- No statement of adherctl maintain holds up the copies for longer than they
-- wait for a lock themselves.
-- $1 text  milliseconds; 0: no limit
-- Returns one row.  Locks: none.  Holds until the end of its unit.
SELECT set_config('statement_timeout', $1::text, true)
