/*
 * One clock for all copies: database time at the last answer plus what
 * CLOCK_BOOTTIME counted since.
 */
#include "flow/clock_sync.h"

static void
take_time(const struct db_result *result, void *arg)
{
	struct clock_reading *reading = arg;

	if (db_rows(result) != 1)
		return;
	clock_sync(reading->clock, db_at(result, 0, 0), reading->asked_at,
	    clock_boot(), db_bool(result, 0, 2));
	reading->moved = !db_null(result, 0, 1);
	reading->clock->care_offset = reading->moved ? db_i64(result, 0, 1) : 0;
	reading->answered = true;
}

static void
on_done(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct clock_reading *reading = arg;

	(void)sqlstate;
	reading->done(outcome == DB_OK && reading->answered, reading->arg);
}

static struct db_unit *
make_unit(struct clock_reading *reading, struct db *db, struct clock *clock)
{
	struct db_unit *unit = db_unit_begin(db);

	reading->clock = clock;
	reading->answered = false;
	reading->asked_at = clock_boot();
	db_unit_add(unit, "clock", take_time, reading);
	return unit;
}

void
clock_sync_ask(struct clock_reading *reading, struct db *db,
    struct clock *clock, void (*done)(bool answered, void *arg), void *arg)
{
	reading->done = done;
	reading->arg = arg;
	db_unit_send(make_unit(reading, db, clock), on_done, reading);
}

bool
clock_sync_read(struct db *db, struct clock *clock)
{
	struct clock_reading reading;

	return db_unit_run(make_unit(&reading, db, clock), NULL) == DB_OK &&
	       reading.answered;
}
