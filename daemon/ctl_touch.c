/*
 * Having many people looked at again: slice by slice, each a transaction of
 * its own, so that no row is locked for long and the daemon's own work goes
 * between.  Whoever is not reached, because this was interrupted, is looked
 * at within a week all the same.
 */
#include "ctl_touch.h"

#include "flow/statements.h"

#define SLICE 500        /* people touched at once */
#define SLICE_REBUILT 50 /* … where their dossiers are compiled, too */

struct slice {
	struct db_array buckets, patient_ids;
	int16_t last_bucket;
	int64_t last_patient;
};

static void
take_people(const struct db_result *result, void *arg)
{
	struct slice *slice = arg;

	for (int row = 0; row < db_rows(result); row++) {
		slice->last_bucket = (int16_t)db_i64(result, row, 0);
		slice->last_patient = db_i64(result, row, 1);
		db_array_i64(&slice->buckets, slice->last_bucket);
		db_array_i64(&slice->patient_ids, slice->last_patient);
	}
}

/* Statements up to the sync are one transaction. */
static void
touch(struct ctl *ctl, const struct slice *slice, int64_t now, bool rebuild)
{
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	db_unit_add(unit, "agenda_touch", NULL, NULL);
	db_param_array(unit, &slice->buckets);
	db_param_array(unit, &slice->patient_ids);
	db_param_at(unit, now);
	db_param_i16(unit, CLASS_BULK);
	if (rebuild) {
		db_unit_add(unit, "dossier_rebuild", NULL, NULL);
		db_param_array(unit, &slice->buckets);
		db_param_array(unit, &slice->patient_ids);
	}
	ctl_run(unit);
}

uint64_t
ctl_touch_people(
    struct ctl *ctl, ctl_people_query *query, void *arg, bool rebuild)
{
	uint32_t size = rebuild ? SLICE_REBUILT : SLICE;
	struct slice slice = {.last_bucket = -1};
	int64_t now = ctl_now(ctl, NULL);
	struct db_unit *unit;
	uint64_t count = 0;

	db_array_init(&slice.buckets, DB_I16);
	db_array_init(&slice.patient_ids, DB_I64);
	do {
		db_array_clear(&slice.buckets);
		db_array_clear(&slice.patient_ids);
		unit = db_unit_begin(ctl_database(ctl));
		query(unit, take_people, &slice, slice.last_bucket,
		    slice.last_patient, (int32_t)size, arg);
		ctl_run(unit);
		if (slice.buckets.count > 0)
			touch(ctl, &slice, now, rebuild);
		count += slice.buckets.count;
	} while (slice.buckets.count == size);
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "agenda_notify", NULL, NULL);
	ctl_run(unit);
	db_array_free(&slice.buckets);
	db_array_free(&slice.patient_ids);
	return count;
}
