#ifndef ADHERD_BASE_DB_H
#define ADHERD_BASE_DB_H

#include "base/buf.h"
#include "base/loop.h"

/*
 * PostgreSQL: libpq non-blocking and in pipeline mode on the loop.  All
 * statements are prepared by name when a connection comes up (again after
 * a reconnect), parameters and results are binary.  Work is sent in units:
 * some statements, then a sync, so that an error stays inside its unit.
 * A transaction may span several units of one connection.
 */
struct db;
struct db_unit;
struct db_result;
struct pg_conn; /* libpq's */

struct db_statement { /* made at build from daemon/sql/NAME.sql */
	const char *name;
	const char *text;
};

enum db_outcome {
	DB_OK,
	DB_FAILED, /* the server refused; sqlstate says why */
	DB_LOST,   /* the connection went; a COMMIT in it is in doubt */
};

struct db_settings {
	const char *dsn;   /* host=a,b target_session_attrs=… is fine */
	const char *label; /* application_name: "adherd claim" */
	/* One named "session" (sql/session.sql) is asked on each connection
	 * before all others: without it poolers are not found out. */
	const struct db_statement *const *statements;
	size_t statement_count;
	int64_t unit_timeout_us; /* client deadline of a unit; 0: 15 s */
	/*
	 * NULL, or the statement, without parameters, that is asked before
	 * the others are prepared: what it answers (NULL: refused, with the
	 * SQLSTATE) says whether they can be.
	 */
	const char *probe;
	void (*on_probe)(
	    const struct db_result *result, const char *sqlstate, void *arg);
	/* Session: statement_timeout 10 s, lock_timeout 2 s,
	 * idle_in_transaction_session_timeout 5 s, random_page_cost 1.1,
	 * jit off, plan_cache_mode force_generic_plan; TimeZone UTC.  Plans
	 * are made anew after some thousand rows, or a minute. */
	bool patient; /* a command-line tool: no statement or idle timeouts */
	void (*on_ready)(struct db *db, void *arg); /* each time */
	void (*on_down)(struct db *db, const char *sqlstate, void *arg);
	void *arg;
};

/*
 * Open; connects by itself and again after a loss, 0.1..5 s backoff with
 * full jitter.  Never fails; the strings must outlive it.
 */
struct db *db_open(struct loop *loop, const struct db_settings *settings);
void db_close(struct db *db); /* units under way end with DB_LOST, later */
bool db_ready(const struct db *db);
bool db_idle(const struct db *db); /* ready and nothing under way */
/* How often it came back after a loss. */
uint64_t db_reconnects(const struct db *db);
/*
 * Why the connection last went: a SQLSTATE, "connect", "timeout" or
 * DB_POOLED; never details.
 */
const char *db_last_error(const struct db *db);
/*
 * The same for people, one line: libpq's words where no session came about,
 * which name host, port, user and database and quote nothing else; else ours.
 */
const char *db_last_reason(const struct db *db);
enum { DB_REASON_BYTES = 160 };
/* Why libpq could not connect, in that form. */
void db_connect_reason(
    const struct pg_conn *connection, char reason[DB_REASON_BYTES]);
#define DB_POOLED "pooler" /* a pooler stands between, which cannot work */
/* Call on every NOTIFY on this channel (LISTEN is issued on each connect). */
void db_listen(struct db *db, const char *channel,
    void (*notified)(const char *payload, void *arg), void *arg);

/*
 * NULL, or what is wrong with a connection string, without quoting it: it
 * cannot be read, or holds a password.
 */
const char *db_dsn_wrong(const char *dsn);

/* ---- parameters ---- */
enum db_type { /* element types of arrays */
	DB_I16,
	DB_I32,
	DB_I64,
	DB_AT,
	DB_ON,
	DB_TEXT,
	DB_BYTES,
	DB_BOOL
};

struct db_array { /* one-dimensional; NULL elements allowed */
	enum db_type type;
	uint32_t count;
	bool has_null;
	struct buf body;
};

void db_array_init(struct db_array *array, enum db_type type);
void db_array_free(struct db_array *array);
void db_array_clear(struct db_array *array);
void db_array_i64(
    struct db_array *array, int64_t value); /* any int type, DB_ON too */
void db_array_at(struct db_array *array, int64_t at); /* AT_NEVER: infinity */
void db_array_text(struct db_array *array, const char *text); /* NULL: NULL */
void db_array_bytes(struct db_array *array, const void *data, size_t bytes);
void db_array_bool(struct db_array *array, bool value);
void db_array_null(struct db_array *array);

/* ---- units ---- */

/* A unit on this connection; its memory lives until its done() returned. */
struct db_unit *db_unit_begin(struct db *db);
/* Memory that lives as long as the unit. */
struct arena *db_unit_arena(struct db_unit *unit);
/*
 * Add a statement by name; the db_param_* calls that follow fill $1, $2, …
 * in order.  on_result (may be NULL) is called from the loop with its rows,
 * only if the statement succeeded; results are valid during the call.
 */
void db_unit_add(struct db_unit *unit, const char *statement,
    void (*on_result)(const struct db_result *result, void *arg), void *arg);
void db_param_i16(struct db_unit *unit, int16_t value);
void db_param_i32(struct db_unit *unit, int32_t value);
void db_param_i64(struct db_unit *unit, int64_t value);
void db_param_bool(struct db_unit *unit, bool value);
void db_param_at(struct db_unit *unit,
    int64_t at); /* timestamptz; AT_NEVER infinity, AT_UNKNOWN -infinity */
void db_param_on(struct db_unit *unit, int32_t date_on);    /* date */
void db_param_text(struct db_unit *unit, const char *text); /* NULL: NULL */
void db_param_bytes(struct db_unit *unit, const void *data, size_t bytes);
void db_param_null(struct db_unit *unit);
void db_param_array(
    struct db_unit *unit, const struct db_array *array); /* copied */
/* The first text parameter that is not UTF-8: the server would refuse it. */
const char *db_unit_bad_text(const struct db_unit *unit); /* NULL: none */
/*
 * Send the unit and its sync.  done is called exactly once, from the loop,
 * after the results; then the unit is gone.  sqlstate is NULL unless
 * DB_FAILED.  Units of one connection run in the order of sending.
 */
void db_unit_send(struct db_unit *unit,
    void (*done)(enum db_outcome outcome, const char *sqlstate, void *arg),
    void *arg);
/*
 * For command-line tools: send, run the loop until it is done.  On
 * DB_FAILED sqlstate_out (6 bytes, may be NULL) has the state.
 */
must_check enum db_outcome db_unit_run(
    struct db_unit *unit, char *sqlstate_out);
/* For command-line tools: wait until ready; false after timeout_us. */
must_check bool db_wait_ready(struct db *db, int64_t timeout_us);

/*
 * Is this a state that passes by itself (connection, rollback, resources,
 * locks, operator), so that the same work may succeed when tried again?
 */
bool db_sqlstate_passes(const char *sqlstate);

/* ---- results ---- */
int db_rows(const struct db_result *result);
int64_t db_affected(const struct db_result *result); /* command tag */
bool db_null(const struct db_result *result, int row, int column);
int64_t db_i64(
    const struct db_result *result, int row, int column); /* int2, 4, 8 */
bool db_bool(const struct db_result *result, int row, int column);
int64_t db_at(const struct db_result *result, int row, int column);
int64_t db_at_or(
    const struct db_result *result, int row, int column, int64_t null_at);
int32_t db_on(const struct db_result *result, int row, int column);
/* NULL if NULL; valid during the callback */
const char *db_text(const struct db_result *result, int row, int column);
const uint8_t *db_bytes(
    const struct db_result *result, int row, int column, size_t *bytes);
/* int2/4/8, date, timestamptz arrays; -1 if NULL. Values in the arena. */
int db_i64_array(const struct db_result *result, int row, int column,
    struct arena *arena, int64_t **values);

#endif
