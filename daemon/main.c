/*
 * adherd: reads its configuration, opens what it needs, and turns the loop.
 * Owns every part of the daemon from start to stop; the parts know each
 * other only by what they are given here.
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "care/program_read.h"
#include "door/admin.h"
#include "door/callback.h"
#include "flow/clock_sync.h"
#include "flow/rescue.h"
#include "flow/statements.h"
#include "flow/template_files.h"
#include "flow/worker.h"

#define SCHEMA_NUMBER 1 /* the newest migration that this binary knows */
#define TICK_US SECOND_US
#define CHORE_US (200 * 1000)
#define HEARTBEAT_TICKS 5
#define REFRESH_TICKS 15

enum connection { DB_CLAIM, DB_WRITE, DB_CHORES, DB_COUNT };

struct daemon {
	struct settings settings;
	struct conf *conf;
	const char *copy;
	int64_t start_care_at; /* --care-time; AT_UNKNOWN: none */
	struct loop *loop;
	struct clock clock;
	struct clock_reading reading;
	struct db *db[DB_COUNT];
	struct http_client *client;
	struct keyring *keyring;
	struct template_set *templates;
	struct gateways *gateways;
	struct messages *messages;
	struct outcomes *outcomes;
	struct stop_book *stops;
	struct rule_book *rules;
	struct dispatch *dispatch;
	struct worker *worker;
	struct rescue *rescue;
	struct inbox *inbox;
	struct http_server *server, *admin_server;
	struct callbacks callbacks;
	struct admin admin;
	struct loop_timer *tick, *chores, *drain;
	int64_t ticks;
	int schema; /* 0: not known yet */
	bool reading_clock, refreshing, loaded, stopping;
	int64_t drain_until; /* clock_boot() */
};

/* ---- start ---- */

static const char usage_text[] =
    "usage: adherd [-c FILE]             run in the foreground\n"
    "       adherd -t [-c FILE]          check the configuration\n"
    "       adherd --example             print one, with comments\n"
    "       adherd --manual              adherd.conf(5), as mdoc\n"
    "       adherd --version | --help\n"
    "options:\n"
    "  -c, --config FILE      default " SETTINGS_PATH "\n"
    "  -t, --check-config\n"
    "      --care-time TIME   start care time there, where test-clock = yes\n"
    "                         and the database has no other: demo and tests\n";

static _Noreturn void
print_example(void)
{
	struct buf text = BUF_INIT(1 << 20);

	conf_example(settings_table, settings_table_count, &text);
	buf_text(&text, "\n");
	conf_example(
	    gateway_settings_table, gateway_settings_table_count, &text);
	(void)fputs(buf_string(&text), stdout);
	exit(0);
}

static void
write_programs(struct buf *text)
{
	buf_text(text,
	    ".Sh PROGRAMS\n"
	    "What is said when is no part of this file.\n"
	    "It is told by documents, one for each kind and, where products\n"
	    "of a class differ, one for each kind and class:\n"
	    ".Bd -literal -offset indent\n"
	    "{\"kind\": \"refill\", \"product_class\": \"strips\",\n"
	    " \"settings\": {\"stages\": [\"-7d\", \"-1d\"]}}\n"
	    ".Ed\n.Pp\n"
	    "A setting that is not named is that of the kind's own document,\n"
	    "else the default.\n"
	    ".Ql adherctl program store\n"
	    "stores them as new versions, which every copy obeys from its\n"
	    "next look on;\n"
	    ".Ql adherctl plan --diff\n"
	    "shows beforehand what they would change, and\n"
	    ".Ql adherctl product set\n"
	    "says of which class a product is.\n"
	    "Durations are like 90s, 15min, 4h or 7d.\n");
	program_manual(text);
}

/* adherd.conf(5), made of the same rows as the parsers. */
static _Noreturn void
print_manual(void)
{
	struct buf text = BUF_INIT(1 << 20);

	buf_text(&text, ".Dd November 25, 2026\n.Dt ADHERD.CONF 5\n.Os\n"
			".Sh NAME\n.Nm adherd.conf\n"
			".Nd configuration of the adherence daemon\n"
			".Sh DESCRIPTION\n"
			"Sections in square brackets hold lines of the form\n"
			".Ar key No = Ar value .\n"
			"Files named\n.Pa conf.d/*.conf\n"
			"beside the file are read after it, in name order.\n"
			"An unknown key is an error.\n"
			".Ss [adherd]\n.Bl -tag -width Ds\n");
	conf_manual(settings_table, settings_table_count, &text);
	buf_text(&text, ".El\n.Ss [gateway \"NAME\"]\n"
			"One for each account with a provider.\n"
			"The keys of its plug-in stand in the same section.\n"
			".Bl -tag -width Ds\n");
	conf_manual(
	    gateway_settings_table, gateway_settings_table_count, &text);
	buf_text(&text, ".El\n");
	write_programs(&text);
	buf_text(&text, ".Sh FILES\n.Bl -tag -width Ds\n"
			".It Pa " SETTINGS_PATH "\n"
			"Read where no other file is named.\n.El\n");
	(void)fputs(buf_string(&text), stdout);
	exit(0);
}

struct arguments {
	const char *config;
	const char *care_time;
	bool check;
};

static void
read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check-config", no_argument, NULL, 't'},
	    {"care-time", required_argument, NULL, 'C'},
	    {"example", no_argument, NULL, 'e'},
	    {"manual", no_argument, NULL, 'm'},
	    {"version", no_argument, NULL, 'V'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:t", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->config = optarg;
			break;
		case 't':
			arguments->check = true;
			break;
		case 'C':
			arguments->care_time = optarg;
			break;
		case 'e':
			print_example();
		case 'm':
			print_manual();
		case 'V':
			(void)puts("adherd " ADHERD_VERSION);
			exit(0);
		case 'h':
			(void)fputs(usage_text, stdout);
			exit(0);
		default:
			(void)fputs(usage_text, stderr);
			exit(EXIT_USAGE_);
		}
	}
	if (optind != argc) {
		(void)fputs(usage_text, stderr);
		exit(EXIT_USAGE_);
	}
}

/* "127.0.0.1:8480" or "[::1]:8480" into address and port. */
static struct http_server *
listen_on(struct daemon *daemon, const char *key, const char *listen)
{
	const char *colon = strrchr(listen, ':');
	struct http_server_settings settings = {0};
	char address[64], error[256], *end;
	struct http_server *server;
	long port;

	if (colon == NULL || (size_t)(colon - listen) >= sizeof(address))
		fatal(EXIT_CONFIGURATION, "%s = %s: not ADDRESS:PORT", key,
		    listen);
	(void)snprintf(
	    address, sizeof(address), "%.*s", (int)(colon - listen), listen);
	if (address[0] == '[' && colon[-1] == ']') {
		memmove(address, address + 1, strlen(address));
		address[strlen(address) - 1] = '\0';
	}
	port = strtol(colon + 1, &end, 10);
	if (end == colon + 1 || *end != '\0' || port < 0 || port > 65535)
		fatal(EXIT_CONFIGURATION, "%s = %s: not a port", key, listen);
	settings.address = address;
	settings.port = (uint16_t)port;
	server =
	    http_server_open(daemon->loop, &settings, error, sizeof(error));
	if (server == NULL)
		fatal(EXIT_CONFIGURATION, "%s = %s: %s", key, listen, error);
	log_notice("listening", log_s(KEY, key),
	    log_n(PORT, http_server_port(server)));
	return server;
}

static void
name_copy(struct daemon *daemon)
{
	char host[HOST_NAME_MAX + 1] = "host";

	daemon->copy = daemon->settings.copy;
	if (daemon->copy != NULL)
		return;
	(void)gethostname(host, sizeof(host) - 1);
	daemon->copy =
	    arena_printf(daemon->conf->arena, "%s-%ld", host, (long)getpid());
}

/* Everything that the configuration names, before anything is started. */
static void
load(struct daemon *daemon, const struct arguments *arguments)
{
	const char *path =
	    arguments->config == NULL ? SETTINGS_PATH : arguments->config;
	struct conf_error error;
	char text[512];

	daemon->conf = settings_read(path, &daemon->settings, &error);
	if (daemon->conf == NULL)
		fatal(EXIT_CONFIGURATION, "%s", error.text);
	name_copy(daemon);
	daemon->loop = loop_create();
	daemon->client = http_client_create(daemon->loop);
	daemon->gateways = gateways_load(daemon->conf, &daemon->settings,
	    daemon->loop, daemon->client, &daemon->clock, &error);
	if (daemon->gateways == NULL)
		fatal(EXIT_CONFIGURATION, "%s", error.text);
	daemon->keyring =
	    keyring_open(daemon->settings.keyring_file, text, sizeof(text));
	if (daemon->keyring == NULL)
		fatal(EXIT_CONFIGURATION, "%s", text);
	daemon->templates =
	    template_files_load(daemon->settings.template_dir, "zh-CN", &error);
	if (daemon->templates == NULL || template_set_check(daemon->templates,
					     program_default(), &error) != 0)
		fatal(EXIT_CONFIGURATION, "%s", error.text);
	daemon->start_care_at = AT_UNKNOWN;
	if (arguments->care_time == NULL)
		return;
	if (!daemon->settings.test_clock)
		fatal(EXIT_CONFIGURATION,
		    "--care-time needs test-clock = yes: real patients live "
		    "in real time");
	if (!instant_parse(arguments->care_time, &daemon->start_care_at))
		fatal(EXIT_USAGE_,
		    "--care-time %s: not an instant like "
		    "2026-03-08T09:59:30+08:00",
		    arguments->care_time);
}

/* ---- clock, schema, catalogue ---- */

static void
check_schema(const struct daemon *daemon)
{
	if (daemon->schema != SCHEMA_NUMBER)
		fatal(EXIT_CONFIGURATION,
		    "the database has schema %d, this adherd serves %d: run "
		    "adherctl migrate with the same version",
		    daemon->schema, SCHEMA_NUMBER);
}

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

static void
heartbeat(struct daemon *daemon)
{
	static const char *const roles[] = {"all", "plan", "inbox"};
	struct db_unit *unit;

	if (!daemon->clock.synced || !db_ready(daemon->db[DB_WRITE]))
		return;
	unit = db_unit_begin(daemon->db[DB_WRITE]);
	db_unit_add(unit, "copy_heartbeat", NULL, NULL);
	db_param_text(unit, daemon->copy);
	db_param_text(unit, roles[daemon->settings.role]);
	db_param_at(unit, clock_unmoved(&daemon->clock));
	db_unit_send(unit, ignore, NULL);
}

/* Statements that cannot be prepared: a schema that is not ours. */
static bool
is_schema_error(const char *sqlstate)
{
	return strcmp(sqlstate, "42P01") == 0 ||
	       strcmp(sqlstate, "42703") == 0 || strcmp(sqlstate, "42883") == 0;
}

static void
on_tick(void *arg)
{
	struct daemon *daemon = arg;
	const char *error = db_last_error(daemon->db[DB_WRITE]);

	loop_timer_arm(daemon->tick, TICK_US);
	if (!daemon->loaded && is_schema_error(error))
		fatal(EXIT_CONFIGURATION,
		    "the database lacks what adherd needs (%s): run adherctl "
		    "migrate with the same version",
		    error);
	ask_clock(daemon);
	if (daemon->ticks++ % HEARTBEAT_TICKS == 0)
		heartbeat(daemon);
	if (daemon->loaded && daemon->settings.role != ROLE_INBOX)
		rescue_look(daemon->rescue);
}

static void
on_chores(void *arg)
{
	struct daemon *daemon = arg;

	loop_timer_arm(daemon->chores, CHORE_US);
	if (daemon->loaded)
		inbox_look(daemon->inbox);
}

static void
take_schema(const struct db_result *result, void *arg)
{
	struct daemon *daemon = arg;

	daemon->schema = db_rows(result) == 1 && !db_null(result, 0, 0)
			     ? (int)db_i64(result, 0, 0)
			     : -1;
}

static void
on_schema(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct daemon *daemon = arg;

	(void)sqlstate;
	if (outcome != DB_OK)
		return;
	check_schema(daemon);
	loop_timer_arm(daemon->tick, 0);
}

/* A connection came up: the writing one asks what it is connected to. */
static void
on_db_ready(struct db *db, void *arg)
{
	struct daemon *daemon = arg;
	struct db_unit *unit;

	if (db != daemon->db[DB_WRITE])
		return;
	unit = db_unit_begin(db);
	db_unit_add(unit, "schema_version", take_schema, daemon);
	db_unit_send(unit, on_schema, daemon);
}

static void
on_notify(void *arg)
{
	worker_wake(((struct daemon *)arg)->worker);
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
	    "adherd claim", "adherd write", "adherd chores"};

	for (int i = 0; i < DB_COUNT; i++) {
		struct db_settings settings = {
		    .dsn = daemon->settings.database,
		    .label = labels[i],
		    .statements = statements,
		    .statement_count = statement_count,
		    .on_ready = on_db_ready,
		    .arg = daemon,
		};

		daemon->db[i] = db_open(daemon->loop, &settings);
	}
}

static const char *
not_ready(void *arg)
{
	const struct daemon *daemon = arg;
	bool usable = gateways_count(daemon->gateways) == 0;

	if (daemon->stopping)
		return "stopping";
	for (int i = 0; i < DB_COUNT; i++)
		if (!db_ready(daemon->db[i]))
			return "the database is away";
	if (!daemon->loaded)
		return "starting";
	for (size_t i = 0; i < gateways_count(daemon->gateways); i++)
		usable |= !gateway_paused(gateways_at(daemon->gateways, i), "");
	return usable ? NULL : "every gateway is paused";
}

static void
on_clock_moved(void *arg)
{
	struct daemon *daemon = arg;

	ask_clock(daemon);
	worker_wake(daemon->worker);
}

static void
start(struct daemon *daemon)
{
	struct worker_settings settings = {
	    .copy = daemon->copy,
	    .look_us = daemon->settings.look_us,
	    .lease_us = daemon->settings.lease_us,
	    .claim_max = (uint32_t)daemon->settings.claim_max,
	};

	open_databases(daemon);
	daemon->messages = messages_create(
	    daemon->gateways, daemon->templates, daemon->keyring);
	daemon->outcomes =
	    outcomes_create(daemon->loop, daemon->db[DB_WRITE], &daemon->clock);
	daemon->stops = stop_book_create();
	daemon->rules = rule_book_create(
	    daemon->settings.ask_after_us, stop_book_stops(daemon->stops));
	daemon->dispatch = dispatch_create(daemon->loop, &daemon->clock,
	    daemon->gateways, daemon->outcomes, daemon->rules, daemon->stops,
	    daemon->settings.request_us);
	dispatch_on_room(daemon->dispatch, on_room, daemon);
	daemon->worker = worker_create(daemon->loop, daemon->db[DB_CLAIM],
	    &daemon->clock, daemon->gateways, daemon->messages,
	    daemon->dispatch, daemon->stops, daemon->rules, &settings);
	daemon->rescue = rescue_create(daemon->db[DB_CHORES], &daemon->clock);
	daemon->inbox =
	    inbox_create(daemon->db[DB_CHORES], daemon->db[DB_WRITE],
		&daemon->clock, daemon->gateways, daemon->keyring);
	db_listen(daemon->db[DB_CHORES], "agenda", on_notify, daemon);
	daemon->tick = loop_timer_create(daemon->loop, on_tick, daemon);
	daemon->chores = loop_timer_create(daemon->loop, on_chores, daemon);
	loop_timer_arm(daemon->chores, CHORE_US);
	loop_timer_arm(daemon->tick, TICK_US);

	daemon->admin_server =
	    listen_on(daemon, "admin-listen", daemon->settings.admin_listen);
	daemon->admin = (struct admin){&daemon->clock, daemon->db[DB_WRITE],
	    daemon->settings.test_clock, not_ready, on_clock_moved, daemon};
	admin_serve(daemon->admin_server, &daemon->admin);
	if (daemon->settings.role == ROLE_PLAN)
		return;
	daemon->server = listen_on(daemon, "listen", daemon->settings.listen);
	daemon->callbacks = (struct callbacks){daemon->gateways, daemon->inbox};
	callback_serve(daemon->server, &daemon->callbacks);
}

/* ---- stop ---- */

static bool
all_idle(const struct daemon *daemon)
{
	return worker_idle(daemon->worker) && dispatch_idle(daemon->dispatch) &&
	       outcomes_idle(daemon->outcomes) && rescue_idle(daemon->rescue) &&
	       inbox_idle(daemon->inbox) && !daemon->refreshing &&
	       !daemon->reading_clock;
}

static void
on_gone(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	(void)outcome;
	(void)sqlstate;
	loop_stop(((struct daemon *)arg)->loop);
}

/* Requests under way may end, outcomes are written, then the row goes. */
static void
on_drain(void *arg)
{
	struct daemon *daemon = arg;
	struct db_unit *unit;

	if (worker_idle(daemon->worker))
		dispatch_drain(daemon->dispatch);
	outcomes_flush(daemon->outcomes);
	if (!all_idle(daemon) && clock_boot() < daemon->drain_until) {
		loop_timer_arm(daemon->drain, CHORE_US / 4);
		return;
	}
	log_notice("stopped",
	    log_s(STATE,
		all_idle(daemon) ? "drained" : "requests were under way"));
	if (!db_ready(daemon->db[DB_WRITE])) {
		loop_stop(daemon->loop);
		return;
	}
	unit = db_unit_begin(daemon->db[DB_WRITE]);
	db_unit_add(unit, "copy_gone", NULL, NULL);
	db_param_text(unit, daemon->copy);
	db_unit_send(unit, on_gone, daemon);
}

static void
on_stop(int signal_number, void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->stopping)
		return;
	daemon->stopping = true;
	log_notice("stopping", log_n(SIGNAL, signal_number));
	worker_stop(daemon->worker);
	loop_timer_disarm(daemon->tick);
	loop_timer_disarm(daemon->chores);
	daemon->drain_until = clock_boot() + daemon->settings.drain_us;
	daemon->drain = loop_timer_create(daemon->loop, on_drain, daemon);
	loop_timer_arm(daemon->drain, 0);
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {0};
	static struct daemon daemon;

	read_arguments(argc, argv, &arguments);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_DUMPABLE, 0);
	load(&daemon, &arguments);
	if (arguments.check) {
		(void)puts("adherd: the configuration is good");
		return 0;
	}
	start(&daemon);
	loop_on_signal(daemon.loop, SIGTERM, on_stop, &daemon);
	loop_on_signal(daemon.loop, SIGINT, on_stop, &daemon);
	loop_run(daemon.loop);
	/* what is still open the kernel closes, leases give back the rest */
	return 0;
}
