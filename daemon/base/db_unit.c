/*
 * Units on the wire.  Owns each from db_unit_begin() until its done()
 * returned.  They wait in `under_way` in the order of sending, which is the
 * order of the server's answers; one that can have no answer, or no more,
 * waits in `lost` until db_settle() tells it so.
 *
 * What the server says in words of a statement is never kept: it may quote a
 * row.
 */
#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/db_inside.h"
#include "base/fault.h"
#include "base/log.h"

#define ROWS_MIN 500 /* read or written until plans are made anew */
#define ROWS_MAX 8000
#define PLANS_US MINUTE_US /* a plan's age */

/* ---- queues ---- */

static void
unit_queue_push(struct unit_queue *queue, struct db_unit *unit)
{
	unit->next = NULL;
	if (queue->last != NULL)
		queue->last->next = unit;
	else
		queue->first = unit;
	queue->last = unit;
}

struct db_unit *
unit_queue_pop(struct unit_queue *queue)
{
	struct db_unit *unit = queue->first;

	if (unit != NULL) {
		queue->first = unit->next;
		if (queue->first == NULL)
			queue->last = NULL;
	}
	return unit;
}

void
unit_queue_move(struct unit_queue *to, struct unit_queue *from)
{
	struct db_unit *unit;

	while ((unit = unit_queue_pop(from)) != NULL)
		unit_queue_push(to, unit);
}

/* ---- making ---- */

struct db_unit *
unit_create(struct db *db)
{
	struct db_unit *unit = mem_alloc(sizeof(*unit));

	unit->db = db;
	unit->arena = arena_create();
	list_init(&unit->commands, unit->arena, sizeof(struct command));
	return unit;
}

struct command *
unit_add(
    struct db_unit *unit, enum command_kind kind, struct statement *statement)
{
	struct command *command = list_add(&unit->commands);

	command->kind = kind;
	command->statement = statement;
	list_init(&command->params, unit->arena, sizeof(struct param));
	return command;
}

struct db_unit *
db_unit_begin(struct db *db)
{
	assert(!db->closing);
	return unit_create(db);
}

struct arena *
db_unit_arena(struct db_unit *unit)
{
	return unit->arena;
}

void
db_unit_add(struct db_unit *unit, const char *name,
    void (*on_result)(const struct db_result *result, void *arg), void *arg)
{
	struct statement *statement = db_find_statement(unit->db, name);
	struct command *command;

	if (statement == NULL) {
		log_error("db.statement", log_s(STATEMENT, name));
		abort();
	}
	command = unit_add(unit, COMMAND_EXECUTE, statement);
	command->on_result = on_result;
	command->arg = arg;
}

/* ---- sending ---- */

/* Push libpq's buffer out as far as the socket takes it. */
static void
db_flush(struct db *db)
{
	int left = PQflush(db->connection);

	if (left < 0 || (left > 0 && event_add(db->write_event, NULL) != 0))
		db_break(db, "08006");
}

static int
command_execute(struct db *db, const struct command *command)
{
	struct wire wire;

	wire_params(&wire, command);
	return PQsendQueryPrepared(db->connection,
	    command->statement->source->name, (int)command->params.count,
	    wire.values, wire.lengths, wire.formats, 1);
}

static int
command_send(struct db *db, const struct command *command)
{
	switch (command->kind) {
	case COMMAND_EXECUTE:
		return command_execute(db, command);
	case COMMAND_PREPARE:
		return PQsendPrepare(db->connection,
		    command->statement->source->name,
		    command->statement->source->text, 0, NULL);
	case COMMAND_DESCRIBE:
		return PQsendDescribePrepared(
		    db->connection, command->statement->source->name);
	case COMMAND_TEXT:
		return PQsendQueryParams(db->connection, command->text, 0, NULL,
		    NULL, NULL, NULL, 1);
	}
	abort();
}

#ifdef ADHERD_FAULTS
/* A statement in front that the server refuses, so that none is obeyed. */
static void
unit_spoil(struct db_unit *unit, const char *sqlstate)
{
	struct list commands;
	struct command *refused;

	list_init(&commands, unit->arena, sizeof(struct command));
	refused = list_add(&commands);
	refused->kind = COMMAND_TEXT;
	list_init(&refused->params, unit->arena, sizeof(struct param));
	refused->text = arena_printf(unit->arena,
	    "DO $$ BEGIN RAISE 'on purpose' USING ERRCODE = '%s'; END $$",
	    sqlstate);
	for (size_t i = 0; i < unit->commands.count; i++)
		*(struct command *)list_add(&commands) =
		    ((struct command *)unit->commands.data)[i];
	unit->commands = commands;
}

/*
 * By turns: refused for a conflict, refused for want of memory, lost before
 * it left, lost after (what it did is in doubt).  True: nothing may be sent.
 */
static bool
unit_must_fail(struct db *db, struct db_unit *unit)
{
	uint64_t number = fault_fails(QUERY);

	if (number == 0)
		return false;
	switch (number % 4) {
	case 0:
		unit_spoil(unit, "40001");
		return false;
	case 1:
		unit_spoil(unit, "53200");
		return false;
	case 2:
		db_break(db, "08006");
		return true;
	default:
		db->breaks_when_sent = true;
		return false;
	}
}
#else
#define unit_must_fail(db, unit) false
#endif

void
unit_start(struct db *db, struct db_unit *unit)
{
	const struct command *commands;
	int64_t timeout_us = db->settings.unit_timeout_us;

	unit->deadline_at =
	    timeout_us == 0 ? AT_NEVER : clock_boot() + timeout_us;
	unit_queue_push(&db->under_way, unit);
	if (unit->deadline_at != AT_NEVER && !loop_timer_armed(db->timer))
		loop_timer_arm(db->timer, timeout_us);
	if (unit_must_fail(db, unit))
		return;
	commands = unit->commands.data;
	for (size_t i = 0; i < unit->commands.count; i++)
		if (command_send(db, &commands[i]) != 1) {
			db_break(db, "08006");
			return;
		}
	if (PQpipelineSync(db->connection) != 1)
		db_break(db, "08006");
	else
		db_flush(db);
#ifdef ADHERD_FAULTS
	if (db->breaks_when_sent)
		db_break(db, "08006");
	db->breaks_when_sent = false;
#endif
}

/*
 * A generic plan is made for the tables as they then are, and kept until
 * somebody analyzes them: one for a day's partition that VACUUM found empty
 * reads all of it for each row, once the day is full (500 outcomes: 3 s and
 * not 10 ms with 20,000 rows).  So plans are made anew while tables may grow:
 * after some rows, twice as many the next time, and when they are a minute
 * old.
 */
static void
db_refresh_plans(struct db *db)
{
	int64_t now = clock_boot();
	bool old = now - db->planned_at >= PLANS_US;
	struct db_unit *unit;

	if (!old && db->rows < db->rows_most)
		return;
	db->rows_most = old                            ? ROWS_MIN
			: db->rows_most < ROWS_MAX / 2 ? db->rows_most * 2
						       : ROWS_MAX;
	db->rows = 0;
	db->planned_at = now;
	unit = unit_create(db);
	unit_add(unit, COMMAND_TEXT, NULL)->text = "DISCARD PLANS";
	unit_start(db, unit);
}

/* Does the unit open a transaction, or give up on one? */
static bool
unit_starts_afresh(const struct db_unit *unit)
{
	const struct command *command = unit->commands.data;
	const char *text = command->statement->source->text;

	for (;;) {
		text += strspn(text, " \t\r\n");
		if (strncmp(text, "--", 2) == 0)
			text += strcspn(text, "\n");
		else if (strncmp(text, "/*", 2) == 0 &&
			 strstr(text, "*/") != NULL)
			text = strstr(text, "*/") + 2;
		else
			break;
	}
	return strncasecmp(text, "begin", 5) == 0 ||
	       strncasecmp(text, "start", 5) == 0 ||
	       strncasecmp(text, "rollback", 8) == 0;
}

void
db_unit_send(struct db_unit *unit,
    void (*done)(enum db_outcome outcome, const char *sqlstate, void *arg),
    void *arg)
{
	struct db *db = unit->db;
	bool orphan = db->transaction_lost;

	assert(unit->commands.count > 0 && unit->done == NULL);
	unit->done = done;
	unit->arg = arg;
	db->transaction_lost = false;
	if (db_ready(db))
		db_refresh_plans(db);
	if (db_ready(db) && (!orphan || unit_starts_afresh(unit))) {
		unit_start(db, unit);
		return;
	}
	unit_queue_push(&db->lost, unit);
	db_defer(db);
}

/* ---- receiving ---- */

void
unit_finish(struct db_unit *unit, enum db_outcome outcome)
{
	const char *sqlstate = outcome == DB_FAILED ? unit->sqlstate : NULL;

	if (unit->done != NULL)
		unit->done(outcome, sqlstate, unit->arg);
	arena_free(unit->arena);
	free(unit);
}

/*
 * After these the connection is of no use, though it is healthy: it leads to
 * a demoted node, or its prepared statements are gone or out of date.
 * Class 08 is not among them: a Citus coordinator says so of a worker.
 */
static bool
sqlstate_wants_reconnect(const char *sqlstate)
{
	static const char *const states[] = {"25006", "26000", "0A000", "57P01",
	    "57P02", "57P03", "57P05", "25P03"};

	for (size_t i = 0; i < COUNT(states); i++)
		if (strcmp(sqlstate, states[i]) == 0)
			return true;
	return false;
}

bool
db_sqlstate_passes(const char *sqlstate)
{
	static const char *const classes[] = {"08", "40", "53", "55", "57"};

	for (size_t i = 0; i < COUNT(classes); i++)
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

/* The server has answered all of the unit. */
static void
unit_on_sync(struct db *db, struct db_unit *unit)
{
	bool failed = unit->sqlstate[0] != '\0';

	assert(unit->answered == unit->commands.count);
	unit_queue_pop(&db->under_way);
	db->in_transaction =
	    PQtransactionStatus(db->connection) != PQTRANS_IDLE;
	if (failed && sqlstate_wants_reconnect(unit->sqlstate))
		db_break(db, unit->sqlstate);
	else if (!failed && db->state == STATE_READY)
		db->attempts = 0;
	unit_finish(unit, failed ? DB_FAILED : DB_OK);
}

static void
unit_on_refused(struct db *db, struct db_unit *unit, const PGresult *pg)
{
	const char *sqlstate = PQresultErrorField(pg, PG_DIAG_SQLSTATE);

	db_on_notice(db, pg);
	if (sqlstate == NULL) {
		/* libpq's own words: the connection is gone */
		db_break(db, "08006");
		return;
	}
	if (unit->sqlstate[0] == '\0') {
		snprintf(
		    unit->sqlstate, sizeof(unit->sqlstate), "%s", sqlstate);
		unit->refused = unit->answered;
	}
	unit->answered++;
}

/* Each command has one result: rows, an error, or "aborted" after one. */
static void
unit_on_result(struct db *db, struct db_unit *unit, const PGresult *pg)
{
	const struct command *commands = unit->commands.data;
	const struct command *command = &commands[unit->answered];
	struct db_result result = {.pg = pg};
	ExecStatusType status = PQresultStatus(pg);

	if (status == PGRES_PIPELINE_SYNC) {
		unit_on_sync(db, unit);
		return;
	}
	if (unit->answered == unit->commands.count) {
		/* the connection went between the last answer and the sync */
		db_break(db, "08006");
		return;
	}
	switch (status) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
		unit->answered++;
		db->rows += strtoul(PQcmdTuples((PGresult *)pg), NULL, 10);
		if (command->on_result != NULL)
			command->on_result(&result, command->arg);
		break;
	case PGRES_PIPELINE_ABORTED:
		unit->answered++;
		break;
	case PGRES_FATAL_ERROR:
		unit_on_refused(db, unit, pg);
		break;
	default:
		/* COPY has no place here */
		db_break(db, "08P01");
	}
}

/* Take what has arrived; a NULL only separates two commands. */
static void
db_read_results(struct db *db)
{
	bool was_null = false;

	while (db->under_way.first != NULL && db->broken[0] == '\0' &&
	       !db->closing && PQisBusy(db->connection) == 0) {
		PGresult *pg = PQgetResult(db->connection);

		if (pg == NULL && was_null)
			return;
		was_null = pg == NULL;
		if (pg != NULL)
			unit_on_result(db, db->under_way.first, pg);
		PQclear(pg);
	}
}

static void
db_read_notifications(struct db *db)
{
	PGnotify *notify;

	while (!db->closing && (notify = PQnotifies(db->connection)) != NULL) {
		for (struct listener *each = db->listeners;
		     each != NULL && !db->closing; each = each->next)
			if (strcmp(each->channel, notify->relname) == 0)
				each->notified(notify->extra, each->arg);
		PQfreemem(notify);
	}
}

void
db_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;
	bool alive;

	(void)fd;
	(void)what;
	db->running = true;
	alive = PQconsumeInput(db->connection) == 1;
	db_read_results(db);
	/* with nothing under way PQisBusy() reads notices and NOTIFYs */
	if (db->under_way.first == NULL)
		(void)PQisBusy(db->connection);
	db_read_notifications(db);
	if (!alive || PQstatus(db->connection) == CONNECTION_BAD)
		db_break(db, "08006");
	else if (db->broken[0] == '\0' && !db->closing)
		db_flush(db);
	db_settle(db);
}

void
db_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;

	(void)fd;
	(void)what;
	db->running = true;
	db_flush(db);
	db_settle(db);
}

/* ---- for command-line tools ---- */

struct run {
	bool done;
	enum db_outcome outcome;
	char *sqlstate;
};

static void
run_on_done(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct run *run = arg;

	run->done = true;
	run->outcome = outcome;
	if (run->sqlstate != NULL && sqlstate != NULL)
		snprintf(run->sqlstate, 6, "%s", sqlstate);
}

enum db_outcome
db_unit_run(struct db_unit *unit, char *sqlstate_out)
{
	struct run run = {.sqlstate = sqlstate_out};
	struct loop *loop = unit->db->loop;

	if (sqlstate_out != NULL)
		sqlstate_out[0] = '\0';
	db_unit_send(unit, run_on_done, &run);
	loop_run_until(loop, &run.done);
	return run.outcome;
}
