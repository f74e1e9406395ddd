/*
 * The one clock: the database's, carried on by CLOCK_BOOTTIME, which also
 * counts the time a machine sleeps and which nobody can set.
 */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

/* Read one of the kernel's clocks, in microseconds. */
static int64_t
kernel_clock(clockid_t id)
{
	struct timespec now;
	int failed = clock_gettime(id, &now);

	assert(failed == 0);
	(void)failed;
	return now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

int64_t
clock_boot(void)
{
	return kernel_clock(CLOCK_BOOTTIME);
}

int64_t
clock_wall(void)
{
	return kernel_clock(CLOCK_REALTIME);
}

void
clock_sync(struct clock *clock, int64_t database_now, int64_t boot_before,
    int64_t boot_after)
{
	assert(boot_before <= boot_after);
	/* The database looked somewhere between; halfway errs least. */
	clock->boot_at = boot_before + (boot_after - boot_before) / 2;
	clock->database_at = database_now;
	clock->synced = true;
}

int64_t
clock_unmoved(const struct clock *clock)
{
	assert(clock->synced);
	return clock->database_at + (clock_boot() - clock->boot_at);
}

int64_t
clock_care(const struct clock *clock)
{
	return clock_unmoved(clock) + clock->care_offset;
}

int64_t
clock_wall_ahead(const struct clock *clock)
{
	return clock_wall() - clock_unmoved(clock);
}
