#ifndef ADHERD_BASE_CLOCK_H
#define ADHERD_BASE_CLOCK_H

#include "base/mem.h"

/*
 * Instants are int64_t microseconds since 1970-01-01T00:00:00Z, named
 * `now` or `…_at`; local calendar dates are int32_t days since 1970-01-01,
 * named `…_on`; local clock times are int32_t seconds since local midnight.
 */
#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)
#define AT_NEVER INT64_MAX   /* "no such instant yet"; sorts last */
#define AT_UNKNOWN INT64_MIN /* "since always"; sorts first */
#define ON_NEVER INT32_MAX
#define ON_UNKNOWN INT32_MIN

/*
 * One clock.  Now = database time at the last sync + CLOCK_BOOTTIME since.
 * Care time is the same clock plus an offset that only tests and the demo
 * set; leases, request signatures and batches use unmoved time.
 *
 * The wall clock is only compared: where it, CLOCK_BOOTTIME and the database
 * do not agree, nobody may send until they have agreed again for a while.
 * Meanwhile a database that jumped is not followed: our clock runs on by
 * CLOCK_BOOTTIME.  Which of them is right nobody has to know.
 */
struct clock {
	bool synced;
	int64_t database_at; /* ours at the last sync: what it allowed */
	int64_t boot_at;     /* CLOCK_BOOTTIME at that moment */
	int64_t care_offset; /* microseconds */
	/* the guard */
	bool apart;           /* seen apart; sending has not been resumed */
	bool rough;           /* set by a slow answer: follow the next */
	bool accepting;       /* an operator says that the database is right */
	int64_t database_gap; /* its last answer minus ours; 0: followed */
	int64_t agreed_at;    /* clock_boot() since when all agree; 0: not */
	int64_t wall_with_database_at; /* since when these two agree; 0 */
};

#define CLOCK_GAP_US (5 * SECOND_US)    /* more is not agreed */
#define CLOCK_SETTLE_US (3 * SECOND_US) /* agreed for so long is agreed */

int64_t clock_boot(void);      /* CLOCK_BOOTTIME, microseconds */
int64_t clock_monotonic(void); /* CLOCK_MONOTONIC: for systemd(1) */
int64_t clock_wall(void);      /* CLOCK_REALTIME, microseconds */
int64_t clock_cpu(void);       /* this thread's CPU time, microseconds */
/*
 * The database said database_now in answer to a question asked at
 * boot_before and answered at boot_after (both clock_boot()); witness says
 * that it lies on another machine.  Our clock is as late as the answers so far
 * allow, but for what they allowed before: never ahead of the database's by
 * more than that drifts between two of them.  An answer that took longer than
 * a second tells little and is left out while the last one is young.  A jump is
 * followed only once the wall clock has gone along with it for a while, and
 * forwards only with a witness (a machine's own clocks go wrong together),
 * or after clock_accept().
 */
void clock_sync(struct clock *clock, int64_t database_now, int64_t boot_before,
    int64_t boot_after, bool witness);
/* An operator looked at the clocks: follow the database's next answer. */
void clock_accept(struct clock *clock);
/* Look whether the clocks agree; call each second. True if that changed. */
bool clock_watch(struct clock *clock);
/* May anything be sent? Also looks at the clocks as they are now. */
bool clock_agrees(const struct clock *clock);
int64_t clock_unmoved(const struct clock *clock); /* assert synced */
int64_t clock_care(const struct clock *clock);
/* Wall clock minus our clock, microseconds. */
int64_t clock_wall_ahead(const struct clock *clock);

#endif
