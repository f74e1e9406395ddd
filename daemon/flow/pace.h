#ifndef ADHERD_FLOW_PACE_H
#define ADHERD_FLOW_PACE_H

#include "base/clock.h"

/*
 * How hard a gateway is used: the window of requests in flight, which grows
 * while answers are good and halves when the provider says "slower", and the
 * breaker, which stops after PACE_FAILURES_MAX failures in a row and then
 * tries one request at a time.  Pure: no clock, no I/O.
 *
 * The window follows TCP's congestion avoidance (RFC 5681): below a
 * threshold it grows by one with each good answer, above it by one with each
 * window of them; a halving is counted once for all requests that were under
 * way when it happened.
 */
#define PACE_FAILURES_MAX 10

struct pace {
	uint32_t window;     /* requests that may be in flight now */
	uint32_t window_max; /* from the settings */
	uint32_t threshold;
	uint32_t good;      /* answers toward the next step above it */
	uint32_t failures;  /* in a row */
	uint32_t opened;    /* how often the breaker, since the last good one */
	uint32_t slowed;    /* how often in a row, without a time told */
	bool probing;       /* one request at a time until one is good */
	int64_t probe_us;   /* longest wait before a probe */
	int64_t changed_at; /* of the last halving or opening */
};

enum pace_sign {
	PACE_GOOD,    /* the provider judged the messages, whatever it said */
	PACE_SLOWER,  /* too many: 429, a throttle code */
	PACE_FAILED,  /* no connection, no answer, none that can be read */
	PACE_REFUSED, /* it will not serve us until somebody acts */
};

#define PACE_PAUSE_MAX_US HOUR_US

void pace_init(struct pace *pace, uint32_t window_max, int64_t probe_us);
/* Other settings, while it is in use. */
void pace_set(struct pace *pace, uint32_t window_max, int64_t probe_us);
/*
 * A request that was started at started_at ended like this; told_us is how
 * long the provider asked us to wait, 0 if it did not.  full: the window was
 * used up, so that a wider one would have been of use.  Returns how long
 * nothing may be sent, at most an hour, or 0.  random is any number.
 */
int64_t pace_note(struct pace *pace, enum pace_sign sign, int64_t started_at,
    int64_t now, bool full, int64_t told_us, uint32_t random);
/* Somebody paused it: begin with one request when that is over. */
void pace_probe(struct pace *pace);

/*
 * Messages per second to one account, so spread that no second has more
 * than its share, whole bursts included (generic cell rate algorithm, ITU-T
 * I.371): `burst` messages may go together, the next each `spacing_us` after.
 */
struct rate {
	int64_t spacing_us; /* 0: no limit */
	int64_t burst;
	int64_t arrival_at; /* theoretical, of the next message */
};

/*
 * per_s messages a second (0: no limit) by all copies together.  A change
 * keeps what was sent so far.
 */
void rate_set(struct rate *rate, int64_t per_s, int64_t copies);
/* How many can go within this time from now on. */
uint32_t rate_room(const struct rate *rate, int64_t now, int64_t time_us);
/* How many may go now. */
uint32_t rate_free(const struct rate *rate, int64_t now);
void rate_take(struct rate *rate, uint32_t count, int64_t now);
/* When the next one may go; now, or later. */
int64_t rate_ready_at(const struct rate *rate, int64_t now);
#endif
