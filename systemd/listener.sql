-- What the listener for callbacks (role = inbox, adherd-inbox.service) may do
-- in the database: store what it took, and nothing else.  It reads no patient,
-- no address, no delivery and no event.  For a superuser of the database, once,
-- after adherctl migrate:
--	runuser -u postgres -- psql -d adherd -f listener.sql
-- The system's user of the same name is let in over the socket by `peer`.
CREATE ROLE "adherd-inbox" LOGIN;
GRANT SELECT ON schema_migration, care_clock, tenant, template_registration,
	gateway_pause TO "adherd-inbox";
GRANT SELECT, INSERT, UPDATE, DELETE ON copy TO "adherd-inbox";
GRANT INSERT, SELECT (event_key) ON inbox TO "adherd-inbox";
