/*
 * How a run-out date came about: one line for each fill and each count, the
 * days without own supply, what does not count and why, and the sum.  In
 * English, dates as they are written, so that a pharmacist can do it again
 * by hand.  The same facts give the same lines.  Pure.
 */
#include <string.h>

#include "care/look.h"
#include "care/supply_walk.h"

struct derivation {
	const struct supply *supply;
	struct walk walk; /* its pauses */
	struct arena *arena;
	struct list lines;
};

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

/* "1.5 TAB" */
static const char *
amount_text(struct arena *arena, int64_t micro, const char *unit)
{
	char *text = arena_printf(arena, "%lld.%06lld",
	    (long long)(micro / 1000000), (long long)(micro % 1000000));
	size_t bytes = strlen(text);

	while (text[bytes - 1] == '0')
		bytes--;
	if (text[bytes - 1] == '.')
		bytes--;
	text[bytes] = '\0';
	return unit == NULL || *unit == '\0'
		   ? text
		   : arena_printf(arena, "%s %s", text, unit);
}

static void
say(struct derivation *d, const char *line)
{
	*(const char **)list_add(&d->lines) = line;
}

/* ---- fills and counts ---- */

static const struct fill *
find_fill(const struct derivation *d, int32_t no)
{
	const struct dossier *dossier = d->walk.dossier;

	for (uint32_t i = 0; i < dossier->fill_count; i++)
		if (dossier->fills[i].no == no)
			return &dossier->fills[i];
	return NULL;
}

static const struct correction *
find_correction(const struct derivation *d, int32_t no)
{
	const struct dossier *dossier = d->walk.dossier;

	for (uint32_t i = 0; i < dossier->correction_count; i++)
		if (dossier->corrections[i].no == no)
			return &dossier->corrections[i];
	return NULL;
}

/* The item that a row stands for. */
static struct item
row_item(const struct derivation *d, const struct supply_fill *row)
{
	struct item item = {.given_on = row->given_on};

	if (row->correction) {
		item.correction = find_correction(d, row->fill_no);
		return item;
	}
	item.fill = find_fill(d, row->fill_no);
	item.prescription = supply_prescription(d->walk.dossier, item.fill);
	return item;
}

static const char *
units_text(const struct derivation *d, const struct item *item)
{
	const char *unit;
	int64_t micro = supply_quantity(d->walk.dossier, item, &unit);

	return amount_text(d->arena, micro, unit);
}

/* "6 mL a day", "2 TAB in 3 days" */
static const char *
rate_text(const struct derivation *d, const struct prescription *p)
{
	const char *unit = p->dosages[0].dose_unit;
	struct rate rate;

	if (!supply_steady_rate(d->walk.dossier, p, &rate))
		return "the dose as it is";
	/* the fewest days that take whole millionths */
	for (int64_t prime = 2; prime <= 7; prime++)
		while (rate.numerator % prime == 0 &&
		       rate.denominator % prime == 0) {
			rate.numerator /= prime;
			rate.denominator /= prime;
		}
	if (rate.denominator == 1)
		return arena_printf(d->arena, "%s a day",
		    amount_text(d->arena, rate.numerator, unit));
	return arena_printf(d->arena, "%s in %lld days",
	    amount_text(d->arena, rate.numerator, unit),
	    (long long)rate.denominator);
}

/* What was given: "14 days", "25 days (150 mL at 6 mL a day)", "84 TAB". */
static const char *
given_text(const struct derivation *d, const struct supply_fill *row)
{
	struct item item = row_item(d, row);

	if (!row->days_from_units)
		return days_text(d->arena, row->days);
	if (d->supply->by_units || item.prescription == NULL)
		return units_text(d, &item);
	return arena_printf(d->arena, "%s (%s at %s)",
	    days_text(d->arena, row->days), units_text(d, &item),
	    rate_text(d, item.prescription));
}

static const char *
between_text(const struct derivation *d, const struct supply_fill *row,
    const struct supply_fill *before)
{
	if (before == NULL)
		return "";
	if (before->end_on > row->given_on)
		return arena_printf(d->arena, ", %s early",
		    days_text(d->arena, before->end_on - row->given_on));
	if (before->end_on < row->start_on)
		return arena_printf(d->arena, ", after %s without",
		    days_text(d->arena, row->start_on - before->end_on));
	return "";
}

/* A count, and what the sum had been. */
static void
say_correction(struct derivation *d, const struct supply_fill *row,
    const struct supply_fill *before)
{
	int32_t reckoned = 0;

	if (before != NULL && before->end_on > row->given_on)
		reckoned =
		    supply_count_days(&d->walk, row->given_on, before->end_on);
	if (d->supply->by_units)
		say(d,
		    arena_printf(d->arena,
			"%s: the patient counts %s, from %s until %s",
			date_text(d->arena, row->given_on), given_text(d, row),
			date_text(d->arena, row->start_on),
			date_text(d->arena, row->end_on)));
	else
		say(d, arena_printf(d->arena,
			   "%s: the patient counts %s where %s %s reckoned, "
			   "from %s until %s",
			   date_text(d->arena, row->given_on),
			   given_text(d, row), days_text(d->arena, reckoned),
			   reckoned == 1 ? "was" : "were",
			   date_text(d->arena, row->start_on),
			   date_text(d->arena, row->end_on)));
}

static void
say_rows(struct derivation *d)
{
	for (uint32_t i = 0; i < d->supply->fill_count; i++) {
		const struct supply_fill *row = &d->supply->fills[i];
		const struct supply_fill *before = i > 0 ? row - 1 : NULL;

		if (row->correction)
			say_correction(d, row, before);
		else
			say(d,
			    arena_printf(d->arena, "%s: %s%s, from %s until %s",
				date_text(d->arena, row->given_on),
				given_text(d, row),
				between_text(d, row, before),
				date_text(d->arena, row->start_on),
				date_text(d->arena, row->end_on)));
	}
}

/* ---- the rest ---- */

/* What each day needs, where the units were used up day by day. */
static void
say_needs(struct derivation *d)
{
	const struct supply *s = d->supply;
	const char *unit = NULL;

	for (uint32_t i = 0; i < s->fill_count && unit == NULL; i++) {
		struct item item = row_item(d, &s->fills[i]);

		(void)supply_quantity(d->walk.dossier, &item, &unit);
	}
	for (uint32_t i = 0; i < s->need_count; i++)
		say(d, arena_printf(d->arena, "from %s: %s a day",
			   date_text(d->arena, s->needs[i].from_on),
			   amount_text(d->arena, s->needs[i].micro, unit)));
	if (s->need_count == SUPPLY_NEEDS_MAX)
		say(d, "… and so on: the amount goes on changing");
}

/* The days off that moved this supply's end. */
static void
say_pauses(struct derivation *d)
{
	const struct supply *s = d->supply;

	for (uint32_t i = 0; i < d->walk.pause_count; i++) {
		const struct pause *p = &d->walk.pauses[i];

		if (s->fill_count > 0 && s->run_out_on != ON_UNKNOWN &&
		    p->until_on > s->fills[0].start_on &&
		    p->from_on < s->run_out_on)
			say(d, arena_printf(d->arena,
				   "in hospital or paused from %s until %s: no "
				   "own "
				   "supply used",
				   date_text(d->arena, p->from_on),
				   date_text(d->arena, p->until_on)));
	}
}

/* "fill of 2026-02-11", by its number where it has no date */
static const char *
fill_text(const struct derivation *d, const struct fill *fill)
{
	if (fill->handed_over_at == AT_NEVER ||
	    fill->handed_over_at == AT_UNKNOWN)
		return arena_printf(d->arena, "fill %d", (int)fill->no);
	return arena_printf(d->arena, "fill of %s",
	    date_text(d->arena,
		zone_local(d->walk.dossier->zone, fill->handed_over_at, NULL)));
}

static bool
is_as_needed(const struct derivation *d, const struct fill *fill)
{
	const struct prescription *p =
	    supply_prescription(d->walk.dossier, fill);

	for (uint32_t i = 0; p != NULL && i < p->dosage_count; i++)
		if (!p->dosages[i].as_needed)
			return false;
	return p != NULL && p->dosage_count > 0;
}

/* Why a fill of the drug adds nothing; NULL: it adds. */
static const char *
others_text(const struct derivation *d, const struct fill *fill)
{
	switch (fill->status) {
	case FILL_IN_PROGRESS:
		return "in progress";
	case FILL_CANCELLED:
		return "cancelled or returned";
	case FILL_ERROR:
		return "entered in error";
	case FILL_COMPLETED:
		break;
	}
	if (fill->handed_over_at > d->supply->known_at)
		return "not handed over yet";
	for (uint32_t i = 0; i < d->supply->unclear_count; i++)
		if (d->supply->unclear[i] == fill->no)
			return is_as_needed(d, fill)
				   ? "taken as needed"
				   : "its days' supply cannot be worked out";
	return NULL;
}

/* The fills of this drug that add nothing, and why. */
static void
say_others(struct derivation *d)
{
	const struct dossier *dossier = d->walk.dossier;

	for (uint32_t i = 0; i < dossier->fill_count; i++) {
		const struct fill *fill = &dossier->fills[i];
		const char *why = look_same(fill->drug, d->supply->drug)
				      ? others_text(d, fill)
				      : NULL;

		if (why != NULL)
			say(d, arena_printf(d->arena, "%s: %s, not counted",
				   fill_text(d, fill), why));
	}
}

static bool
has_row(const struct supply *s, const struct correction *c)
{
	for (uint32_t i = 0; i < s->fill_count; i++)
		if (s->fills[i].correction && s->fills[i].fill_no == c->no)
			return true;
	return false;
}

/* A count in units of which no days are known changes nothing. */
static void
say_lost_counts(struct derivation *d)
{
	const struct dossier *dossier = d->walk.dossier;

	for (uint32_t i = 0; i < dossier->correction_count; i++) {
		const struct correction *c = &dossier->corrections[i];

		if (look_same(c->drug, d->supply->drug) &&
		    c->at <= d->supply->known_at && !has_row(d->supply, c))
			say(d, arena_printf(d->arena,
				   "count of %s: its days cannot be worked "
				   "out, not counted",
				   date_text(d->arena, zone_local(dossier->zone,
							   c->at, NULL))));
	}
}

uint32_t
supply_derive(const struct dossier *dossier, const struct supply *supply,
    struct arena *arena, const char *const **lines)
{
	struct derivation d = {
	    .supply = supply,
	    .walk = {.dossier = dossier,
		.now = supply->known_at,
		.arena = arena},
	    .arena = arena,
	};

	list_init(&d.lines, arena, sizeof(const char *));
	supply_find_pauses(&d.walk);
	say_rows(&d);
	say_needs(&d);
	say_pauses(&d);
	say_others(&d);
	say_lost_counts(&d);
	say(&d,
	    supply->run_out_on == ON_UNKNOWN
		? "no run-out date"
		: arena_printf(arena, "runs out on %s, the first day without",
		      date_text(arena, supply->run_out_on)));
	*lines = d.lines.data;
	return (uint32_t)d.lines.count;
}

const char *
supply_derive_refill(const struct supply *supply,
    const struct prescription *prescription, int32_t used_pct,
    struct arena *arena)
{
	int32_t on = supply_earliest_refill(supply, prescription, used_pct);

	if (on == ON_UNKNOWN)
		return NULL;
	if (prescription != NULL && prescription->interval_days >= 0 &&
	    supply->last_fill_on != ON_UNKNOWN)
		return arena_printf(arena,
		    "next refill from %s: %s after the last fill on %s",
		    date_text(arena, on),
		    days_text(arena, prescription->interval_days),
		    date_text(arena, supply->last_fill_on));
	return arena_printf(arena,
	    "next refill from %s: %s before, %d %% of the last %s rounded "
	    "down",
	    date_text(arena, on), days_text(arena, supply->run_out_on - on),
	    (int)(100 - used_pct), days_text(arena, supply->last_days));
}
