/*
 * The answer to a supply vector: the walk of care/, and for each drug its
 * dates and how they came about.
 */
#include <stdlib.h>
#include <string.h>

#include "care/supply.h"
#include "ctl_line.h"
#include "ctl_supply.h"

static void
write_date(struct json_writer *w, int32_t on)
{
	char text[11];

	civil_format(on, text);
	json_write_text(w, text);
}

static void
write_dates(
    const struct stock *stock, const struct supply *s, int32_t refill_on)
{
	static const int32_t before[] = {7, 3, 1};
	struct json_writer *w = stock->vector->out;
	bool known = s->run_out_on != ON_UNKNOWN;

	ctl_line_on(w, "run_out", s->run_out_on);
	json_write_key(w, "on_hand_days");
	if (known)
		json_write_i64(w, supply_on_hand_days(s, stock->as_of_on));
	else
		json_write_null(w);
	json_write_key(w, "reminders_7_3_1");
	json_write_array(w);
	for (unsigned i = 0; i < COUNT(before) && known; i++)
		write_date(w, s->run_out_on - before[i] - stock->shipping_days);
	json_write_end_array(w);
	ctl_line_on(w, "earliest_refill", refill_on);
}

static void
write_as_needed(const struct stock *stock, const char *drug)
{
	const struct fill *fills = stock->as_needed.data;
	char given[11];

	for (size_t i = 0; i < stock->as_needed.count; i++) {
		if (strcmp(fills[i].drug, drug) != 0)
			continue;
		civil_format(
		    zone_local(stock->zone, fills[i].handed_over_at, NULL),
		    given);
		json_write_text(stock->vector->out,
		    arena_printf(stock->arena,
			"fill of %s: taken as needed, not counted", given));
	}
}

static void
write_derivation(const struct stock *stock, const struct dossier *d,
    const struct supply *s, const struct prescription *terms)
{
	struct json_writer *w = stock->vector->out;
	const char *refill = supply_derive_refill(
	    s, terms, stock->early_refill_pct, stock->arena);
	const char *const *lines;
	uint32_t count = supply_derive(d, s, stock->arena, &lines);
	int32_t days = supply_on_hand_days(s, stock->as_of_on);
	char as_of[11];

	civil_format(stock->as_of_on, as_of);
	json_write_key(w, "derivation");
	json_write_array(w);
	for (uint32_t i = 0; i < count; i++)
		json_write_text(w, lines[i]);
	write_as_needed(stock, s->drug);
	if (s->run_out_on != ON_UNKNOWN)
		json_write_text(w, arena_printf(stock->arena,
				       "%d day%s on hand on %s, counting it",
				       (int)days, days == 1 ? "" : "s", as_of));
	if (s->run_out_on != ON_UNKNOWN && stock->shipping_days > 0)
		json_write_text(
		    w, arena_printf(stock->arena,
			   "reminders %d day%s earlier: so long an order takes",
			   (int)stock->shipping_days,
			   stock->shipping_days == 1 ? "" : "s"));
	if (refill != NULL)
		json_write_text(w, refill);
	json_write_end_array(w);
}

/* What is taken as needed is a fill all the same. */
static int32_t
last_fill_on(const struct stock *stock, const struct supply *s)
{
	const struct fill *fills = stock->as_needed.data;
	int32_t last_on = s->last_fill_on;

	for (size_t i = 0; i < stock->as_needed.count; i++) {
		int32_t on =
		    zone_local(stock->zone, fills[i].handed_over_at, NULL);

		if (strcmp(fills[i].drug, s->drug) == 0 && on > last_on)
			last_on = on;
	}
	return last_on;
}

static void
write_supply(
    const struct stock *stock, const struct dossier *d, const struct supply *s)
{
	struct json_writer *w = stock->vector->out;
	const struct prescription terms = {
	    .interval_days = stock->interval_days};
	struct supply own = *s;

	own.last_fill_on = last_fill_on(stock, s);
	json_write_key(w, s->drug);
	json_write_object(w);
	write_dates(stock, &own,
	    supply_earliest_refill(&own, &terms, stock->early_refill_pct));
	write_derivation(stock, d, &own, &terms);
	json_write_end_object(w);
}

static int
compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void
stock_write(struct stock *stock)
{
	const struct dossier d = {
	    .zone = stock->zone,
	    .profile = DAY_PROFILE_DEFAULT,
	    .prescriptions = stock->prescriptions.data,
	    .prescription_count = (uint32_t)stock->prescriptions.count,
	    .fills = stock->fills.data,
	    .fill_count = (uint32_t)stock->fills.count,
	    .stays = stock->stays.data,
	    .stay_count = (uint32_t)stock->stays.count,
	    .corrections = stock->corrections.data,
	    .correction_count = (uint32_t)stock->corrections.count,
	};
	/* the last moment of the day: all of it is known */
	int64_t now = stock_midnight(stock, stock->as_of_on + 1) - 1;
	const char **names = stock->drugs.data;
	const struct supply *supplies;
	uint32_t count = supply_walk(&d, now, stock->arena, &supplies),
		 next = 0;

	if (stock->drugs.count > 0)
		qsort(names, stock->drugs.count, sizeof(*names), compare_names);
	json_write_key(stock->vector->out, "stock");
	json_write_object(stock->vector->out);
	for (size_t i = 0; i < stock->drugs.count; i++) {
		struct supply none = {.drug = names[i],
		    .run_out_on = ON_UNKNOWN,
		    .last_fill_on = ON_UNKNOWN,
		    .known_at = now};
		bool found =
		    next < count && strcmp(supplies[next].drug, names[i]) == 0;

		write_supply(stock, &d, found ? &supplies[next++] : &none);
	}
	json_write_end_object(stock->vector->out);
}
