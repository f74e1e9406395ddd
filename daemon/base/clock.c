/*
 * The one clock: the database's, carried on by CLOCK_BOOTTIME, which also
 * counts the time a machine sleeps and which nobody can set.  Beside it the
 * guard: whether the clocks agree.
 */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

#define ANSWER_US_MAX SECOND_US /* a slower one does not tell the time */

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
clock_monotonic(void)
{
	return kernel_clock(CLOCK_MONOTONIC);
}

int64_t
clock_cpu(void)
{
	return kernel_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t
clock_wall(void)
{
	return kernel_clock(CLOCK_REALTIME);
}

static bool
near(int64_t a, int64_t b)
{
	return a - b <= CLOCK_GAP_US && b - a <= CLOCK_GAP_US;
}

/* May our clock jump to where the database is now? */
static bool
may_follow(struct clock *clock, int64_t database_now, bool witness)
{
	bool back = database_now < clock_unmoved(clock);

	if (clock->accepting)
		return true;
	if (!near(clock_wall(), database_now)) {
		clock->wall_with_database_at = 0;
		return false;
	}
	if (clock->wall_with_database_at == 0)
		clock->wall_with_database_at = clock_boot();
	return (witness || back) &&
	       clock_boot() - clock->wall_with_database_at >= CLOCK_SETTLE_US;
}

/*
 * The database looked somewhere between question and answer.  The least that
 * this allows is taken at first, so that nothing is early; later answers
 * narrow it from both sides, and slow ones do not disturb what quick ones
 * told.
 */
static int64_t
narrowed(const struct clock *clock, int64_t database_now, int64_t boot_before,
    int64_t boot_after)
{
	int64_t ours = clock->database_at + (boot_after - clock->boot_at);
	int64_t latest = database_now + (boot_after - boot_before);

	if (ours < database_now)
		return database_now;
	return ours < latest ? ours : latest;
}

void
clock_sync(struct clock *clock, int64_t database_now, int64_t boot_before,
    int64_t boot_after, bool witness)
{
	bool anew = !clock->synced || clock->rough;
	int64_t now = database_now, gap;

	assert(boot_before <= boot_after);
	if (!anew) {
		if (boot_after - boot_before > ANSWER_US_MAX &&
		    boot_after - clock->boot_at < HOUR_US)
			return;
		now = narrowed(clock, database_now, boot_before, boot_after);
		gap =
		    now - (clock->database_at + (boot_after - clock->boot_at));
		if (!near(gap, 0) &&
		    !may_follow(clock, database_now, witness)) {
			clock->database_gap = gap;
			return;
		}
		anew = !near(gap, 0);
		if (anew)
			now = database_now;
	}
	clock->boot_at = boot_after;
	clock->database_at = now;
	clock->synced = true;
	clock->rough = anew && boot_after - boot_before > ANSWER_US_MAX;
	clock->accepting = false;
	clock->database_gap = 0;
	clock->wall_with_database_at = 0;
}

void
clock_accept(struct clock *clock)
{
	clock->accepting = true;
}

static bool
agree_now(const struct clock *clock)
{
	return clock->database_gap == 0 && near(clock_wall_ahead(clock), 0);
}

bool
clock_watch(struct clock *clock)
{
	bool before = clock->apart;
	int64_t boot = clock_boot();

	if (!clock->synced)
		return false;
	if (!agree_now(clock)) {
		clock->apart = true;
		clock->agreed_at = 0;
	} else if (clock->agreed_at == 0) {
		clock->agreed_at = boot;
	} else if (boot - clock->agreed_at >= CLOCK_SETTLE_US) {
		clock->apart = false;
	}
	return clock->apart != before;
}

bool
clock_agrees(const struct clock *clock)
{
	return clock->synced && !clock->apart && agree_now(clock);
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
