/*
 * Dosages of a supply vector: those of one drug from one date are a
 * prescription, and a later one takes over.  What a fill leaves unsaid is
 * read from the dosage of its time: its unit, and units where it has days.
 */
#include <string.h>

#include "care/timing.h"
#include "ctl_supply.h"

enum { DOSAGES_MAX = 64 }; /* that run together */

/* The prescription of a drug from a date; NULL: none yet. */
static struct prescription *
find_prescription(
    const struct stock *stock, const char *drug, int64_t authored_at)
{
	struct prescription *rows = stock->prescriptions.data;

	for (size_t i = 0; i < stock->prescriptions.count; i++)
		if (strcmp(rows[i].drug, drug) == 0 &&
		    rows[i].authored_at == authored_at)
			return &rows[i];
	return NULL;
}

static struct prescription *
add_prescription(struct stock *stock, const char *drug, int64_t authored_at)
{
	struct prescription *p = list_add(&stock->prescriptions);

	*p = (struct prescription){
	    .no = (int32_t)stock->prescriptions.count,
	    .status = PRESCRIPTION_ACTIVE,
	    .status_at = AT_UNKNOWN,
	    .drug = drug,
	    .name = drug,
	    .authored_at = authored_at,
	    .quantity_micro = -1,
	    .supply_days = -1,
	    .initial_quantity_micro = -1,
	    .initial_days = -1,
	    .repeats_allowed = -1,
	    .valid_from_on = ON_UNKNOWN,
	    .valid_until_on = ON_NEVER,
	    .interval_days = -1,
	    .dosages =
		arena_array(stock->arena, DOSAGES_MAX, sizeof(struct dosage)),
	};
	return p;
}

/* A FHIR Timing, or shorthand; *timing stays NULL where there is none. */
static bool
read_timing(const struct row *row, struct dosage *dosage)
{
	const struct json *timing = json_get(row->json, "timing");
	const char *text = json_get_text(row->json, "text");
	struct timing_error error;
	struct shorthand shorthand;

	if (timing != NULL) {
		dosage->timing =
		    timing_parse(timing, row->stock->arena, &error);
		return dosage->timing != NULL ||
		       row_refuse(row,
			   arena_printf(
			       row->stock->arena, "timing.%s", error.at),
			   error.code, error.text);
	}
	if (text == NULL)
		return true;
	timing_read_text(text, row->stock->arena, &shorthand);
	dosage->timing = shorthand.timing;
	dosage->as_needed |= shorthand.as_needed;
	dosage->dose_micro = shorthand.dose_micro;
	dosage->dose_unit = shorthand.dose_unit;
	return shorthand.review == NULL ||
	       row_refuse(row, "text", "value", shorthand.review);
}

/* The unit that the first fill of the drug is counted in. */
static const char *
fill_unit(const struct stock *stock, const char *drug)
{
	json_each (fill, json_get(stock->vector->json, "fills")) {
		const char *own = json_get_text(fill, "drug");
		const char *unit = json_get_text(fill, "unit");

		if (own != NULL && strcmp(own, drug) == 0 && unit != NULL)
			return unit;
	}
	return "units";
}

/* The first date of the drug, where a dosage does not say from when. */
static int32_t
first_on(const struct stock *stock, const char *drug)
{
	int32_t first = stock->as_of_on;

	json_each (fill, json_get(stock->vector->json, "fills")) {
		const char *own = json_get_text(fill, "drug");
		const char *text = json_get_text(fill, "date");
		int32_t on;

		if (own != NULL && strcmp(own, drug) == 0 && text != NULL &&
		    civil_parse(text, &on) && on < first)
			first = on;
	}
	return first;
}

bool
stock_read_dosage(const struct row *row)
{
	struct stock *stock = row->stock;
	struct dosage dosage = {.dose_micro = -1};
	struct prescription *p;
	int32_t from_on;
	const char *drug, *unit = json_get_text(row->json, "unit");

	if (!row_read_drug(row, &drug))
		return false;
	from_on = first_on(stock, drug);
	if (!row_read_date(row, "from", false, &from_on) ||
	    !row_read_days(row, "sequence", 0, &dosage.sequence) ||
	    !read_timing(row, &dosage) ||
	    !row_read_amount(row, "dose", &dosage.dose_micro))
		return false;
	dosage.as_needed |=
	    json_is(json_get(row->json, "as_needed"), JSON_TRUE);
	if (unit != NULL)
		dosage.dose_unit = unit;
	if (dosage.dose_unit == NULL)
		dosage.dose_unit = fill_unit(stock, drug);
	p = find_prescription(stock, drug, stock_midnight(stock, from_on));
	if (p == NULL)
		p = add_prescription(
		    stock, drug, stock_midnight(stock, from_on));
	if (p->dosage_count == DOSAGES_MAX)
		return row_refuse(
		    row, "from", "too-costly", "is that of too many dosages");
	((struct dosage *)p->dosages)[p->dosage_count++] = dosage;
	return true;
}

/* The one in force at an instant: the newest written by then. */
static struct prescription *
in_force(const struct stock *stock, const char *drug, int64_t at)
{
	struct prescription *rows = stock->prescriptions.data, *best = NULL;

	for (size_t i = 0; i < stock->prescriptions.count; i++)
		if (strcmp(rows[i].drug, drug) == 0 &&
		    rows[i].authored_at <= at &&
		    (best == NULL || rows[i].authored_at > best->authored_at))
			best = &rows[i];
	return best;
}

const char *
stock_usual_unit(const struct stock *stock, const char *drug)
{
	const struct prescription *p = in_force(stock, drug, AT_NEVER);

	return p != NULL ? p->dosages[0].dose_unit : fill_unit(stock, drug);
}

void
stock_link_prescriptions(struct stock *stock)
{
	struct prescription *rows = stock->prescriptions.data;

	for (size_t i = 0; i < stock->prescriptions.count; i++) {
		const struct prescription *before =
		    rows[i].authored_at == AT_UNKNOWN
			? NULL
			: in_force(
			      stock, rows[i].drug, rows[i].authored_at - 1);

		rows[i].prior_no = before == NULL ? 0 : before->no;
	}
}

void
stock_find_units(struct stock *stock, struct fill *fill)
{
	const struct prescription *p =
	    in_force(stock, fill->drug, fill->handed_over_at);
	const struct day_profile usual = DAY_PROFILE_DEFAULT;
	int64_t numerator, denominator, units;

	if (fill->quantity_micro >= 0 || fill->days_supply < 0 || p == NULL ||
	    p->dosage_count != 1 || p->dosages[0].as_needed ||
	    p->dosages[0].timing == NULL || p->dosages[0].dose_micro <= 0 ||
	    !timing_daily(
		p->dosages[0].timing, &usual, &numerator, &denominator) ||
	    __builtin_mul_overflow(numerator * fill->days_supply,
		p->dosages[0].dose_micro, &units))
		return;
	fill->quantity_micro = units / denominator;
	fill->quantity_unit = p->dosages[0].dose_unit;
}
