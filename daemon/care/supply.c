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
 * yet lasts through today; one to come is not known to happen.
 */
static void
find_pauses(struct walk *w)
{
	const struct dossier *d = w->dossier;
	uint32_t count = 0, kept = 0;

	w->pauses =
	    arena_array(w->arena, d->stay_count + 1, sizeof(*w->pauses));
	for (uint32_t i = 0; i < d->stay_count; i++) {
		const struct stay *stay = &d->stays[i];

		if (stay->from_at > w->now || stay->until_at <= stay->from_at)
			continue;
		w->pauses[count++] = (struct pause){
		    .from_on = noon_from(d->zone, stay->from_at),
		    .until_on = stay->until_at == AT_NEVER
				    ? zone_local(d->zone, w->now, NULL) + 1
				    : noon_from(d->zone, stay->until_at),
		};
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
 * The day on which so many days of supply are used up and the next one
 * would be needed: days in hospital use none and need none.
 */
static int32_t
add_days(const struct walk *w, int32_t from_on, int32_t days)
{
	int32_t at_on = from_on;

	for (uint32_t i = 0; i < w->pause_count; i++) {
		const struct pause *pause = &w->pauses[i];

		if (pause->until_on <= at_on)
			continue;
		if (pause->from_on > at_on) {
			if (days < pause->from_on - at_on)
				break;
			days -= pause->from_on - at_on;
		}
		at_on = pause->until_on;
	}
	return at_on + days;
}

int32_t
supply_count_days(const struct walk *w, int32_t from_on, int32_t until_on)
{
	int32_t days = until_on - from_on;

	for (uint32_t i = 0; i < w->pause_count; i++) {
		const struct pause *p = &w->pauses[i];
		int32_t from = p->from_on > from_on ? p->from_on : from_on;
		int32_t until = p->until_on < until_on ? p->until_on : until_on;

		if (from < until)
			days -= until - from;
	}
	return days;
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

int64_t
supply_quantity(const struct item *item, const char **unit)
{
	const struct prescription *p = item->prescription;

	*unit = NULL;
	if (item->fill->quantity_micro > 0) {
		*unit = item->fill->quantity_unit;
		return item->fill->quantity_micro;
	}
	if (p == NULL || p->quantity_micro <= 0)
		return -1;
	*unit = p->quantity_unit;
	return p->quantity_micro;
}

int32_t
supply_days(const struct dossier *d, const struct item *item, bool *from_units)
{
	const struct prescription *p = item->prescription;
	int32_t days = item->fill->days_supply;
	int64_t quantity, units;
	struct rate rate;
	const char *unit;

	*from_units = false;
	if (days <= 0 && p != NULL)
		days = p->supply_days;
	if (days > 0)
		return days <= SUPPLY_DAYS_MAX ? days : -1;
	quantity = supply_quantity(item, &unit);
	if (quantity < 0 || p == NULL || !supply_steady_rate(d, p, &rate) ||
	    !look_same(unit, p->dosages[0].dose_unit) ||
	    __builtin_mul_overflow(quantity, rate.denominator, &units))
		return -1;
	units /= rate.numerator;
	*from_units = true;
	return units >= 1 && units <= SUPPLY_DAYS_MAX ? (int32_t)units : -1;
}

/* ---- the walk by days ---- */

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

		if (days < 0) {
			w->unclear[s->unclear_count++] = item->fill->no;
			continue;
		}
		*f = (struct supply_fill){
		    .fill_no = item->fill->no,
		    .given_on = item->given_on,
		    .start_on =
			item->given_on > end_on ? item->given_on : end_on,
		    .days = days,
		    .days_from_units = from_units,
		};
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

static void
walk_drug(struct walk *w)
{
	struct supply *s = w->supply;
	const char *drug = w->items[0].fill->drug;

	w->fills = arena_array(w->arena, w->item_count, sizeof(*w->fills));
	w->unclear = arena_array(w->arena, w->item_count, sizeof(*w->unclear));
	*s = (struct supply){
	    .drug = drug,
	    .run_out_on = ON_UNKNOWN,
	    .last_start_on = ON_UNKNOWN,
	    .last_fill_on = w->items[w->item_count - 1].given_on,
	    .prescription_no = going_on(w, drug),
	    .fills = w->fills,
	    .unclear = w->unclear,
	    .known_at = w->now,
	};
	if (!supply_walk_units(w))
		walk_days(w);
	if (s->fill_count > 0) {
		s->last_start_on = s->fills[s->fill_count - 1].start_on;
		s->last_days = s->fills[s->fill_count - 1].days;
	}
}

/* The prescription of a fill; where it names none, the drug's newest then. */
static const struct prescription *
fill_prescription(const struct dossier *d, const struct fill *fill)
{
	const struct prescription *best = NULL;

	if (fill->prescription_no != 0)
		return dossier_prescription(d, fill->prescription_no);
	for (uint32_t i = 0; i < d->prescription_count; i++) {
		const struct prescription *p = &d->prescriptions[i];

		if (look_same(p->drug, fill->drug) &&
		    p->status != PRESCRIPTION_ERROR &&
		    p->status != PRESCRIPTION_DRAFT &&
		    p->authored_at <= fill->handed_over_at &&
		    (best == NULL || look_compare_authored(p, best) > 0))
			best = p;
	}
	return best;
}

static int
compare_items(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	int order = strcmp(a->fill->drug, b->fill->drug);

	if (order != 0)
		return order;
	if (a->fill->handed_over_at != b->fill->handed_over_at)
		return a->fill->handed_over_at < b->fill->handed_over_at ? -1
									 : 1;
	return (a->fill->no > b->fill->no) - (a->fill->no < b->fill->no);
}

/* The fills that count, drug by drug, each drug's by date. */
static struct item *
collect_items(const struct walk *w, uint32_t *count)
{
	const struct dossier *d = w->dossier;
	struct item *items =
	    arena_array(w->arena, d->fill_count + 1, sizeof(*items));

	*count = 0;
	for (uint32_t i = 0; i < d->fill_count; i++) {
		const struct fill *fill = &d->fills[i];
		int32_t given_on;

		if (fill->status != FILL_COMPLETED ||
		    fill->handed_over_at > w->now ||
		    fill->handed_over_at == AT_UNKNOWN)
			continue;
		given_on = zone_local(d->zone, fill->handed_over_at, NULL);
		if (given_on < DATE_MIN || given_on > DATE_MAX)
			continue;
		items[(*count)++] = (struct item){
		    .fill = fill,
		    .prescription = fill_prescription(d, fill),
		    .given_on = given_on,
		};
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
		find_pauses(&w);
	for (uint32_t i = 0; i < count; i += w.item_count) {
		w.items = &items[i];
		w.item_count = 1;
		while (i + w.item_count < count &&
		       strcmp(items[i + w.item_count].fill->drug,
			   items[i].fill->drug) == 0)
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
	if (prescription != NULL && prescription->interval_days >= 0)
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
	for (uint32_t i = 0; i < dossier->fill_count; i++)
		if (dossier->fills[i].prescription_no == prescription->no &&
		    dossier->fills[i].status == FILL_COMPLETED &&
		    dossier->fills[i].handed_over_at <= now)
			fills++;
	left = prescription->repeats_allowed - (fills > 0 ? fills - 1 : 0);
	return left > 0 ? left : 0;
}

/* ---- derivation ---- */

static const char *
date_text(struct arena *arena, int32_t date_on)
{
	char text[11];

	civil_format(date_on, text);
	return arena_text(arena, text);
}

static const char *
days_text(struct arena *arena, int32_t days)
{
	return arena_printf(arena, "%d day%s", (int)days, days == 1 ? "" : "s");
}

static const char *
derive_fill(struct arena *arena, const struct supply_fill *f,
    const struct supply_fill *before)
{
	const char *between = "";

	if (before != NULL && before->end_on > f->given_on)
		between = arena_printf(arena, ", %s early",
		    days_text(arena, before->end_on - f->given_on));
	else if (before != NULL && before->end_on < f->start_on)
		between = arena_printf(arena, ", after %s without",
		    days_text(arena, f->start_on - before->end_on));
	return arena_printf(arena, "%s: %s%s%s, from %s until %s",
	    date_text(arena, f->given_on), days_text(arena, f->days),
	    f->days_from_units ? " by units" : "", between,
	    date_text(arena, f->start_on), date_text(arena, f->end_on));
}

static void
add_line(struct list *lines, const char *line)
{
	*(const char **)list_add(lines) = line;
}

/* The fills of this drug that add nothing, and why. */
static void
derive_others(const struct dossier *d, const struct supply *s,
    struct arena *arena, struct list *lines)
{
	static const char *const why[] = {
	    [FILL_COMPLETED] = "not handed over",
	    [FILL_IN_PROGRESS] = "in progress",
	    [FILL_CANCELLED] = "cancelled",
	    [FILL_ERROR] = "entered in error",
	};

	for (uint32_t i = 0; i < s->unclear_count; i++)
		add_line(lines, arena_printf(arena,
				    "fill %d: its days' supply cannot be "
				    "worked out, not counted",
				    (int)s->unclear[i]));
	for (uint32_t i = 0; i < d->fill_count; i++) {
		const struct fill *fill = &d->fills[i];

		if (look_same(fill->drug, s->drug) &&
		    fill->status < COUNT(why) && why[fill->status] != NULL &&
		    (fill->status != FILL_COMPLETED ||
			fill->handed_over_at > s->known_at))
			add_line(lines,
			    arena_printf(arena, "fill %d: %s, not counted",
				(int)fill->no, why[fill->status]));
	}
}

uint32_t
supply_derive(const struct dossier *dossier, const struct supply *supply,
    struct arena *arena, const char *const **lines)
{
	struct walk w = {
	    .dossier = dossier, .now = supply->known_at, .arena = arena};
	struct list list;

	list_init(&list, arena, sizeof(const char *));
	find_pauses(&w);
	for (uint32_t i = 0; i < supply->fill_count; i++)
		add_line(&list, derive_fill(arena, &supply->fills[i],
				    i > 0 ? &supply->fills[i - 1] : NULL));
	for (uint32_t i = 0; i < w.pause_count; i++)
		add_line(&list,
		    arena_printf(arena,
			"in hospital from %s until %s: no own supply used",
			date_text(arena, w.pauses[i].from_on),
			date_text(arena, w.pauses[i].until_on)));
	derive_others(dossier, supply, arena, &list);
	add_line(&list,
	    supply->run_out_on == ON_UNKNOWN
		? "no run-out date"
		: arena_printf(arena, "runs out on %s, the first day without",
		      date_text(arena, supply->run_out_on)));
	*lines = list.data;
	return (uint32_t)list.count;
}
