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
 * The wall clock is only compared, for an alarm.  Care time is the same
 * clock plus an offset that only tests and the demo set; leases, request
 * signatures and batches use unmoved time.
 */
struct clock {
	bool synced;
	int64_t database_at; /* database time at the last sync */
	int64_t boot_at;     /* CLOCK_BOOTTIME at that moment */
	int64_t care_offset; /* microseconds */
};

int64_t clock_boot(void); /* CLOCK_BOOTTIME, microseconds */
int64_t clock_wall(void); /* CLOCK_REALTIME, microseconds */
/*
 * The database said database_now in answer to a question asked at
 * boot_before and answered at boot_after (both clock_boot()).
 */
void clock_sync(struct clock *clock, int64_t database_now, int64_t boot_before,
    int64_t boot_after);
int64_t clock_unmoved(const struct clock *clock); /* assert synced */
int64_t clock_care(const struct clock *clock);
/* Wall clock minus our clock, microseconds. */
int64_t clock_wall_ahead(const struct clock *clock);

#endif
