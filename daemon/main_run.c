/*
 * The parts of the daemon started, their timers, and the orderly stop.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/systemd.h"
#include "door/metrics.h"
#include "flow/schema.h"
#include "flow/statements.h"
#include "main.h"

#define TICK_US SECOND_US
#define CHORE_US (200 * 1000)
#define CHORES 4
#define HEARTBEAT_TICKS (COPIES_BEAT_US / TICK_US)
#define REFRESH_TICKS 15
#define LEAVE_US SECOND_US /* of the drain, for the last word */

/* ---- clock, catalogue, schema ---- */

static void
on_refreshed(bool answered, void *arg)
{
	struct daemon *daemon = arg;

	daemon->refreshing = false;
	if (!answered || daemon->loaded || daemon->stopping)
		return;
	daemon->loaded = true;
	if (daemon->settings.role != ROLE_INBOX)
		worker_start(daemon->worker);
	log_notice("ready", log_s(COPY, daemon->copy));
	daemon_tell_ready(daemon);
}

static void
refresh(struct daemon *daemon)
{
	if (daemon->refreshing)
		return;
	daemon->refreshing = true;
	messages_refresh(daemon->messages, daemon->db[DB_WRITE],
	    clock_unmoved(&daemon->clock), on_refreshed, daemon);
}

static void
ignore(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	(void)outcome;
	(void)sqlstate;
	(void)arg;
}

/* The first copy of a demo says where its time begins. */
static void
move_clock(struct daemon *daemon)
{
	struct db_unit *unit = db_unit_begin(daemon->db[DB_WRITE]);

	db_unit_add(unit, "clock_move", NULL, NULL);
	db_param_i64(
	    unit, daemon->start_care_at - clock_unmoved(&daemon->clock));
	db_unit_send(unit, ignore, NULL);
	daemon->start_care_at = AT_UNKNOWN;
}

static void
on_clock(bool answered, void *arg)
{
	struct daemon *daemon = arg;

	daemon->reading_clock = false;
	if (answered)
		daemon->answered_at = clock_boot();
	if (!answered || daemon->stopping)
		return;
	if (daemon->reading.moved && !daemon->settings.test_clock)
		fatal(EXIT_CONFIGURATION,
		    "care time is moved in this database: it is one of a demo "
		    "or test; test-clock = yes allows it");
	if (daemon->start_care_at != AT_UNKNOWN && !daemon->reading.moved) {
		move_clock(daemon);
		loop_timer_arm(daemon->tick, 0);
		return;
	}
	if (!daemon->loaded || daemon->ticks % REFRESH_TICKS == 0)
		refresh(daemon);
}

static void
ask_clock(struct daemon *daemon)
{
	if (daemon->reading_clock || !db_ready(daemon->db[DB_WRITE]))
		return;
	daemon->reading_clock = true;
	clock_sync_ask(&daemon->reading, daemon->db[DB_WRITE], &daemon->clock,
	    on_clock, daemon);
}

/* Say it once when the clocks part, and once when all agree again. */
static void
watch_clocks(struct daemon *daemon)
{
	const struct clock *clock = &daemon->clock;

	if (!clock_watch(&daemon->clock))
		return;
	if (clock->apart) {
		log_error("clock.apart",
		    log_s(KEY, clock->database_gap != 0 ? "database" : "wall"),
		    log_n(MS,
			(clock->database_gap != 0 ? clock->database_gap
						  : clock_wall_ahead(clock)) /
			    1000));
		return;
	}
	log_notice("clock.agrees", log_n(MS, clock_wall_ahead(clock) / 1000));
	worker_wake(daemon->worker);
}

/* Before the first work: some reasons do not pass by themselves. */
static void
refuse_database(const char *error)
{
	if (strcmp(error, DB_POOLED) == 0)
		fatal(EXIT_CONFIGURATION,
		    "database: a pooler stands before it, which drops "
		    "session settings, prepared statements and LISTEN: name "
		    "the server itself, adherd holds %d sessions",
		    DB_COUNT);
	if (schema_lacks(error))
		fatal(EXIT_CONFIGURATION,
		    "the database has schema %d and lacks what adherd needs "
		    "all the same (%s): run adherctl migrate with the same "
		    "version",
		    SCHEMA_NUMBER, error);
}

static void
on_tick(void *arg)
{
	struct daemon *daemon = arg;

	loop_timer_arm(daemon->tick, TICK_US);
	if (!daemon->loaded)
		refuse_database(db_last_error(daemon->db[DB_WRITE]));
	watch_clocks(daemon);
	ask_clock(daemon);
	/* the clock is not known at the first tick */
	if (daemon->ticks++ % HEARTBEAT_TICKS == 0 ||
	    !copies_joined(daemon->copies))
		copies_beat(daemon->copies);
	accounts_look(gateways_accounts(daemon->gateways));
	if (daemon->clock.synced)
		dispatch_look(daemon->dispatch);
	if (daemon->loaded && daemon->settings.role != ROLE_INBOX)
		gateways_look_at_balances(daemon->gateways);
	if (daemon->loaded && daemon->settings.role != ROLE_INBOX)
		gateways_look_at_tokens(daemon->gateways);
	if (daemon->loaded && daemon->settings.role != ROLE_INBOX &&
	    clock_agrees(&daemon->clock))
		rescue_look(daemon->rescue);
}

/* False: it has nothing to do now, or the connection is busy. */
static bool
begin_chore(struct daemon *daemon, unsigned chore)
{
	switch (chore) {
	case 0:
		return receipts_look(daemon->receipts);
	case 1:
		return replies_look(daemon->replies);
	case 2:
		return addresses_look(daemon->addresses);
	default:
		return escalations_look(daemon->escalations);
	}
}

static void
on_chores(void *arg)
{
	struct daemon *daemon = arg;

	loop_timer_arm(daemon->chores, CHORE_US);
	/* what a listener stored is for those who may see deliveries */
	if (!daemon->loaded || daemon->settings.role == ROLE_INBOX)
		return;
	/* by turns: each has the connection to itself */
	for (unsigned i = 0; i < CHORES; i++)
		if (begin_chore(daemon, (unsigned)(daemon->turns++ % CHORES)))
			return;
}

/* On each connection, before any work: nothing is done by another schema. */
static void
on_probe(const struct db_result *result, const char *sqlstate, void *arg)
{
	char error[160];

	(void)arg;
	if (schema_check(result, sqlstate, error) != 0)
		fatal(EXIT_CONFIGURATION, "%s", error);
}

/* A connection came up: the writing one tells the time. */
static void
on_db_ready(struct db *db, void *arg)
{
	struct daemon *daemon = arg;

	if (db == daemon->db[DB_CLAIM] || db == daemon->db[DB_CLAIM_2])
		aftermath_connected(daemon->aftermath);
	if (db == daemon->db[DB_WRITE] && !daemon->stopping)
		loop_timer_arm(daemon->tick, 0);
}

/* The payload: whose facts changed, as agenda_notify_people.sql says. */
static void
on_notify(const char *payload, void *arg)
{
	struct daemon *daemon = arg;
	const char *at = payload;

	if (strcmp(payload, "*") == 0)
		dispatch_touched(daemon->dispatch, -1, 0);
	while (*at >= '0' && *at <= '9') {
		char *end;
		int16_t bucket = (int16_t)strtol(at, &end, 10);

		if (*end != '/')
			break;
		dispatch_touched(
		    daemon->dispatch, bucket, strtoll(end + 1, &end, 10));
		at = *end == ' ' ? end + 1 : end;
	}
	worker_wake(daemon->worker);
}

static void
on_granted(void *arg)
{
	dispatch_pump(arg);
}

static void
on_room(void *arg)
{
	worker_room(((struct daemon *)arg)->worker);
}

/* ---- the parts ---- */

static void
open_databases(struct daemon *daemon)
{
	static const char *const labels[DB_COUNT] = {
	    "adherd claim", "adherd claim-2", "adherd write", "adherd chores"};

	for (int i = 0; i < DB_COUNT; i++) {
		struct db_settings settings = {
		    .dsn = daemon->settings.database,
		    .label = labels[i],
		    .statements = statements,
		    .statement_count = statement_count,
		    .probe = SCHEMA_PROBE,
		    .on_probe = on_probe,
		    .on_ready = on_db_ready,
		    .arg = daemon,
		};

		daemon->db[i] = db_open(daemon->loop, &settings);
	}
}

static struct http_server *
listen_on(struct daemon *daemon, const char *key, const char *listen, int place)
{
	struct listen_address address;
	struct http_server_settings settings = {0};
	char error[256];
	struct http_server *server;
	int parsed = listen_parse(listen, &address);

	assert(parsed == 0); /* checked when it was loaded */
	(void)parsed;
	settings.address = address.address;
	settings.port = address.port;
	settings.socket = systemd_socket(key, place);
	server =
	    http_server_open(daemon->loop, &settings, error, sizeof(error));
	if (server == NULL) {
		struct conf_error text;

		(void)conf_blame(
		    daemon->conf, "adherd", NULL, key, &text, "%s", error);
		/* whoever has the port now may leave it: try again */
		fatal(EXIT_TRY_AGAIN, "%s", text.text);
	}
	log_notice("listening", log_s(KEY, key),
	    log_n(PORT, http_server_port(server)));
	return server;
}

static void
on_clock_moved(void *arg)
{
	struct daemon *daemon = arg;

	ask_clock(daemon);
	worker_wake(daemon->worker);
}

static void
serve_metrics(struct daemon *daemon)
{
	static const char *const names[DB_COUNT] = {
	    "claim", "claim-2", "write", "chores"};
	const struct metrics_settings settings = {
	    .loop = daemon->loop,
	    .clock = &daemon->clock,
	    .gateways = daemon->gateways,
	    .db = daemon->settings.role == ROLE_INBOX ? NULL
						      : daemon->db[DB_CHORES],
	    .others = daemon->db,
	    .names = names,
	    .count = DB_COUNT,
	    .lease_us = &daemon->settings.lease_us,
	};

	metrics_serve(daemon->admin_server, metrics_create(&settings));
}

/* What this copy remembers; a listener sends nothing to remember. */
static void
open_state(struct daemon *daemon)
{
	const char *dir = settings_state_dir(&daemon->settings);
	char error[512];

	if (dir == NULL && daemon->settings.role != ROLE_INBOX)
		log_warning("state.none", log_s(KEY, "state-dir"));
	if (dir != NULL) {
		daemon->state = state_file_open(dir, error, sizeof(error));
		if (daemon->state == NULL)
			fatal(EXIT_CONFIGURATION, "state-dir: %s", error);
		daemon_watch_end(daemon->state);
	}
	daemon->aftermath = aftermath_create(daemon->db[DB_CLAIM],
	    &daemon->clock, daemon->gateways, daemon->outcomes, daemon->state,
	    daemon->copy);
	worker_remember(daemon->worker, daemon->state, daemon->aftermath);
	gateways_remember(daemon->gateways, daemon->state);
}

void
daemon_start(struct daemon *daemon)
{
	static const char *const roles[] = {"all", "plan", "inbox"};
	struct worker_settings settings = daemon_worker_settings(daemon);

	open_databases(daemon);
	daemon->messages = messages_create(daemon->gateways, daemon->templates,
	    daemon->keyring, daemon->settings.only_to);
	daemon->outcomes =
	    outcomes_create(daemon->loop, daemon->db[DB_WRITE], &daemon->clock);
	daemon->stops = stop_book_create();
	daemon->rules = rule_book_create(
	    daemon->settings.ask_after_us, stop_book_stops(daemon->stops));
	daemon->dispatch = dispatch_create(daemon->loop, &daemon->clock,
	    daemon->gateways, daemon->outcomes, daemon->rules, daemon->stops,
	    daemon->settings.request_us);
	dispatch_on_room(daemon->dispatch, on_room, daemon);
	accounts_open(gateways_accounts(daemon->gateways), daemon->db[DB_WRITE],
	    on_granted, daemon->dispatch);
	gateways_use_tokens(
	    daemon->gateways, daemon->db[DB_WRITE], daemon->keyring);
	daemon->copies = copies_create(daemon->db[DB_WRITE], &daemon->clock,
	    gateways_accounts(daemon->gateways), daemon->copy,
	    roles[daemon->settings.role]);
	daemon->worker = worker_create(daemon->loop, &daemon->db[DB_CLAIM],
	    &daemon->clock, daemon->gateways, daemon->messages,
	    daemon->dispatch, daemon->stops, daemon->rules, &settings);
	open_state(daemon);
	daemon->rescue = rescue_create(daemon->db[DB_CHORES], &daemon->clock);
	daemon->inbox =
	    inbox_create(daemon->db[DB_WRITE], &daemon->clock, daemon->keyring);
	daemon->receipts =
	    receipts_create(daemon->db[DB_CHORES], &daemon->clock);
	daemon->replies = replies_create(daemon->db[DB_CHORES], &daemon->clock,
	    daemon->keyring, daemon->gateways);
	daemon->addresses =
	    addresses_create(daemon->db[DB_CHORES], &daemon->clock);
	daemon->escalations =
	    escalations_create(daemon->db[DB_CHORES], &daemon->clock);
	db_listen(daemon->db[DB_CHORES], "agenda", on_notify, daemon);
	daemon->tick = loop_timer_create(daemon->loop, on_tick, daemon);
	daemon->chores = loop_timer_create(daemon->loop, on_chores, daemon);
	loop_timer_arm(daemon->chores, CHORE_US);
	loop_timer_arm(daemon->tick, TICK_US);

	daemon->admin_server =
	    listen_on(daemon, "admin-listen", daemon->settings.admin_listen, 1);
	daemon->admin = (struct admin){&daemon->clock, daemon->db[DB_WRITE],
	    daemon->settings.test_clock, daemon_not_ready, on_clock_moved,
	    daemon};
	admin_serve(daemon->admin_server, &daemon->admin);
	serve_metrics(daemon);
	if (daemon->settings.role == ROLE_PLAN)
		return;
	daemon->server =
	    listen_on(daemon, "listen", daemon->settings.listen, 0);
	daemon->callbacks = (struct callbacks){daemon->gateways, daemon->inbox};
	callback_serve(daemon->server, &daemon->callbacks);
}

/* ---- stop ---- */

static bool
all_idle(const struct daemon *daemon)
{
	return worker_idle(daemon->worker) && dispatch_idle(daemon->dispatch) &&
	       outcomes_idle(daemon->outcomes) && rescue_idle(daemon->rescue) &&
	       receipts_idle(daemon->receipts) &&
	       replies_idle(daemon->replies) &&
	       addresses_idle(daemon->addresses) &&
	       escalations_idle(daemon->escalations) && !daemon->refreshing &&
	       !daemon->reading_clock;
}

static void
on_gone(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	(void)outcome;
	(void)sqlstate;
	loop_stop(((struct daemon *)arg)->loop);
}

/* The last word to the database; one that is frozen is not waited for. */
static void
leave(struct daemon *daemon)
{
	struct db_unit *unit;

	daemon->leaving = true;
	log_notice("stopped",
	    log_s(STATE,
		all_idle(daemon) ? "drained" : "requests were under way"));
	if (!db_ready(daemon->db[DB_WRITE])) {
		loop_stop(daemon->loop);
		return;
	}
	loop_timer_arm(daemon->drain, LEAVE_US);
	unit = db_unit_begin(daemon->db[DB_WRITE]);
	copies_leave(daemon->copies, unit);
	db_unit_send(unit, on_gone, daemon);
}

/* Requests under way may end, outcomes are written, then the row goes. */
static void
on_drain(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->leaving) {
		loop_stop(daemon->loop);
		return;
	}
	if (worker_idle(daemon->worker))
		dispatch_drain(daemon->dispatch);
	outcomes_flush(daemon->outcomes);
	if (all_idle(daemon) || clock_boot() + LEAVE_US >= daemon->drain_until)
		leave(daemon);
	else
		loop_timer_arm(daemon->drain, CHORE_US / 4);
}

static void
on_stop(int signal_number, void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->stopping)
		return;
	daemon->stopping = true;
	log_notice("stopping", log_n(SIGNAL, signal_number));
	systemd_notify("STOPPING=1");
	worker_stop(daemon->worker);
	loop_timer_disarm(daemon->tick);
	loop_timer_disarm(daemon->chores);
	daemon->drain_until = clock_boot() + daemon->settings.drain_us;
	daemon->drain = loop_timer_create(daemon->loop, on_drain, daemon);
	loop_timer_arm(daemon->drain, 0);
}

void
daemon_run(struct daemon *daemon)
{
	loop_on_signal(daemon->loop, SIGTERM, on_stop, daemon);
	loop_on_signal(daemon->loop, SIGINT, on_stop, daemon);
	loop_on_signal(daemon->loop, SIGHUP, daemon_on_reload, daemon);
	daemon_state_start(daemon);
	loop_run(daemon->loop);
}
