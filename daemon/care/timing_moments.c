/*
 * The times of the day that shorthand names.  People name one moment twice
 * ("晚上睡前"), or one word for several ("早、晚饭后"), and a dose must
 * neither be doubled nor lost by that: words for one part of the day never
 * add up to two doses unless a count says so.  What stays open is a
 * question.  Pure.
 */
#include "care/timing_words.h"

#include <assert.h>

enum { HOUR_S = 3600 };

/* What may be said of a part of the day, and its hours on the clock. */
static const struct part {
	uint32_t broad, middle, fine; /* ever more exactly */
	int32_t from_s, to_s;
} parts[] = {
    {W(MORN) | W(AM), W(WAKE), W(ACM) | W(CM) | W(PCM), 4 * HOUR_S,
	12 * HOUR_S - 1},
    {W(NOON), 0, W(ACD) | W(CD) | W(PCD), 11 * HOUR_S, 14 * HOUR_S - 1},
    {W(PM), 0, 0, 12 * HOUR_S, 19 * HOUR_S - 1},
    {W(EVE), 0, W(ACV) | W(CV) | W(PCV) | W(HS), 17 * HOUR_S, 24 * HOUR_S - 1},
};

static const uint32_t relations[] = {WHEN_AC, WHEN_C, WHEN_PC};
#define MEAL_PARTS (W(MORN) | W(NOON) | W(EVE))
#define BROAD (MEAL_PARTS | W(AM) | W(PM))
#define MEAL_TIMES (WHEN_AC | WHEN_C | WHEN_PC)

static const char no_hour[] = "which hour is not said";
static const char one_or_two[] = "one time of the day, or two";

static bool
within(uint32_t when, uint32_t set)
{
	return when != 0 && (when & ~set) == 0;
}

/* The part that all of these times belong to, or NULL. */
static const struct part *
find_part(uint32_t when)
{
	for (unsigned i = 0; i < COUNT(parts); i++)
		if (within(
			when, parts[i].broad | parts[i].middle | parts[i].fine))
			return &parts[i];
	return NULL;
}

/* 0 for "早", 1 for "晨起", 2 for "早餐前". */
static int
exactness(const struct part *part, uint32_t when)
{
	return within(when, part->broad) ? 0 : within(when, part->fine) ? 2 : 1;
}

/* Morning and evening as those of the meals: "饭后" makes PCM and PCV. */
static uint32_t
as_meals(uint32_t when, uint32_t meals)
{
	uint32_t named = 0;

	for (unsigned i = 0; i < COUNT(parts); i++)
		if ((when & parts[i].broad & MEAL_PARTS) != 0)
			named |= meals & parts[i].fine;
	return named;
}

/* ---- one after the other ---- */

struct folding {
	bool lone_pair;      /* nothing but two times, and no "各" */
	struct moment *list; /* as they are understood, over the said ones */
	size_t count;
	bool contradicts;
	struct moment meals; /* "饭后" apart; when 0: none */
	bool fasting;        /* "空腹" apart */
};

static struct moment *
last_moment(struct folding *f)
{
	return f->count > 0 ? &f->list[f->count - 1] : NULL;
}

static void
keep(struct folding *f, const struct moment *m)
{
	assert(f->list != NULL);
	f->list[f->count++] = *m;
}

/*
 * "早、晚 饭后": the meal is that of each of them; but in "早上和晚上饭后" only
 * the evening's is sure.
 */
static void
fold_meals(struct folding *f, const struct moment *m)
{
	const struct moment *last = last_moment(f);

	if (m->join < JOIN_SPACED || last == NULL ||
	    !within(last->when, MEAL_PARTS)) {
		if (f->meals.when != 0 &&
		    (f->meals.when != m->when ||
			f->meals.offset_min != m->offset_min))
			f->contradicts = true;
		f->meals = *m;
		return;
	}
	for (size_t i = f->count; i-- > 0;) {
		if (!within(f->list[i].when, MEAL_PARTS))
			break;
		f->list[i].when = as_meals(f->list[i].when, m->when);
		f->list[i].offset_min = m->offset_min;
		if (f->list[i].join == JOIN_APART || !f->list[i].bare)
			break;
	}
}

/* "早上空腹" is before breakfast. */
static void
fold_fasting(struct folding *f, const struct moment *m)
{
	struct moment *last = last_moment(f);

	if (m->join >= JOIN_SPACED && last != NULL && last->when == W(MORN))
		last->when = W(ACM);
	else if (m->join < JOIN_SPACED || last == NULL ||
		 !within(last->when, WHEN_AC | W(WAKE)))
		f->fasting = true;
}

/* "晚8点" is 20:00; false where the hour is none of that part. */
static bool
set_clock(struct moment *clock, const struct part *part)
{
	if (clock->time_s < 12 * HOUR_S && clock->time_s < part->from_s)
		clock->time_s += 12 * HOUR_S;
	clock->vague = false;
	return clock->time_s >= part->from_s && clock->time_s <= part->to_s;
}

static void
fold_clock(struct folding *f, const struct moment *m)
{
	struct moment *last = last_moment(f);
	const struct part *part =
	    last != NULL && m->join >= JOIN_SPACED && within(last->when, BROAD)
		? find_part(last->when)
		: NULL;

	if (part == NULL) {
		keep(f, m);
		return;
	}
	*last = *m;
	if (!set_clock(last, part))
		f->contradicts = true;
}

/* "早、中、晚饭后": a meal too, the one that the last of them names. */
static void
share_meal(struct folding *f, const struct moment *m)
{
	uint32_t meals = 0;

	for (unsigned i = 0; i < COUNT(relations); i++)
		if (within(m->when, relations[i]))
			meals = relations[i];
	if (m->join == JOIN_APART || meals == 0 || find_part(m->when) == NULL)
		return;
	assert(f->list != NULL);
	for (size_t i = f->count; i-- > 0 && f->list[i].bare;) {
		/* in the order of the day: "晚、早饭后" is something else */
		if (find_part(f->list[i].when) >= find_part(m->when))
			break;
		f->list[i].when = as_meals(f->list[i].when, meals);
		f->list[i].offset_min = m->offset_min;
		f->list[i].bare = false;
		if (f->list[i].join == JOIN_APART)
			break;
	}
}

static void
fold_named(struct folding *f, const struct moment *m)
{
	struct moment *last = last_moment(f);
	const struct part *part = find_part(m->when);
	/* "早 中 晚 睡前" are four: there a blank stands between two */
	bool direct = m->join >= (f->lone_pair ? JOIN_SPACED : JOIN_DIRECT) &&
		      last != NULL && last->when != 0 && part != NULL;

	if (direct && part == find_part(last->when) &&
	    exactness(part, last->when) < exactness(part, m->when)) {
		last->when = m->when;
		last->offset_min = m->offset_min;
		last->bare = false;
		return;
	}
	/* "午睡前" is nobody's bedtime */
	if (direct && m->when == W(HS) && within(last->when, BROAD))
		f->contradicts = true;
	share_meal(f, m);
	keep(f, m);
}

static void
fold(struct folding *f, const struct words *in)
{
	static void (*const folders[])(
	    struct folding *, const struct moment *) = {
	    [MOMENT_NAMED] = fold_named,
	    [MOMENT_MEALS] = fold_meals,
	    [MOMENT_FASTING] = fold_fasting,
	    [MOMENT_CLOCK] = fold_clock,
	};
	const struct moment *list = in->moments.data;

	f->lone_pair = in->moments.count == 2 && !in->each;
	for (size_t i = 0; i < in->moments.count; i++)
		folders[list[i].kind](f, &list[i]);
}

/* ---- all of them together ---- */

static uint32_t
all_named(const struct folding *f)
{
	uint32_t when = 0;

	for (size_t i = 0; i < f->count; i++)
		when |= f->list[i].when;
	return when;
}

static uint32_t
all_meals(const struct folding *f)
{
	uint32_t when = all_named(f);

	return when != 0 ? when : f->meals.when;
}

/* "早晚各一次 饭后": morning and evening mean those meals. */
static bool
apply_meals(struct folding *f)
{
	uint32_t when = all_named(f);

	if (f->meals.when == 0 || f->count == 0)
		return true;
	if (!within(when, MEAL_PARTS))
		return within(when, f->meals.when) &&
		       (f->meals.offset_min < 0 ||
			   f->meals.offset_min == f->list[0].offset_min);
	for (size_t i = 0; i < f->count; i++) {
		f->list[i].when = as_meals(f->list[i].when, f->meals.when);
		f->list[i].offset_min = f->meals.offset_min;
	}
	return true;
}

/* Empty stomach alone is before breakfast (to be confirmed). */
static bool
apply_fasting(struct folding *f)
{
	const struct moment breakfast = {.when = W(ACM), .offset_min = -1};

	if (!f->fasting)
		return true;
	if (f->count == 0 && f->meals.when == 0)
		keep(f, &breakfast);
	else if (f->count == 1 && f->list[0].when == W(MORN))
		f->list[0].when = W(ACM);
	return within(all_meals(f), WHEN_AC | W(WAKE));
}

/* Take out times that a finer word names too; false: not alone there. */
static bool
drop_times(struct folding *f, uint32_t when)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->count; i++) {
		if (within(f->list[i].when, when))
			continue;
		if ((f->list[i].when & when) != 0)
			return false;
		f->list[kept++] = f->list[i];
	}
	f->count = kept;
	return true;
}

/* "三餐后": all three are meant, whatever else is named. */
static bool
names_each_meal(const struct folding *f)
{
	for (size_t i = 0; i < f->count; i++)
		for (unsigned k = 0; k < COUNT(relations); k++)
			if (f->list[i].when == relations[k])
				return true;
	return false;
}

/* Do all the named times come on each day that has one? */
static bool
count_says_all(const struct folding *f, const struct words *in)
{
	return in->unit == UNIT_D && in->period == 1 &&
	       __builtin_popcount(all_named(f)) == in->frequency;
}

/*
 * Two words for one part of the day, apart: one dose, or two?  Once a day it
 * is the finer of a broad and a fine one; otherwise only a count tells.
 */
static const char *
settle_doubles(struct folding *f, const struct words *in)
{
	for (unsigned i = 0; i < COUNT(parts); i++) {
		const struct part *p = &parts[i];
		uint32_t all = all_named(f) & (p->broad | p->middle | p->fine);
		uint32_t best = (all & p->fine)     ? all & p->fine
				: (all & p->middle) ? all & p->middle
						    : all;

		if (__builtin_popcount(all) < 2 ||
		    (count_says_all(f, in) &&
			(all == best || all == (W(EVE) | W(HS)))))
			continue;
		if (all == best && names_each_meal(f) &&
		    __builtin_popcount(all & ~W(HS)) == 1)
			continue;
		if (all == best || in->frequency != 1 ||
		    !drop_times(f, all & ~best))
			return one_or_two;
	}
	return NULL;
}

/* "晚上" alone has no hour; with "早" it is that of the table. */
static const char *
settle_evening(struct words *in)
{
	if ((in->when & (W(AM) | W(PM))) != 0)
		return no_hour;
	if (in->when == W(EVE) && (in->marks & MARK_NIGHTLY))
		in->when = W(HS);
	else if ((in->when & MEAL_PARTS) == W(EVE))
		return no_hour;
	return (in->when & MEAL_PARTS) != 0 && (in->when & MEAL_TIMES) != 0
		   ? WORDS_MISMATCH
		   : NULL;
}

/*
 * "8点" is the morning's only where another hour counts to 24, and all come
 * in the order of the day.
 */
static const char *
gather_times(const struct folding *f, struct words *in)
{
	bool vague = false, counts_to_24 = false, ordered = true;
	int32_t last_s = -1;

	in->times = arena_array(in->arena, f->count + 1, sizeof(*in->times));
	for (size_t i = 0; i < f->count; i++) {
		int32_t time_s = f->list[i].time_s;

		vague |= f->list[i].vague;
		counts_to_24 |= time_s >= 13 * HOUR_S;
		ordered &= time_s >= last_s;
		if (time_s != last_s)
			in->times[in->time_count++] = time_s;
		last_s = time_s;
	}
	return (vague && !counts_to_24) || !ordered
		   ? "morning or evening is not said"
		   : NULL;
}

static const char *
gather(const struct folding *f, struct words *in)
{
	in->when = all_named(f);
	in->meals = f->meals.when;
	in->offset_min =
	    f->count > 0 ? f->list[0].offset_min : f->meals.offset_min;
	for (size_t i = 0; i < f->count; i++)
		/* one offset for all: nothing else can be written */
		if ((f->list[i].when == 0) != (in->when == 0) ||
		    f->list[i].offset_min != in->offset_min)
			return WORDS_MISMATCH;
	if (f->count > 0 && in->when == 0)
		return in->meals != 0 ? WORDS_MISMATCH : gather_times(f, in);
	return settle_evening(in);
}

const char *
words_settle_moments(struct words *in)
{
	struct folding f = {
	    .list = arena_array(
		in->arena, in->moments.count + 1, sizeof(struct moment)),
	    .meals = {.offset_min = -1},
	};
	const char *question;

	fold(&f, in);
	if (f.contradicts || !apply_meals(&f) || !apply_fasting(&f))
		return WORDS_MISMATCH;
	question = settle_doubles(&f, in);
	return question != NULL ? question : gather(&f, in);
}
