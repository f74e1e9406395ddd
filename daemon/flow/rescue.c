/*
 * One lapsed batch row at a time.  Its agenda rows are locked first, as by
 * its owner, then its deliveries are marked, its people woken and the row
 * removed, in one transaction; that two copies do it changes nothing.
 */
#include "flow/rescue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"

struct rescue {
	struct db *db;
	const struct clock *clock;
	struct arena *arena;
	bool busy, found;
	int64_t batch_ref, orphans;
	int64_t failed_ref; /* left out at the next look; 0: none */
	struct db_array bucket, patient_id, at;
};

struct rescue *
rescue_create(struct db *db, const struct clock *clock)
{
	struct rescue *rescue = mem_alloc(sizeof(*rescue));

	rescue->db = db;
	rescue->clock = clock;
	rescue->arena = arena_create();
	db_array_init(&rescue->bucket, DB_I16);
	db_array_init(&rescue->patient_id, DB_I64);
	db_array_init(&rescue->at, DB_AT);
	return rescue;
}

bool
rescue_idle(const struct rescue *rescue)
{
	return !rescue->busy;
}

static void
on_taken_over(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct rescue *rescue = arg;

	rescue->busy = false;
	if (outcome != DB_OK) {
		log_warning("batch.take_over_failed",
		    log_n(BATCH, rescue->batch_ref),
		    log_s(SQLSTATE, sqlstate == NULL ? "lost" : sqlstate));
		rescue->failed_ref = rescue->batch_ref;
		return;
	}
	fault_point(RESCUE_AFTER_COMMIT);
	rescue->failed_ref = 0;
	metric_add(METRIC_BATCHES_TAKEN_OVER, NULL, NULL, 1);
	metric_add(METRIC_ORPHANS, NULL, NULL, (double)rescue->orphans);
	log_warning("batch.taken_over", log_n(BATCH, rescue->batch_ref),
	    log_n(COUNT, rescue->orphans));
	rescue_look(rescue); /* there may be more */
}

static void
take_orphans(const struct db_result *result, void *arg)
{
	((struct rescue *)arg)->orphans = db_affected(result);
}

static void
take_batch(const struct db_result *result, void *arg)
{
	struct rescue *rescue = arg;
	int64_t *buckets, *ids;
	int count;

	if (db_rows(result) == 0)
		return;
	rescue->batch_ref = db_i64(result, 0, 0);
	count = db_i64_array(result, 0, 1, rescue->arena, &buckets);
	if (db_i64_array(result, 0, 2, rescue->arena, &ids) != count) {
		log_error("batch.damaged", log_n(BATCH, rescue->batch_ref));
		rescue->failed_ref = rescue->batch_ref;
		return;
	}
	rescue->found = true;
	for (int i = 0; i < count; i++) {
		db_array_i64(&rescue->bucket, buckets[i]);
		db_array_i64(&rescue->patient_id, ids[i]);
		db_array_at(&rescue->at, clock_care(rescue->clock));
	}
}

static void
add_take_over(struct rescue *rescue, struct db_unit *unit)
{
	struct db_array ref;

	db_unit_add(unit, "agenda_lock", NULL, NULL);
	db_param_array(unit, &rescue->bucket);
	db_param_array(unit, &rescue->patient_id);
	db_unit_add(unit, "batch_orphans", take_orphans, rescue);
	db_param_array(unit, &rescue->bucket);
	db_param_array(unit, &rescue->patient_id);
	db_param_i64(unit, rescue->batch_ref);
	db_unit_add(unit, "agenda_wake", NULL, NULL);
	db_param_array(unit, &rescue->bucket);
	db_param_array(unit, &rescue->patient_id);
	db_param_array(unit, &rescue->at);
	db_array_init(&ref, DB_I64);
	db_array_i64(&ref, rescue->batch_ref);
	db_unit_add(unit, "batch_done", NULL, NULL);
	db_param_array(unit, &ref);
	db_array_free(&ref);
}

static void
on_found(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct rescue *rescue = arg;
	struct db_unit *unit;

	(void)sqlstate;
	if (outcome != DB_OK || !rescue->found) {
		rescue->busy = false;
		return;
	}
	unit = db_unit_begin(rescue->db);
	add_take_over(rescue, unit);
	fault_point(RESCUE_BEFORE_COMMIT);
	db_unit_send(unit, on_taken_over, rescue);
}

void
rescue_look(struct rescue *rescue)
{
	struct db_unit *unit;

	if (rescue->busy || !db_idle(rescue->db) || !rescue->clock->synced)
		return;
	rescue->busy = true;
	rescue->found = false;
	rescue->orphans = 0;
	arena_reset(rescue->arena);
	db_array_clear(&rescue->bucket);
	db_array_clear(&rescue->patient_id);
	db_array_clear(&rescue->at);
	unit = db_unit_begin(rescue->db);
	db_unit_add(unit, "batch_lapsed", take_batch, rescue);
	db_param_at(unit, clock_unmoved(rescue->clock));
	db_param_i64(unit, rescue->failed_ref);
	db_unit_send(unit, on_found, rescue);
}
