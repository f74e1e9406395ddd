#ifndef ADHERD_FLOW_CLOCK_SYNC_H
#define ADHERD_FLOW_CLOCK_SYNC_H

#include "base/clock.h"
#include "base/db.h"

/*
 * Keep the clock by the database's: its time, and how far care time is
 * moved there (table care_clock; demo and tests only).
 */
struct clock_reading { /* lives until done was called */
	struct clock *clock;
	int64_t asked_at; /* clock_boot() */
	bool moved;       /* care time is moved in this database */
	bool answered;
	void (*done)(bool answered, void *arg);
	void *arg;
};

/* Ask once; done is called from the loop. */
void clock_sync_ask(struct clock_reading *reading, struct db *db,
    struct clock *clock, void (*done)(bool answered, void *arg), void *arg);
/* For command-line tools: ask and wait. */
must_check bool clock_sync_read(struct db *db, struct clock *clock);

#endif
