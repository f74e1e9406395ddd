#ifndef ADHERD_BASE_DB_INSIDE_H
#define ADHERD_BASE_DB_INSIDE_H

#include "base/db_unit.h"

/*
 * A connection as its own files see it: db.c has its life, db_setup.c what a
 * fresh session is asked, db_unit.c what is sent and received.
 */
struct event;

enum db_state {
	STATE_WAITING, /* for the backoff to end */
	STATE_CONNECTING,
	STATE_PREPARING,
	STATE_READY
};

struct unit_queue {
	struct db_unit *first;
	struct db_unit *last;
};

struct listener {
	struct listener *next;
	char *channel;
	void (*notified)(const char *payload, void *arg);
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
	struct event *write_event;   /* pending while libpq has unsent bytes */
	struct loop_timer *timer;    /* backoff, connecting, or first unit */
	struct unit_queue under_way; /* owned */
	struct unit_queue lost;      /* owned */
	unsigned attempts;     /* to connect, since a unit last succeeded */
	unsigned rotation;     /* hosts to move from the front of the list */
	uint64_t readied;      /* how often it became ready */
	uint64_t rows;         /* read or written since plans were made */
	uint64_t rows_most;    /* then they are made anew */
	int64_t planned_at;    /* clock_boot() */
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

/* ---- db.c ---- */

void db_change_state(struct db *db, enum db_state state);
/* Have the connection taken down once the present callbacks returned. */
void db_break(struct db *db, const char *why);
/* Call db_settle() from the loop, unless it will follow anyway. */
void db_defer(struct db *db);
/*
 * Every event ends here, and nowhere else does anything go away: the
 * connection if it broke, the units that went with it, the db if it closes.
 */
void db_settle(struct db *db);
/* libpq's notice receiver: keeps the SQLSTATE of a last word. */
void db_on_notice(void *arg, const PGresult *result);
struct statement *db_find_statement(struct db *db, const char *name);

/* ---- db_setup.c ---- */

/* Connected: pipeline mode, then the statements; ready at the end. */
void db_setup(struct db *db);

/* ---- db_unit.c ---- */

struct db_unit *unit_queue_pop(struct unit_queue *queue); /* NULL: empty */
void unit_queue_move(struct unit_queue *to, struct unit_queue *from);
struct db_unit *unit_create(struct db *db);
struct command *unit_add(
    struct db_unit *unit, enum command_kind kind, struct statement *statement);
/* Put a unit on the wire; its answers will come in this order. */
void unit_start(struct db *db, struct db_unit *unit);
/* Tell the unit's owner and forget the unit. */
void unit_finish(struct db_unit *unit, enum db_outcome outcome);
void db_on_readable(int fd, short what, void *arg);
void db_on_writable(int fd, short what, void *arg);

#endif
