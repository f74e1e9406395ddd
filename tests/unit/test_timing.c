/*
 * Timing: the published vectors (tests/vectors), each also through the
 * stored form and through a prescription's schedule; the rules of fhir.md 3
 * that they leave out; shorthand; and what must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "base/json.h"
#include "care/dose_schedule.h"
#include "care/timing.h"
#include "read_json.h"

#define VECTORS "tests/vectors/vectors-timing.json"

static const struct day_profile usual = DAY_PROFILE_DEFAULT;

/* A date (local midnight) or an instant. */
static struct timing_start
moment(const char *text, const struct zone *zone)
{
	struct timing_start start = {.has_time = strlen(text) > 10};
	int32_t date_on;

	if (start.has_time) {
		assert_true(instant_parse(text, &start.at));
	} else {
		assert_true(civil_parse(text, &date_on));
		start.at = zone_instant(zone, date_on, 0);
	}
	return start;
}

static struct day_profile
read_profile(const struct json *json)
{
	struct day_profile profile = usual;
	struct timing_error error;

	if (json != NULL)
		assert_true(timing_read_profile(json, arena, &profile, &error));
	return profile;
}

/* The same rule, written and read back. */
static const struct timing *
stored(const struct timing *timing)
{
	struct buf one = BUF_INIT(0), two = BUF_INIT(0);
	const struct timing *again;
	const uint8_t *copy;

	timing_encode(timing, &one);
	copy = arena_copy(arena, one.data, one.bytes);
	again = timing_decode(copy, one.bytes, arena);
	assert_non_null(again);
	timing_encode(again, &two);
	assert_int_equal(one.bytes, two.bytes);
	assert_memory_equal(one.data, two.data, one.bytes);
	buf_free(&one);
	buf_free(&two);
	return again;
}

static void
check_dose(const struct json *expected, const struct zone *zone, int64_t at)
{
	char text[32];

	zone_format(zone, at, text, sizeof(text));
	assert_string_equal(text, json_text(expected));
}

/* As a prescription with this one dosage has it. */
static void
check_schedule(const struct json *vector, const struct timing *timing,
    struct dossier *d, struct timing_start start, int64_t from, int64_t to)
{
	struct dosage dosage = {.timing = timing, .dose_micro = -1};
	struct prescription p = {
	    .no = 1,
	    .authored_at = start.at,
	    .authored_has_time = start.has_time,
	    .dosages = &dosage,
	    .dosage_count = 1,
	};
	const struct json *expected = json_get(vector, "expected")->child;
	const struct dose *doses;
	uint32_t count;

	dosage.as_needed = json_is(json_get(vector, "asNeeded"), JSON_TRUE);
	count = dose_expand(d, &p, from, to, arena, &doses);
	assert_int_equal(count, json_get(vector, "expected")->count);
	for (uint32_t i = 0; i < count; i++, expected = expected->next)
		check_dose(expected, d->zone, doses[i].at);
}

static void
check_vector(const struct json *vector)
{
	struct dossier d = {
	    .zone = zone_open(json_get_text(vector, "timezone")),
	    .profile = read_profile(json_get(vector, "profile")),
	};
	const struct json *window = json_get(vector, "window");
	const struct json *expected = json_get(vector, "expected");
	struct timing_start start =
	    moment(json_get_text(vector, "start"), d.zone);
	int64_t from = moment(json_get_text(window, "from"), d.zone).at;
	int64_t to = moment(json_get_text(window, "to"), d.zone).at;
	struct timing_error error;
	const struct timing *timing =
	    timing_parse(json_get(vector, "timing"), arena, &error);
	const int64_t *doses;
	int count;

	assert_non_null(timing);
	assert_null(timing_needs_review(timing));
	timing = stored(timing);
	check_schedule(vector, timing, &d, start, from, to);
	if (json_is(json_get(vector, "asNeeded"), JSON_TRUE))
		return;
	count = timing_expand(
	    timing, start, d.zone, &d.profile, from, to, arena, &doses);
	assert_int_equal(count, expected->count);
	json_each (text, expected)
		check_dose(text, d.zone, *doses++);
}

static void
vectors_hold(void **state)
{
	const struct json *vectors =
	    json_get(read_json(VECTORS, arena), "vectors");
	int count = 0;

	(void)state;
	json_each (vector, vectors) {
		print_message("# %s %s\n", json_get_text(vector, "id"),
		    json_get_text(vector, "title"));
		check_vector(vector);
		count++;
	}
	assert_int_equal(count, 30);
}

/* count and phase never depend on the window (rule 10) */
static void
window_changes_nothing(void **state)
{
	const struct json *vectors =
	    json_get(read_json(VECTORS, arena), "vectors");

	(void)state;
	json_each (vector, vectors) {
		const struct zone *zone =
		    zone_open(json_get_text(vector, "timezone"));
		struct timing_start start =
		    moment(json_get_text(vector, "start"), zone);
		struct timing_error error;
		const struct timing *timing =
		    timing_parse(json_get(vector, "timing"), arena, &error);
		int64_t from = start.at - DAY_US, step = 7 * HOUR_US;
		const int64_t *all, *part;
		int count = timing_expand(timing, start, zone, &usual, from,
		    from + 70 * step, arena, &all);
		int seen = 0;

		for (int i = 0; i < 70; i++) {
			int found = timing_expand(timing, start, zone, &usual,
			    from + i * step, from + (i + 1) * step, arena,
			    &part);

			for (int k = 0; k < found; k++)
				assert_int_equal(part[k], all[seen++]);
		}
		assert_int_equal(seen, count);
	}
}

static const struct timing *
rule(const char *text)
{
	struct timing_error error = {0};
	const struct timing *timing =
	    timing_parse(parse_json(arena, text), arena, &error);

	if (timing == NULL)
		fail_msg("%s: %s", error.at, error.text);
	return stored(timing);
}

static const struct timing *
repeat(const char *text)
{
	return rule(arena_printf(arena, "{\"repeat\":{%s}}", text));
}

/* The doses as "06-10 08:00 …", Asia/Shanghai. */
static const char *
expand_from(const struct timing *timing, const char *start, const char *from,
    const char *to)
{
	const struct zone *zone = zone_open("Asia/Shanghai");
	struct buf out = BUF_INIT(0);
	const int64_t *doses;
	const char *text;
	int count = timing_expand(timing, moment(start, zone), zone, &usual,
	    moment(from, zone).at, moment(to, zone).at, arena, &doses);

	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		char when[32];

		zone_format(zone, doses[i], when, sizeof(when));
		when[10] = ' ';
		when[16] = '\0';
		buf_printf(&out, "%s%s", i > 0 ? " " : "", when + 5);
	}
	text = arena_text(arena, buf_string(&out));
	buf_free(&out);
	return text;
}

static const char *
expand(const struct timing *timing, const char *to)
{
	return expand_from(timing, "2025-06-10", "2025-06-10", to);
}

#define GTS "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"

static const struct timing *
code(const char *word)
{
	return rule(arena_printf(arena,
	    "{\"code\":{\"coding\":[{\"system\":\"" GTS
	    "\",\"code\":\"%s\"}]}}",
	    word));
}

/* 3.2, 3.5 rule 2 */
static void
codes_state_their_schedule(void **state)
{
	(void)state;
	assert_string_equal(expand(code("QD"), "2025-06-11"), "06-10 08:00");
	assert_string_equal(
	    expand(code("BID"), "2025-06-11"), "06-10 08:00 06-10 20:00");
	assert_string_equal(expand(code("AM"), "2025-06-11"), "06-10 08:00");
	assert_string_equal(expand(code("PM"), "2025-06-11"), "06-10 15:00");
	assert_string_equal(expand(code("BED"), "2025-06-11"), "06-10 22:00");
	assert_string_equal(
	    expand(code("QOD"), "2025-06-14"), "06-10 08:00 06-12 08:00");
	assert_string_equal(
	    expand(code("MO"), "2025-08-01"), "06-10 08:00 07-10 08:00");
	assert_string_equal(expand(code("Q6H"), "2025-06-11"),
	    "06-10 08:00 06-10 14:00 06-10 20:00");
	assert_non_null(timing_needs_review(code("Q5D")));
	/* "once" of an unknown code is not known to be at the anchor */
	assert_non_null(timing_needs_review(
	    rule("{\"repeat\":{\"count\":1},\"code\":{\"text\":\"?\"}}")));
	/* bounds always still apply; a repeat with a schedule decides */
	assert_string_equal(
	    expand(rule("{\"repeat\":{\"boundsPeriod\":{\"end\":"
			"\"2025-06-11\"}},\"code\":{\"coding\":[{\"system\":"
			"\"" GTS "\",\"code\":\"QD\"}]}}"),
		"2025-07-01"),
	    "06-10 08:00 06-11 08:00");
	assert_string_equal(
	    expand(rule("{\"repeat\":{\"timeOfDay\":[\"09:00:00\"]},\"code\":"
			"{\"coding\":[{\"system\":\"" GTS
			"\",\"code\":\"BID\"}]}}"),
		"2025-06-11"),
	    "06-10 09:00");
}

/* 3.4 */
static void
when_codes_have_their_times(void **state)
{
	static const char *const times[][2] = {
	    {"MORN", "08:00"},
	    {"MORN.early", "06:00"},
	    {"MORN.late", "10:00"},
	    {"NOON", "12:00"},
	    {"AFT", "15:00"},
	    {"AFT.early", "13:00"},
	    {"AFT.late", "17:00"},
	    {"EVE", "19:00"},
	    {"EVE.early", "18:00"},
	    {"EVE.late", "21:00"},
	    {"NIGHT", "22:00"},
	    {"PHS", "22:00"},
	    {"HS", "22:00"},
	    {"WAKE", "07:00"},
	    {"CM", "07:30"},
	    {"CD", "12:00"},
	    {"CV", "18:00"},
	    {"ACM", "07:00"},
	    {"ACD", "11:30"},
	    {"ACV", "17:30"},
	    {"PCM", "08:00"},
	    {"PCD", "12:30"},
	    {"PCV", "18:30"},
	    {"C", "07:30 06-10 12:00 06-10 18:00"},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(times); i++) {
		const char *text = arena_printf(arena, "06-10 %s", times[i][1]);

		assert_string_equal(
		    expand(repeat(arena_printf(
			       arena, "\"when\":[\"%s\"]", times[i][0])),
			"2025-06-11"),
		    text);
	}
	assert_string_equal(
	    expand(repeat("\"when\":[\"PHS\"],\"offset\":150"), "2025-06-12"),
	    "06-11 00:30");
	assert_string_equal(
	    expand(repeat("\"when\":[\"MORN\"],\"offset\":20"), "2025-06-11"),
	    "06-10 08:20");
	/* before the anchor's midnight: no dose of the course */
	assert_string_equal(
	    expand(repeat("\"when\":[\"WAKE\",\"ACM\"],\"offset\":600"),
		"2025-06-11"),
	    "06-10 17:00 06-10 21:30");
}

static const char *
expand_day(const char *profile_json, const struct timing *timing)
{
	const struct zone *zone = zone_open("Asia/Shanghai");
	struct day_profile profile =
	    read_profile(parse_json(arena, profile_json));
	struct timing_start start = moment("2025-06-10", zone);
	struct buf out = BUF_INIT(0);
	const int64_t *doses;
	const char *text;
	int count = timing_expand(timing, start, zone, &profile, start.at,
	    start.at + DAY_US, arena, &doses);

	for (int i = 0; i < count; i++) {
		char when[32];

		zone_format(zone, doses[i], when, sizeof(when));
		when[16] = '\0';
		buf_printf(&out, "%s%s", i > 0 ? " " : "", when + 11);
	}
	text = arena_text(arena, buf_string(&out));
	buf_free(&out);
	return text;
}

/* "policy; per tenant and per patient" */
static void
patients_have_days_of_their_own(void **state)
{
	static const char *const cases[][3] = {
	    {"{\"breakfast\":\"06:30\"}", "\"when\":[\"ACM\"]", "06:00"},
	    {"{\"meal_lead_min\":15}", "\"when\":[\"AC\"]",
		"07:15 11:45 17:45"},
	    {"{\"meal_lead_min\":15}", "\"when\":[\"PCM\"],\"offset\":5",
		"07:35"},
	    {"{\"MORN\":\"07:10\",\"EVE.late\":\"20:20\"}",
		"\"when\":[\"MORN\",\"EVE.late\",\"NOON\"]",
		"07:10 12:00 20:20"},
	    {"{\"once\":\"09:00\"}",
		"\"frequency\":1,\"period\":2,\"periodUnit\":\"d\"", "09:00"},
	    {"{\"once\":\"09:00\"}", "\"count\":1", "09:00"},
	    {"{\"once\":\"09:00\"}",
		"\"frequency\":1,\"period\":8,\"periodUnit\":\"h\"",
		"09:00 17:00"},
	    /* "once" is not "once daily" */
	    {"{\"once\":\"09:00\"}",
		"\"frequency\":1,\"period\":1,\"periodUnit\":\"d\"", "08:00"},
	    {"{\"daily\":{\"1\":[\"10:00\"],\"2\":[\"09:00\",\"21:00\"]}}",
		"\"frequency\":2,\"period\":1,\"periodUnit\":\"d\"",
		"09:00 21:00"},
	    {"{\"daily\":{\"1\":[\"10:00\"]}}",
		"\"frequency\":1,\"period\":1,\"periodUnit\":\"d\"", "10:00"},
	    {"{\"wake\":\"06:00\",\"sleep\":\"22:00:00\"}",
		"\"frequency\":5,\"period\":1,\"periodUnit\":\"d\"",
		"06:00 10:00 14:00 18:00 22:00"},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++)
		assert_string_equal(
		    expand_day(cases[i][0], repeat(cases[i][1])), cases[i][2]);
	assert_string_equal(
	    expand_day("{\"am\":\"07:00\"}", code("AM")), "07:00");
	assert_string_equal(
	    expand_day("{\"pm\":\"16:00\"}", code("PM")), "16:00");
}

static void
unknown_parts_of_a_day_are_refused(void **state)
{
	static const char *const cases[][2] = {
	    {"{\"brunch\":\"10:00\"}", "profile.brunch"},
	    {"{\"wake\":\"7:00\"}", "profile.wake"},
	    {"{\"wake\":\"24:00\"}", "profile.wake"},
	    {"{\"wake\":\"07:00:\"}", "profile.wake"},
	    {"{\"wake\":7}", "profile.wake"},
	    {"{\"meal_lead_min\":-1}", "profile.meal_lead_min"},
	    {"{\"daily\":{\"2\":[\"09:00\"]}}", "profile.daily"},
	    {"{\"daily\":{\"1\":[\"9\"]}}", "profile.daily"},
	    {"[]", "profile"},
	};
	struct timing_error error;

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct day_profile profile = usual;

		assert_false(timing_read_profile(
		    parse_json(arena, cases[i][0]), arena, &profile, &error));
		assert_string_equal(error.at, cases[i][1]);
	}
}

/* whoever sleeps after midnight takes the evening's dose that night */
static void
late_bedtime_belongs_to_its_evening(void **state)
{
	struct day_profile late = usual;
	const struct zone *zone = zone_open("Asia/Shanghai");
	struct timing_start start = moment("2025-06-10", zone);
	const int64_t *doses;
	int count;

	(void)state;
	late.sleep = 3600;
	count = timing_expand(repeat("\"when\":[\"HS\"]"), start, zone, &late,
	    start.at, start.at + 2 * DAY_US, arena, &doses);
	assert_int_equal(count, 1);
	assert_int_equal(doses[0], start.at + 25 * HOUR_US);
	/* found from the next date as well */
	count = timing_expand(repeat("\"when\":[\"HS\"]"), start, zone, &late,
	    start.at + DAY_US, start.at + DAY_US + 2 * HOUR_US, arena, &doses);
	assert_int_equal(count, 1);
	count = timing_expand(
	    repeat("\"frequency\":5,\"period\":1,\"periodUnit\":\"d\""), start,
	    zone, &late, start.at, start.at + DAY_US, arena, &doses);
	assert_int_equal(count, 4); /* 07:00 11:30 16:00 20:30, 01:00 */
	assert_int_equal(doses[3], start.at + 20 * HOUR_US + 30 * MINUTE_US);
}

/* rule 8, what the vectors leave out */
static void
calendar_mode(void **state)
{
	(void)state;
	/* explicit times every p days from the anchor date */
	assert_string_equal(
	    expand(repeat("\"frequency\":1,\"period\":3,\"periodUnit\":\"d\","
			  "\"timeOfDay\":[\"09:00:00\"]"),
		"2025-06-17"),
	    "06-10 09:00 06-13 09:00 06-16 09:00");
	/* frequency/p a day if whole */
	assert_string_equal(
	    expand(repeat("\"frequency\":4,\"period\":2,\"periodUnit\":\"d\""),
		"2025-06-11"),
	    "06-10 08:00 06-10 20:00");
	/* every 2nd week counted from the Monday of the anchor week: the
	 * 10th is a Tuesday, so the first Monday falls out */
	assert_string_equal(
	    expand(repeat("\"frequency\":1,\"period\":2,\"periodUnit\":\"wk\","
			  "\"dayOfWeek\":[\"mon\",\"fri\"]"),
		"2025-07-01"),
	    "06-13 08:00 06-23 08:00 06-27 08:00");
	/* more than the named days, and it divides */
	assert_string_equal(
	    expand(repeat("\"frequency\":4,\"period\":1,\"periodUnit\":\"wk\","
			  "\"dayOfWeek\":[\"wed\",\"thu\"]"),
		"2025-06-13"),
	    "06-11 08:00 06-11 20:00 06-12 08:00 06-12 20:00");
	/* as many a week as days and times: every day */
	assert_string_equal(
	    expand(repeat("\"frequency\":14,\"period\":1,\"periodUnit\":"
			  "\"wk\",\"when\":[\"MORN\",\"EVE\"]"),
		"2025-06-12"),
	    "06-10 08:00 06-10 19:00 06-11 08:00 06-11 19:00");
	/* years, from 29 February */
	assert_string_equal(
	    expand_from(
		repeat("\"frequency\":1,\"period\":1,\"periodUnit\":\"a\""),
		"2024-02-29", "2024-01-01", "2028-03-01"),
	    "02-29 08:00 02-28 08:00 02-28 08:00 02-28 08:00 02-29 08:00");
	/* hours with explicit times: as daily */
	assert_string_equal(
	    expand(repeat("\"frequency\":1,\"period\":24,\"periodUnit\":\"h\","
			  "\"timeOfDay\":[\"21:00:00\"]"),
		"2025-06-12"),
	    "06-10 21:00 06-11 21:00");
	/* dayOfWeek always filters */
	assert_string_equal(
	    expand(repeat("\"frequency\":1,\"period\":2,\"periodUnit\":\"d\","
			  "\"dayOfWeek\":[\"sat\",\"sun\"]"),
		"2025-06-30"),
	    "06-14 08:00 06-22 08:00 06-28 08:00");
	/* ranges: frequency over frequencyMax, count over countMax */
	assert_string_equal(
	    expand(repeat("\"frequency\":1,\"frequencyMax\":3,\"period\":1,"
			  "\"periodUnit\":\"d\",\"count\":2,\"countMax\":4"),
		"2025-07-01"),
	    "06-10 08:00 06-11 08:00");
}

/* an offset may carry a dose past the next day's first one */
static void
count_takes_the_earliest(void **state)
{
	(void)state;
	assert_string_equal(
	    expand(repeat("\"when\":[\"ACM\",\"PCV\"],\"offset\":420,"
			  "\"count\":2"),
		"2025-07-01"),
	    "06-10 00:30 06-11 00:30");
}

/* rules 6 and 7 */
static void
single_and_elapsed(void **state)
{
	(void)state;
	assert_string_equal(
	    expand(repeat("\"count\":1"), "2025-07-01"), "06-10 08:00");
	assert_string_equal(
	    expand_from(repeat("\"count\":1"), "2025-06-10T13:20:00+08:00",
		"2025-06-10", "2025-07-01"),
	    "06-10 13:20");
	/* a fractional period of days is elapsed */
	assert_string_equal(expand(repeat("\"frequency\":1,\"period\":1.5,"
					  "\"periodUnit\":\"d\""),
				"2025-06-14"),
	    "06-10 08:00 06-11 20:00 06-13 08:00");
	assert_string_equal(expand(repeat("\"frequency\":2,\"period\":12,"
					  "\"periodUnit\":\"h\",\"count\":3"),
				"2025-06-14"),
	    "06-10 08:00 06-10 14:00 06-10 20:00");
}

/* rule 10: "Add events, sort, drop duplicates, … cut to count" */
static void
events_count_among_the_doses(void **state)
{
	(void)state;
	assert_string_equal(
	    expand(rule("{\"event\":[\"2025-06-12T07:00:00+08:00\","
			"\"2025-06-10T12:00:00+08:00\","
			"\"2025-06-11T12:00:00+08:00\"],\"repeat\":{"
			"\"count\":4,\"timeOfDay\":[\"12:00:00\","
			"\"18:00:00\"]}}"),
		"2025-07-01"),
	    "06-10 12:00 06-10 18:00 06-11 12:00 06-11 18:00");
	assert_string_equal(
	    expand(rule("{\"event\":[\"2025-06-11T07:00:00+08:00\","
			"\"2025-06-10\"],\"repeat\":{\"count\":3,"
			"\"timeOfDay\":[\"12:00:00\"]}}"),
		"2025-07-01"),
	    "06-10 08:00 06-10 12:00 06-11 07:00");
}

/* rule 4 */
static void
bounds_end_the_course(void **state)
{
	const char *daily = "\"frequency\":1,\"period\":1,\"periodUnit\":\"d\"";

	(void)state;
	assert_string_equal(
	    expand(repeat(arena_printf(arena,
		       "%s,\"boundsDuration\":{\"value\":1,\"code\":\"wk\"},"
		       "\"dayOfWeek\":[\"mon\",\"tue\"]",
		       daily)),
		"2025-07-01"),
	    "06-10 08:00 06-16 08:00");
	/* months on the calendar */
	assert_string_equal(
	    expand_from(
		repeat("\"frequency\":1,\"period\":1,\"periodUnit\":\"mo\","
		       "\"boundsDuration\":{\"value\":2,\"code\":\"mo\"}"),
		"2025-01-31", "2025-01-01", "2026-01-01"),
	    "01-31 08:00 02-28 08:00");
	/* hours and fractions are elapsed */
	assert_string_equal(
	    expand(repeat(arena_printf(arena,
		       "%s,\"boundsDuration\":{\"value\":32,\"unit\":"
		       "\"hours\"}",
		       daily)),
		"2025-07-01"),
	    "06-10 08:00");
	assert_string_equal(
	    expand(repeat(arena_printf(arena,
		       "%s,\"boundsDuration\":{\"value\":1.5,\"code\":\"d\"}",
		       daily)),
		"2025-07-01"),
	    "06-10 08:00 06-11 08:00");
	assert_string_equal(
	    expand(repeat(arena_printf(arena,
		       "%s,\"boundsRange\":{\"low\":{\"value\":1,\"code\":"
		       "\"d\"},\"high\":{\"value\":2,\"code\":\"d\"}}",
		       daily)),
		"2025-07-01"),
	    "06-10 08:00 06-11 08:00");
	/* parts of dates: from their first day, to their last */
	assert_string_equal(
	    expand(repeat("\"frequency\":1,\"period\":1,\"periodUnit\":\"wk\","
			  "\"boundsPeriod\":{\"start\":\"2025-07\",\"end\":"
			  "\"2025-07\"}"),
		"2026-01-01"),
	    "07-01 08:00 07-08 08:00 07-15 08:00 07-22 08:00 07-29 08:00");
}

static void
what_cannot_be_scheduled_needs_review(void **state)
{
	static const char *const rules[] = {
	    "\"boundsPeriod\":{\"start\":\"2025-06-10\"}",
	    "\"count\":3",
	    "\"frequency\":3,\"period\":2,\"periodUnit\":\"d\"",
	    "\"frequency\":2,\"period\":1,\"periodUnit\":\"mo\"",
	    "\"frequency\":1,\"period\":1.5,\"periodUnit\":\"mo\"",
	    "\"frequency\":1,\"period\":0,\"periodUnit\":\"d\"",
	    "\"frequency\":1,\"period\":1,\"periodUnit\":\"s\"",
	    "\"frequency\":1,\"period\":6,\"periodUnit\":\"h\","
	    "\"dayOfWeek\":[\"mon\"]",
	    "\"frequency\":3,\"period\":1,\"periodUnit\":\"wk\","
	    "\"dayOfWeek\":[\"mon\",\"tue\"]",
	    "\"frequency\":1,\"period\":1.5,\"periodUnit\":\"d\","
	    "\"timeOfDay\":[\"08:00:00\"]",
	    "\"frequency\":1000000,\"period\":1,\"periodUnit\":\"d\"",
	    "\"frequency\":1,\"period\":1000000000,\"periodUnit\":\"a\"",
	    "\"frequency\":1,\"period\":1,\"periodUnit\":\"d\","
	    "\"boundsDuration\":{\"value\":7,\"comparator\":\"<\","
	    "\"code\":\"d\"}",
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(rules); i++) {
		const struct timing *timing = repeat(rules[i]);
		int64_t numerator, denominator;

		if (timing_needs_review(timing) == NULL)
			fail_msg("%s", rules[i]);
		assert_string_equal(expand(timing, "2026-01-01"), "");
		assert_false(
		    timing_daily(timing, &usual, &numerator, &denominator));
	}
}

/* 3.1: "Violations: 422 with issue code invariant" */
static void
invariants_are_refused(void **state)
{
	static const char *const cases[][4] = {
	    {"\"duration\":1", "invariant", "repeat.durationUnit", "tim-1"},
	    {"\"period\":1", "invariant", "repeat.periodUnit", "tim-2"},
	    {"\"duration\":-1,\"durationUnit\":\"h\"", "invariant",
		"repeat.duration", "tim-4"},
	    {"\"period\":-1,\"periodUnit\":\"d\"", "invariant", "repeat.period",
		"tim-5"},
	    {"\"periodMax\":1,\"periodUnit\":\"d\"", "invariant",
		"repeat.periodMax", "tim-6"},
	    {"\"durationMax\":1,\"durationUnit\":\"h\"", "invariant",
		"repeat.durationMax", "tim-7"},
	    {"\"countMax\":2", "invariant", "repeat.countMax", "tim-8"},
	    {"\"offset\":30", "invariant", "repeat.offset", "tim-9"},
	    {"\"offset\":30,\"when\":[\"ACM\",\"CV\"]", "invariant",
		"repeat.offset", "tim-9"},
	    {"\"timeOfDay\":[\"08:00:00\"],\"when\":[\"HS\"]", "invariant",
		"repeat.timeOfDay", "tim-10"},
	    {"\"periodUnit\":\"fortnight\"", "value", "repeat.periodUnit", ""},
	    {"\"frequency\":0", "value", "repeat.frequency", ""},
	    {"\"frequency\":1.5", "value", "repeat.frequency", ""},
	    {"\"frequency\":\"2\"", "value", "repeat.frequency", ""},
	    {"\"when\":[\"LUNCH\"]", "value", "repeat.when", ""},
	    {"\"when\":\"HS\"", "structure", "repeat.when", ""},
	    {"\"when\":[1]", "structure", "repeat.when", ""},
	    {"\"dayOfWeek\":[\"monday\"]", "value", "repeat.dayOfWeek", ""},
	    {"\"timeOfDay\":[\"8:00\"]", "value", "repeat.timeOfDay", ""},
	    {"\"timeOfDay\":[\"24:00:00\"]", "value", "repeat.timeOfDay", ""},
	    {"\"boundsPeriod\":{\"start\":\"2025-02-30\"}", "value",
		"repeat.boundsPeriod.start", ""},
	    {"\"boundsPeriod\":{\"end\":\"2025-06-10T08:00\"}", "value",
		"repeat.boundsPeriod.end", ""},
	    {"\"boundsDuration\":{\"value\":7}", "value",
		"repeat.boundsDuration", ""},
	    {"\"boundsDuration\":{\"value\":-7,\"code\":\"d\"}", "value",
		"repeat.boundsDuration", ""},
	    {"\"boundsPeriod\":{},\"boundsRange\":{}", "structure", "repeat",
		""},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct timing_error error = {0};
		const char *text =
		    arena_printf(arena, "{\"repeat\":{%s}}", cases[i][0]);

		assert_null(
		    timing_parse(parse_json(arena, text), arena, &error));
		assert_string_equal(error.code, cases[i][1]);
		assert_string_equal(error.at, cases[i][2]);
		assert_int_equal(
		    strncmp(error.text, cases[i][3], strlen(cases[i][3])), 0);
	}
}

static void
daily_amount_is_exact(void **state)
{
	static const struct {
		const char *rule;
		int64_t numerator, denominator; /* 0: not constant */
	} cases[] = {
	    {"\"frequency\":2,\"period\":1,\"periodUnit\":\"d\"", 2, 1},
	    {"\"frequency\":1,\"period\":8,\"periodUnit\":\"h\"", 3, 1},
	    {"\"frequency\":1,\"period\":2,\"periodUnit\":\"d\"", 1, 2},
	    {"\"frequency\":2,\"period\":3,\"periodUnit\":\"d\"", 2, 3},
	    {"\"frequency\":1,\"period\":1,\"periodUnit\":\"wk\","
	     "\"dayOfWeek\":[\"mon\"]",
		1, 7},
	    {"\"frequency\":3,\"period\":2,\"periodUnit\":\"wk\"", 3, 14},
	    {"\"dayOfWeek\":[\"mon\",\"wed\"],\"timeOfDay\":[\"07:30:00\","
	     "\"19:00:00\"]",
		4, 7},
	    {"\"when\":[\"PC\"]", 3, 1},
	    /* one instant, one dose */
	    {"\"when\":[\"MORN\",\"PCM\"]", 1, 1},
	    {"\"frequency\":1,\"period\":1,\"periodUnit\":\"mo\"", 0, 0},
	    {"\"frequency\":1,\"period\":2,\"periodUnit\":\"d\","
	     "\"dayOfWeek\":[\"mon\"]",
		0, 0},
	    {"\"count\":1", 0, 0},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		int64_t numerator = 0, denominator = 1;
		bool known = timing_daily(
		    repeat(cases[i].rule), &usual, &numerator, &denominator);

		assert_int_equal(known, cases[i].denominator != 0);
		if (known)
			assert_int_equal(numerator * cases[i].denominator,
			    cases[i].numerator * denominator);
	}
}

static const char *
end_of(const struct timing *timing)
{
	const struct zone *zone = zone_open("Asia/Shanghai");
	int64_t end =
	    timing_end(timing, moment("2025-06-10", zone), zone, &usual);
	char *text = arena_alloc(arena, 32);

	if (end == AT_NEVER)
		return "never";
	zone_format(zone, end, text, 32);
	text[16] = '\0';
	return text;
}

static void
end_is_the_bound_or_the_next_dose(void **state)
{
	(void)state;
	assert_string_equal(end_of(repeat("\"frequency\":1,\"period\":1,"
					  "\"periodUnit\":\"d\"")),
	    "never");
	assert_string_equal(
	    end_of(repeat("\"frequency\":1,\"period\":1,\"periodUnit\":\"d\","
			  "\"boundsPeriod\":{\"end\":\"2025-06-12\"}")),
	    "2025-06-13T00:00");
	/* three doses, then the fourth would have been */
	assert_string_equal(
	    end_of(repeat("\"frequency\":1,\"period\":8,\"periodUnit\":\"h\","
			  "\"count\":3")),
	    "2025-06-11T08:00");
	assert_string_equal(end_of(repeat("\"count\":1")), "2025-06-10T08:00");
	assert_string_equal(
	    end_of(rule("{\"event\":[\"2025-06-12\",\"2025-06-11\"]}")),
	    "2025-06-12T08:00");
}

/* a few days around now, of a therapy anchored long ago */
static void
far_windows_are_found_directly(void **state)
{
	static const char *const rules[] = {
	    "\"frequency\":4,\"period\":1,\"periodUnit\":\"d\"",
	    "\"frequency\":1,\"period\":6,\"periodUnit\":\"h\"",
	    "\"frequency\":28,\"period\":1,\"periodUnit\":\"wk\","
	    "\"dayOfWeek\":[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\",\"sat\","
	    "\"sun\"]",
	};
	const struct zone *zone = zone_open("Asia/Shanghai");
	const int64_t *doses;
	int64_t from = moment("2126-03-01", zone).at;

	(void)state;
	for (unsigned i = 0; i < COUNT(rules); i++) {
		size_t before = arena_bytes(arena);
		const struct timing *timing = repeat(rules[i]);

		assert_int_equal(
		    timing_expand(timing, moment("1926-03-01", zone), zone,
			&usual, from, from + DAY_US, arena, &doses),
		    4);
		assert_true(arena_bytes(arena) - before < 4096);
	}
	/* 200 years of hours are more than can be expanded at once */
	assert_int_equal(
	    timing_expand(
		repeat("\"frequency\":1,\"period\":1,\"periodUnit\":\"h\""),
		moment("1926-03-01", zone), zone, &usual, AT_UNKNOWN, AT_NEVER,
		arena, &doses),
	    -1);
}

/* 3.6 */
static void
shorthand_is_understood(void **state)
{
	static const char *const daily1 = "06-10 08:00 06-11 08:00";
	static const char *const daily2 =
	    "06-10 08:00 06-10 20:00 06-11 08:00 06-11 20:00";
	static const char *const both =
	    "06-10 08:00 06-10 19:00 06-11 08:00 06-11 19:00";
	const char *const cases[][2] = {
	    {"qd", daily1},
	    {"每日一次", daily1},
	    {"1次/日", daily1},
	    {"一天一次", daily1},
	    {"口服,每日1次,每次1粒(qd)", daily1},
	    {"BID", daily2},
	    {"b.i.d.", daily2},
	    {"每日两次", daily2},
	    {"每日二次", daily2},
	    {"每天2次", daily2},
	    {"早晚各一次", both},
	    {"口服,每日2次,早晚各3ml(bid)", both},
	    {"qod", "06-10 08:00"},
	    {"隔日1次,每次1片(qod)", "06-10 08:00"},
	    {"q12h", daily2},
	    {"每12小时一次", daily2},
	    {"每12小时", daily2},
	    {"qw", "06-10 08:00"},
	    {"每周一次", "06-10 08:00"},
	    {"qn", "06-10 22:00 06-11 22:00"},
	    {"每晚1次", "06-10 22:00 06-11 22:00"},
	    {"皮下注射,每晚1次,睡前12单位(hs)", "06-10 22:00 06-11 22:00"},
	    {"口服,每日1次,每日早晨1片(qam)", daily1},
	    {"tid ac", "06-10 07:00 06-10 11:30 06-10 17:30 06-11 07:00 "
		       "06-11 11:30 06-11 17:30"},
	    {"饭后", "06-10 08:00 06-10 12:30 06-10 18:30 06-11 08:00 "
		     "06-11 12:30 06-11 18:30"},
	    {"口服,每日2次,早餐后、晚餐后各1片(bid pc)",
		"06-10 08:00 06-10 18:30 06-11 08:00 06-11 18:30"},
	    {"qd 空腹", "06-10 07:00 06-11 07:00"},
	    {"st", "06-10 08:00"},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		bool as_needed = true;
		const struct timing *timing =
		    timing_parse_text(cases[i][0], arena, &as_needed);

		if (timing == NULL)
			fail_msg("%s", cases[i][0]);
		assert_false(as_needed);
		assert_string_equal(
		    expand(stored(timing), "2025-06-12"), cases[i][1]);
	}
}

static const char *
as_fhir(const char *text)
{
	struct shorthand shorthand;
	struct buf out = BUF_INIT(0);
	struct json_writer w;
	const char *json;

	timing_read_text(text, arena, &shorthand);
	json_write_init(&w, &out);
	json_write_object(&w);
	timing_write_text(&shorthand, &w);
	json_write_end_object(&w);
	json = arena_text(arena, buf_string(&out));
	buf_free(&out);
	/* what is written is what was meant */
	if (shorthand.review == NULL && !shorthand.as_needed) {
		const struct json *read = parse_json(arena, json);
		const struct json *timing = json_get(read, "timing");
		struct timing_error error;
		const struct timing *again =
		    timing_parse(timing != NULL ? timing : read, arena, &error);

		assert_non_null(again);
		assert_string_equal(expand(again, "2025-07-01"),
		    expand(shorthand.timing, "2025-07-01"));
	}
	return json;
}

#define DAYS(frequency, period) \
	"\"frequency\":" #frequency ",\"period\":" #period \
	",\"periodUnit\":\"d\""
#define REPEAT(rest) "{\"repeat\":{" rest "}}"
#define TID REPEAT(DAYS(3, 1))
#define TID_PC DAYS(3, 1) ",\"when\":[\"PC\"]"
#define DOSE(value, unit) \
	"\"doseAndRate\":[{\"doseQuantity\":{\"value\":" value \
	",\"unit\":\"" unit "\"}}]"

/* 3.6, and the ways in which people write it */
static void
shorthand_is_written_as_fhir(void **state)
{
	static const char *const cases[][2] = {
	    {"t.i.d.", TID},
	    {"TID", TID},
	    {"ｔｉｄ", TID},
	    {"一日3次", TID},
	    {"每天三次", TID},
	    {"每日３次", TID},
	    {"每日 3 次", TID},
	    {"3次/天", TID},
	    {"日三次。", TID},
	    {"每日三次 饭后", REPEAT(TID_PC)},
	    {"每日三次，飯後", REPEAT(TID_PC)},
	    {"三餐后", REPEAT(TID_PC)},
	    {"饭后半小时 每日三次", REPEAT(TID_PC ",\"offset\":30")},
	    {"餐后2小时 tid", REPEAT(TID_PC ",\"offset\":120")},
	    {"睡前30分钟",
		REPEAT(DAYS(1, 1) ",\"when\":[\"HS\"],\"offset\":30")},
	    {"1片 tid pc po",
		"{\"timing\":" REPEAT(
		    TID_PC) ",\"route\":{\"text\":\"po\"}," DOSE("1",
		    "片") "}"},
	    {"每次1片半 每日三次",
		"{\"timing\":" TID "," DOSE("1.5", "片") "}"},
	    {"半片 tid", "{\"timing\":" TID "," DOSE("0.5", "片") "}"},
	    {"1/4片 tid", "{\"timing\":" TID "," DOSE("0.25", "片") "}"},
	    {"每8小时1片", "{\"timing\":" REPEAT(
			       "\"frequency\":1,\"period\":8,\"periodUnit\":"
			       "\"h\"") "," DOSE("1", "片") "}"},
	    {"qn", REPEAT(DAYS(1, 1) ",\"when\":[\"HS\"]")},
	    {"qm",
		REPEAT("\"frequency\":1,\"period\":1,\"periodUnit\":\"mo\"")},
	    {"biw", REPEAT("\"frequency\":2,\"period\":1,\"periodUnit\":"
			   "\"wk\"")},
	    {"每3个月一次",
		REPEAT("\"frequency\":1,\"period\":3,\"periodUnit\":\"mo\"")},
	    {"每隔一天一次", REPEAT(DAYS(1, 2))},
	    {"早晚各一次 饭后",
		REPEAT(DAYS(2, 1) ",\"when\":[\"PCM\",\"PCV\"]")},
	    {"早中晚各一次",
		REPEAT(DAYS(3, 1) ",\"when\":[\"MORN\",\"NOON\",\"EVE\"]")},
	    {"空腹", "{\"repeat\":{" DAYS(1, 1) ",\"when\":[\"ACM\"]},"
						"\"confirm\":\"空腹\"}"},
	    {"biw 空腹",
		"{\"repeat\":{\"frequency\":2,\"period\":1,\"periodUnit\":"
		"\"wk\",\"when\":[\"ACM\"]},\"confirm\":\"空腹\"}"},
	    {"st", REPEAT("\"count\":1")},
	    {"sos", "{\"asNeededBoolean\":true}"},
	    {"tid 必要时", "{\"timing\":" TID ",\"asNeededBoolean\":true}"},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++)
		assert_string_equal(as_fhir(cases[i][0]), cases[i][1]);
}

/* a person is told which words */
static void
unclear_shorthand_names_the_words(void **state)
{
	static const char *const cases[][2] = {
	    {"每日3次,连服7天停3天", "not understood: 停3天"},
	    {"TID×７", "not understood: ×７"},
	    {"QDX", "not understood: QDX"},
	    {"每月一", "not understood: 每月一"},
	    {".5片 qd", "not understood: ."},
	    {"每次1-2片 tid", "not understood: 1-"},
	    {"每日1-2次", "not understood: 1-2次"},
	    {"qd, BID", "does not fit together: qd, BID"},
	    {"饭后30分钟 睡前", "does not fit together: 饭后30分钟, 睡前"},
	    {"早餐前30分钟、晚餐后", "does not fit together: 早餐前30分钟, "
				     "晚餐后"},
	    {"早1片晚2片", "does not fit together: 早, 1片, 晚, 2片"},
	    {"空腹 tid pc", "does not fit together: 空腹, tid, pc"},
	    {"qod 早晚", "does not fit together: qod, 早晚"},
	    {"立即 tid", "does not fit together: 立即, tid"},
	    {"每日 qw", "does not fit together: 每日, qw"},
	    {"每日两次 饭后", "which meals is not said: 每日两次, 饭后"},
	    {"每日2片", "how often is not said: 每日2片"},
	    {"每月2次", "several doses in a month or year: 每月2次"},
	    {"遵醫囑", "as directed: 遵醫囑"},
	    {"", "how often is not said"},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++)
		assert_string_equal(as_fhir(cases[i][0]),
		    arena_printf(
			arena, "{\"needs_review\":\"%s\"}", cases[i][1]));
}

/* "biw" is twice a week; qm is not qn */
static void
look_alikes_are_kept_apart(void **state)
{
	bool as_needed;

	(void)state;
	assert_string_equal(
	    expand(timing_parse_text("biw", arena, &as_needed), "2025-06-24"),
	    "06-10 08:00 06-13 08:00 06-17 08:00 06-20 08:00");
	assert_string_equal(
	    expand(timing_parse_text("q2w", arena, &as_needed), "2025-07-08"),
	    "06-10 08:00 06-24 08:00");
	assert_string_equal(
	    expand(timing_parse_text("每两周一次", arena, &as_needed),
		"2025-07-08"),
	    "06-10 08:00 06-24 08:00");
	assert_string_equal(
	    expand(timing_parse_text("qm", arena, &as_needed), "2025-08-01"),
	    "06-10 08:00 07-10 08:00");
}

static void
unclear_shorthand_is_never_guessed(void **state)
{
	static const char *const unclear[] = {"", "口服", "1片", "qd bid",
	    "每周", "bid pc", "qd ac", "tid hs", "bid 随餐 hs", "qdx", "q0h",
	    "每日", "共7天", "每日3次,7天", "一次", "每日一次或两次", "??",
	    "\xff\xfe", "q8h hs", "tid ac pc"};
	bool as_needed;

	(void)state;
	for (unsigned i = 0; i < COUNT(unclear); i++)
		if (timing_parse_text(unclear[i], arena, &as_needed) != NULL)
			fail_msg("%s", unclear[i]);
}

static void
as_needed_and_as_directed_have_no_doses(void **state)
{
	static const char *const needed[] = {
	    "prn", "必要时吸入(prn)", "sos", "需要时", "tid prn"};
	const struct timing *timing;
	bool as_needed;

	(void)state;
	for (unsigned i = 0; i < COUNT(needed); i++) {
		timing = timing_parse_text(needed[i], arena, &as_needed);
		assert_non_null(timing);
		assert_true(as_needed);
		assert_string_equal(expand(stored(timing), "2025-06-12"), "");
	}
	timing = timing_parse_text("遵医嘱", arena, &as_needed);
	assert_non_null(timing);
	assert_false(as_needed);
	assert_non_null(timing_needs_review(stored(timing)));
	assert_string_equal(expand(timing, "2025-06-12"), "");
}

/* every prefix and every flipped byte: refused, or safe */
static void
damaged_rules_are_refused_or_safe(void **state)
{
	const struct timing *timing =
	    rule("{\"event\":[\"2025-06-12\",\"2025-06-10T09:00:00+08:00\"],"
		 "\"repeat\":{\"boundsPeriod\":{\"start\":\"2025-06-10\","
		 "\"end\":\"2025-08-10\"},\"frequency\":2,\"period\":1,"
		 "\"periodUnit\":\"wk\",\"count\":9,\"dayOfWeek\":[\"mon\"],"
		 "\"timeOfDay\":[\"08:00:00\",\"09:00:00\"]}}");
	struct buf out = BUF_INIT(0);
	uint8_t *copy;

	(void)state;
	timing_encode(repeat("\"timeOfDay\":[\"08:00:00\"]"), &out);
	/* a byte too many; a time past midnight */
	copy = arena_alloc(arena, out.bytes + 1);
	memcpy(copy, out.data, out.bytes);
	assert_non_null(timing_decode(copy, out.bytes, arena));
	assert_null(timing_decode(copy, out.bytes + 1, arena));
	copy[out.bytes - 3] = 1;
	copy[out.bytes - 2] = 0xff;
	assert_null(timing_decode(copy, out.bytes, arena));
	buf_clear(&out);
	timing_encode(timing, &out);
	for (size_t i = 0; i < out.bytes; i++) {
		copy = arena_copy(arena, out.data, i + 1);
		assert_null(timing_decode(copy, i, arena));
	}
	for (size_t i = 0; i < out.bytes * 8; i++) {
		const struct timing *again;

		copy = arena_copy(arena, out.data, out.bytes);
		copy[i / 8] ^= (uint8_t)(1u << i % 8);
		again = timing_decode(copy, out.bytes, arena);
		if (again != NULL)
			(void)expand(again, "2025-06-20");
	}
	buf_free(&out);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, arena_set_up, arena_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(vectors_hold),
	    TEST(window_changes_nothing),
	    TEST(codes_state_their_schedule),
	    TEST(when_codes_have_their_times),
	    TEST(patients_have_days_of_their_own),
	    TEST(unknown_parts_of_a_day_are_refused),
	    TEST(late_bedtime_belongs_to_its_evening),
	    TEST(calendar_mode),
	    TEST(count_takes_the_earliest),
	    TEST(single_and_elapsed),
	    TEST(events_count_among_the_doses),
	    TEST(bounds_end_the_course),
	    TEST(what_cannot_be_scheduled_needs_review),
	    TEST(invariants_are_refused),
	    TEST(daily_amount_is_exact),
	    TEST(end_is_the_bound_or_the_next_dose),
	    TEST(far_windows_are_found_directly),
	    TEST(shorthand_is_understood),
	    TEST(shorthand_is_written_as_fhir),
	    TEST(unclear_shorthand_names_the_words),
	    TEST(look_alikes_are_kept_apart),
	    TEST(unclear_shorthand_is_never_guessed),
	    TEST(as_needed_and_as_directed_have_no_doses),
	    TEST(damaged_rules_are_refused_or_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
