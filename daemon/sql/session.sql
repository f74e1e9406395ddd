-- The first question on each connection: whose backend answers?  And the end
-- of one of our own that was given up, so that what it did can be read back.
-- $1 integer  process id of the one to end; 0: none
-- $2 integer  how long to wait for that, ms
-- Returns the process id of this backend, and whether that one has ended.
-- The name protects the sessions of others, should the new connection lead to
-- another server.  Locks: none.
SELECT pg_backend_pid(), (
	SELECT pg_terminate_backend(pid, $2::integer)
	FROM pg_stat_activity
	WHERE pid = $1::integer AND usename = current_user
		AND application_name = current_setting('application_name'))
