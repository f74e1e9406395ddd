/*
 * Partitions of delivery by the date of the occurrence.  One spans the days,
 * weeks or months that the setting `partition` says, so that it may be changed
 * at any time: what exists stays as it is.
 *
 * Rows of a span that got no partition in time lie in the default one.  They
 * are moved in the transaction that makes the partition; where that would
 * hold up the copies they stay where they are, and the span goes without.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_line.h"
#include "ctl_maintain.h"

#define AHEAD_DAYS 30
/* Copies wait 2 s for a lock (base/db.c): waiting and work stay below. */
#define ROWS_MAX 10000
#define BYTES_MAX (INT64_C(128) << 20)
#define STATEMENT_MS "1500"
#define LOCK_MS 200
/* An autovacuum gives way after deadlock_timeout, a second. */
#define LOCK_MS_LATER 1200
#define TRIES_SHORT 4
#define DROPS_MAX 1200 /* a hundred years of months, three of days */

struct span {
	int32_t from_on, until_on;
};

struct adding {
	struct maintenance *run;
	struct span span;
	int64_t moved;
};

static int32_t
lock_ms(const struct maintenance *run, int tried)
{
	if (run->at_rest)
		return 60000;
	return tried < TRIES_SHORT ? LOCK_MS : LOCK_MS_LATER;
}

static void
begin_bounded(struct db_unit *unit, const struct maintenance *run)
{
	db_unit_add(unit, "maintain_settings", NULL, NULL);
	db_param_text(unit, run->at_rest ? "0" : STATEMENT_MS);
}

static void
take_spans(const struct db_result *result, void *arg)
{
	struct list *spans = arg;

	spans->count = 0;
	for (int i = 0; i < db_rows(result); i++)
		*(struct span *)list_add(spans) =
		    (struct span){db_on(result, i, 0), db_on(result, i, 1)};
}

static void
fill_spans(struct db_unit *unit, int tried, void *arg)
{
	(void)tried;
	db_unit_add(unit, "maintain_partitions", take_spans, arg);
}

static void
take_moved(const struct db_result *result, void *arg)
{
	((struct adding *)arg)->moved = db_i64(result, 0, 0);
}

static void
fill_adding(struct db_unit *unit, int tried, void *arg)
{
	struct adding *adding = arg;
	const struct maintenance *run = adding->run;

	begin_bounded(unit, run);
	db_unit_add(unit, "maintain_partition_add", take_moved, adding);
	db_param_on(unit, adding->span.from_on);
	db_param_on(unit, adding->span.until_on);
	db_param_i64(unit, run->at_rest ? INT64_MAX - 1 : ROWS_MAX);
	if (run->at_rest)
		db_param_null(unit);
	else
		db_param_i64(unit, BYTES_MAX);
	db_param_i32(unit, lock_ms(run, tried));
}

/* The first date after the day, week or month of a date. */
static int32_t
period_end(enum partition_span period, int32_t date_on)
{
	struct civil civil;

	switch (period) {
	case PARTITION_DAY:
		return date_on + 1;
	case PARTITION_WEEK:
		return date_on - civil_weekday(date_on) + 7;
	case PARTITION_MONTH:
		break;
	}
	civil = civil_from_days(date_on);
	civil.day = civil_days_in_month(civil.year, civil.month);
	return civil_to_days(civil) + 1;
}

/*
 * The next span from date_on on that has no partition: up to the end of its
 * period, or the beginning of the next partition.
 */
static struct span
next_span(const struct list *spans, enum partition_span period, int32_t date_on)
{
	const struct span *have = spans->data;
	struct span span;

	for (size_t i = 0; i < spans->count; i++)
		if (have[i].from_on <= date_on && date_on < have[i].until_on)
			date_on = have[i].until_on;
	span = (struct span){date_on, period_end(period, date_on)};
	for (size_t i = 0; i < spans->count; i++)
		if (have[i].from_on > date_on &&
		    have[i].from_on < span.until_on)
			span.until_on = have[i].from_on;
	return span;
}

/* Another run of ours made it meanwhile, or one that overlaps. */
static bool
is_there_already(const char *sqlstate)
{
	return strcmp(sqlstate, "42P07") == 0 ||
	       strcmp(sqlstate, "42P17") == 0 || strcmp(sqlstate, "23505") == 0;
}

static void
add_partition(struct maintenance *run, struct span span)
{
	struct adding adding = {.run = run, .span = span};
	char name[11], sqlstate[6];

	civil_format(span.from_on, name);
	if (!maintain_unit(run, fill_adding, &adding, sqlstate)) {
		if (is_there_already(sqlstate))
			return;
		if (!db_sqlstate_passes(sqlstate))
			ctl_fail(EXIT_INTERNAL,
			    "partition %s: the database refused: %s", name,
			    sqlstate);
		maintain_say(run, "partition", "put off, busy", name, 0);
		run->left++;
	} else if (adding.moved < 0) {
		maintain_say(run, "partition",
		    adding.moved == -1 ? "not made, too many rows to move"
				       : "not made, default too large",
		    name, 0);
		run->left++;
	} else
		maintain_say(
		    run, "partition", "made, rows moved", name, adding.moved);
}

static void
take_ahead(const struct db_result *result, void *arg)
{
	*(int64_t *)arg = db_i64(result, 0, 0);
}

struct asking_ahead {
	int32_t today_on;
	int64_t days;
};

static void
fill_ahead(struct db_unit *unit, int tried, void *arg)
{
	struct asking_ahead *asking = arg;

	(void)tried;
	db_unit_add(unit, "partitions_ahead", take_ahead, &asking->days);
	db_param_on(unit, asking->today_on);
}

void
maintain_partitions_add(struct maintenance *run)
{
	enum partition_span period =
	    (enum partition_span)ctl_settings(run->ctl)->partition;
	struct asking_ahead asking = {.today_on = run->today_on};
	struct span span = {0};
	struct list spans;

	list_init(&spans, run->ctl->arena, sizeof(struct span));
	if (!maintain_unit_or_die(run, fill_spans, &spans))
		return;
	/* the default partition is scanned for each: the clock may run out */
	for (span = next_span(&spans, period, run->today_on);
	     span.from_on <= run->today_on + AHEAD_DAYS &&
	     maintain_goes_on(run);
	     span = next_span(&spans, period, span.until_on))
		add_partition(run, span);
	if (maintain_unit_or_die(run, fill_ahead, &asking))
		maintain_say(
		    run, "partitions", "ahead, days", NULL, asking.days);
}

/* ---- drop ---- */

struct dropping {
	struct maintenance *run;
	int32_t kept_from_on;
	const char *name; /* of the one that was dropped, or NULL */
};

static void
take_dropped(const struct db_result *result, void *arg)
{
	struct dropping *dropping = arg;

	dropping->name =
	    arena_text(dropping->run->ctl->arena, db_text(result, 0, 0));
}

static void
fill_dropping(struct db_unit *unit, int tried, void *arg)
{
	struct dropping *dropping = arg;

	begin_bounded(unit, dropping->run);
	db_unit_add(unit, "maintain_partition_drop", take_dropped, dropping);
	db_param_on(unit, dropping->kept_from_on);
	db_param_i32(unit, lock_ms(dropping->run, tried));
}

void
maintain_partitions_drop(struct maintenance *run, int32_t kept_from_on)
{
	struct dropping dropping = {.run = run, .kept_from_on = kept_from_on};

	for (int i = 0; i < DROPS_MAX && maintain_goes_on(run); i++) {
		if (!maintain_unit_or_die(run, fill_dropping, &dropping) ||
		    dropping.name == NULL)
			return;
		maintain_say(run, "partition", "dropped", dropping.name, 1);
	}
}
