/*
 * PostgreSQL on the loop: one libpq connection in pipeline mode, kept up.
 * db_setup.c prepares the statements on it, db_unit.c sends them, and what
 * parameters and results hold is db_value.c's.
 *
 * Owns the connection, its events and timer.  Its state changes in
 * db_change_state() only, and it is taken down in db_settle() only, which
 * every event ends with: so a callback may send, close or break whatever it
 * likes, and nothing vanishes under its feet.
 *
 * Before there is a session there are no rows that words could quote: what
 * stands in the way of one is told, less what it quotes of the connection
 * string.
 */
#include "base/db_inside.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/log.h"

#define CONNECT_TIMEOUT_US (3 * SECOND_US)
#define BACKOFF_MIN_US (SECOND_US / 10)
#define BACKOFF_MAX_US (5 * SECOND_US)
#define UNIT_TIMEOUT_US (15 * SECOND_US)
#define TOLD_AGAIN_US MINUTE_US /* of another reason to be down */

static void db_connect(struct db *db);
static void db_on_timer(void *arg);

/* ---- opening and closing ---- */

static int
statement_compare(const void *a, const void *b)
{
	const struct statement *left = a, *right = b;

	return strcmp(left->source->name, right->source->name);
}

struct statement *
db_find_statement(struct db *db, const char *name)
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

void
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

void
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

void
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
void
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

/* ---- taking down ---- */

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
	unit_queue_move(&db->lost, &db->under_way);
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

/* What a callback adds to `lost` waits for the next turn of the loop. */
void
db_settle(struct db *db)
{
	struct unit_queue lost = {0};
	struct db_unit *unit;
	bool went_down = false;

	if (db->broken[0] != '\0' || db->closing)
		went_down = db_drop(db);
	unit_queue_move(&lost, &db->lost);
	while ((unit = unit_queue_pop(&lost)) != NULL)
		unit_finish(unit, DB_LOST);
	if (went_down && !db->closing && db->settings.on_down != NULL)
		db->settings.on_down(db, db->last_error, db->settings.arg);
	db->running = false;
	if (db->closing && !db->deferred && db->lost.first == NULL)
		db_free(db);
	else if (db->closing || db->broken[0] != '\0' || db->lost.first != NULL)
		db_defer(db);
}

/* ---- waiting ---- */

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
