/*
 * Supply in units, where the dose changes: what was dispensed less what
 * each day needed since, to the first day whose need cannot be met.  Only
 * for one product in one unit, of which every dose and every fill states
 * how much.  Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "care/dose_schedule.h"
#include "care/look.h"
#include "care/supply_walk.h"
#include "care/timing.h"

enum {
	REGIMENS_MAX = 16, /* prescriptions of one drug */
	CHUNK_DAYS = 200   /* expanded at a time */
};

/* A prescription of the drug, and what it needs on the days at hand. */
struct regimen {
	const struct prescription *prescription;
	int32_t until_on; /* stopped; ON_NEVER */
	int32_t next;     /* the regimen that takes over; -1 */
	bool ended;       /* no longer in force */
	bool begun;
	int64_t *amounts; /* of CHUNK_DAYS days */
};

struct regimens {
	struct regimen list[REGIMENS_MAX]; /* by date of writing */
	uint32_t count;
	int32_t chunk_on; /* first day of amounts */
};

static bool
has_item(const struct walk *w, const struct prescription *p)
{
	for (uint32_t i = 0; i < w->item_count; i++)
		if (w->items[i].prescription == p)
			return true;
	return false;
}

static int
compare_regimens(const void *left, const void *right)
{
	const struct regimen *a = left, *b = right;

	return look_compare_authored(a->prescription, b->prescription);
}

/* Who takes over from regimen i: a named successor, or, once it is over,
 * whatever was written next. */
static int32_t
find_next(const struct regimens *regimens, uint32_t i)
{
	const struct regimen *list = regimens->list;

	for (uint32_t k = i + 1; k < regimens->count; k++)
		if (list[k].prescription->prior_no == list[i].prescription->no)
			return (int32_t)k;
	return list[i].ended && i + 1 < regimens->count ? (int32_t)i + 1 : -1;
}

/*
 * The prescriptions of the drug that were filled or are in force; false
 * where they are too many or it is not known when one of them ended.
 */
static bool
find_regimens(const struct walk *w, const char *drug, struct regimens *out)
{
	const struct dossier *d = w->dossier;

	out->count = 0;
	for (uint32_t i = 0; i < d->prescription_count; i++) {
		const struct prescription *p = &d->prescriptions[i];
		bool active = dose_prescription_active(p, w->now);

		if (!look_same(p->drug, drug) ||
		    p->status == PRESCRIPTION_ERROR ||
		    p->status == PRESCRIPTION_DRAFT ||
		    (!active && !has_item(w, p)))
			continue;
		if (out->count == REGIMENS_MAX)
			return false;
		out->list[out->count++] = (struct regimen){
		    .prescription = p,
		    .ended = !active,
		    .until_on =
			active || p->status_at == AT_UNKNOWN
			    ? ON_NEVER
			    : zone_local(d->zone, p->status_at, NULL) + 1,
		};
	}
	qsort(out->list, out->count, sizeof(out->list[0]), compare_regimens);
	for (uint32_t i = 0; i < out->count; i++) {
		struct regimen *c = &out->list[i];

		c->next = find_next(out, i);
		if (c->ended && c->until_on == ON_NEVER && c->next < 0)
			return false;
	}
	return out->count > 0;
}

/* One product in one unit, in every dose and every fill. */
static bool
units_agree(const struct walk *w, const struct regimens *regimens)
{
	const struct prescription *first = regimens->list[0].prescription;
	const char *unit =
	    first->dosage_count > 0 ? first->dosages[0].dose_unit : NULL;

	for (uint32_t i = 0; i < regimens->count; i++) {
		const struct prescription *p = regimens->list[i].prescription;

		if (p->dosage_count == 0 ||
		    (i > 0 && !look_same(p->name, first->name)))
			return false;
		for (uint32_t k = 0; k < p->dosage_count; k++) {
			const struct dosage *g = &p->dosages[k];

			if (g->as_needed || g->timing == NULL ||
			    timing_needs_review(g->timing) != NULL ||
			    g->dose_micro <= 0 ||
			    !look_same(g->dose_unit, unit))
				return false;
		}
	}
	for (uint32_t i = 0; i < w->item_count; i++) {
		const struct item *item = &w->items[i];
		const char *own;

		if (item->fill == NULL && item->correction->days >= 0)
			continue;
		if (supply_quantity(w->dossier, item, &own) < 0 ||
		    !look_same(own, unit))
			return false;
	}
	return true;
}

static bool
rate_same(const struct rate *a, const struct rate *b)
{
	int64_t left, right;

	return !__builtin_mul_overflow(a->numerator, b->denominator, &left) &&
	       !__builtin_mul_overflow(b->numerator, a->denominator, &right) &&
	       left == right;
}

/*
 * Is there a rest of less than a day, which the next fill would lose?  Only
 * where nobody stated the days, and the therapy goes on to use it.
 */
static bool
leaves_rest(const struct walk *w, const struct item *item)
{
	const struct prescription *p = item->prescription;
	struct rate rate;
	int64_t units;
	const char *unit;

	return w->item_count > 1 && p != NULL &&
	       supply_steady_rate(w->dossier, p, &rate) &&
	       !__builtin_mul_overflow(supply_quantity(w->dossier, item, &unit),
		   rate.denominator, &units) &&
	       units % rate.numerator != 0 &&
	       dose_schedule_end(w->dossier, p) == AT_NEVER;
}

/*
 * Days' supply would mislead: doses take turns, or are not those of the
 * prescription before, or there is a fill of which no days are known, or
 * whose units do not come out even.
 */
static bool
units_needed(const struct walk *w, const struct regimens *regimens)
{
	struct rate first = {0}, rate;
	bool first_known = false, from_units;

	for (uint32_t i = 0; i < regimens->count; i++) {
		const struct prescription *p = regimens->list[i].prescription;
		bool known = supply_steady_rate(w->dossier, p, &rate);

		if (supply_takes_turns(w->dossier, p) ||
		    (i > 0 && known != first_known) ||
		    (i > 0 && known && !rate_same(&first, &rate)))
			return true;
		first = rate;
		first_known = known;
	}
	for (uint32_t i = 0; i < w->item_count; i++)
		if (supply_days(w->dossier, &w->items[i], &from_units) < 0 ||
		    (from_units && leaves_rest(w, &w->items[i])))
			return true;
	return false;
}

/* Expand the needs of the days from chunk_on; false where they are too many. */
static bool
load_chunk(const struct walk *w, struct regimens *regimens, int32_t chunk_on)
{
	regimens->chunk_on = chunk_on;
	for (uint32_t i = 0; i < regimens->count; i++) {
		struct regimen *c = &regimens->list[i];

		c->amounts =
		    arena_array(w->arena, CHUNK_DAYS, sizeof(*c->amounts));
		if (!dose_amounts(w->dossier, c->prescription, chunk_on,
			chunk_on + CHUNK_DAYS, w->arena, c->amounts))
			return false;
	}
	return true;
}

/* Will nothing be taken any more from a date on? */
static bool
therapy_over(
    const struct walk *w, const struct regimens *regimens, int32_t date_on)
{
	int64_t at = zone_instant(w->dossier->zone, date_on, 0);

	for (uint32_t i = 0; i < regimens->count; i++) {
		const struct regimen *c = &regimens->list[i];

		if (date_on < c->until_on &&
		    (c->next < 0 || !regimens->list[c->next].begun) &&
		    dose_schedule_end(w->dossier, c->prescription) > at)
			return false;
	}
	return true;
}

/* The units that a day needs; -1 where the sum does not fit. */
static int64_t
day_need(struct regimens *regimens, int32_t date_on)
{
	int32_t day = date_on - regimens->chunk_on;
	int64_t need = 0;

	for (uint32_t i = 0; i < regimens->count; i++)
		if (regimens->list[i].amounts[day] > 0)
			regimens->list[i].begun = true;
	for (uint32_t i = 0; i < regimens->count; i++) {
		const struct regimen *c = &regimens->list[i];

		if (date_on >= c->until_on ||
		    (c->next >= 0 && regimens->list[c->next].begun))
			continue;
		if (__builtin_add_overflow(need, c->amounts[day], &need))
			return -1;
	}
	return need;
}

/* Stock in the order of the fills: the oldest is used first. */
struct stock {
	int64_t given, used;
	int32_t free_days; /* of a count in days: they come first */
	int32_t last_use_on;
	int32_t end_on;       /* the day after the last that was seen to */
	uint32_t given_count; /* fills in hand */
	uint32_t open;        /* fills begun, the last of them in use */
	bool dry;             /* … and that one is used up */
};

/* The fill in use is used up on that day. */
static void
close_fill(struct walk *w, struct stock *stock, int32_t date_on)
{
	if (stock->open > 0 && !stock->dry)
		w->fills[stock->open - 1].end_on = date_on;
	stock->dry = true;
}

/*
 * The patient counted: what was given before is used up, and this is all.
 * Days that were counted are days that need no units.
 */
static bool
take_count(struct walk *w, struct stock *stock, int64_t *sums, uint32_t i)
{
	const struct correction *count = w->items[i].correction;
	int32_t date_on = w->items[i].given_on;
	int64_t left = count->days >= 0 ? 0 : count->quantity_micro;

	close_fill(w, stock, date_on);
	for (; stock->open < i; stock->open++)
		w->fills[stock->open].start_on = w->fills[stock->open].end_on =
		    date_on;
	if (__builtin_add_overflow(stock->used, left, &stock->given))
		return false;
	sums[i] = stock->given;
	w->fills[i].start_on = date_on;
	w->fills[i].days_from_units = count->days < 0;
	stock->free_days = count->days >= 0 ? count->days : 0;
	stock->open = i + 1;
	stock->dry = false;
	stock->end_on = date_on;
	return true;
}

static bool
take_in(struct walk *w, struct stock *stock, int64_t *sums, int32_t date_on)
{
	for (; stock->given_count < w->item_count &&
	       w->items[stock->given_count].given_on <= date_on;
	     stock->given_count++) {
		uint32_t i = stock->given_count;
		const char *unit;

		w->fills[i] = supply_row(&w->items[i]);
		if (w->items[i].fill == NULL) {
			if (!take_count(w, stock, sums, i))
				return false;
			continue;
		}
		if (__builtin_add_overflow(stock->given,
			supply_quantity(w->dossier, &w->items[i], &unit),
			&stock->given))
			return false;
		sums[i] = stock->given;
		w->fills[i].days_from_units = true;
		if (stock->end_on < date_on)
			stock->end_on = date_on;
	}
	return true;
}

/* Use a day's need; false, with nothing left, where it cannot be met. */
static bool
use_day(struct walk *w, struct stock *stock, const int64_t *sums, int64_t need,
    int32_t date_on)
{
	if (need > stock->given - stock->used) {
		close_fill(w, stock, stock->end_on);
		/* too little for a dose is no stock; but it was given */
		for (; stock->open < stock->given_count; stock->open++)
			w->fills[stock->open].start_on =
			    w->fills[stock->open].end_on = date_on;
		stock->used = stock->given;
		return false;
	}
	stock->used += need;
	stock->last_use_on = date_on;
	while (stock->open < stock->given_count &&
	       (stock->open == 0 || stock->used > sums[stock->open - 1])) {
		close_fill(w, stock, date_on);
		w->fills[stock->open++].start_on = date_on;
		stock->dry = false;
	}
	return true;
}

/* Remember where the need of a day changes, for people. */
static void
note_need(struct walk *w, struct supply_need *needs, int64_t need, int32_t on)
{
	uint32_t count = w->supply->need_count;

	if (count < SUPPLY_NEEDS_MAX &&
	    (count == 0 || needs[count - 1].micro != need)) {
		needs[count] = (struct supply_need){on, need};
		w->supply->need_count++;
	}
}

/*
 * Does the stock last through a day?  Paused days, those that need nothing
 * and those that were counted use none of it.
 */
static bool
lasts(struct walk *w, struct stock *stock, const int64_t *sums, int64_t need,
    int32_t date_on)
{
	if (supply_paused(w, date_on))
		return true;
	if (stock->free_days > 0) {
		stock->free_days--;
		stock->last_use_on = date_on;
	} else if (need > 0 && !use_day(w, stock, sums, need, date_on)) {
		return false;
	}
	stock->end_on = date_on + 1;
	return true;
}

/*
 * Day by day from the first fill to the first day after the last one whose
 * need cannot be met.  False where that cannot be reckoned; run_out_on
 * stays unknown where the therapy ends, or the stock lasts, before it.
 */
static bool
walk_units(struct walk *w, struct regimens *regimens)
{
	struct supply *s = w->supply;
	int64_t *sums = arena_array(w->arena, w->item_count, sizeof(*sums));
	int32_t last_on = w->items[w->item_count - 1].given_on;
	int32_t date_on = w->items[0].given_on;
	struct stock stock = {.last_use_on = date_on - 1, .end_on = date_on};
	struct supply_need *needs =
	    arena_array(w->arena, SUPPLY_NEEDS_MAX, sizeof(*needs));

	for (int32_t first_on = date_on;; date_on++) {
		int64_t need;

		if ((date_on - first_on) % CHUNK_DAYS == 0) {
			if (date_on > last_on + SUPPLY_DAYS_MAX ||
			    (date_on > last_on &&
				therapy_over(w, regimens, date_on)))
				break;
			if (!load_chunk(w, regimens, date_on))
				return false;
		}
		if (!take_in(w, &stock, sums, date_on))
			return false;
		need = day_need(regimens, date_on);
		if (need < 0)
			return false;
		note_need(w, needs, need, date_on);
		if (lasts(w, &stock, sums, need, date_on))
			continue;
		if (date_on >= last_on) {
			s->run_out_on = stock.end_on;
			break;
		}
	}
	date_on =
	    s->run_out_on != ON_UNKNOWN ? s->run_out_on : stock.last_use_on + 1;
	close_fill(w, &stock, date_on);
	for (uint32_t i = stock.open; i < w->item_count; i++)
		w->fills[i].start_on = w->fills[i].end_on = date_on;
	for (uint32_t i = 0; i < w->item_count; i++)
		w->fills[i].days = supply_count_days(
		    w, w->fills[i].start_on, w->fills[i].end_on);
	s->fill_count = w->item_count;
	s->needs = needs;
	s->by_units = true;
	return true;
}

bool
supply_walk_units(struct walk *w)
{
	struct regimens regimens;

	return find_regimens(w, w->supply->drug, &regimens) &&
	       units_agree(w, &regimens) && units_needed(w, &regimens) &&
	       walk_units(w, &regimens);
}
