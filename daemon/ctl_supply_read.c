/*
 * A supply vector into the rows of a dossier: its frame, then dosages,
 * fills, corrections and pauses, in that order, for a fill asks for the
 * dosage of its time.  What is after as_of is left out here.
 */
#include <string.h>

#include "ctl_supply.h"

enum { ROWS_MAX = 2000 }; /* fills; and of every other list */

int64_t
stock_midnight(const struct stock *stock, int32_t on)
{
	return zone_instant(stock->zone, on, 0);
}

/* ---- fills ---- */

static bool
read_status(const struct row *row, enum fill_status *status)
{
	static const struct {
		const char *word;
		enum fill_status status;
	} words[] = {
	    {"completed", FILL_COMPLETED},
	    {"preparation", FILL_IN_PROGRESS},
	    {"in-progress", FILL_IN_PROGRESS},
	    {"on-hold", FILL_IN_PROGRESS},
	    {"cancelled", FILL_CANCELLED},
	    {"stopped", FILL_CANCELLED},
	    {"declined", FILL_CANCELLED},
	    {"unknown", FILL_CANCELLED},
	    {"returned", FILL_CANCELLED},
	    {"entered-in-error", FILL_ERROR},
	};
	const struct json *json = json_get(row->json, "status");
	const char *text = json_text(json);

	*status = FILL_COMPLETED;
	if (json == NULL)
		return true;
	for (unsigned i = 0; i < COUNT(words) && text != NULL; i++)
		if (strcmp(words[i].word, text) == 0) {
			*status = words[i].status;
			return true;
		}
	return row_refuse(
	    row, "status", "value", "must be a status of a dispense");
}

/* "returned": true, or the date, which the walk must have come to. */
static bool
read_return(const struct row *row, struct fill *fill)
{
	const struct json *json = json_get(row->json, "returned");
	int32_t on = row->stock->as_of_on;

	if (json_is(json, JSON_FALSE) || json == NULL)
		return true;
	if (!json_is(json, JSON_TRUE) &&
	    !row_read_date(row, "returned", false, &on))
		return false;
	if (!json_is(json, JSON_NULL) && on <= row->stock->as_of_on)
		fill->status = FILL_CANCELLED;
	return true;
}

/* Supply begins when it arrives: delivered, or after so many days. */
static bool
read_arrival(const struct row *row, int32_t date_on, struct fill *fill)
{
	const struct json *delivered = json_get(row->json, "delivered");
	int32_t days = 0, on;

	if (!row_read_days(row, "shipping_days", 0, &days))
		return false;
	on = date_on + days;
	if (!row_read_date(row, "delivered", false, &on))
		return false;
	fill->handed_over_at = json_is(delivered, JSON_NULL)
				   ? AT_NEVER
				   : stock_midnight(row->stock, on);
	return true;
}

static void
add_drug(struct stock *stock, const char *drug)
{
	const char **names = stock->drugs.data;

	for (size_t i = 0; i < stock->drugs.count; i++)
		if (strcmp(names[i], drug) == 0)
			return;
	*(const char **)list_add(&stock->drugs) = drug;
}

static bool
read_fill(const struct row *row)
{
	struct stock *stock = row->stock;
	struct fill fill = {.no = (int32_t)row->index + 1,
	    .days_supply = -1,
	    .quantity_micro = -1,
	    .quantity_unit = json_get_text(row->json, "unit")};
	int32_t date_on;

	if (!row_read_drug(row, &fill.drug) ||
	    !row_read_date(row, "date", true, &date_on) ||
	    !row_read_days(row, "days_supply", 1, &fill.days_supply) ||
	    !row_read_amount(row, "quantity", &fill.quantity_micro) ||
	    !read_status(row, &fill.status) || !read_return(row, &fill) ||
	    !read_arrival(row, date_on, &fill))
		return false;
	if (date_on > stock->as_of_on)
		return true; /* not dispensed yet */
	add_drug(stock, fill.drug);
	if (json_is(json_get(row->json, "as_needed"), JSON_TRUE) &&
	    fill.status == FILL_COMPLETED &&
	    fill.handed_over_at <= stock_midnight(stock, stock->as_of_on)) {
		*(struct fill *)list_add(&stock->as_needed) = fill;
		return true;
	}
	if (fill.quantity_unit == NULL)
		fill.quantity_unit = stock_usual_unit(stock, fill.drug);
	*(struct fill *)list_add(&stock->fills) = fill;
	return true;
}

/* ---- corrections and pauses ---- */

static bool
read_correction(const struct row *row)
{
	struct stock *stock = row->stock;
	struct correction c = {.no = (int32_t)row->index + 1,
	    .days = -1,
	    .quantity_micro = -1,
	    .quantity_unit = json_get_text(row->json, "unit")};
	int32_t date_on;

	if (!row_read_drug(row, &c.drug) ||
	    !row_read_date(row, "date", true, &date_on) ||
	    !row_read_days(row, "days", 0, &c.days) ||
	    !row_read_amount(row, "quantity", &c.quantity_micro))
		return false;
	if ((c.days < 0) == (c.quantity_micro < 0))
		return row_refuse(row, "days", "value",
		    "must be given, or else quantity: one of the two");
	if (date_on > stock->as_of_on)
		return true;
	c.at = stock_midnight(stock, date_on);
	if (c.quantity_unit == NULL)
		c.quantity_unit = stock_usual_unit(stock, c.drug);
	add_drug(stock, c.drug);
	*(struct correction *)list_add(&stock->corrections) = c;
	return true;
}

static bool
read_pause(const struct row *row)
{
	int32_t from_on, to_on = ON_NEVER;

	if (!row_read_date(row, "from", true, &from_on) ||
	    !row_read_date(row, "to", false, &to_on))
		return false;
	if (to_on < from_on)
		return row_refuse(row, "to", "value", "is before from");
	*(struct stay *)list_add(&row->stock->stays) = (struct stay){
	    .no = (int32_t)row->index + 1,
	    .from_at = stock_midnight(row->stock, from_on),
	    .until_at = to_on == ON_NEVER
			    ? AT_NEVER
			    : stock_midnight(row->stock, to_on + 1),
	};
	return true;
}

/* ---- the vector ---- */

struct row_list {
	const char *name;
	bool (*read)(const struct row *row);
	const char *keys[16]; /* NULL-ended */
	bool of_options;
};

/* In the order in which they are read. */
static const struct row_list row_lists[] = {
    {"dosages", stock_read_dosage,
	{"drug", "timing", "text", "dose", "unit", "from", "sequence",
	    "as_needed", "id", "note"},
	false},
    {"fills", read_fill,
	{"date", "drug", "days_supply", "quantity", "unit", "status",
	    "returned", "delivered", "shipping_days", "as_needed", "id",
	    "note"},
	false},
    {"corrections", read_correction,
	{"date", "drug", "days", "quantity", "unit", "id", "note"}, false},
    {"options.pauses", read_pause, {"from", "to", "id", "note"}, true},
};

/* The last two are read by other measures of the same vectors. */
static const char *const option_keys[] = {"pauses", "early_refill_pct",
    "dispense_interval_days", "shipping_days", "carry_in",
    "permissible_gap_days", NULL};

static bool
read_rows(
    struct stock *stock, const struct json *list, const struct row_list *rows)
{
	struct row row = {.stock = stock, .list = rows->name};

	if (list == NULL)
		return true;
	if (!json_is(list, JSON_ARRAY) || list->count > ROWS_MAX) {
		vector_refuse(stock->vector,
		    json_is(list, JSON_ARRAY) ? "too-costly" : "structure",
		    rows->name, "must be an array of at most 2,000");
		return false;
	}
	json_each (item, list) {
		row.json = item;
		if (!stock_check_keys(stock, item,
			arena_printf(stock->arena, "%s[%u]", rows->name,
			    (unsigned)row.index),
			rows->keys) ||
		    !rows->read(&row))
			return false;
		row.index++;
	}
	return true;
}

static bool
read_lists(struct stock *stock)
{
	const struct json *json = stock->vector->json;

	for (size_t i = 0; i < COUNT(row_lists); i++) {
		const struct row_list *rows = &row_lists[i];
		const struct json *list =
		    rows->of_options
			? json_get(json_get(json, "options"), "pauses")
			: json_get(json, rows->name);

		if (!read_rows(stock, list, rows))
			return false;
	}
	return true;
}

static bool
read_option(struct stock *stock, const char *key, int32_t max, int32_t *value)
{
	const struct json *json =
	    json_get(json_get(stock->vector->json, "options"), key);
	int64_t number;

	if (json == NULL || json_is(json, JSON_NULL))
		return true;
	if (!json_i64(json, &number) || number < 0 || number > max) {
		vector_refuse(stock->vector, "value",
		    arena_printf(stock->arena, "options.%s", key),
		    "must be a whole number in its bounds");
		return false;
	}
	*value = (int32_t)number;
	return true;
}

static bool
read_options(struct stock *stock)
{
	const struct json *options = json_get(stock->vector->json, "options");

	if (options != NULL && !json_is(options, JSON_NULL) &&
	    !json_is(options, JSON_OBJECT)) {
		vector_refuse(
		    stock->vector, "structure", "options", "must be an object");
		return false;
	}
	return stock_check_keys(stock, options, "options", option_keys) &&
	       read_option(
		   stock, "early_refill_pct", 100, &stock->early_refill_pct) &&
	       read_option(stock, "dispense_interval_days", SUPPLY_DAYS_MAX,
		   &stock->interval_days) &&
	       read_option(stock, "shipping_days", SUPPLY_DAYS_MAX,
		   &stock->shipping_days);
}

static bool
read_frame(struct stock *stock)
{
	const struct json *zone = json_get(stock->vector->json, "timezone");
	const char *as_of = json_get_text(stock->vector->json, "as_of");

	stock->zone = zone_open(zone == NULL              ? "UTC"
				: json_text(zone) != NULL ? json_text(zone)
							  : "");
	if (stock->zone == NULL) {
		vector_refuse(stock->vector, "value", "timezone",
		    "must be an IANA time zone");
		return false;
	}
	if (as_of == NULL || !civil_parse(as_of, &stock->as_of_on)) {
		vector_refuse(stock->vector, "value", "as_of",
		    "must be a date, YYYY-MM-DD");
		return false;
	}
	return read_options(stock);
}

bool
stock_read(struct stock *stock)
{
	list_init(&stock->fills, stock->arena, sizeof(struct fill));
	list_init(
	    &stock->prescriptions, stock->arena, sizeof(struct prescription));
	list_init(&stock->stays, stock->arena, sizeof(struct stay));
	list_init(&stock->corrections, stock->arena, sizeof(struct correction));
	list_init(&stock->as_needed, stock->arena, sizeof(struct fill));
	list_init(&stock->drugs, stock->arena, sizeof(const char *));
	return read_frame(stock) && read_lists(stock);
}
