/*
 * Supply: the fills of each drug laid end to end (adherence.md 1), or, where
 * the dose changes and units agree, stock used up day by day (7), to the
 * first day without medicine.  Nothing is invented: a fill whose days cannot
 * be worked out adds none and is listed.  Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "care/dose_schedule.h"
#include "care/look.h"
#include "care/supply_walk.h"
#include "care/timing.h"

#define DATE_MIN (-719162) /* year 1 */
#define DATE_MAX 2932896   /* year 9999 */
#define NOON_S (12 * 3600)

/* ---- hospital days ---- */

static int
compare_pauses(const void *left, const void *right)
{
	const struct pause *a = left, *b = right;

	return (a->from_on > b->from_on) - (a->from_on < b->from_on);
}

/* The first local date whose noon is not before an instant. */
static int32_t
noon_from(const struct zone *zone, int64_t at)
{
	int32_t time_s, date_on;

	if (at == AT_UNKNOWN)
		return DATE_MIN;
	date_on = zone_local(zone, at, &time_s);
	date_on = date_on < DATE_MIN   ? DATE_MIN
		  : date_on > DATE_MAX ? DATE_MAX
				       : date_on;
	return zone_instant(zone, date_on, NOON_S) < at ? date_on + 1 : date_on;
}

/*
 * A day is one in hospital if its noon is.  A stay that nobody has ended
 * yet lasts through today; one to come counts as far as it is known.
 */
void
supply_find_pauses(struct walk *w)
{
	const struct dossier *d = w->dossier;
	uint32_t count = 0, kept = 0;

	w->pauses =
	    arena_array(w->arena, d->stay_count + 1, sizeof(*w->pauses));
	w->open_on = ON_NEVER;
	for (uint32_t i = 0; i < d->stay_count; i++) {
		const struct stay *stay = &d->stays[i];

		struct pause pause = {
		    .from_on = noon_from(d->zone, stay->from_at),
		    .until_on = stay->until_at == AT_NEVER
				    ? zone_local(d->zone, w->now, NULL) + 1
				    : noon_from(d->zone, stay->until_at),
		};

		if (stay->until_at == AT_NEVER && pause.from_on < w->open_on)
			w->open_on = pause.from_on;
		if (pause.from_on < pause.until_on)
			w->pauses[count++] = pause;
	}
	qsort(w->pauses, count, sizeof(*w->pauses), compare_pauses);
	for (uint32_t i = 0; i < count; i++) {
		if (kept > 0 &&
		    w->pauses[i].from_on <= w->pauses[kept - 1].until_on) {
			if (w->pauses[i].until_on >
			    w->pauses[kept - 1].until_on)
				w->pauses[kept - 1].until_on =
				    w->pauses[i].until_on;
		} else {
			w->pauses[kept++] = w->pauses[i];
		}
	}
	w->pause_count = kept;
}

bool
supply_paused(const struct walk *w, int32_t date_on)
{
	for (uint32_t i = 0; i < w->pause_count; i++)
		if (w->pauses[i].from_on <= date_on &&
		    date_on < w->pauses[i].until_on)
			return true;
	return false;
}

/*
 * The day after so many days of supply are used up: days in hospital before
 * that use none.  A stay that begins then has nothing left to spare.
 */
static int32_t
add_days(const struct walk *w, int32_t from_on, int32_t days)
{
	int32_t at_on = from_on;

	for (uint32_t i = 0; i < w->pause_count; i++) {
		const struct pause *pause = &w->pauses[i];

		if (pause->until_on <= at_on)
			continue;
		if (days == 0 || pause->from_on - at_on >= days)
			break;
		if (pause->from_on > at_on)
			days -= pause->from_on - at_on;
		at_on = pause->until_on;
	}
	return at_on + days;
}

static int32_t
count_days(const struct pause *pauses, uint32_t count, int32_t from_on,
    int32_t until_on)
{
	int32_t days = until_on - from_on;

	for (uint32_t i = 0; i < count; i++) {
		const struct pause *p = &pauses[i];
		int32_t from = p->from_on > from_on ? p->from_on : from_on;
		int32_t until = p->until_on < until_on ? p->until_on : until_on;

		if (from < until)
			days -= until - from;
	}
	return days;
}

int32_t
supply_count_days(const struct walk *w, int32_t from_on, int32_t until_on)
{
	return count_days(w->pauses, w->pause_count, from_on, until_on);
}

int32_t
supply_left_days(const struct supply *supply, int32_t date_on)
{
	if (supply->run_out_on == ON_UNKNOWN || supply->run_out_on <= date_on)
		return 0;
	return count_days(
	    supply->pauses, supply->pause_count, date_on, supply->run_out_on);
}

/* ---- units ---- */

static bool
rate_add(struct rate *sum, int64_t numerator, int64_t denominator)
{
	int64_t left, right;

	return !__builtin_mul_overflow(sum->numerator, denominator, &left) &&
	       !__builtin_mul_overflow(numerator, sum->denominator, &right) &&
	       !__builtin_add_overflow(left, right, &sum->numerator) &&
	       !__builtin_mul_overflow(
		   sum->denominator, denominator, &sum->denominator);
}

bool
supply_takes_turns(const struct dossier *d, const struct prescription *p)
{
	for (uint32_t i = 0; i < p->dosage_count && p->dosage_count > 1; i++) {
		struct prescription alone = *p;

		alone.dosages = &p->dosages[i];
		alone.dosage_count = 1;
		if (p->dosages[i].sequence != p->dosages[0].sequence ||
		    dose_schedule_end(d, &alone) != AT_NEVER)
			return true;
	}
	return false;
}

bool
supply_steady_rate(
    const struct dossier *d, const struct prescription *p, struct rate *rate)
{
	*rate = (struct rate){0, 1};
	for (uint32_t i = 0; i < p->dosage_count; i++) {
		const struct dosage *g = &p->dosages[i];
		int64_t numerator, denominator;

		if (g->as_needed || g->timing == NULL || g->dose_micro <= 0 ||
		    (i > 0 &&
			!look_same(g->dose_unit, p->dosages[0].dose_unit)) ||
		    !timing_daily(
			g->timing, &d->profile, &numerator, &denominator) ||
		    __builtin_mul_overflow(
			numerator, g->dose_micro, &numerator) ||
		    !rate_add(rate, numerator, denominator))
			return false;
	}
	return rate->numerator > 0 && !supply_takes_turns(d, p);
}

/* The first of its prescription: initialFill is about that one. */
static bool
is_initial(const struct dossier *d, const struct item *item)
{
	const struct prescription *p = item->prescription;
	const struct fill *fill = item->fill;

	if (p == NULL || fill->prescription_no != p->no)
		return false;
	for (uint32_t i = 0; i < d->fill_count; i++) {
		const struct fill *other = &d->fills[i];

		if (other->status == FILL_COMPLETED &&
		    other->prescription_no == p->no &&
		    (other->handed_over_at < fill->handed_over_at ||
			(other->handed_over_at == fill->handed_over_at &&
			    other->no < fill->no)))
			return false;
	}
	return true;
}

int64_t
supply_quantity(
    const struct dossier *d, const struct item *item, const char **unit)
{
	const struct prescription *p = item->prescription;

	*unit = NULL;
	if (item->fill == NULL) {
		*unit = item->correction->quantity_unit;
		return item->correction->quantity_micro;
	}
	if (item->fill->quantity_micro > 0) {
		*unit = item->fill->quantity_unit;
		return item->fill->quantity_micro;
	}
	if (p != NULL && p->initial_quantity_micro > 0 && is_initial(d, item)) {
		*unit = p->initial_quantity_unit;
		return p->initial_quantity_micro;
	}
	if (p == NULL || p->quantity_micro <= 0)
		return -1;
	*unit = p->quantity_unit;
	return p->quantity_micro;
}

/* As somebody stated them; -1: nobody did. */
static int32_t
stated_days(const struct dossier *d, const struct item *item)
{
	const struct prescription *p = item->prescription;

	if (item->fill == NULL)
		return item->correction->days;
	if (item->fill->days_supply > 0)
		return item->fill->days_supply;
	if (p == NULL)
		return -1;
	if ((p->initial_days > 0 || p->initial_quantity_micro > 0) &&
	    is_initial(d, item))
		return p->initial_days > 0 ? p->initial_days : -1;
	return p->supply_days > 0 ? p->supply_days : -1;
}

int32_t
supply_days(const struct dossier *d, const struct item *item, bool *from_units)
{
	const struct prescription *p = item->prescription;
	int32_t days = stated_days(d, item);
	int64_t quantity, units;
	struct rate rate;
	const char *unit;

	*from_units = false;
	if (days >= 0)
		return days <= SUPPLY_DAYS_MAX ? days : -1;
	quantity = supply_quantity(d, item, &unit);
	if (quantity < 0 || p == NULL || !supply_steady_rate(d, p, &rate) ||
	    !look_same(unit, p->dosages[0].dose_unit) ||
	    __builtin_mul_overflow(quantity, rate.denominator, &units))
		return -1;
	units /= rate.numerator;
	*from_units = true;
	/* a fill of less than a day is a slip; nothing left is not */
	if (units < (item->fill != NULL ? 1 : 0) || units > SUPPLY_DAYS_MAX)
		return -1;
	return (int32_t)units;
}

struct supply_fill
supply_row(const struct item *item)
{
	bool correction = item->fill == NULL;

	return (struct supply_fill){
	    .fill_no = correction ? item->correction->no : item->fill->no,
	    .correction = correction,
	    .given_on = item->given_on,
	};
}

/* ---- the walk by days ---- */

/* What was counted stands for all that was given before. */
static void
walk_days(struct walk *w)
{
	struct supply *s = w->supply;
	int32_t end_on = DATE_MIN;

	for (uint32_t i = 0; i < w->item_count; i++) {
		const struct item *item = &w->items[i];
		struct supply_fill *f = &w->fills[s->fill_count];
		bool from_units;
		int32_t days = supply_days(w->dossier, item, &from_units);

		if (days < 0 && item->fill != NULL)
			w->unclear[s->unclear_count++] = item->fill->no;
		if (days < 0)
			continue;
		*f = supply_row(item);
		f->days = days;
		f->days_from_units = from_units;
		f->start_on = f->correction || f->given_on > end_on
				  ? f->given_on
				  : end_on;
		f->end_on = end_on = add_days(w, f->start_on, days);
		s->fill_count++;
		s->run_out_on = end_on;
	}
}

/* ---- one drug, all drugs ---- */

/* The newest prescription of the drug that is in force and not over. */
static int32_t
going_on(const struct walk *w, const char *drug)
{
	const struct dossier *d = w->dossier;
	const struct prescription *best = NULL;

	for (uint32_t i = 0; i < d->prescription_count; i++) {
		const struct prescription *p = &d->prescriptions[i];

		if (look_same(p->drug, drug) &&
		    dose_prescription_active(p, w->now) &&
		    dose_schedule_end(d, p) > w->now &&
		    (best == NULL || look_compare_authored(p, best) > 0))
			best = p;
	}
	return best == NULL ? 0 : best->no;
}

static const char *
item_drug(const struct item *item)
{
	return item->fill != NULL ? item->fill->drug : item->correction->drug;
}

/*
 * Days of a fill by units; where a count came after it, what they would
 * have been without that.
 */
static int32_t
last_days(const struct walk *w, uint32_t row)
{
	struct supply before = {
	    .drug = w->supply->drug, .run_out_on = ON_UNKNOWN};
	struct walk until = *w;
	bool from_units;
	int32_t days;

	if (!w->supply->by_units || row + 1 == w->item_count)
		return w->fills[row].days;
	until.supply = &before;
	until.item_count = row + 1;
	until.fills =
	    arena_array(w->arena, until.item_count, sizeof(*until.fills));
	if (supply_walk_units(&until))
		return until.fills[row].days;
	days = supply_days(w->dossier, &w->items[row], &from_units);
	return days > 0 ? days : w->fills[row].days;
}

static void
walk_drug(struct walk *w)
{
	struct supply *s = w->supply;
	const char *drug = item_drug(&w->items[0]);

	w->fills = arena_array(w->arena, w->item_count, sizeof(*w->fills));
	w->unclear = arena_array(w->arena, w->item_count, sizeof(*w->unclear));
	*s = (struct supply){
	    .drug = drug,
	    .run_out_on = ON_UNKNOWN,
	    .last_start_on = ON_UNKNOWN,
	    .last_fill_on = ON_UNKNOWN,
	    .prescription_no = going_on(w, drug),
	    .fills = w->fills,
	    .unclear = w->unclear,
	    .known_at = w->now,
	};
	if (!supply_walk_units(w))
		walk_days(w);
	for (uint32_t i = 0; i < w->item_count; i++)
		if (w->items[i].fill != NULL)
			s->last_fill_on = w->items[i].given_on;
	for (uint32_t i = s->fill_count; i > 0; i--) {
		if (s->fills[i - 1].correction)
			continue;
		s->last_start_on = s->fills[i - 1].start_on;
		s->last_days = last_days(w, i - 1);
		break;
	}
	s->paused = w->open_on < s->run_out_on;
	s->pauses = w->pauses;
	s->pause_count = w->pause_count;
}

/* The drug's newest prescription at an instant. */
static const struct prescription *
newest_prescription(const struct dossier *d, const char *drug, int64_t at)
{
	const struct prescription *best = NULL;

	for (uint32_t i = 0; i < d->prescription_count; i++) {
		const struct prescription *p = &d->prescriptions[i];

		if (look_same(p->drug, drug) &&
		    p->status != PRESCRIPTION_ERROR &&
		    p->status != PRESCRIPTION_DRAFT && p->authored_at <= at &&
		    (best == NULL || look_compare_authored(p, best) > 0))
			best = p;
	}
	return best;
}

const struct prescription *
supply_prescription(const struct dossier *d, const struct fill *fill)
{
	return fill->prescription_no != 0
		   ? dossier_prescription(d, fill->prescription_no)
		   : newest_prescription(d, fill->drug, fill->handed_over_at);
}

/* Corrections after the fills of their instant: they count these too. */
static int
compare_items(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	int order = strcmp(item_drug(a), item_drug(b));

	if (order != 0)
		return order;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if ((a->fill == NULL) != (b->fill == NULL))
		return a->fill == NULL ? 1 : -1;
	return a->fill != NULL
		   ? (a->fill->no > b->fill->no) - (a->fill->no < b->fill->no)
		   : (a->correction->no > b->correction->no) -
			 (a->correction->no < b->correction->no);
}

/* Add what is known by now and has a date; true if it was added. */
static bool
add_item(const struct walk *w, struct item *items, uint32_t *count, int64_t at)
{
	int32_t given_on;

	if (at > w->now || at == AT_UNKNOWN)
		return false;
	given_on = zone_local(w->dossier->zone, at, NULL);
	if (given_on < DATE_MIN || given_on > DATE_MAX)
		return false;
	items[(*count)++] = (struct item){.at = at, .given_on = given_on};
	return true;
}

/* What counts, drug by drug, each drug's by date. */
static struct item *
collect_items(const struct walk *w, uint32_t *count)
{
	const struct dossier *d = w->dossier;
	struct item *items = arena_array(w->arena,
	    (size_t)d->fill_count + d->correction_count + 1, sizeof(*items));

	*count = 0;
	for (uint32_t i = 0; i < d->fill_count; i++) {
		const struct fill *fill = &d->fills[i];

		if (fill->status == FILL_COMPLETED &&
		    add_item(w, items, count, fill->handed_over_at)) {
			items[*count - 1].fill = fill;
			items[*count - 1].prescription =
			    supply_prescription(d, fill);
		}
	}
	for (uint32_t i = 0; i < d->correction_count; i++) {
		const struct correction *c = &d->corrections[i];

		if (add_item(w, items, count, c->at)) {
			items[*count - 1].correction = c;
			items[*count - 1].prescription =
			    newest_prescription(d, c->drug, c->at);
		}
	}
	qsort(items, *count, sizeof(*items), compare_items);
	return items;
}

uint32_t
supply_walk(const struct dossier *dossier, int64_t now, struct arena *arena,
    const struct supply **supplies)
{
	struct walk w = {.dossier = dossier, .now = now, .arena = arena};
	struct list list;
	uint32_t count;
	const struct item *items = collect_items(&w, &count);

	list_init(&list, arena, sizeof(struct supply));
	if (count > 0)
		supply_find_pauses(&w);
	for (uint32_t i = 0; i < count; i += w.item_count) {
		w.items = &items[i];
		w.item_count = 1;
		while (i + w.item_count < count &&
		       strcmp(item_drug(&items[i + w.item_count]),
			   item_drug(&items[i])) == 0)
			w.item_count++;
		w.supply = list_add(&list);
		walk_drug(&w);
	}
	*supplies = list.data;
	return (uint32_t)list.count;
}

int32_t
supply_on_hand_days(const struct supply *supply, int32_t date_on)
{
	if (supply->run_out_on == ON_UNKNOWN || supply->run_out_on <= date_on)
		return 0;
	return supply->run_out_on - date_on;
}

int32_t
supply_earliest_refill(const struct supply *supply,
    const struct prescription *prescription, int32_t used_pct)
{
	if (prescription != NULL && prescription->interval_days >= 0 &&
	    supply->last_fill_on != ON_UNKNOWN)
		return supply->last_fill_on + prescription->interval_days;
	if (supply->run_out_on == ON_UNKNOWN)
		return ON_UNKNOWN;
	return supply->run_out_on - (100 - used_pct) * supply->last_days / 100;
}

int32_t
supply_refills_left(const struct dossier *dossier,
    const struct prescription *prescription, int64_t now)
{
	int32_t fills = 0, left;

	if (prescription->repeats_allowed < 0)
		return -1;
	for (uint32_t i = 0; i < dossier->fill_count; i++) {
		const struct fill *fill = &dossier->fills[i];
		const struct prescription *its;

		if (fill->status != FILL_COMPLETED ||
		    fill->handed_over_at > now)
			continue;
		its = supply_prescription(dossier, fill);
		if (its != NULL && its->no == prescription->no)
			fills++;
	}
	left = prescription->repeats_allowed - (fills > 0 ? fills - 1 : 0);
	return left > 0 ? left : 0;
}
