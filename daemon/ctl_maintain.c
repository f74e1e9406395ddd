/*
 * adherctl maintain: what the database needs once a day while copies run.
 * Partitions of delivery ahead, what nobody keeps any more, the compiled
 * dossiers against their tables.  Decides nothing about a patient.
 */
#include "ctl_maintain.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "base/log.h"
#include "ctl_line.h"
#include "flow/statements.h"

#define MINUTES 60
#define MINUTES_MAX 1440
/* All of them once a week. */
#define COMPARE ((BUCKETS + 6) / 7)
#define TRIES_MAX 8
#define WAIT_US_MIN (100 * 1000)
#define WAIT_US_MAX (4 * SECOND_US)
#define RECONNECT_US (30 * SECOND_US)

/* ---- what the parts share ---- */

bool
maintain_goes_on(struct maintenance *run)
{
	if (clock_boot() < run->until)
		return true;
	run->left++;
	return false;
}

/* A random part of a span that doubles with each try. */
static void
wait_before_try(int tried)
{
	int64_t span = WAIT_US_MIN << tried;
	struct timespec wait;
	uint32_t random;
	int64_t us;

	if (span > WAIT_US_MAX)
		span = WAIT_US_MAX;
	crypto_random(&random, sizeof(random));
	us = span / 2 + random % (span / 2);
	wait.tv_sec = us / SECOND_US;
	wait.tv_nsec = us % SECOND_US * 1000;
	(void)nanosleep(&wait, NULL);
}

bool
maintain_unit(struct maintenance *run,
    void (*fill)(struct db_unit *unit, int tried, void *arg), void *arg,
    char *sqlstate)
{
	struct db *db = ctl_database(run->ctl);

	for (int tried = 0; tried < TRIES_MAX; tried++) {
		struct db_unit *unit;

		if (tried > 0)
			wait_before_try(tried);
		if (!db_wait_ready(db, RECONNECT_US))
			ctl_fail(EXIT_DEPENDENCY, "no database: %s",
			    db_last_error(db));
		unit = db_unit_begin(db);
		fill(unit, tried, arg);
		(void)memcpy(sqlstate, "08006", 6);
		switch (db_unit_run(unit, sqlstate)) {
		case DB_OK:
			return true;
		case DB_FAILED:
			if (!db_sqlstate_passes(sqlstate))
				return false;
			break;
		case DB_LOST:
			break;
		}
	}
	return false;
}

bool
maintain_unit_or_die(struct maintenance *run,
    void (*fill)(struct db_unit *unit, int tried, void *arg), void *arg)
{
	char sqlstate[6];

	if (maintain_unit(run, fill, arg, sqlstate))
		return true;
	if (!db_sqlstate_passes(sqlstate))
		ctl_fail(EXIT_INTERNAL, "the database refused: %s", sqlstate);
	run->left++;
	return false;
}

void
maintain_say(struct maintenance *run, const char *what, const char *action,
    const char *name, int64_t count)
{
	struct buf out = BUF_INIT(0);
	struct json_writer w;

	if (!run->ctl->json) {
		(void)printf("%s%s%s %s %lld\n", what, name == NULL ? "" : " ",
		    name == NULL ? "" : name, action, (long long)count);
		return;
	}
	w = ctl_line_begin(&out, what);
	json_write_member(&w, "action", action);
	if (name != NULL)
		json_write_member(&w, "name", name);
	ctl_line_number(&w, "count", count);
	ctl_line_end(&w);
	buf_free(&out);
}

/* ---- dossiers ---- */

struct comparing {
	struct maintenance *run;
	int16_t bucket;
	int64_t count;     /* of the bucket */
	struct list found; /* int64_t: patients whose dossiers differ */
};

static void
take_count(const struct db_result *result, void *arg)
{
	((struct comparing *)arg)->count = db_i64(result, 0, 0);
}

static void
take_differing(const struct db_result *result, void *arg)
{
	struct comparing *comparing = arg;

	comparing->found.count = 0;
	for (int i = 0; i < db_rows(result); i++)
		*(int64_t *)list_add(&comparing->found) = db_i64(result, i, 0);
}

static void
fill_comparing(struct db_unit *unit, int tried, void *arg)
{
	struct comparing *comparing = arg;

	(void)tried;
	db_unit_add(unit, "maintain_dossiers", take_count, comparing);
	db_param_i16(unit, comparing->bucket);
	db_unit_add(unit, "dossier_check", take_differing, comparing);
	db_param_i16(unit, comparing->bucket);
}

static void
report_differing(struct maintenance *run, int16_t bucket, int64_t patient)
{
	const char *name = arena_printf(
	    run->ctl->arena, "%d/%lld", bucket, (long long)patient);

	maintain_say(run, "dossier", "differs", name, 1);
	log_error(
	    "dossier.differs", log_n(BUCKET, bucket), log_n(PATIENT, patient));
	run->differing++;
}

/* Where today's buckets begin moves on with the days. */
static void
compare_dossiers(struct maintenance *run)
{
	struct comparing comparing = {.run = run};
	int64_t first = (int64_t)run->today_on * run->compare;

	list_init(&comparing.found, run->ctl->arena, sizeof(int64_t));
	for (int32_t i = 0; i < run->compare && maintain_goes_on(run); i++) {
		comparing.bucket =
		    (int16_t)(((first + i) % BUCKETS + BUCKETS) % BUCKETS);
		if (!maintain_unit_or_die(run, fill_comparing, &comparing))
			continue;
		run->compared += comparing.count;
		for (size_t f = 0; f < comparing.found.count; f++)
			report_differing(run, comparing.bucket,
			    ((int64_t *)comparing.found.data)[f]);
	}
	maintain_say(run, "dossiers", "compared", NULL, run->compared);
}

static void
fill_ended(struct db_unit *unit, int tried, void *arg)
{
	const struct maintenance *run = arg;

	(void)tried;
	db_unit_add(unit, "maintain_ended", NULL, NULL);
	db_param_at(unit, run->now);
	db_param_i32(unit, (int32_t)run->compared);
	db_param_i32(unit, (int32_t)run->differing);
}

/* ---- the verb ---- */

static void
read_options(struct maintenance *run, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_maintain;
	int32_t minutes = MINUTES;
	const char *value;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--minutes")) !=
		    NULL) {
			if (!ctl_number(value, MINUTES_MAX, &minutes))
				ctl_fail(EXIT_USAGE_, "--minutes takes 1 to %d",
				    MINUTES_MAX);
		} else if ((value = ctl_option(
				verb, argc, argv, &i, "--compare")) != NULL) {
			if (!ctl_number(value, BUCKETS, &run->compare))
				ctl_fail(EXIT_USAGE_, "--compare takes 1 to %d",
				    BUCKETS);
		} else if (strcmp(argv[i], "--at-rest") == 0)
			run->at_rest = true;
		else
			ctl_stray(verb, argv[i]);
	}
	run->until = clock_boot() + minutes * MINUTE_US;
}

static int
run_maintain(struct ctl *ctl, int argc, char **argv)
{
	struct maintenance run = {.ctl = ctl, .compare = COMPARE};
	struct clock clock;

	read_options(&run, argc, argv);
	clock = ctl_clock(ctl);
	run.now = clock_unmoved(&clock);
	run.care_now = clock_care(&clock);
	run.today_on = zone_local(zone_open("UTC"), run.care_now, NULL);
	maintain_partitions_add(&run);
	maintain_rows(&run);
	compare_dossiers(&run);
	if (!maintain_unit_or_die(&run, fill_ended, &run))
		ctl_fail(EXIT_TRY_AGAIN, "the database does not answer");
	if (run.differing > 0)
		return 1;
	if (run.left == 0)
		return 0;
	(void)fprintf(stderr,
	    "adherctl: maintain: %lld pieces of work are left for the next "
	    "run\n",
	    (long long)run.left);
	return EXIT_TRY_AGAIN;
}

const struct ctl_verb ctl_maintain = {
    "maintain",
    "[--compare BUCKETS] [--minutes N] [--at-rest] [--json]",
    "partitions ahead, what nobody keeps any more, a check of dossiers\n\n"
    "For a timer, once a day, while copies run.  Makes the partitions of\n"
    "delivery for 30 days ahead; deletes deliveries, done tasks, ended\n"
    "obstacles and stops when tenant.retention_days are over, received\n"
    "events after 7 days and copies that were silent for a day; compares the\n"
    "dossiers of some of the 1024 buckets (all within a week) with their\n"
    "tables.  Ends after --minutes (60), the rest waits for the next run.\n"
    "With --at-rest nothing is spared copies that run: to move a large\n"
    "default partition.  Exit status: 1 where a dossier differs, 75 where\n"
    "work is left.",
    run_maintain,
};
