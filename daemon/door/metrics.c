/*
 * Numbers for operators.  Owns two timers' worth of work: how late the loop
 * is, and what the database is asked.  Reads no patient: counts and ages
 * only, through indexes that hold what stands out.
 */
#include "door/metrics.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metric.h"

#define TURN_US (SECOND_US / 2)
#define GATHER_US (15 * SECOND_US)
#define STALE_US (60 * SECOND_US)
#define TEXT_BYTES_MAX (4 << 20)
#define FDS_MAX 65536     /* counted at most */
#define EVERY_GATEWAY "*" /* paused: the database is behind (aftermath.c) */

struct metrics {
	struct metrics_settings settings;
	struct loop_timer *timer;
	int64_t turn_at; /* when the timer should fire; clock_boot(), as all */
	int64_t asked_at, told_at;
	bool asking, refused;
	struct buf text;
};

/* What is left out when the database has not told it lately. */
static const enum metric of_database[] = {METRIC_AGENDA_LATE, METRIC_SET_ASIDE,
    METRIC_GATEWAY_PARKED, METRIC_SENDING_OLDEST, METRIC_BATCHES,
    METRIC_BATCHES_LAPSED, METRIC_COPIES, METRIC_INBOX_RECEIPTS, METRIC_STOPS,
    METRIC_TASKS_OPEN, METRIC_TASKS_OLDEST, METRIC_PAUSES,
    METRIC_GATEWAY_TOKEN_EXPIRES, METRIC_GATEWAY_QUOTA,
    METRIC_GATEWAY_QUOTA_LEFT, METRIC_DATABASE_BEHIND, METRIC_PARTITIONS_AHEAD,
    METRIC_DOSSIER_DIFFERENCES, METRIC_MAINTENANCE_AGE};

static double
seconds(int64_t us)
{
	return (double)us / SECOND_US;
}

/* How long ago, 0 where it is yet to come or never was. */
static double
age(const struct db_result *result, int row, int column, int64_t now)
{
	int64_t at = db_at_or(result, row, column, AT_NEVER);

	return at >= now || at == AT_UNKNOWN ? 0 : seconds(now - at);
}

/* ---- asking the database ---- */

static void
take_agenda(const struct db_result *result, void *arg)
{
	static const char *const classes[] = {"urgent", "timed", "bulk"};
	const struct metrics *metrics = arg;
	int64_t now = clock_care(metrics->settings.clock);

	for (int i = 0; i < (int)COUNT(classes); i++)
		metric_set(METRIC_AGENDA_LATE, classes[i], NULL,
		    age(result, 0, i, now));
	metric_set(METRIC_SET_ASIDE, NULL, NULL, (double)db_i64(result, 0, 3));
}

static void
take_parked(const struct db_result *result, void *arg)
{
	const struct gateways *gateways =
	    ((struct metrics *)arg)->settings.gateways;

	metric_clear(METRIC_GATEWAY_PARKED);
	for (int row = 0; row < db_rows(result); row++)
		for (size_t i = 0; i < gateways_count(gateways); i++) {
			const struct gateway *g = gateways_at(gateways, i);

			if (g->lane == db_i64(result, row, 0))
				metric_set(METRIC_GATEWAY_PARKED, g->name, NULL,
				    (double)db_i64(result, row, 1));
		}
}

static void
take_work(const struct db_result *result, void *arg)
{
	const struct metrics *metrics = arg;
	int64_t now = clock_unmoved(metrics->settings.clock);
	int64_t until = db_at_or(result, 0, 1, AT_NEVER);
	int64_t began =
	    until == AT_NEVER ? now : until - *metrics->settings.lease_us;

	metric_set(METRIC_BATCHES, NULL, NULL, (double)db_i64(result, 0, 0));
	metric_set(METRIC_SENDING_OLDEST, NULL, NULL,
	    began < now ? seconds(now - began) : 0);
	metric_set(
	    METRIC_BATCHES_LAPSED, NULL, NULL, (double)db_i64(result, 0, 2));
	metric_set(METRIC_COPIES, "alive", NULL, (double)db_i64(result, 0, 3));
	metric_set(METRIC_COPIES, "silent", NULL, (double)db_i64(result, 0, 4));
	metric_set(
	    METRIC_COPIES, "named_twice", NULL, (double)db_i64(result, 0, 5));
	metric_set(METRIC_INBOX_RECEIPTS, "waiting", NULL,
	    (double)db_i64(result, 0, 6));
	metric_set(METRIC_INBOX_RECEIPTS, "unknown", NULL,
	    (double)db_i64(result, 0, 7));
	metric_set(METRIC_STOPS, NULL, NULL, (double)db_i64(result, 0, 8));
	metric_set(
	    METRIC_INBOX_REPLY_OLDEST, NULL, NULL, age(result, 0, 9, now));
}

/* An answer that nobody took up may tell of danger. */
static void
take_tasks(const struct db_result *result, void *arg)
{
	const struct metrics *metrics = arg;
	int64_t now = clock_care(metrics->settings.clock);
	double open[2] = {0, 0}, oldest[2] = {0, 0};
	static const char *const words[2] = {"normal", "urgent"};

	for (int row = 0; row < db_rows(result); row++) {
		bool urgent = db_bool(result, row, 0);
		double late = age(result, row, 2, now);

		open[urgent] += (double)db_i64(result, row, 1);
		if (late > oldest[urgent])
			oldest[urgent] = late;
	}
	for (int i = 0; i < 2; i++) {
		metric_set(METRIC_TASKS_OPEN, words[i], NULL, open[i]);
		metric_set(METRIC_TASKS_OLDEST, words[i], NULL, oldest[i]);
	}
}

/* Pauses of gateways that this copy has; others tell of theirs. */
static void
take_pauses(const struct db_result *result, void *arg)
{
	static const char *const scopes[] = {"gateway", "sender", "template"};
	const struct gateways *gateways =
	    ((struct metrics *)arg)->settings.gateways;

	bool behind = false;

	metric_clear(METRIC_PAUSES);
	for (size_t i = 0; i < gateways_count(gateways); i++)
		for (size_t j = 0; j < COUNT(scopes); j++)
			metric_set(METRIC_PAUSES,
			    gateways_at(gateways, i)->name, scopes[j], 0);
	for (int row = 0; row < db_rows(result); row++) {
		const char *name = db_text(result, row, 0);

		behind |= strcmp(name, EVERY_GATEWAY) == 0;
		if (gateways_find(gateways, name) != NULL)
			metric_set(METRIC_PAUSES, name, db_text(result, row, 1),
			    (double)db_i64(result, row, 2));
	}
	metric_set(METRIC_DATABASE_BEHIND, NULL, NULL, behind);
	metric_set(METRIC_SENDING_PAUSED, "database_behind", NULL, behind);
}

static void
take_tokens(const struct db_result *result, void *arg)
{
	const struct metrics *metrics = arg;
	int64_t now = clock_unmoved(metrics->settings.clock);

	metric_clear(METRIC_GATEWAY_TOKEN_EXPIRES);
	for (int row = 0; row < db_rows(result); row++) {
		const char *name = db_text(result, row, 0);

		if (gateways_find(metrics->settings.gateways, name) != NULL)
			metric_set(METRIC_GATEWAY_TOKEN_EXPIRES, name, NULL,
			    seconds(db_at(result, row, 1) - now));
	}
}

static void
take_quota(const struct db_result *result, void *arg)
{
	const struct metrics *metrics = arg;
	const struct gateways *gateways = metrics->settings.gateways;

	metric_clear(METRIC_GATEWAY_QUOTA);
	metric_clear(METRIC_GATEWAY_QUOTA_LEFT);
	for (size_t i = 0; i < gateways_count(gateways); i++) {
		const struct gateway *g = gateways_at(gateways, i);
		int64_t left = g->account->quota;

		if (left == 0)
			continue;
		for (int row = 0; row < db_rows(result); row++)
			if (db_i64(result, row, 0) == (int64_t)i + 1)
				left -= db_i64(result, row, 1);
		metric_set(METRIC_GATEWAY_QUOTA, g->name, NULL,
		    (double)g->account->quota);
		metric_set(METRIC_GATEWAY_QUOTA_LEFT, g->name, NULL,
		    left > 0 ? (double)left : 0);
	}
}

static void
take_maintenance(const struct db_result *result, void *arg)
{
	const struct metrics *metrics = arg;
	int64_t now = clock_unmoved(metrics->settings.clock);

	if (db_rows(result) == 0)
		return;
	metric_set(METRIC_DOSSIER_DIFFERENCES, NULL, NULL,
	    (double)db_i64(result, 0, 0));
	metric_set(METRIC_MAINTENANCE_AGE, NULL, NULL, age(result, 0, 1, now));
}

static void
take_partitions(const struct db_result *result, void *arg)
{
	(void)arg;
	metric_set(METRIC_PARTITIONS_AHEAD, NULL, NULL,
	    (double)db_i64(result, 0, 0) * 86400);
}

static void
on_told(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct metrics *metrics = arg;

	metrics->asking = false;
	if (outcome == DB_OK)
		metrics->told_at = clock_boot();
	/* once: a role that may not read this need not hear it again */
	if (outcome == DB_FAILED && !metrics->refused)
		log_warning("metrics.refused", log_s(SQLSTATE, sqlstate));
	metrics->refused = outcome == DB_FAILED;
}

/* What is asked of the gateways by name. */
static void
ask_gateways(struct metrics *metrics, struct db_unit *unit)
{
	const struct gateways *gateways = metrics->settings.gateways;
	struct db_array lanes, accounts, days;

	db_array_init(&lanes, DB_I16);
	db_array_init(&accounts, DB_TEXT);
	db_array_init(&days, DB_ON);
	for (size_t i = 0; i < gateways_count(gateways); i++) {
		const struct gateway *g = gateways_at(gateways, i);

		db_array_i64(&lanes, g->lane);
		db_array_text(&accounts, g->account->name);
		db_array_i64(&days, g->account->day_on);
	}
	db_unit_add(unit, "metrics_parked", take_parked, metrics);
	db_param_array(unit, &lanes);
	db_unit_add(unit, "metrics_quota", take_quota, metrics);
	db_param_array(unit, &accounts);
	db_param_array(unit, &days);
	db_array_free(&lanes);
	db_array_free(&accounts);
	db_array_free(&days);
}

static void
ask(struct metrics *metrics)
{
	const struct clock *clock = metrics->settings.clock;
	struct db_unit *unit = db_unit_begin(metrics->settings.db);
	int64_t now = clock_unmoved(clock);

	metrics->asking = true;
	metrics->asked_at = clock_boot();
	db_unit_add(unit, "metrics_agenda", take_agenda, metrics);
	ask_gateways(metrics, unit);
	db_unit_add(unit, "metrics_work", take_work, metrics);
	db_param_at(unit, now);
	db_unit_add(unit, "metrics_tasks", take_tasks, metrics);
	db_unit_add(unit, "metrics_pauses", take_pauses, metrics);
	db_param_at(unit, now);
	db_unit_add(unit, "metrics_tokens", take_tokens, metrics);
	db_unit_add(unit, "metrics_maintenance", take_maintenance, metrics);
	db_unit_add(unit, "partitions_ahead", take_partitions, metrics);
	db_param_on(unit, (int32_t)(clock_care(clock) / DAY_US));
	db_unit_send(unit, on_told, metrics);
}

/* Twice a second: how late is the loop, and is it time to ask? */
static void
on_turn(void *arg)
{
	struct metrics *metrics = arg;
	int64_t now = clock_boot();

	if (now > metrics->turn_at)
		metric_observe(
		    METRIC_LOOP_LAG, NULL, seconds(now - metrics->turn_at));
	else
		metric_observe(METRIC_LOOP_LAG, NULL, 0);
	/* an idle connection is in the middle of no transaction either */
	if (metrics->settings.db != NULL && !metrics->asking &&
	    metrics->settings.clock->synced && db_idle(metrics->settings.db) &&
	    (metrics->asked_at == 0 || now - metrics->asked_at >= GATHER_US))
		ask(metrics);
	metrics->turn_at = clock_boot() + TURN_US;
	loop_timer_arm(metrics->timer, TURN_US);
}

struct metrics *
metrics_create(const struct metrics_settings *settings)
{
	struct metrics *metrics = mem_alloc(sizeof(*metrics));

	metrics->settings = *settings;
	metrics->text = (struct buf)BUF_INIT(TEXT_BYTES_MAX);
	metrics->timer = loop_timer_create(settings->loop, on_turn, metrics);
	metrics->turn_at = clock_boot();
	loop_timer_arm(metrics->timer, 0);
	metric_set(METRIC_BUILD_INFO, ADHERD_VERSION, NULL, 1);
	metric_set(METRIC_PROCESS_START, NULL, NULL, seconds(clock_wall()));
	return metrics;
}

/* ---- what is looked up for each answer ---- */

static double
count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	if (folder == NULL)
		return NAN;
	while (count < FDS_MAX && readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count - 3; /* ".", ".." and this one */
}

static double
resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long pages = 0;

	if (file == NULL)
		return NAN;
	if (fscanf(file, "%*d %ld", &pages) != 1)
		pages = 0;
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void
set_process(void)
{
	struct rusage used;
	struct rlimit fds;

	if (getrusage(RUSAGE_SELF, &used) == 0)
		metric_set(METRIC_PROCESS_CPU, NULL, NULL,
		    (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
			(double)(used.ru_utime.tv_usec +
				 used.ru_stime.tv_usec) /
			    SECOND_US);
	if (getrlimit(RLIMIT_NOFILE, &fds) == 0)
		metric_set(
		    METRIC_PROCESS_MAX_FDS, NULL, NULL, (double)fds.rlim_cur);
	metric_set(METRIC_LOG_DROPPED, NULL, NULL, (double)log_dropped());
	metric_set(METRIC_PROCESS_RESIDENT, NULL, NULL, resident_bytes());
	metric_set(METRIC_PROCESS_OPEN_FDS, NULL, NULL, count_fds());
}

static const enum metric of_gateways[] = {METRIC_GATEWAY_WINDOW,
    METRIC_GATEWAY_ROOM, METRIC_GATEWAY_IN_FLIGHT, METRIC_GATEWAY_QUEUED,
    METRIC_GATEWAY_PAUSED, METRIC_GATEWAY_BREAKER_OPEN,
    METRIC_GATEWAY_BUDGET_RATIO, METRIC_GATEWAY_BALANCE,
    METRIC_GATEWAY_BALANCE_LOW};

static void
set_gateway(const struct gateway *g)
{
	bool paused = gateway_paused(g, "");

	metric_set(METRIC_GATEWAY_WINDOW, g->name, NULL, g->pace.window);
	metric_set(METRIC_GATEWAY_ROOM, g->name, NULL, gateway_room(g));
	metric_set(METRIC_GATEWAY_IN_FLIGHT, g->name, NULL, g->in_flight);
	metric_set(METRIC_GATEWAY_QUEUED, g->name, NULL, g->queued);
	metric_set(METRIC_GATEWAY_PAUSED, g->name, NULL, paused);
	metric_set(METRIC_GATEWAY_BREAKER_OPEN, g->name, NULL, g->pace.probing);
	if (g->account->budget > 0)
		metric_set(METRIC_GATEWAY_BUDGET_RATIO, g->name, NULL,
		    (double)g->account->month_count /
			(double)g->account->budget);
	if (g->balance != BALANCE_UNKNOWN) {
		metric_set(
		    METRIC_GATEWAY_BALANCE, g->name, NULL, (double)g->balance);
		metric_set(METRIC_GATEWAY_BALANCE_LOW, g->name, NULL,
		    (double)g->balance_low);
	}
	/* their first step is a step */
	metric_add(METRIC_MESSAGES, g->name, "accepted", 0);
	metric_add(METRIC_MESSAGES, g->name, "rejected", 0);
	metric_add(METRIC_MESSAGES, g->name, "retry", 0);
	metric_add(METRIC_MESSAGES, g->name, "unknown", 0);
	metric_add(METRIC_GATEWAY_PAUSED_FOR, g->name, "slower", 0);
	metric_add(METRIC_GATEWAY_PAUSED_FOR, g->name, "failed", 0);
	metric_add(METRIC_GATEWAY_PAUSED_FOR, g->name, "refused", 0);
}

static void
set_clock(const struct clock *clock)
{
	metric_clear(METRIC_CLOCK_WALL_AHEAD);
	if (clock->synced)
		metric_set(METRIC_CLOCK_WALL_AHEAD, NULL, NULL,
		    seconds(clock_wall_ahead(clock)));
	metric_set(METRIC_CLOCK_DATABASE_GAP, NULL, NULL,
	    seconds(clock->database_gap));
	metric_set(METRIC_SENDING_PAUSED, "clock", NULL, clock->apart);
}

static void
set_database(const struct metrics *metrics)
{
	int64_t told = clock_boot() - metrics->told_at;

	for (size_t i = 0; i < metrics->settings.count; i++) {
		const struct db *db = metrics->settings.others[i];
		const char *name = metrics->settings.names[i];

		metric_set(METRIC_DATABASE_UP, name, NULL, db_ready(db));
		metric_set(METRIC_DATABASE_RECONNECTS, name, NULL,
		    (double)db_reconnects(db));
	}
	metric_clear(METRIC_GATHER_AGE);
	if (metrics->told_at != 0)
		metric_set(METRIC_GATHER_AGE, NULL, NULL, seconds(told));
	if (told <= STALE_US && metrics->told_at != 0)
		return;
	for (size_t i = 0; i < COUNT(of_database); i++)
		metric_clear(of_database[i]);
}

static void
on_metrics(struct http_exchange *exchange, void *arg)
{
	struct metrics *metrics = arg;

	set_process();
	set_clock(metrics->settings.clock);
	set_database(metrics);
	/* a gateway may be gone since the last reload */
	for (size_t i = 0; i < COUNT(of_gateways); i++)
		metric_clear(of_gateways[i]);
	for (size_t i = 0; i < gateways_count(metrics->settings.gateways); i++)
		set_gateway(gateways_at(metrics->settings.gateways, i));
	buf_clear(&metrics->text);
	metric_expose(&metrics->text);
	if (metrics->text.overflow) {
		http_exchange_reply_text(
		    exchange, 500, "text/plain", "too much to tell\n");
		return;
	}
	http_exchange_reply(exchange, 200,
	    "text/plain; version=0.0.4; charset=utf-8",
	    buf_string(&metrics->text), metrics->text.bytes);
}

void
metrics_serve(struct http_server *server, struct metrics *metrics)
{
	http_server_route(server, HTTP_GET, "/metrics", on_metrics, metrics);
}
