/*
 * What a fresh session is asked before it is ready: the probe, all statements
 * to be prepared, LISTEN, and who answers.
 */
#include <assert.h>
#include <event2/event.h>
#include <string.h>

#include "base/db_inside.h"
#include "base/log.h"

#define ABANDONED_WAIT_MS 2000 /* for the end of a backend */

static void
unit_add_listen(struct db_unit *unit, const struct listener *listener)
{
	char *name = PQescapeIdentifier(
	    unit->db->connection, listener->channel, strlen(listener->channel));
	struct command *command = unit_add(unit, COMMAND_TEXT, NULL);

	assert(name != NULL);
	command->text = arena_printf(unit->arena, "LISTEN %s", name);
	PQfreemem(name);
}

/* Keep what the statement takes, to check and convert parameters by it. */
static void
statement_on_described(const struct db_result *result, void *arg)
{
	struct statement *statement = arg;
	int count = PQnparams(result->pg);

	assert(count <= PARAMETERS_MAX);
	statement->parameter_count = count;
	for (int i = 0; i < count; i++)
		statement->parameters[i] = PQparamtype(result->pg, i);
}

/*
 * A pooler answers with a number of its own.  Behind one that gives each
 * transaction another backend, prepared statements fail and LISTEN is deaf,
 * and all poolers drop the session's settings.
 */
static void
take_backend(const struct db_result *result, void *arg)
{
	struct db *db = arg;

	if (db_i64(result, 0, 0) != PQbackendPID(db->connection))
		db_break(db, DB_POOLED);
}

/* On a fresh session a name is taken, or one just prepared is not there. */
static bool
sqlstate_is_poolers(const char *sqlstate)
{
	return strcmp(sqlstate, "42P05") == 0 || strcmp(sqlstate, "26000") == 0;
}

static void
db_be_ready(struct db *db)
{
	db_change_state(db, STATE_READY);
	db->readied++;
	log_info("db.ready", log_s(KEY, db->settings.label));
	if (db->awaited != NULL)
		*db->awaited = true;
	if (db->settings.on_ready != NULL)
		db->settings.on_ready(db, db->settings.arg);
}

static void
db_on_greeted(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct db *db = arg;

	if (outcome == DB_FAILED)
		db_break(
		    db, sqlstate_is_poolers(sqlstate) ? DB_POOLED : sqlstate);
	else if (outcome == DB_OK && db->broken[0] == '\0')
		db_be_ready(db);
}

/*
 * Before all work: who answers, and the end of a backend that we gave up, so
 * that what it did can be read back.
 */
static void
db_greet(struct db *db, struct statement *statement)
{
	struct db_unit *unit = unit_create(db);
	struct command *command = unit_add(unit, COMMAND_EXECUTE, statement);

	command->on_result = take_backend;
	command->arg = db;
	db_param_i32(unit, db->abandoned_pid);
	db_param_i32(unit, ABANDONED_WAIT_MS);
	db->abandoned_pid = 0;
	unit->done = db_on_greeted;
	unit->arg = db;
	unit_start(db, unit);
}

/* A statement that the connection cannot do without was refused. */
static void
db_on_setup_refused(struct db_unit *unit, const char *sqlstate)
{
	const struct command *command = unit->commands.data;
	struct db *db = unit->db;

	command += unit->refused;
	log_error("db.prepare",
	    log_s(STATEMENT, command->statement != NULL
				 ? command->statement->source->name
				 : "listen"),
	    log_s(SQLSTATE, sqlstate));
	db_break(db, sqlstate_is_poolers(sqlstate) ? DB_POOLED : sqlstate);
}

static void
db_on_setup(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct db_unit *unit = arg;
	struct db *db = unit->db;
	struct statement *greeting = db_find_statement(db, "session");

	if (outcome == DB_LOST)
		return;
	if (outcome == DB_FAILED) {
		db_on_setup_refused(unit, sqlstate);
		return;
	}
	if (greeting != NULL)
		db_greet(db, greeting);
	else
		db_be_ready(db);
}

static void
unit_add_prepare(struct db_unit *unit, struct statement *statement)
{
	struct command *command;

	unit_add(unit, COMMAND_PREPARE, statement);
	command = unit_add(unit, COMMAND_DESCRIBE, statement);
	command->on_result = statement_on_described;
	command->arg = statement;
}

static bool
is_probe(const struct db *db, const struct statement *statement)
{
	return db->settings.probe != NULL &&
	       strcmp(statement->source->name, db->settings.probe) == 0;
}

/* All statements in one round trip, but for the one that went before. */
static void
db_prepare(struct db *db)
{
	struct db_unit *unit = unit_create(db);

	for (size_t i = 0; i < db->settings.statement_count; i++)
		if (!is_probe(db, &db->statements[i]))
			unit_add_prepare(unit, &db->statements[i]);
	for (struct listener *each = db->listeners; each != NULL;
	     each = each->next)
		unit_add_listen(unit, each);
	unit->done = db_on_setup;
	unit->arg = unit;
	unit_start(db, unit);
}

static void
take_probe(const struct db_result *result, void *arg)
{
	struct db *db = arg;

	db->settings.on_probe(result, NULL, db->settings.arg);
}

static void
db_on_probed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct db_unit *unit = arg;
	struct db *db = unit->db;

	if (outcome == DB_FAILED) {
		db->settings.on_probe(NULL, sqlstate, db->settings.arg);
		db_on_setup_refused(unit, sqlstate);
	} else if (outcome == DB_OK && db->broken[0] == '\0') {
		db_prepare(db);
	}
}

/* First of all the probe: without it others may not be there. */
static void
db_probe(struct db *db)
{
	struct statement *probe = db_find_statement(db, db->settings.probe);
	struct db_unit *unit = unit_create(db);
	struct command *command;

	assert(probe != NULL);
	unit_add_prepare(unit, probe);
	command = unit_add(unit, COMMAND_EXECUTE, probe);
	command->on_result = take_probe;
	command->arg = db;
	unit->done = db_on_probed;
	unit->arg = unit;
	unit_start(db, unit);
}

void
db_setup(struct db *db)
{
	struct event_base *base = loop_base(db->loop);
	int fd = PQsocket(db->connection);

	db_change_state(db, STATE_PREPARING);
	loop_timer_disarm(db->timer);
	event_free(db->event);
	db->event =
	    event_new(base, fd, EV_READ | EV_PERSIST, db_on_readable, db);
	db->write_event = event_new(base, fd, EV_WRITE, db_on_writable, db);
	if (db->event == NULL || db->write_event == NULL ||
	    event_priority_set(db->event, LOOP_FIRST) != 0 ||
	    event_priority_set(db->write_event, LOOP_FIRST) != 0 ||
	    event_add(db->event, NULL) != 0 ||
	    PQsetnonblocking(db->connection, 1) != 0 ||
	    PQenterPipelineMode(db->connection) != 1) {
		db_break(db, "connect");
		return;
	}
	if (db->settings.probe != NULL)
		db_probe(db);
	else
		db_prepare(db);
}

void
db_listen(struct db *db, const char *channel,
    void (*notified)(const char *payload, void *arg), void *arg)
{
	struct listener *listener = mem_alloc(sizeof(*listener));
	struct db_unit *unit;

	listener->channel = mem_text(channel);
	listener->notified = notified;
	listener->arg = arg;
	listener->next = db->listeners;
	db->listeners = listener;
	if (!db_ready(db) && db->state != STATE_PREPARING)
		return;
	unit = unit_create(db);
	unit_add_listen(unit, listener);
	unit_start(db, unit);
}
