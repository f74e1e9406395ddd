/*
 * Rows that nobody keeps any more.  Those of a patient are deleted a slice of
 * buckets at a time, which an index finds and which costs a copy nothing;
 * received events by spans of their keys, which are digests.
 *
 * Deliveries go with their partition when the longest retention of all
 * tenants is over.  Tenants that keep them for less long are swept row by
 * row, from where the last sweep ended (tenant.swept_on).
 */
#include <string.h>

#include "base/log.h"
#include "ctl_maintain.h"
#include "flow/statements.h"

#define SLICE_BUCKETS 16
#define INBOX_SPANS 256 /* by the first byte of the key */
#define INBOX_KEPT_US (7 * DAY_US)
#define SILENT_US DAY_US

struct group { /* tenants with one retention, swept equally far */
	struct db_array tenants;
	int32_t retention_days;
	int32_t swept_on;
};

struct rows {
	struct maintenance *run;
	struct list groups; /* struct group */
	int32_t longest_days;
	int16_t bucket;
	int span;
	/* of the unit, then of all */
	int64_t deliveries, tasks, obstacles, replies, other;
	int64_t all_deliveries, all_tasks, all_obstacles, all_replies,
	    all_events;
};

static void
add_affected(const struct db_result *result, void *arg)
{
	*(int64_t *)arg += db_affected(result);
}

/* ---- tenants ---- */

static void
take_groups(const struct db_result *result, void *arg)
{
	struct rows *rows = arg;

	rows->groups.count = 0;
	for (int i = 0; i < db_rows(result); i++) {
		struct group *group = list_add(&rows->groups);
		int64_t *tenants;
		int count =
		    db_i64_array(result, i, 0, rows->run->ctl->arena, &tenants);

		db_array_init(&group->tenants, DB_I32);
		for (int t = 0; t < count; t++)
			db_array_i64(&group->tenants, tenants[t]);
		group->retention_days = (int32_t)db_i64(result, i, 1);
		group->swept_on = db_on(result, i, 2);
		rows->longest_days = (int32_t)db_i64(result, i, 3);
	}
}

static void
fill_groups(struct db_unit *unit, int tried, void *arg)
{
	(void)tried;
	db_unit_add(unit, "maintain_tenants", take_groups, arg);
}

static int32_t
kept_from_on(const struct rows *rows, int32_t retention_days)
{
	return rows->run->today_on - retention_days;
}

static bool
needs_sweep(const struct rows *rows, const struct group *group)
{
	return group->retention_days < rows->longest_days &&
	       group->swept_on < kept_from_on(rows, group->retention_days);
}

/* ---- a slice of buckets ---- */

static void
add_slice(struct db_unit *unit, const struct rows *rows, const char *statement,
    int64_t *count)
{
	db_unit_add(unit, statement, add_affected, count);
	db_param_i16(unit, rows->bucket);
	db_param_i16(unit, (int16_t)(rows->bucket + SLICE_BUCKETS));
}

static void
fill_slice(struct db_unit *unit, int tried, void *arg)
{
	struct rows *rows = arg;
	struct group *groups = rows->groups.data;

	(void)tried;
	rows->deliveries = rows->tasks = rows->obstacles = rows->replies = 0;
	add_slice(unit, rows, "maintain_obstacles", &rows->obstacles);
	db_param_at(unit, rows->run->care_now);
	add_slice(unit, rows, "maintain_tasks", &rows->tasks);
	db_param_at(unit, rows->run->care_now);
	add_slice(unit, rows, "maintain_replies", &rows->replies);
	db_param_at(unit, rows->run->care_now);
	add_slice(unit, rows, "maintain_notices", &rows->other);
	db_param_at(unit, rows->run->care_now);
	add_slice(unit, rows, "maintain_sweep_default", &rows->deliveries);
	db_param_on(unit, kept_from_on(rows, rows->longest_days));
	for (size_t i = 0; i < rows->groups.count; i++) {
		if (!needs_sweep(rows, &groups[i]))
			continue;
		add_slice(unit, rows, "maintain_sweep", &rows->deliveries);
		db_param_array(unit, &groups[i].tenants);
		db_param_on(unit, groups[i].swept_on);
		db_param_on(unit, kept_from_on(rows, groups[i].retention_days));
	}
}

static void
fill_swept(struct db_unit *unit, int tried, void *arg)
{
	struct rows *rows = arg;
	struct group *groups = rows->groups.data;

	(void)tried;
	for (size_t i = 0; i < rows->groups.count; i++) {
		if (!needs_sweep(rows, &groups[i]))
			continue;
		db_unit_add(unit, "maintain_swept", NULL, NULL);
		db_param_array(unit, &groups[i].tenants);
		db_param_i32(unit, groups[i].retention_days);
		db_param_on(unit, kept_from_on(rows, groups[i].retention_days));
	}
}

static bool
any_needs_sweep(const struct rows *rows)
{
	const struct group *groups = rows->groups.data;

	for (size_t i = 0; i < rows->groups.count; i++)
		if (needs_sweep(rows, &groups[i]))
			return true;
	return false;
}

/* The day says with which slice it begins: a run may end half-way. */
static void
delete_by_bucket(struct rows *rows)
{
	const int slices = BUCKETS / SLICE_BUCKETS;
	int done = 0;

	for (int i = 0; i < slices && maintain_goes_on(rows->run); i++) {
		rows->bucket = (int16_t)((rows->run->today_on + i) % slices *
					 SLICE_BUCKETS);
		if (!maintain_unit_or_die(rows->run, fill_slice, rows))
			continue;
		rows->all_deliveries += rows->deliveries;
		rows->all_tasks += rows->tasks;
		rows->all_obstacles += rows->obstacles;
		rows->all_replies += rows->replies;
		done++;
	}
	if (done == slices && any_needs_sweep(rows))
		(void)!maintain_unit_or_die(rows->run, fill_swept, rows);
	maintain_say(
	    rows->run, "deliveries", "deleted", NULL, rows->all_deliveries);
	maintain_say(rows->run, "tasks", "deleted", NULL, rows->all_tasks);
	maintain_say(
	    rows->run, "obstacles", "deleted", NULL, rows->all_obstacles);
	maintain_say(rows->run, "replies", "deleted", NULL, rows->all_replies);
}

/* ---- what is nobody's ---- */

static void
fill_events(struct db_unit *unit, int tried, void *arg)
{
	struct rows *rows = arg;
	uint8_t from = (uint8_t)rows->span, until = (uint8_t)(rows->span + 1);

	(void)tried;
	rows->other = 0;
	db_unit_add(unit, "maintain_inbox", add_affected, &rows->other);
	db_param_bytes(unit, &from, 1);
	if (rows->span + 1 < INBOX_SPANS)
		db_param_bytes(unit, &until, 1);
	else
		db_param_null(unit);
	db_param_at(unit, rows->run->now - INBOX_KEPT_US);
}

static void
delete_events(struct rows *rows)
{
	for (int i = 0; i < INBOX_SPANS && maintain_goes_on(rows->run); i++) {
		rows->span = (rows->run->today_on + i) % INBOX_SPANS;
		if (maintain_unit_or_die(rows->run, fill_events, rows))
			rows->all_events += rows->other;
	}
	maintain_say(rows->run, "events", "deleted", NULL, rows->all_events);
}

static void
fill_stops(struct db_unit *unit, int tried, void *arg)
{
	struct rows *rows = arg;

	(void)tried;
	rows->other = 0;
	db_unit_add(unit, "maintain_stops", add_affected, &rows->other);
	db_param_at(unit, rows->run->care_now);
}

static void
fill_copies(struct db_unit *unit, int tried, void *arg)
{
	struct rows *rows = arg;

	(void)tried;
	rows->other = 0;
	db_unit_add(unit, "maintain_copies", add_affected, &rows->other);
	db_param_at(unit, rows->run->now - SILENT_US);
}

void
maintain_rows(struct maintenance *run)
{
	struct rows rows = {.run = run};

	list_init(&rows.groups, run->ctl->arena, sizeof(struct group));
	if (!maintain_unit_or_die(run, fill_groups, &rows) ||
	    rows.groups.count == 0)
		return;
	maintain_partitions_drop(run, kept_from_on(&rows, rows.longest_days));
	delete_by_bucket(&rows);
	delete_events(&rows);
	if (maintain_unit_or_die(run, fill_stops, &rows))
		maintain_say(run, "stops", "deleted", NULL, rows.other);
	if (maintain_unit_or_die(run, fill_copies, &rows))
		maintain_say(run, "copies", "forgotten", NULL, rows.other);
	for (size_t i = 0; i < rows.groups.count; i++)
		db_array_free(&((struct group *)rows.groups.data)[i].tenants);
}
