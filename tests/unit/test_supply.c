/*
 * Supply: the stock of every published vector (tests/vectors), what the
 * sample bundles' page says an importer can check, and the rules of
 * adherence.md 1 and 7 that these leave out.
 */
#include "plan_world.h"

#include "care/supply.h"
#include "read_json.h"

#define VECTORS "tests/vectors/vectors-adherence.json"

/* A prescription of a drug from a date on. */
static struct prescription *
rx_from(const char *drug, const char *date)
{
	struct prescription *p = rx(drug);

	p->authored_at = at(date);
	p->authored_has_time = false;
	return p;
}

/* The supply of a drug as known at an instant, rows in a given order. */
static const struct supply *
supply_in_order(const char *drug, const char *when, int order)
{
	struct dossier *d = arena_alloc(w.arena, sizeof(*d));
	const struct supply *list;
	uint32_t count;

	*d = world_dossier(order);
	count = supply_walk(d, at(when), w.arena, &list);
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(list[i].drug, drug) == 0)
			return &list[i];
	return NULL;
}

/* The same, whatever the order of the rows. */
static const struct supply *
supply(const char *drug, const char *when)
{
	const struct supply *first = supply_in_order(drug, when, 0);

	for (int order = 1; order < 3; order++) {
		const struct supply *s = supply_in_order(drug, when, order);

		assert_int_equal(s == NULL, first == NULL);
		if (s == NULL)
			continue;
		assert_int_equal(s->run_out_on, first->run_out_on);
		assert_int_equal(s->last_start_on, first->last_start_on);
		assert_int_equal(s->last_days, first->last_days);
		assert_int_equal(s->fill_count, first->fill_count);
		assert_int_equal(s->unclear_count, first->unclear_count);
		assert_int_equal(s->prescription_no, first->prescription_no);
	}
	return first;
}

static void
check_runs_out(const char *drug, const char *when, const char *expected)
{
	const struct supply *s = supply(drug, when);
	char text[11] = "none";

	assert_non_null(s);
	if (s->run_out_on != ON_UNKNOWN)
		civil_format(s->run_out_on, text);
	assert_string_equal(text, expected);
}

/* ---- the vectors ---- */

static const struct prescription *
vector_prescription(const char *drug)
{
	for (uint32_t i = 0; i < w.d.prescription_count; i++)
		if (strcmp(w.prescriptions[i].drug, drug) == 0)
			return &w.prescriptions[i];
	return rx(drug);
}

static void
load_vector(const struct json *vector)
{
	world_empty();
	json_each (item, json_get(vector, "fills")) {
		int64_t days;

		assert_true(json_i64(json_get(item, "days_supply"), &days));
		(void)fill(vector_prescription(json_get_text(item, "drug")),
		    json_get_text(item, "date"), (int32_t)days);
	}
	json_each (pause, json_get(json_get(vector, "options"), "pauses")) {
		w.stays[w.d.stay_count++] = (struct stay){
		    .no = (int32_t)w.d.stay_count,
		    .from_at = at(json_get_text(pause, "from")),
		    .until_at = at(json_get_text(pause, "to")) + DAY_US,
		};
	}
}

static void
check_stock(const struct json *stock, const char *as_of)
{
	static const int32_t before[] = {7, 3, 1};
	const struct supply *s = supply(stock->key, as_of);
	const struct json *date = json_get(stock, "reminders_7_3_1")->child;
	int64_t on_hand;
	char text[11];

	assert_non_null(s);
	civil_format(s->run_out_on, text);
	assert_string_equal(text, json_get_text(stock, "run_out"));
	assert_true(json_i64(json_get(stock, "on_hand_days"), &on_hand));
	assert_int_equal(supply_on_hand_days(s, on(as_of)), on_hand);
	civil_format(supply_earliest_refill(s, NULL, 75), text);
	assert_string_equal(text, json_get_text(stock, "earliest_refill"));
	for (unsigned i = 0; i < 3; i++, date = date->next) {
		civil_format(s->run_out_on - before[i], text);
		assert_string_equal(text, json_text(date));
	}
}

/* "stock uses every fill dated up to as_of" */
static void
vectors_hold(void **state)
{
	/* world_empty() empties w.arena: the vectors need one of their own */
	struct arena *own;
	const struct json *vectors;
	int stocks = 0;

	(void)state;
	world_empty();
	vectors = json_get(read_json(VECTORS, w.arena), "vectors");
	own = w.arena;
	w.arena = NULL;
	json_each (vector, vectors) {
		print_message("# %s %s\n", json_get_text(vector, "id"),
		    json_get_text(vector, "title"));
		load_vector(vector);
		json_each (
		    stock, json_get(json_get(vector, "expected"), "stock")) {
			check_stock(stock, json_get_text(vector, "as_of"));
			stocks++;
		}
	}
	assert_int_equal(stocks, 13);
	arena_free(own);
}

/* ---- "What an importer can check" ---- */

static void
units(struct fill *f, int64_t quantity, const char *unit)
{
	f->quantity_micro = quantity * 1000000;
	f->quantity_unit = unit;
}

static struct dosage *
takes(struct prescription *p, const char *timing, int64_t dose_micro)
{
	struct dosage *g = dosage(p, timing);

	g->dose_micro = dose_micro;
	g->dose_unit = "TAB";
	return g;
}

/* check 4: R-0801, early fills and a gap of one day */
static void
sample_early_fills_and_a_gap(void **state)
{
	struct prescription *p;
	const struct supply *s;

	(void)state;
	world();
	p = rx("R-0801");
	fill(p, "2026-01-08 16:00", 14);
	fill(p, "2026-01-21 12:30", 14);
	fill(p, "2026-02-05 12:40", 14);
	fill(p, "2026-02-20 12:35", 14);
	fill(p, "2026-03-05 18:10", 14);
	check_runs_out("R-0801", "2026-03-01", "2026-03-06");
	check_runs_out("R-0801", "2026-03-10 20:00", "2026-03-20");
	s = supply("R-0801", "2026-03-10 20:00");
	assert_int_equal(s->fill_count, 5);
	assert_int_equal(s->fills[1].start_on, on("2026-01-22"));
	assert_int_equal(s->fills[1].end_on, on("2026-02-05"));
	assert_int_equal(s->fills[3].start_on, on("2026-02-20"));
	assert_int_equal(s->last_start_on, on("2026-03-06"));
	assert_int_equal(s->last_fill_on, on("2026-03-05"));
	assert_int_equal(s->last_days, 14);
	assert_false(s->by_units);
}

/* checks 5 and 6: what adds no stock */
static void
sample_errors_and_open_dispenses_add_nothing(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("R-0901");
	fill(p, "2026-01-05 11:00", 30);
	fill(p, "2026-02-03 18:20", 30);
	fill(p, "2026-02-03 18:25", 30)->status = FILL_ERROR;
	fill(p, "2026-02-04 09:00", 30)->status = FILL_CANCELLED;
	fill(p, "2026-02-05 09:00", 30)->status = FILL_IN_PROGRESS;
	fill(p, "2026-02-06 09:00", 30)->handed_over_at = AT_NEVER;
	check_runs_out("R-0901", "2026-03-01", "2026-03-06");
}

/* check 6: R-0701, 150 ml ÷ (2 × 3 ml) = 25 days */
static void
sample_quantity_by_daily_amount(void **state)
{
	struct prescription *p;
	struct dosage *g;
	const struct supply *s;

	(void)state;
	world();
	p = rx("R-0701");
	g = takes(p,
	    "{\"repeat\":{\"frequency\":2,\"period\":1,\"periodUnit\":\"d\","
	    "\"when\":[\"MORN\",\"EVE\"]}}",
	    3000000);
	g->dose_unit = "mL";
	units(fill(p, "2026-03-01", -1), 150, "mL");
	s = supply("R-0701", "2026-03-02");
	check_runs_out("R-0701", "2026-03-02", "2026-03-26");
	assert_true(s->fills[0].days_from_units);
	/* R-0202: pens against units do not work */
	g->dose_unit = "[iU]";
	check_runs_out("R-0701", "2026-03-02", "none");
	s = supply("R-0701", "2026-03-02");
	assert_int_equal(s->unclear_count, 1);
	assert_int_equal(s->unclear[0], 1);
}

/* check 10: R-1101, from the prescription's expectedSupplyDuration */
static void
sample_expected_supply_duration(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("R-1101");
	p->supply_days = 28;
	fill(p, "2026-01-12 10:10", 28);
	fill(p, "2026-02-09 10:30", 28);
	fill(p, "2026-03-07 11:00", -1);
	check_runs_out("R-1101", "2026-03-10", "2026-04-06");
	/* stated with the fill comes first */
	w.fills[2].days_supply = 30;
	check_runs_out("R-1101", "2026-03-10", "2026-04-08");
	/* weekly: 4 ÷ 1/7 */
	w.fills[2].days_supply = p->supply_days = -1;
	takes(p,
	    "{\"repeat\":{\"frequency\":1,\"period\":1,\"periodUnit\":\"wk\","
	    "\"dayOfWeek\":[\"mon\"],\"when\":[\"ACM\"]}}",
	    1000000);
	units(&w.fills[2], 4, "TAB");
	check_runs_out("R-1101", "2026-03-10", "2026-04-06");
}

/* fhir.md 2: "initialFill{quantity,duration} overrides the first fill" */
static void
initial_fill_is_about_the_first_one(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("r");
	p->supply_days = 28;
	p->initial_days = 7;
	fill(p, "2026-01-12", -1);
	check_runs_out("r", "2026-01-13", "2026-01-19");
	fill(p, "2026-01-19", -1);
	check_runs_out("r", "2026-01-20", "2026-02-16");
	/* stated with the fill comes first */
	w.fills[0].days_supply = 10;
	check_runs_out("r", "2026-01-20", "2026-02-19");
	/* a quantity alone: not the days of the others */
	w.fills[0].days_supply = p->initial_days = -1;
	p->initial_quantity_micro = 5000000;
	p->initial_quantity_unit = "TAB";
	takes(p,
	    "{\"repeat\":{\"frequency\":1,\"period\":1,"
	    "\"periodUnit\":\"d\"}}",
	    1000000);
	check_runs_out("r", "2026-01-13", "2026-01-17");
	/* what was returned is not the first */
	w.fills[0].status = FILL_CANCELLED;
	check_runs_out("r", "2026-01-20", "2026-01-24");
}

/* check 2: R-0602, as needed, has no date and one unclear fill */
static void
sample_as_needed_has_no_date(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("R-0602");
	takes(p,
	    "{\"repeat\":{\"frequency\":8,\"period\":1,"
	    "\"periodUnit\":\"d\"}}",
	    1000000)
	    ->as_needed = true;
	units(fill(p, "2026-01-20 15:00", -1), 200, "TAB");
	check_runs_out("R-0602", "2026-03-01", "none");
	assert_int_equal(supply("R-0602", "2026-03-01")->unclear_count, 1);
}

#define ONE_A_DAY(bounds) \
	"{\"repeat\":{\"boundsPeriod\":{" bounds "},\"frequency\":1," \
	"\"period\":1,\"periodUnit\":\"d\",\"when\":[\"ACM\"]}}"

/* R-0501 as first known: one tablet a day, open-ended. */
static void
levothyroxine(void)
{
	struct prescription *p;
	struct fill *f;

	world();
	w.d.zone = zone_open("Europe/Berlin");
	p = rx("R-0501");
	p->name = "levothyroxine 50";
	p->authored_at = at("2026-01-09 10:20");
	takes(p, ONE_A_DAY("\"start\":\"2026-01-16\""), 1000000);
	f = fill(p, "2026-01-16 18:40", 84);
	units(f, 84, "TAB");
}

/* R-0501 stopped, R-0502: one and a half from 04-08. */
static void
raise_dose(void)
{
	struct prescription *p = &w.prescriptions[0], *q;

	p->status = PRESCRIPTION_STOPPED;
	p->status_at = at("2026-04-07 10:30");
	p->dosage_count = 0;
	takes(p, ONE_A_DAY("\"start\":\"2026-01-16\",\"end\":\"2026-04-07\""),
	    1000000);
	q = rx("R-0502");
	q->drug = "R-0501";
	q->name = "levothyroxine 50";
	q->prior_no = 1;
	q->authored_at = at("2026-04-07 10:25");
	takes(q, ONE_A_DAY("\"start\":\"2026-04-08\""), 1500000);
}

/* check 11 */
static void
sample_change_of_dose_is_walked_by_units(void **state)
{
	const struct supply *s;

	(void)state;
	levothyroxine();
	check_runs_out("R-0501", "2026-03-01", "2026-04-10");
	raise_dose();
	/* 82 days leave 2; 1½ on 04-08 leave ½ */
	check_runs_out("R-0501", "2026-04-08 12:00", "2026-04-09");
	units(fill(&w.prescriptions[1], "2026-04-09 12:15", 56), 84, "TAB");
	check_runs_out("R-0501", "2026-05-06", "2026-06-04");
	s = supply("R-0501", "2026-05-06");
	assert_true(s->by_units);
	assert_int_equal(s->last_start_on, on("2026-04-09"));
	assert_int_equal(s->last_days, 56);
	assert_int_equal(s->fills[0].end_on, on("2026-04-09"));
	assert_int_equal(s->prescription_no, 2);
	/* days' supply alone says a day more */
	w.fills[1].quantity_unit = "box";
	check_runs_out("R-0501", "2026-05-06", "2026-06-05");
	/* tablets of another strength are not counted together */
	w.fills[1].quantity_unit = "TAB";
	w.prescriptions[1].name = "levothyroxine 75";
	check_runs_out("R-0501", "2026-05-06", "2026-06-05");
}

/* the old dosage need not end by itself: the new one takes over */
static void
new_dose_takes_over_from_the_old(void **state)
{
	(void)state;
	levothyroxine();
	raise_dose();
	w.dosages[0][0].timing = NULL;
	w.prescriptions[0].dosage_count = 0;
	takes(&w.prescriptions[0], ONE_A_DAY("\"start\":\"2026-01-16\""),
	    1000000);
	units(fill(&w.prescriptions[1], "2026-04-09 12:15", 56), 84, "TAB");
	check_runs_out("R-0501", "2026-05-06", "2026-06-04");
	/* nor need it be known when it was stopped */
	w.prescriptions[0].status_at = AT_UNKNOWN;
	check_runs_out("R-0501", "2026-05-06", "2026-06-04");
	/* still in force beside the new one, without a word of it: both */
	w.prescriptions[0].status = PRESCRIPTION_ACTIVE;
	w.prescriptions[1].prior_no = 0;
	/* ½ + 84 at 2½ a day from 04-09: 33 days */
	check_runs_out("R-0501", "2026-05-06", "2026-05-12");
}

/* ---- units ---- */

/* "tapers walk day by day" */
static void
taper_walks_day_by_day(void **state)
{
	struct prescription *p;
	const struct supply *s;

	(void)state;
	world();
	p = rx_from("a", "2026-03-01");
	takes(p,
	    "{\"repeat\":{\"boundsDuration\":{\"value\":5,\"code\":\"d\"},"
	    "\"frequency\":1,\"period\":1,\"periodUnit\":\"d\"}}",
	    4000000);
	takes(p,
	    "{\"repeat\":{\"boundsDuration\":{\"value\":5,\"code\":\"d\"},"
	    "\"frequency\":1,\"period\":1,\"periodUnit\":\"d\"}}",
	    2000000)
	    ->sequence = 2;
	takes(p,
	    "{\"repeat\":{\"frequency\":1,\"period\":1,"
	    "\"periodUnit\":\"d\"}}",
	    1000000)
	    ->sequence = 3;
	/* 20 + 10 + 12 days */
	units(fill(p, "2026-03-01", -1), 42, "TAB");
	check_runs_out("a", "2026-03-02", "2026-03-23");
	s = supply("a", "2026-03-02");
	assert_int_equal(s->last_days, 22);
	assert_int_equal(s->unclear_count, 0);
	/* two days in hospital spare 8 of them: 8 days more at one a day */
	stay("2026-03-03", "2026-03-05");
	stay("2026-03-04", "2026-03-05");
	check_runs_out("a", "2026-03-10", "2026-03-31");
	assert_int_equal(supply("a", "2026-03-10")->last_days, 28);
}

/* stock that outlasts the therapy has no run-out date */
static void
therapy_that_ends_does_not_run_out(void **state)
{
	struct prescription *p;
	const struct supply *s;

	(void)state;
	world();
	p = rx_from("a", "2026-03-01");
	takes(p,
	    "{\"repeat\":{\"boundsDuration\":{\"value\":5,\"code\":\"d\"},"
	    "\"frequency\":2,\"period\":1,\"periodUnit\":\"d\"}}",
	    1000000);
	takes(p,
	    "{\"repeat\":{\"boundsDuration\":{\"value\":5,\"code\":\"d\"},"
	    "\"frequency\":1,\"period\":1,\"periodUnit\":\"d\"}}",
	    1000000)
	    ->sequence = 2;
	units(fill(p, "2026-03-01", -1), 20, "TAB");
	check_runs_out("a", "2026-03-02", "none");
	s = supply("a", "2026-03-02");
	assert_int_equal(s->fills[0].end_on, on("2026-03-11"));
	/* 12 are not enough: 10, then one on the 6th and 7th day */
	w.fills[0].quantity_micro = 12000000;
	check_runs_out("a", "2026-03-02", "2026-03-08");
}

/* monthly: no daily amount, but each dose has its day */
static void
monthly_doses_are_counted(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx_from("a", "2026-01-31");
	takes(p,
	    "{\"repeat\":{\"frequency\":1,\"period\":1,"
	    "\"periodUnit\":\"mo\"}}",
	    1000000);
	units(fill(p, "2026-01-31", -1), 3, "TAB");
	/* 01-31, 02-28, 03-31; the next on 04-30 */
	check_runs_out("a", "2026-02-01", "2026-04-30");
	/* what is stated comes first */
	w.fills[0].days_supply = 84;
	check_runs_out("a", "2026-02-01", "2026-04-25");
}

/* from one a day to one a month: what is left lasts longer */
static void
change_to_a_dose_without_daily_amount(void **state)
{
	struct prescription *p, *q;

	(void)state;
	world();
	p = rx_from("a", "2026-01-01");
	p->name = "a";
	takes(p,
	    "{\"repeat\":{\"frequency\":1,\"period\":1,"
	    "\"periodUnit\":\"d\"}}",
	    1000000);
	units(fill(p, "2026-01-01", 30), 30, "TAB");
	q = rx("b");
	q->drug = q->name = "a";
	q->prior_no = 1;
	q->authored_at = at("2026-01-29");
	q->authored_has_time = false;
	takes(q,
	    "{\"repeat\":{\"frequency\":1,\"period\":1,"
	    "\"periodUnit\":\"mo\"}}",
	    1000000);
	/* 28 are used; 01-29 and 02-28 take the rest */
	check_runs_out("a", "2026-01-30", "2026-03-29");
}

/* ---- days ---- */

/* returned, cancelled: "removed and the walk redone" */
static void
returned_fill_is_taken_out_again(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	fill(p, "2026-01-01", 30);
	fill(p, "2026-01-21", 30);
	check_runs_out("a", "2026-02-01", "2026-03-02");
	w.fills[1].status = FILL_CANCELLED;
	check_runs_out("a", "2026-02-01", "2026-01-31");
}

/* "as known at now" */
static void
fill_counts_from_its_hand_over(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-03-04 12:00", 10);
	assert_null(supply("a", "2026-03-04 11:59"));
	check_runs_out("a", "2026-03-04 12:00", "2026-03-14");
	/* the patient's own calendar */
	w.d.zone = zone_open("Pacific/Auckland");
	assert_int_equal(supply_in_order("a", "2026-03-06", 0)->last_fill_on,
	    on("2026-03-04"));
}

/* other drugs neither carry over nor hide one another; drug order */
static void
drugs_are_walked_apart(void **state)
{
	const struct supply *list;
	struct dossier d;

	(void)state;
	world();
	fill(rx("b"), "2026-03-01", 10);
	fill(rx("a"), "2026-03-05", 10);
	/* another prescription of the same drug carries over */
	rx("c")->drug = "b";
	fill(&w.prescriptions[2], "2026-03-05", 10);
	d = world_dossier(1);
	assert_int_equal(supply_walk(&d, at("2026-03-06"), w.arena, &list), 2);
	assert_string_equal(list[0].drug, "a");
	assert_int_equal(list[0].run_out_on, on("2026-03-15"));
	assert_int_equal(list[1].run_out_on, on("2026-03-21"));
	assert_int_equal(list[1].prescription_no, 3);
}

/* a fill that names no prescription belongs to the drug's newest then */
static void
fill_without_prescription_finds_its_drug(void **state)
{
	struct prescription *p, *q;

	(void)state;
	world();
	p = rx("a");
	p->supply_days = 14;
	q = rx("b");
	q->drug = "a";
	q->supply_days = 28;
	q->authored_at = at("2026-02-01");
	fill(p, "2026-01-20", -1)->prescription_no = 0;
	check_runs_out("a", "2026-03-01", "2026-02-03");
	fill(p, "2026-02-03", -1)->prescription_no = 0;
	check_runs_out("a", "2026-03-01", "2026-03-03");
}

/* an unclear fill adds nothing, and hides nothing */
static void
unclear_fill_adds_nothing(void **state)
{
	struct prescription *p;
	const struct supply *s;

	(void)state;
	world();
	p = rx("a");
	fill(p, "2026-02-09", 28);
	fill(p, "2026-03-08", -1);
	fill(p, "2026-03-08", 4000); /* more than ten years: a slip */
	check_runs_out("a", "2026-03-10", "2026-03-09");
	s = supply("a", "2026-03-10");
	assert_int_equal(s->unclear_count, 2);
	assert_int_equal(s->fill_count, 1);
	assert_int_equal(s->last_fill_on, on("2026-03-08"));
}

/* "no own supply is used, so ends move later by the paused days" */
static void
hospital_days_move_the_end(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-03-01", 10);              /* 03-11 */
	stay("2026-03-05 15:00", "2026-03-08 10:00"); /* 6th and 7th */
	/* from the moment that it is known */
	check_runs_out("a", "2026-03-04", "2026-03-13");
	check_runs_out("a", "2026-03-06", "2026-03-13");
	/* two stays that overlap count once */
	stay("2026-03-07", "2026-03-09"); /* … and the 8th */
	check_runs_out("a", "2026-03-10", "2026-03-14");
	/* the last day is spared; a stay from the day after spares nothing */
	w.d.stay_count = 0;
	stay("2026-03-10", "2026-03-15");
	check_runs_out("a", "2026-03-12", "2026-03-16");
	w.d.stay_count = 0;
	stay("2026-03-11", "2026-03-15");
	check_runs_out("a", "2026-03-12", "2026-03-11");
}

/* nobody knows when an open stay ends: it lasts through today */
static void
open_stay_lasts_through_today(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-03-01", 10);
	stay("2026-03-05 08:00", "2026-03-06");
	w.stays[0].until_at = AT_NEVER;
	check_runs_out("a", "2026-03-05 09:00", "2026-03-12");
	check_runs_out("a", "2026-03-08 09:00", "2026-03-15");
}

/* ---- what the patient counted ---- */

static struct correction counts[8];

static struct correction *
counted(const char *drug, const char *when, int32_t days)
{
	struct correction *c = &counts[w.d.correction_count++];

	*c = (struct correction){
	    .no = (int32_t)w.d.correction_count,
	    .drug = drug,
	    .at = at(when),
	    .days = days,
	    .quantity_micro = -1,
	    .quantity_unit = "TAB",
	};
	w.d.corrections = counts;
	return c;
}

static struct correction *
counted_units(const char *drug, const char *when, int64_t quantity)
{
	struct correction *c = counted(drug, when, -1);

	c->quantity_micro = quantity * 1000000;
	return c;
}

/* "还剩10天": "resets stock at that date" */
static void
count_resets_the_stock(void **state)
{
	(void)state;
	world();
	fill(rx("a"), "2026-03-01", 30); /* 03-31 */
	counted("a", "2026-03-11", 10);
	check_runs_out("a", "2026-03-10", "2026-03-31");
	check_runs_out("a", "2026-03-11", "2026-03-21");
	/* more than reckoned as well: doses were left out */
	counts[0].days = 25;
	check_runs_out("a", "2026-03-11", "2026-04-05");
	/* all of it lost */
	counts[0].days = 0;
	check_runs_out("a", "2026-03-11", "2026-03-11");
	/* another drug's count is not this one's */
	counts[0].drug = "b";
	check_runs_out("a", "2026-03-11", "2026-03-31");
}

static void
fills_go_on_from_a_count(void **state)
{
	const struct supply *s;

	(void)state;
	world();
	fill(rx("a"), "2026-03-01", 30);
	counted("a", "2026-03-11 09:00", 5); /* 03-16 */
	fill(&w.prescriptions[0], "2026-03-13", 30);
	check_runs_out("a", "2026-03-14", "2026-04-15");
	s = supply("a", "2026-03-14");
	assert_int_equal(s->last_days, 30);
	assert_int_equal(s->last_start_on, on("2026-03-16"));
	assert_int_equal(s->last_fill_on, on("2026-03-13"));
	/* counted after the fill, that one is in it */
	counts[0].at = at("2026-03-13");
	check_runs_out("a", "2026-03-14", "2026-03-18");
	s = supply("a", "2026-03-14");
	assert_int_equal(supply_earliest_refill(s, NULL, 75), on("2026-03-11"));
	/* counted before it on that day, it is not */
	counts[0].at = at("2026-03-13") - 1;
	check_runs_out("a", "2026-03-14", "2026-04-16");
}

/* "No supply data, no invented date": a count is data */
static void
count_stands_without_a_fill(void **state)
{
	const struct supply *s;

	(void)state;
	world();
	(void)rx("a");
	counted("a", "2026-03-11", 5);
	check_runs_out("a", "2026-03-12", "2026-03-16");
	s = supply("a", "2026-03-12");
	assert_int_equal(s->last_fill_on, ON_UNKNOWN);
	w.prescriptions[0].interval_days = 28;
	assert_int_equal(supply_earliest_refill(s, &w.prescriptions[0], 75),
	    on("2026-03-16"));
	/* in days of hospital nothing of it is used */
	stay("2026-03-12", "2026-03-14");
	check_runs_out("a", "2026-03-12", "2026-03-18");
}

#define DAILY "{\"repeat\":{\"frequency\":1,\"period\":1,\"periodUnit\":\"d\"}}"

static void
units_are_counted_by_the_daily_amount(void **state)
{
	(void)state;
	world();
	takes(rx("a"), DAILY, 2000000);
	units(fill(&w.prescriptions[0], "2026-03-01", -1), 60, "TAB");
	counted_units("a", "2026-03-11", 25); /* 12 days, and a half */
	check_runs_out("a", "2026-03-12", "2026-03-23");
	/* of another unit: not known to be anything */
	counts[0].quantity_unit = "box";
	check_runs_out("a", "2026-03-12", "2026-03-31");
	counts[0].quantity_unit = "TAB";
	counts[0].quantity_micro = 0;
	check_runs_out("a", "2026-03-12", "2026-03-11");
}

/* "Units on hand = dispensed units − units needed since" */
static void
rests_of_less_than_a_day_are_kept(void **state)
{
	const struct supply *s;

	(void)state;
	world();
	takes(rx("a"), DAILY, 2000000);
	units(fill(&w.prescriptions[0], "2026-03-01", -1), 25, "TAB");
	check_runs_out("a", "2026-03-02", "2026-03-13");
	units(fill(&w.prescriptions[0], "2026-03-10", -1), 25, "TAB");
	check_runs_out("a", "2026-03-12", "2026-03-26"); /* 50 / 2 */
	s = supply("a", "2026-03-12");
	assert_true(s->by_units);
	/* a count cuts it short, but not what it was meant for */
	counted_units("a", "2026-03-15", 10);
	check_runs_out("a", "2026-03-16", "2026-03-20");
	assert_int_equal(supply("a", "2026-03-16")->last_days, 13);
	w.d.correction_count = 0;
	/* what is stated stays */
	w.fills[0].days_supply = w.fills[1].days_supply = 12;
	check_runs_out("a", "2026-03-12", "2026-03-25");
}

/* an empty box has nothing to spare in hospital, by units either */
static void
pause_after_the_last_dose_moves_nothing(void **state)
{
	(void)state;
	world();
	takes(rx("a"), DAILY, 2000000);
	units(fill(&w.prescriptions[0], "2026-03-01", -1), 25, "TAB");
	units(fill(&w.prescriptions[0], "2026-03-01", -1), 6, "TAB");
	stay("2026-03-16", "2026-03-19"); /* one is left: no dose */
	check_runs_out("a", "2026-03-02", "2026-03-16");
	assert_true(supply("a", "2026-03-02")->by_units);
	w.d.stay_count = 0;
	stay("2026-03-15", "2026-03-18");
	check_runs_out("a", "2026-03-02", "2026-03-19");
}

/* a taper, of which the patient counts days or tablets */
static void
count_within_a_taper(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx_from("a", "2026-03-01");
	takes(p,
	    "{\"repeat\":{\"boundsDuration\":{\"value\":5,\"code\":\"d\"},"
	    "\"frequency\":1,\"period\":1,\"periodUnit\":\"d\"}}",
	    4000000);
	takes(p, DAILY, 2000000)->sequence = 2;
	units(fill(p, "2026-03-01", -1), 40, "TAB");
	/* 5 × 4, then 10 days of 2 */
	check_runs_out("a", "2026-03-02", "2026-03-16");
	/* 12 at the 4th: 4 + 4, then 2 days */
	counted_units("a", "2026-03-04", 12);
	check_runs_out("a", "2026-03-05", "2026-03-08");
	assert_int_equal(supply("a", "2026-03-05")->last_days, 15);
	/* days need no units; the next fill follows on */
	counts[0].quantity_micro = -1;
	counts[0].days = 4;
	check_runs_out("a", "2026-03-05", "2026-03-08");
	units(fill(p, "2026-03-06", -1), 20, "TAB");
	check_runs_out("a", "2026-03-06", "2026-03-18");
	assert_int_equal(
	    supply("a", "2026-03-06")->last_start_on, on("2026-03-08"));
	/* none left, and a day without a dose between */
	counts[0].days = 0;
	check_runs_out("a", "2026-03-05", "2026-03-04");
	check_runs_out("a", "2026-03-06", "2026-03-16");
}

/* ---- questions ---- */

/* "earliest = run-out − floor((1 − X)·s_last)"; "dispenseInterval
 * overrides it" */
static void
earliest_refill(void **state)
{
	struct prescription *p;
	const struct supply *s;

	(void)state;
	world();
	p = rx("a");
	fill(p, "2026-03-01", 30); /* 03-31 */
	s = supply("a", "2026-03-02");
	assert_int_equal(supply_earliest_refill(s, p, 75), on("2026-03-24"));
	assert_int_equal(supply_earliest_refill(s, p, 80), on("2026-03-25"));
	assert_int_equal(supply_earliest_refill(s, p, 100), on("2026-03-31"));
	p->interval_days = 12;
	assert_int_equal(supply_earliest_refill(s, p, 75), on("2026-03-13"));
}

static int32_t
left(const struct prescription *p, const char *when)
{
	struct dossier d = world_dossier(0);

	return supply_refills_left(&d, p, at(when));
}

/* check 3; "excludes the first fill" */
static void
refills_left(void **state)
{
	struct prescription *p;

	(void)state;
	world();
	p = rx("a");
	assert_int_equal(left(p, "2026-03-01"), -1);
	p->repeats_allowed = 2;
	assert_int_equal(left(p, "2026-03-01"), 2);
	fill(p, "2026-01-01", 28);
	assert_int_equal(left(p, "2026-03-01"), 2);
	fill(p, "2026-01-28", 28);
	fill(p, "2026-02-01", 28)->status = FILL_ERROR;
	assert_int_equal(left(p, "2026-03-01"), 1);
	fill(p, "2026-02-25", 28);
	fill(p, "2026-03-20", 28);
	assert_int_equal(left(p, "2026-03-01"), 0);
	assert_int_equal(left(p, "2026-04-01"), 0);
}

/* "run-out date with a printed derivation" */
static void
derivation_says_how(void **state)
{
	static const char *const expected[] = {
	    "2026-01-08: 14 days, from 2026-01-08 until 2026-01-22",
	    "2026-01-21: 14 days, 1 day early, from 2026-01-22 until "
	    "2026-02-07",
	    "2026-02-09: 14 days, after 2 days without, from 2026-02-09 until "
	    "2026-02-23",
	    "in hospital or paused from 2026-01-25 until 2026-01-27: no own "
	    "supply used",
	    "fill of 2026-02-10: its days' supply cannot be worked out, not "
	    "counted",
	    "fill of 2026-02-11: entered in error, not counted",
	    "runs out on 2026-02-23, the first day without",
	};
	struct prescription *p;
	const char *const *lines;
	struct dossier d;
	uint32_t count;

	(void)state;
	world();
	p = rx("a");
	fill(p, "2026-01-08 16:00", 14);
	fill(p, "2026-01-21 12:30", 14);
	fill(p, "2026-02-09 12:40", 14);
	fill(p, "2026-02-10 12:40", -1);
	fill(p, "2026-02-11 12:40", 14)->status = FILL_ERROR;
	stay("2026-01-25", "2026-01-27");
	d = world_dossier(0);
	count = supply_derive(&d, supply("a", "2026-03-01"), w.arena, &lines);
	assert_int_equal(count, COUNT(expected));
	for (uint32_t i = 0; i < count; i++)
		assert_string_equal(lines[i], expected[i]);
}

static void
check_derivation(
    const char *when, const char *const *expected, uint32_t expected_count)
{
	struct dossier d = world_dossier(0);
	const struct supply *s = supply("a", when);
	const char *const *lines;
	uint32_t count = supply_derive(&d, s, w.arena, &lines);

	for (uint32_t i = 0; i < count && i < expected_count; i++)
		assert_string_equal(lines[i], expected[i]);
	assert_int_equal(count, expected_count);
}

/* "that let a pharmacist redo the arithmetic by hand" */
static void
derivation_shows_counts_and_units(void **state)
{
	static const char *const by_days[] = {
	    ("2026-03-01: 30 days (60 TAB at 2 TAB a day), from 2026-03-01 "
	     "until 2026-03-31"),
	    ("2026-03-11: the patient counts 10 days where 20 days were "
	     "reckoned, from 2026-03-11 until 2026-03-21"),
	    "runs out on 2026-03-21, the first day without",
	};
	static const char *const by_units[] = {
	    "2026-03-01: 25 TAB, from 2026-03-01 until 2026-03-13",
	    ("2026-03-10: 25 TAB, 3 days early, from 2026-03-13 until "
	     "2026-03-26"),
	    "from 2026-03-01: 2 TAB a day",
	    "runs out on 2026-03-26, the first day without",
	};
	static const char *const lost[] = {
	    ("2026-03-01: 28 days (4 TAB at 1 TAB in 7 days), from 2026-03-01 "
	     "until 2026-03-29"),
	    "count of 2026-03-02: its days cannot be worked out, not counted",
	    "runs out on 2026-03-29, the first day without",
	};

	(void)state;
	world();
	takes(rx("a"), DAILY, 2000000);
	units(fill(&w.prescriptions[0], "2026-03-01", -1), 60, "TAB");
	counted("a", "2026-03-11", 10);
	check_derivation("2026-03-12", by_days, COUNT(by_days));
	w.d.correction_count = 0;
	w.fills[0].quantity_micro = 25000000;
	units(fill(&w.prescriptions[0], "2026-03-10", -1), 25, "TAB");
	check_derivation("2026-03-12", by_units, COUNT(by_units));
	world();
	takes(rx("a"),
	    "{\"repeat\":{\"dayOfWeek\":[\"mon\"],\"frequency\":1,"
	    "\"period\":1,\"periodUnit\":\"wk\"}}",
	    1000000);
	units(fill(&w.prescriptions[0], "2026-03-01", -1), 4, "TAB");
	counted_units("a", "2026-03-02", 3)->quantity_unit = "box";
	check_derivation("2026-03-03", lost, COUNT(lost));
}

static void
derivation_of_the_earliest_refill(void **state)
{
	struct prescription *p;
	const struct supply *s;

	(void)state;
	world();
	p = rx("a");
	fill(p, "2026-03-01", 30);
	s = supply("a", "2026-03-02");
	assert_string_equal(supply_derive_refill(s, p, 75, w.arena),
	    "next refill from 2026-03-24: 7 days before, 25 % of the last 30 "
	    "days rounded down");
	p->interval_days = 21;
	assert_string_equal(supply_derive_refill(s, p, 75, w.arena),
	    "next refill from 2026-03-22: 21 days after the last fill on "
	    "2026-03-01");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors_hold),
	    cmocka_unit_test(sample_early_fills_and_a_gap),
	    cmocka_unit_test(sample_errors_and_open_dispenses_add_nothing),
	    cmocka_unit_test(sample_quantity_by_daily_amount),
	    cmocka_unit_test(sample_expected_supply_duration),
	    cmocka_unit_test(initial_fill_is_about_the_first_one),
	    cmocka_unit_test(sample_as_needed_has_no_date),
	    cmocka_unit_test(sample_change_of_dose_is_walked_by_units),
	    cmocka_unit_test(new_dose_takes_over_from_the_old),
	    cmocka_unit_test(taper_walks_day_by_day),
	    cmocka_unit_test(therapy_that_ends_does_not_run_out),
	    cmocka_unit_test(monthly_doses_are_counted),
	    cmocka_unit_test(change_to_a_dose_without_daily_amount),
	    cmocka_unit_test(returned_fill_is_taken_out_again),
	    cmocka_unit_test(fill_counts_from_its_hand_over),
	    cmocka_unit_test(drugs_are_walked_apart),
	    cmocka_unit_test(fill_without_prescription_finds_its_drug),
	    cmocka_unit_test(unclear_fill_adds_nothing),
	    cmocka_unit_test(hospital_days_move_the_end),
	    cmocka_unit_test(open_stay_lasts_through_today),
	    cmocka_unit_test(count_resets_the_stock),
	    cmocka_unit_test(fills_go_on_from_a_count),
	    cmocka_unit_test(count_stands_without_a_fill),
	    cmocka_unit_test(units_are_counted_by_the_daily_amount),
	    cmocka_unit_test(rests_of_less_than_a_day_are_kept),
	    cmocka_unit_test(pause_after_the_last_dose_moves_nothing),
	    cmocka_unit_test(count_within_a_taper),
	    cmocka_unit_test(earliest_refill),
	    cmocka_unit_test(refills_left),
	    cmocka_unit_test(derivation_says_how),
	    cmocka_unit_test(derivation_shows_counts_and_units),
	    cmocka_unit_test(derivation_of_the_earliest_refill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
