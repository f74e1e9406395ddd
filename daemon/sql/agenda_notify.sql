-- Tell the daemons, at commit, that somebody is due.
-- Returns nothing of use.  Locks: none.
SELECT pg_notify('agenda', '')
