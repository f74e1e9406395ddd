/*
 * Timing: a rule to instants, by the reference expansion of fhir.md 3.5.
 * The rule is settled once into one of a few modes; an expansion starts at
 * the window, not at the anchor, unless doses have to be counted.  The times
 * of a day are timing_day.c's.  Pure.
 */
#include "care/timing_rule.h"

#include <string.h>

#define DOSES_MAX 100000 /* of one expansion */
#define DAY_S (24 * 3600)
#define STEP_US_MIN MINUTE_US          /* nobody takes anything faster */
#define PERIOD_DAYS_MAX INT64_C(36500) /* a century */

/* Instants outside the years 1 to 9999 are nobody's; see clamp_at(). */
#define AT_FIRST (-INT64_C(719162) * DAY_US)
#define AT_LAST (INT64_C(2932897) * DAY_US)

static const int64_t unit_us[UNIT_COUNT] = {
    [UNIT_S] = SECOND_US,
    [UNIT_MIN] = MINUTE_US,
    [UNIT_H] = HOUR_US,
    [UNIT_D] = DAY_US,
    [UNIT_WK] = 7 * DAY_US,
    /* only to bound them: months are counted on the calendar */
    [UNIT_MO] = 30 * DAY_US,
    [UNIT_A] = 365 * DAY_US,
};

/* ---- settling ---- */

static bool
too_long(int64_t micro, enum unit unit)
{
	return micro > PERIOD_DAYS_MAX * DAY_US / unit_us[unit] * MICRO;
}

static void
settle_blocks(struct timing *t, int32_t days, int32_t uses, int32_t span)
{
	t->mode = MODE_BLOCKS;
	t->block_days = days;
	t->block_uses = uses;
	t->block_span = span;
}

static const char *
settle_elapsed(
    struct timing *t, int64_t period_micro, enum unit unit, int32_t frequency)
{
	t->mode = MODE_ELAPSED;
	t->step_us = period_micro * (unit_us[unit] / MICRO);
	t->step_doses = frequency;
	return t->step_us / frequency < STEP_US_MIN
		   ? "more often than once a minute"
		   : NULL;
}

static const char *
settle_days(struct timing *t, int32_t period, int32_t frequency, bool explicit)
{
	if (explicit || period == 1) {
		t->per_day = frequency;
		settle_blocks(t, period, 1, period);
	} else if (frequency <= period) {
		settle_blocks(t, period, frequency, period);
	} else if (frequency % period == 0) {
		t->per_day = frequency / period;
		settle_blocks(t, 1, 1, 1);
	} else {
		return "doses do not divide over the days";
	}
	return NULL;
}

/* Clock times that were named for each day; 0: none were. */
static int32_t
named_times(const struct timing *t)
{
	return t->time_count > 0 ? (int32_t)t->time_count
				 : __builtin_popcount(t->when);
}

static const char *
settle_weeks(struct timing *t, int32_t period, int32_t frequency, bool explicit)
{
	int32_t days = 7 * period, named = __builtin_popcount(t->weekdays);

	if (named > 0) {
		t->from_monday = true;
		settle_blocks(t, days, 7, 7);
		if (explicit || frequency <= named)
			return NULL;
		t->per_day = frequency / named;
		return frequency % named == 0
			   ? NULL
			   : "doses do not divide over the days";
	}
	/* "14 a week, morning and evening": every day */
	if (explicit && frequency == days * named_times(t)) {
		settle_blocks(t, 1, 1, 1);
		return NULL;
	}
	settle_blocks(t, days, frequency, days);
	return frequency > days ? "more than one dose a day in a week" : NULL;
}

static const char *
settle_months(struct timing *t, int32_t period, int32_t frequency)
{
	t->mode = MODE_MONTHS;
	t->step_months = t->unit == UNIT_A ? 12 * period : period;
	return frequency == 1 ? NULL : "several doses in a month or year";
}

/* Nothing says when: only the events, or once and for all. */
static const char *
settle_bare(struct timing *t)
{
	if (t->event_count > 0)
		t->mode = MODE_EVENTS;
	else if (t->count == 1)
		t->mode = MODE_SINGLE;
	else
		return "no schedule is given";
	return NULL;
}

static const char *
settle_repeat(struct timing *t)
{
	int64_t period_micro = t->period_micro < 0 ? MICRO : t->period_micro;
	enum unit unit = t->unit == UNIT_NONE ? UNIT_D : t->unit;
	int32_t frequency = t->frequency == 0 ? 1 : t->frequency, period;
	bool explicit = t->time_count > 0 || t->when != 0;

	if (frequency > TIMES_MAX || t->count > COUNT_MAX ||
	    t->offset_min > OFFSET_MIN_MAX || period_micro == 0 ||
	    too_long(period_micro, unit))
		return "a number is out of any use";
	if (unit < UNIT_D && explicit)
		return settle_days(t, 1, 1, true);
	if (t->weekdays == 0 && !explicit &&
	    (unit < UNIT_D || (unit < UNIT_MO && period_micro % MICRO != 0)))
		return settle_elapsed(t, period_micro, unit, frequency);
	if (unit < UNIT_D || period_micro % MICRO != 0)
		return "this period does not go with days or times";
	period = (int32_t)(period_micro / MICRO);
	if (unit == UNIT_D)
		return settle_days(t, period, frequency, explicit);
	if (unit == UNIT_WK)
		return settle_weeks(t, period, frequency, explicit);
	return settle_months(t, period, frequency);
}

static const char *
settle(struct timing *t)
{
	static const char *const unclear[UNCLEAR_COUNT] = {
	    [UNCLEAR_CODE] = "the timing code is not known",
	    [UNCLEAR_AS_DIRECTED] = "as directed",
	    [UNCLEAR_BOUND] = "the bound is not exact",
	};

	if (t->unclear != UNCLEAR_NOT)
		return unclear[t->unclear];
	if (t->bound_micro >= 0 &&
	    (too_long(t->bound_micro, t->bound_unit) ||
		(t->bound_unit >= UNIT_MO && t->bound_micro % MICRO != 0)))
		return "the bound is not exact";
	if (t->frequency == 0 && t->period_micro < 0 && t->time_count == 0 &&
	    t->when == 0 && t->weekdays == 0)
		return settle_bare(t);
	return settle_repeat(t);
}

void
timing_settle(struct timing *timing)
{
	timing->mode = MODE_NONE;
	timing->per_day = 0;
	timing->review = timing->as_needed && timing->unclear == UNCLEAR_NOT
			     ? NULL
			     : settle(timing);
	if (timing->review != NULL)
		timing->mode = MODE_NONE;
}

const char *
timing_needs_review(const struct timing *timing)
{
	return timing->review;
}

/* ---- expansion ---- */

struct walk {
	const struct timing *rule;
	const struct zone *zone;
	int64_t anchor_at; /* no dose before */
	int32_t anchor_on, anchor_s;
	bool anchor_has_time;
	int32_t once_s;
	int64_t limit_at; /* no dose from then on; AT_NEVER */
	int64_t from, to; /* what is looked for */
	uint32_t enough;  /* stop then; 0: never */
	int32_t times[TIMES_MAX];
	uint32_t time_count;
	struct list doses; /* int64_t, ascending */
	bool full;
};

static int64_t
clamp_at(int64_t at)
{
	return at < AT_FIRST ? AT_FIRST : at > AT_LAST ? AT_LAST : at;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t
wall_instant(const struct zone *zone, int64_t date_on, int64_t time_s)
{
	int64_t days = floor_div(time_s, DAY_S);

	date_on += days;
	if (date_on < AT_FIRST / DAY_US)
		return AT_FIRST;
	if (date_on >= AT_LAST / DAY_US)
		return AT_LAST;
	return zone_instant(
	    zone, (int32_t)date_on, (int32_t)(time_s - days * DAY_S));
}

static int64_t
moment_at(const struct moment_rule *moment, const struct zone *zone)
{
	return moment->has_time ? clamp_at(moment->at)
				: wall_instant(zone, moment->on, 0);
}

/* A dose on a bare date is taken at "once". */
static int64_t
moment_dose_at(const struct walk *w, const struct moment_rule *moment)
{
	return moment->has_time ? clamp_at(moment->at)
				: wall_instant(w->zone, moment->on, w->once_s);
}

/* Rule 3: boundsPeriod.start, else the earliest event, else start. */
static void
find_anchor(struct walk *w, struct timing_start start)
{
	const struct timing *t = w->rule;

	w->anchor_at = clamp_at(start.at);
	w->anchor_has_time = start.has_time;
	if (t->from.given) {
		w->anchor_at = moment_at(&t->from, w->zone);
		w->anchor_has_time = t->from.has_time;
	} else {
		for (uint32_t i = 0; i < t->event_count; i++) {
			int64_t at = moment_at(&t->events[i], w->zone);

			if (i > 0 && at >= w->anchor_at)
				continue;
			w->anchor_at = at;
			w->anchor_has_time = t->events[i].has_time;
		}
	}
	w->anchor_on = zone_local(w->zone, w->anchor_at, &w->anchor_s);
}

/* Rule 4: where it ends, exclusive. */
static void
find_limit(struct walk *w)
{
	const struct timing *t = w->rule;
	int64_t whole = t->bound_micro / MICRO;
	enum unit unit = t->bound_unit;

	w->limit_at = AT_NEVER;
	if (t->until.given && t->until.has_time)
		w->limit_at = clamp_at(t->until.at) + 1;
	else if (t->until.given)
		w->limit_at =
		    wall_instant(w->zone, (int64_t)t->until.on + 1, 0);
	if (t->bound_micro < 0 || too_long(t->bound_micro, unit))
		return;
	if (unit < UNIT_D || t->bound_micro % MICRO != 0)
		w->limit_at =
		    w->anchor_at + t->bound_micro * (unit_us[unit] / MICRO);
	else if (unit < UNIT_MO)
		w->limit_at = wall_instant(w->zone,
		    w->anchor_on + whole * (unit == UNIT_WK ? 7 : 1),
		    w->anchor_s);
	else
		w->limit_at = wall_instant(w->zone,
		    civil_add_months(
			w->anchor_on, (int)whole * (unit == UNIT_A ? 12 : 1)),
		    w->anchor_s);
}

/* The anchor as a dose. */
static int64_t
first_dose_at(const struct walk *w)
{
	return w->anchor_has_time
		   ? w->anchor_at
		   : wall_instant(w->zone, w->anchor_on, w->once_s);
}

/* Keep it ascending and without doubles: a gap may swap two neighbours. */
static void
add_dose(struct walk *w, int64_t at)
{
	int64_t *doses = w->doses.data;
	size_t place = w->doses.count;

	if (at < w->from || at >= w->to)
		return;
	while (place > 0 && doses[place - 1] > at)
		place--;
	if (place > 0 && doses[place - 1] == at)
		return;
	if (w->doses.count >= DOSES_MAX) {
		w->full = true;
		return;
	}
	*(int64_t *)list_add(&w->doses) = at;
	doses = w->doses.data;
	memmove(&doses[place + 1], &doses[place],
	    (w->doses.count - 1 - place) * sizeof(*doses));
	doses[place] = at;
}

static bool
satisfied(const struct walk *w)
{
	return w->full || (w->enough > 0 && w->doses.count >= w->enough);
}

static void
add_day(struct walk *w, int64_t date_on)
{
	uint32_t weekdays = w->rule->weekdays;

	if (date_on < w->anchor_on ||
	    (weekdays != 0 &&
		(weekdays >> civil_weekday((int32_t)date_on) & 1) == 0))
		return;
	for (uint32_t i = 0; i < w->time_count; i++)
		add_dose(w, wall_instant(w->zone, date_on, w->times[i]));
}

static void
expand_elapsed(struct walk *w)
{
	const struct timing *t = w->rule;
	int64_t base = first_dose_at(w);
	int64_t step = w->from > base ? (w->from - base) / t->step_us : 0;

	/* the first step that may hold a dose of the window, dose by dose */
	for (; base + step * t->step_us < w->to && !satisfied(w); step++)
		for (int32_t i = 0; i < t->step_doses && !satisfied(w); i++)
			add_dose(w, base + step * t->step_us +
					i * t->step_us / t->step_doses);
}

/* Days whose doses can fall into the window: times reach past midnight. */
static int64_t
first_day(const struct walk *w)
{
	return zone_local(w->zone, w->from, NULL) - INT64_C(3);
}

static int64_t
last_day(const struct walk *w)
{
	return zone_local(w->zone, w->to, NULL) + INT64_C(1);
}

static void
expand_blocks(struct walk *w)
{
	const struct timing *t = w->rule;
	int64_t base = w->anchor_on, last = last_day(w), block;

	if (t->from_monday)
		base -= civil_weekday(w->anchor_on);
	block = floor_div(first_day(w) - base, t->block_days);
	if (block < 0)
		block = 0;
	for (; base + block * t->block_days <= last && !satisfied(w); block++)
		for (int64_t i = 0; i < t->block_uses && !satisfied(w); i++)
			add_day(w, base + block * t->block_days +
				       i * t->block_span / t->block_uses);
}

static void
expand_months(struct walk *w)
{
	const struct timing *t = w->rule;
	int64_t last = last_day(w);
	/* 31 days a month never come too late */
	int64_t k = (first_day(w) - w->anchor_on) / 31 / t->step_months - 1;

	for (k = k < 0 ? 0 : k; !satisfied(w); k++) {
		int64_t months = k * t->step_months;
		int64_t day;

		if (months > PERIOD_DAYS_MAX * 4)
			return;
		day = civil_add_months(w->anchor_on, (int)months);
		if (day > last)
			return;
		add_day(w, day);
	}
}

static void
expand_repeat(struct walk *w)
{
	switch (w->rule->mode) {
	case MODE_SINGLE:
		add_dose(w, first_dose_at(w));
		break;
	case MODE_ELAPSED:
		expand_elapsed(w);
		break;
	case MODE_BLOCKS:
		expand_blocks(w);
		break;
	case MODE_MONTHS:
		expand_months(w);
		break;
	case MODE_NONE:
	case MODE_EVENTS:
		break;
	}
}

/* The doses in [from, to), at least the first `enough`; false: too many. */
static bool
walk_run(struct walk *w, int64_t from, int64_t to, uint32_t enough)
{
	const struct timing *t = w->rule;

	w->from = from > w->anchor_at ? from : w->anchor_at;
	w->to = clamp_at(to < w->limit_at ? to : w->limit_at);
	w->enough = enough;
	w->doses.count = 0;
	w->full = false;
	if (w->from >= w->to)
		return true;
	expand_repeat(w);
	for (uint32_t i = 0; i < t->event_count && !w->full; i++)
		add_dose(w, moment_dose_at(w, &t->events[i]));
	return !w->full;
}

static void
walk_init(struct walk *w, const struct timing *timing,
    struct timing_start start, const struct zone *zone,
    const struct day_profile *profile, struct arena *arena)
{
	w->rule = timing;
	w->zone = zone;
	find_anchor(w, start);
	find_limit(w);
	w->once_s = timing_once_s(profile);
	w->time_count =
	    timing->mode == MODE_BLOCKS || timing->mode == MODE_MONTHS
		? timing_day_times(timing, profile, w->times)
		: 0;
	list_init(&w->doses, arena, sizeof(int64_t));
}

/*
 * Doses of a day may come after those of the next two, by offsets to either
 * side: as many more make sure of the first ones.
 */
static uint32_t
overlap(const struct walk *w)
{
	return 3 * w->time_count;
}

int
timing_expand(const struct timing *timing, struct timing_start start,
    const struct zone *zone, const struct day_profile *profile, int64_t from,
    int64_t to, struct arena *arena, const int64_t **doses)
{
	uint32_t limit = (uint32_t)timing->count;
	struct walk w;
	const int64_t *found;
	size_t first = 0, count;

	*doses = NULL;
	if (timing->mode == MODE_NONE || from >= to)
		return 0;
	walk_init(&w, timing, start, zone, profile, arena);
	/* only a count makes the doses before the window matter */
	if (!walk_run(&w, limit > 0 ? w.anchor_at : from, to,
		limit > 0 ? limit + overlap(&w) : 0))
		return -1;
	found = w.doses.data;
	count = w.doses.count;
	if (limit > 0 && count > limit)
		count = limit;
	while (first < count && found[first] < from)
		first++;
	if (first < count)
		*doses = found + first;
	return (int)(count - first);
}

int64_t
timing_begin(const struct timing *timing, struct timing_start start,
    const struct zone *zone)
{
	struct walk w = {.rule = timing, .zone = zone};

	find_anchor(&w, start);
	return w.anchor_at;
}

int64_t
timing_end(const struct timing *timing, struct timing_start start,
    const struct zone *zone, const struct day_profile *profile)
{
	bool counted = timing->count > 0 && timing->mode != MODE_NONE;
	uint32_t limit = (uint32_t)timing->count;
	struct arena *arena;
	struct walk w = {.rule = timing, .zone = zone};
	int64_t end;

	if (!counted && timing->mode != MODE_EVENTS) {
		find_anchor(&w, start);
		find_limit(&w);
		return w.limit_at;
	}
	arena = arena_create();
	walk_init(&w, timing, start, zone, profile, arena);
	end = w.limit_at;
	/* the count ends where the next dose would have been */
	if (walk_run(&w, AT_FIRST, AT_NEVER,
		counted ? limit + 1 + overlap(&w) : 0)) {
		const int64_t *doses = w.doses.data;

		if (counted && w.doses.count > limit)
			end = doses[limit];
		else if (w.doses.count > 0 && (timing->mode == MODE_SINGLE ||
						  timing->mode == MODE_EVENTS))
			end = doses[w.doses.count - 1] + 1;
	}
	arena_free(arena);
	return end;
}

static int64_t
greatest_divisor(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

bool
timing_daily(const struct timing *timing, const struct day_profile *profile,
    int64_t *numerator, int64_t *denominator)
{
	const struct timing *t = timing;
	int32_t times[TIMES_MAX];
	int64_t named = __builtin_popcount(t->weekdays), divisor, n;

	if (t->event_count > 0)
		return false;
	if (t->mode == MODE_ELAPSED) {
		divisor = greatest_divisor(DAY_US * t->step_doses, t->step_us);
		*numerator = DAY_US * t->step_doses / divisor;
		*denominator = t->step_us / divisor;
		return true;
	}
	if (t->mode != MODE_BLOCKS)
		return false;
	n = timing_day_times(t, profile, times);
	*numerator = n * t->block_uses;
	*denominator = t->block_days;
	if (named == 0)
		return true;
	/* a weekday filter is even over weeks and single days alone */
	*numerator = n * named;
	*denominator = t->from_monday ? t->block_days : 7;
	return t->from_monday || t->block_days == 1;
}
