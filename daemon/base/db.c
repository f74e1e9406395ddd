/*
 * PostgreSQL on the loop: one libpq connection in pipeline mode, kept up,
 * with every statement prepared on it.  What parameters and results hold is
 * db_value.c's.
 *
 * Owns the connection, its events and timer, and each unit from
 * db_unit_begin() until its done() returned.  Units wait in `under_way` in
 * the order of sending, which is the order of the server's answers; a unit
 * that can have no answer any more waits in `lost` to be told so.  The state
 * of the connection changes in db_change_state() only, and it is taken down
 * in db_settle() only, which every event ends with: so a callback may send,
 * close or break whatever it likes, and nothing vanishes under its feet.
 *
 * What the server says in words of a statement is never kept: it may quote a
 * row.  Before there is a session there are no rows, and what stands in the
 * way of one is told, less what it quotes of the connection string.
 */
#include "base/db_unit.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/fault.h"
#include "base/log.h"

#define CONNECT_TIMEOUT_US (3 * SECOND_US)
#define BACKOFF_MIN_US (SECOND_US / 10)
#define BACKOFF_MAX_US (5 * SECOND_US)
#define UNIT_TIMEOUT_US (15 * SECOND_US)
#define ABANDONED_WAIT_MS 2000  /* for the end of a backend */
#define TOLD_AGAIN_US MINUTE_US /* of another reason to be down */

enum db_state {
	STATE_WAITING, /* for the backoff to end */
	STATE_CONNECTING,
	STATE_PREPARING,
	STATE_READY
};

struct queue {
	struct db_unit *first;
	struct db_unit *last;
};

struct listener {
	struct listener *next;
	char *channel;
	void (*notified)(void *arg);
	void *arg;
};

struct db {
	struct loop *loop;
	struct db_settings settings;
	struct statement *statements; /* owned, sorted by name */
	struct listener *listeners;   /* owned */
	enum db_state state;
	PGconn *connection;
	struct event *event; /* connecting: what libpq waits for; then reads */
	struct event *write_event; /* pending while libpq has unsent bytes */
	struct loop_timer *timer;  /* backoff, connecting, or first unit */
	struct queue under_way;    /* owned */
	struct queue lost;         /* owned */
	unsigned attempts;         /* to connect, since a unit last succeeded */
	unsigned rotation;     /* hosts to move from the front of the list */
	uint64_t readied;      /* how often it became ready */
	bool in_transaction;   /* as of the last answered unit */
	bool transaction_lost; /* and nobody was told */
	bool running;          /* in an event: db_settle() will follow */
	bool deferred;         /* db_deferred() will be called */
	bool closing;
	int abandoned_pid;   /* of a backend that did not answer; 0: none */
	char broken[8];      /* why the connection must go; "" while fine */
	char fatal_state[6]; /* SQLSTATE of the server's last FATAL */
	char last_error[8];
	char reason[DB_REASON_BYTES];      /* of broken, then of last_error */
	char told_reason[DB_REASON_BYTES]; /* in the last db.down */
	int64_t told_at;                   /* clock_boot() */
	bool *awaited;                     /* db_wait_ready() sleeps on it */
#ifdef ADHERD_FAULTS
	bool breaks_when_sent; /* the unit that is being sent */
#endif
};

static void db_connect(struct db *db);
static void db_settle(struct db *db);
static void db_on_timer(void *arg);
static void db_setup(struct db *db);

/* ---- queues of units ---- */

static void
queue_push(struct queue *queue, struct db_unit *unit)
{
	unit->next = NULL;
	if (queue->last != NULL)
		queue->last->next = unit;
	else
		queue->first = unit;
	queue->last = unit;
}

static struct db_unit *
queue_pop(struct queue *queue)
{
	struct db_unit *unit = queue->first;

	if (unit != NULL) {
		queue->first = unit->next;
		if (queue->first == NULL)
			queue->last = NULL;
	}
	return unit;
}

static void
queue_move(struct queue *to, struct queue *from)
{
	struct db_unit *unit;

	while ((unit = queue_pop(from)) != NULL)
		queue_push(to, unit);
}

/* ---- opening and closing ---- */

static int
statement_compare(const void *a, const void *b)
{
	const struct statement *left = a, *right = b;

	return strcmp(left->source->name, right->source->name);
}

static struct statement *
statement_find(struct db *db, const char *name)
{
	struct db_statement source = {.name = name};
	struct statement key = {.source = &source};

	if (db->settings.statement_count == 0)
		return NULL;
	return bsearch(&key, db->statements, db->settings.statement_count,
	    sizeof(key), statement_compare);
}

struct db *
db_open(struct loop *loop, const struct db_settings *settings)
{
	struct db *db = mem_alloc(sizeof(*db));
	size_t count = settings->statement_count;

	db->loop = loop;
	db->settings = *settings;
	if (db->settings.unit_timeout_us == 0 && !settings->patient)
		db->settings.unit_timeout_us = UNIT_TIMEOUT_US;
	db->statements = mem_alloc((count + 1) * sizeof(*db->statements));
	for (size_t i = 0; i < count; i++)
		db->statements[i].source = settings->statements[i];
	qsort(
	    db->statements, count, sizeof(*db->statements), statement_compare);
	for (size_t i = 1; i < count; i++)
		assert(statement_compare(
			   &db->statements[i - 1], &db->statements[i]) != 0);
	strcpy(db->last_error, "connect");
	strcpy(db->reason, "no answer yet");
	db->timer = loop_timer_create(loop, db_on_timer, db);
	db_connect(db);
	return db;
}

/* Forget the connection and its events; what it carried stays queued. */
static void
db_disconnect(struct db *db)
{
	if (db->event != NULL)
		event_free(db->event);
	if (db->write_event != NULL)
		event_free(db->write_event);
	if (db->connection != NULL)
		PQfinish(db->connection);
	db->event = NULL;
	db->write_event = NULL;
	db->connection = NULL;
}

static void
db_free(struct db *db)
{
	struct listener *listener;

	assert(db->under_way.first == NULL && db->lost.first == NULL);
	db_disconnect(db);
	loop_timer_free(db->timer);
	while ((listener = db->listeners) != NULL) {
		db->listeners = listener->next;
		free(listener->channel);
		free(listener);
	}
	free(db->statements);
	free(db);
}

/* Called from the loop for what could not be done inside a caller. */
static void
db_deferred(void *arg)
{
	struct db *db = arg;

	db->deferred = false;
	db->running = true;
	db_settle(db);
}

static void
db_defer(struct db *db)
{
	if (db->running || db->deferred)
		return;
	db->deferred = true;
	loop_defer(db->loop, db_deferred, db);
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	assert(!db->closing);
	db->closing = true;
	if (db->running || db->deferred || db->under_way.first != NULL)
		db_defer(db);
	else
		db_free(db);
}

bool
db_ready(const struct db *db)
{
	return db->state == STATE_READY && db->broken[0] == '\0' &&
	       !db->closing;
}

bool
db_idle(const struct db *db)
{
	return db_ready(db) && db->under_way.first == NULL;
}

uint64_t
db_reconnects(const struct db *db)
{
	return db->readied > 0 ? db->readied - 1 : 0;
}

const char *
db_last_error(const struct db *db)
{
	return db->last_error;
}

const char *
db_last_reason(const struct db *db)
{
	return db->reason;
}

/* ---- the connection's life ---- */

static void
db_change_state(struct db *db, enum db_state state)
{
	static const bool allowed[4][4] = {
	    [STATE_WAITING] = {[STATE_CONNECTING] = true},
	    [STATE_CONNECTING] =
		{[STATE_PREPARING] = true, [STATE_WAITING] = true},
	    [STATE_PREPARING] = {[STATE_READY] = true, [STATE_WAITING] = true},
	    [STATE_READY] = {[STATE_WAITING] = true}};

	assert(allowed[db->state][state]);
	db->state = state;
}

/* In words, where the code alone does not tell an operator. */
static const char *
reason_of(const char *why)
{
	static const struct {
		const char *why, *reason;
	} reasons[] = {
	    {"connect", "no connection can be begun"},
	    {"timeout", "no answer in time"},
	    {DB_POOLED, "a pooler stands between"},
	    {"08006", "the connection broke"},
	    {"25006", "the server only reads"},
	    {"57P01", "the server ended the session"},
	    {"57P02", "the server crashed"},
	    {"57P03", "the server does not take sessions now"},
	};

	for (size_t i = 0; i < COUNT(reasons); i++)
		if (strcmp(reasons[i].why, why) == 0)
			return reasons[i].reason;
	return "the server refused";
}

/* Have the connection taken down once the present callbacks returned. */
static void
db_break(struct db *db, const char *why)
{
	if (db->broken[0] != '\0')
		return;
	if (db->fatal_state[0] != '\0')
		why = db->fatal_state;
	snprintf(db->broken, sizeof(db->broken), "%s", why);
	snprintf(db->reason, sizeof(db->reason), "%s", reason_of(why));
	db_defer(db);
}

/* No session came about: libpq knows why. */
static void
db_break_connecting(struct db *db)
{
	if (db->broken[0] != '\0')
		return;
	db_break(db, "connect");
	if (db->connection != NULL)
		db_connect_reason(db->connection, db->reason);
}

/*
 * The server owes an answer for too long.  PQcancel() would block; a closed
 * socket does not, but a backend that waits for a lost standby does not
 * notice it either: the next connection ends it.
 */
static void
db_abandon(struct db *db)
{
	db->abandoned_pid = PQbackendPID(db->connection);
	db_break(db, "timeout");
}

/* Full jitter: a herd of copies must not knock all at once. */
static int64_t
db_backoff(const struct db *db)
{
	int64_t most = BACKOFF_MIN_US;
	uint64_t random;

	for (unsigned i = 1; i < db->attempts && most < BACKOFF_MAX_US; i++)
		most *= 2;
	if (most > BACKOFF_MAX_US)
		most = BACKOFF_MAX_US;
	crypto_random(&random, sizeof(random));
	return (int64_t)(random % (uint64_t)most) + 1;
}

/* Only the SQLSTATE of a notice is looked at, and only of a last word. */
static void
db_on_notice(void *arg, const PGresult *result)
{
	struct db *db = arg;
	const char *severity, *sqlstate;

	severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (severity != NULL && sqlstate != NULL &&
	    (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		snprintf(
		    db->fatal_state, sizeof(db->fatal_state), "%s", sqlstate);
}

/* "a,b,c" moved round by some places: "b,c,a". */
static const char *
rotate(struct arena *arena, const char *text, unsigned by)
{
	unsigned count = 1;

	for (const char *at = text; (at = strchr(at, ',')) != NULL; at++)
		count++;
	for (by %= count; by > 0; by--) {
		const char *comma = strchr(text, ',');

		text = arena_printf(
		    arena, "%s,%.*s", comma + 1, (int)(comma - text), text);
	}
	return text;
}

/* The session's settings, after those that the DSN asks for itself. */
static const char *
session_options(struct db *db, struct arena *arena, const char *given)
{
	return arena_printf(arena, "%s%s%s", given != NULL ? given : "",
	    " -c random_page_cost=1.1 -c jit=off -c TimeZone=UTC"
	    " -c plan_cache_mode=force_generic_plan -c lock_timeout=2s"
	    " -c DateStyle=ISO -c IntervalStyle=iso_8601",
	    db->settings.patient
		? " -c statement_timeout=0 -c lock_timeout=0"
		  " -c idle_in_transaction_session_timeout=0"
		: " -c statement_timeout=10s"
		  " -c idle_in_transaction_session_timeout=5s");
}

#define KEYWORDS_MAX 64

/*
 * What to connect with: the DSN, its hosts rotated, our own settings.  libpq
 * leaves timeouts of a non-blocking connect to us and would ask a silent
 * first host for ever; so each timed-out attempt starts with the next.
 */
static PGconn *
db_connect_start(struct db *db, struct arena *arena)
{
	const char *keys[KEYWORDS_MAX] = {
	    "keepalives_idle", "keepalives_interval", "tcp_user_timeout"};
	const char *values[KEYWORDS_MAX] = {"5", "5", "5000"};
	PQconninfoOption *all = PQconninfoParse(db->settings.dsn, NULL);
	const char *options = NULL;
	PGconn *connection;
	size_t count = 3;

	if (all == NULL)
		return NULL;
	for (PQconninfoOption *one = all; one->keyword != NULL; one++) {
		if (one->val == NULL)
			continue;
		assert(count < KEYWORDS_MAX - 4);
		if (strcmp(one->keyword, "options") == 0) {
			options = one->val;
			continue;
		}
		keys[count] = one->keyword;
		values[count++] =
		    strcmp(one->keyword, "host") == 0 ||
			    strcmp(one->keyword, "hostaddr") == 0 ||
			    strcmp(one->keyword, "port") == 0
			? rotate(arena, one->val, db->rotation)
			: one->val;
	}
	keys[count] = "options";
	values[count++] = session_options(db, arena, options);
	keys[count] = "client_encoding";
	values[count++] = "UTF8";
	keys[count] = "application_name";
	values[count++] = db->settings.label;
	connection = PQconnectStartParams(keys, values, 0);
	PQconninfoFree(all);
	return connection;
}

static void db_connect_step(struct db *db);

static void
db_on_connect_event(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;

	(void)fd;
	(void)what;
	db->running = true;
	db_connect_step(db);
	db_settle(db);
}

/*
 * Wait as PQconnectPoll() wants it.  Each time with a fresh event, for libpq
 * may have gone to another host and so to another descriptor; and never with
 * a pending one, for it closes the old without asking.
 */
static void
db_connect_wait(struct db *db, short what)
{
	if (db->event != NULL)
		event_free(db->event);
	db->event = event_new(loop_base(db->loop), PQsocket(db->connection),
	    what, db_on_connect_event, db);
	if (db->event == NULL || event_add(db->event, NULL) != 0)
		db_break(db, "connect");
}

static void
db_connect_step(struct db *db)
{
	switch (PQconnectPoll(db->connection)) {
	case PGRES_POLLING_READING:
		db_connect_wait(db, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		db_connect_wait(db, EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		db_setup(db);
		break;
	default:
		/* a pooler's refusal has no SQLSTATE that libpq shows */
		if (strstr(PQerrorMessage(db->connection),
			"unsupported startup parameter") != NULL)
			db_break(db, DB_POOLED);
		else
			db_break_connecting(db);
	}
}

static void
db_connect(struct db *db)
{
	struct arena *arena = arena_create();

	assert(db->connection == NULL);
	db_change_state(db, STATE_CONNECTING);
	db->attempts++;
	db->fatal_state[0] = '\0';
	db->connection = db_connect_start(db, arena);
	arena_free(arena);
	if (db->connection == NULL ||
	    PQstatus(db->connection) == CONNECTION_BAD) {
		db_break_connecting(db);
		return;
	}
	PQsetNoticeReceiver(db->connection, db_on_notice, db);
	loop_timer_arm(db->timer, CONNECT_TIMEOUT_US);
	/* libpq: after the start, behave as if it had asked for writing */
	db_connect_wait(db, EV_WRITE);
}

/* The one timer: what it means depends on the state. */
static void
db_on_timer(void *arg)
{
	struct db *db = arg;
	const struct db_unit *unit = db->under_way.first;
	int64_t left;

	db->running = true;
	if (db->state == STATE_WAITING) {
		db_connect(db);
	} else if (db->state == STATE_CONNECTING) {
		db->rotation++;
		db_break(db, "timeout");
	} else if (unit != NULL && unit->deadline_at != AT_NEVER) {
		left = unit->deadline_at - clock_boot();
		if (left > 0)
			loop_timer_arm(db->timer, left);
		else
			db_abandon(db);
	}
	db_settle(db);
}

/* ---- sending ---- */

static void db_on_writable(evutil_socket_t fd, short what, void *arg);

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

/* Put a unit on the wire; its answers will come in this order. */
static void
db_start(struct db *db, struct db_unit *unit)
{
	const struct command *commands;
	int64_t timeout_us = db->settings.unit_timeout_us;

	unit->deadline_at =
	    timeout_us == 0 ? AT_NEVER : clock_boot() + timeout_us;
	queue_push(&db->under_way, unit);
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

/* ---- receiving ---- */

/* Tell the unit's owner and forget the unit. */
static void
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
	queue_pop(&db->under_way);
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
				each->notified(each->arg);
		PQfreemem(notify);
	}
}

static void
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

static void
db_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;

	(void)fd;
	(void)what;
	db->running = true;
	db_flush(db);
	db_settle(db);
}

/* ---- setting up, taking down ---- */

static struct db_unit *
unit_create(struct db *db)
{
	struct db_unit *unit = mem_alloc(sizeof(*unit));

	unit->db = db;
	unit->arena = arena_create();
	list_init(&unit->commands, unit->arena, sizeof(struct command));
	return unit;
}

static struct command *
unit_add(
    struct db_unit *unit, enum command_kind kind, struct statement *statement)
{
	struct command *command = list_add(&unit->commands);

	command->kind = kind;
	command->statement = statement;
	list_init(&command->params, unit->arena, sizeof(struct param));
	return command;
}

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
	db_start(db, unit);
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
	struct statement *greeting = statement_find(db, "session");

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
	db_start(db, unit);
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
	struct statement *probe = statement_find(db, db->settings.probe);
	struct db_unit *unit = unit_create(db);
	struct command *command;

	assert(probe != NULL);
	unit_add_prepare(unit, probe);
	command = unit_add(unit, COMMAND_EXECUTE, probe);
	command->on_result = take_probe;
	command->arg = db;
	unit->done = db_on_probed;
	unit->arg = unit;
	db_start(db, unit);
}

/* Connected: pipeline mode, then the statements. */
static void
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

/* Once, and where there is another reason later, each minute at most. */
static void
tell_down(struct db *db, bool was_ready)
{
	int64_t now = clock_boot();

	if (!was_ready && db->attempts != 1 &&
	    (strcmp(db->reason, db->told_reason) == 0 ||
		now < db->told_at + TOLD_AGAIN_US))
		return;
	log_warning("db.down", log_s(KEY, db->settings.label),
	    log_s(SQLSTATE, db->broken), log_s(REASON, db->reason));
	memcpy(db->told_reason, db->reason, sizeof(db->told_reason));
	db->told_at = now;
}

/*
 * Drop a broken connection and plan the next attempt.  True if it had been
 * ready.
 */
static bool
db_drop(struct db *db)
{
	bool was_ready = db->state == STATE_READY;

	/* Lost between two units of a transaction: the next must not run. */
	if (db->in_transaction && db->under_way.first == NULL)
		db->transaction_lost = true;
	db->in_transaction = false;
	queue_move(&db->lost, &db->under_way);
	db_disconnect(db);
	if (db->closing)
		return false;
	tell_down(db, was_ready);
	memcpy(db->last_error, db->broken, sizeof(db->last_error));
	db->broken[0] = '\0';
	db_change_state(db, STATE_WAITING);
	loop_timer_arm(db->timer, db_backoff(db));
	return was_ready;
}

/*
 * Every event ends here, and nowhere else does anything go away: the
 * connection if it broke, the units that went with it, the db if it closes.
 * What a callback adds to `lost` waits for the next turn of the loop.
 */
static void
db_settle(struct db *db)
{
	struct queue lost = {0};
	struct db_unit *unit;
	bool went_down = false;

	if (db->broken[0] != '\0' || db->closing)
		went_down = db_drop(db);
	queue_move(&lost, &db->lost);
	while ((unit = queue_pop(&lost)) != NULL)
		unit_finish(unit, DB_LOST);
	if (went_down && !db->closing && db->settings.on_down != NULL)
		db->settings.on_down(db, db->last_error, db->settings.arg);
	db->running = false;
	if (db->closing && !db->deferred && db->lost.first == NULL)
		db_free(db);
	else if (db->closing || db->broken[0] != '\0' || db->lost.first != NULL)
		db_defer(db);
}

void
db_listen(
    struct db *db, const char *channel, void (*notified)(void *), void *arg)
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
	db_start(db, unit);
}

/* ---- units ---- */

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
	struct statement *statement = statement_find(unit->db, name);
	struct command *command;

	if (statement == NULL) {
		log_error("db.statement", log_s(STATEMENT, name));
		abort();
	}
	command = unit_add(unit, COMMAND_EXECUTE, statement);
	command->on_result = on_result;
	command->arg = arg;
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
	if (db_ready(db) && (!orphan || unit_starts_afresh(unit))) {
		db_start(db, unit);
		return;
	}
	queue_push(&db->lost, unit);
	db_defer(db);
}

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

static void
wait_on_timeout(void *arg)
{
	bool *done = arg;

	*done = true;
}

bool
db_wait_ready(struct db *db, int64_t timeout_us)
{
	bool done = false;
	struct loop_timer *timer;

	if (db_ready(db))
		return true;
	timer = loop_timer_create(db->loop, wait_on_timeout, &done);
	loop_timer_arm(timer, timeout_us);
	db->awaited = &done;
	loop_run_until(db->loop, &done);
	db->awaited = NULL;
	loop_timer_free(timer);
	return db_ready(db);
}
