/*
 * Windows, breaker, rates: numbers that are changed by what happens to
 * requests, and nothing else.
 */
#include "flow/pace.h"

#include <assert.h>

#define WINDOW_START 64U
#define OPEN_US (5 * SECOND_US) /* the first opening; each next twice that */
#define SLOW_US SECOND_US       /* likewise, where no time was told */
#define DOUBLINGS_MAX 12
#define UNLIMITED UINT32_MAX
#define LONG_SECOND_US (SECOND_US + SECOND_US / 20)

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void
pace_init(struct pace *pace, uint32_t window_max, int64_t probe_us)
{
	assert(window_max > 0);
	*pace = (struct pace){
	    .window = least(WINDOW_START, window_max),
	    .window_max = window_max,
	    .threshold = window_max,
	    .probe_us = probe_us,
	    .changed_at = AT_UNKNOWN,
	};
}

void
pace_set(struct pace *pace, uint32_t window_max, int64_t probe_us)
{
	assert(window_max > 0);
	if (pace->threshold == pace->window_max)
		pace->threshold = window_max;
	pace->window_max = window_max;
	pace->window = least(pace->window, window_max);
	pace->probe_us = probe_us;
}

/* A quarter more or less, so that copies do not come back together. */
static int64_t
jitter(int64_t us, uint32_t random)
{
	return us + us / 4 * (int64_t)(random % 2001) / 1000 - us / 4;
}

static int64_t
doubled(int64_t first_us, uint32_t times, int64_t most_us)
{
	int64_t us = first_us
		     << (times < DOUBLINGS_MAX ? times : DOUBLINGS_MAX);

	return us < most_us ? us : most_us;
}

static void
grow(struct pace *pace, bool full)
{
	pace->failures = pace->opened = pace->slowed = 0;
	if (pace->probing) {
		pace->probing = false;
		pace->window = 1;
		pace->good = 0;
	}
	if (!full || pace->window == pace->window_max)
		return;
	if (pace->window < pace->threshold || ++pace->good >= pace->window) {
		pace->window++;
		pace->good = 0;
	}
}

static void
halve(struct pace *pace, int64_t started_at, int64_t now)
{
	if (started_at < pace->changed_at)
		return;
	pace->changed_at = now;
	pace->window = pace->window > 1 ? pace->window / 2 : 1;
	pace->threshold = pace->window;
	pace->good = 0;
	pace->slowed++;
}

static int64_t
open_breaker(struct pace *pace, int64_t now, uint32_t random)
{
	int64_t us = doubled(OPEN_US, pace->opened, pace->probe_us);

	if (!pace->probing)
		pace->threshold = pace->window > 1 ? pace->window / 2 : 1;
	pace->opened++;
	pace->changed_at = now;
	pace_probe(pace);
	return jitter(us, random);
}

void
pace_probe(struct pace *pace)
{
	pace->probing = true;
	pace->window = 1;
	pace->failures = 0;
}

static int64_t
bounded(int64_t told_us)
{
	return told_us < PACE_PAUSE_MAX_US ? told_us : PACE_PAUSE_MAX_US;
}

int64_t
pace_note(struct pace *pace, enum pace_sign sign, int64_t started_at,
    int64_t now, bool full, int64_t told_us, uint32_t random)
{
	switch (sign) {
	case PACE_GOOD:
		/* one from before the breaker opened says nothing of now */
		if (!pace->probing || started_at >= pace->changed_at)
			grow(pace, full);
		return 0;
	case PACE_SLOWER:
		pace->failures = 0;
		halve(pace, started_at, now);
		return told_us > 0 ? bounded(told_us)
				   : jitter(doubled(SLOW_US, pace->slowed - 1,
						pace->probe_us),
					 random);
	case PACE_FAILED:
		if (started_at < pace->changed_at && pace->probing)
			return 0;
		if (!pace->probing && ++pace->failures < PACE_FAILURES_MAX)
			return 0;
		return open_breaker(pace, now, random);
	default:
		if (!pace->probing)
			pace->threshold =
			    pace->window > 1 ? pace->window / 2 : 1;
		pace->changed_at = now;
		pace_probe(pace);
		return told_us > 0 ? bounded(told_us) : pace->probe_us;
	}
}

/* ---- rates ---- */

/*
 * A burst of a tenth of the share; what it adds to one second is taken from
 * the steady flow, which takes its second a little long, for the way to the
 * provider may push messages together.  Whole messages: a fraction would now
 * and then be one more in every copy at once.
 */
void
rate_set(struct rate *rate, int64_t per_s, int64_t copies)
{
	int64_t count = copies < 1 ? 1 : copies, share = per_s / count, steady;

	rate->burst = share < 10 ? 1 : share / 10;
	steady = share - rate->burst + 1;
	rate->spacing_us = per_s == 0 ? 0
			   : share > 0
			       ? (LONG_SECOND_US + steady - 1) / steady
			       : (count * LONG_SECOND_US + per_s - 1) / per_s;
}

uint32_t
rate_room(const struct rate *rate, int64_t now, int64_t time_us)
{
	int64_t from = rate->arrival_at > now ? rate->arrival_at : now;
	int64_t until = now + time_us + (rate->burst - 1) * rate->spacing_us;

	if (rate->spacing_us == 0)
		return UNLIMITED;
	return from > until ? 0
			    : (uint32_t)((until - from) / rate->spacing_us + 1);
}

uint32_t
rate_free(const struct rate *rate, int64_t now)
{
	return rate_room(rate, now, 0);
}

void
rate_take(struct rate *rate, uint32_t count, int64_t now)
{
	if (rate->arrival_at < now)
		rate->arrival_at = now;
	rate->arrival_at += count * rate->spacing_us;
}

int64_t
rate_ready_at(const struct rate *rate, int64_t now)
{
	int64_t at = rate->arrival_at - (rate->burst - 1) * rate->spacing_us;

	return rate->spacing_us == 0 || at < now ? now : at;
}
