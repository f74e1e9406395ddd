/*
 * Shorthand has one reading or none: what is accepted, as one line of its
 * FHIR, and what a person is asked instead.  A moment that is named twice is
 * one dose, a list is as many as it has, and nothing is left out in silence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "base/json.h"
#include "care/timing.h"
#include "read_json.h"

static const char *
as_fhir(const struct shorthand *shorthand)
{
	struct buf out = BUF_INIT(0);
	struct json_writer w;
	const char *json;

	json_write_init(&w, &out);
	json_write_object(&w);
	timing_write_text(shorthand, &w);
	json_write_end_object(&w);
	json = arena_text(arena, buf_string(&out));
	buf_free(&out);
	return json;
}

static const char *
encoded(const struct timing *timing)
{
	struct buf out = BUF_INIT(0);
	const char *text = "";

	timing_encode(timing, &out);
	for (size_t i = 0; i < out.bytes; i++)
		text = arena_printf(
		    arena, "%s%02x", text, (unsigned char)out.data[i]);
	buf_free(&out);
	return text;
}

/* What is written is what was meant. */
static void
check_written(const struct shorthand *shorthand, const struct json *timing)
{
	struct timing_error error;
	const struct timing *again = timing_parse(timing, arena, &error);

	assert_non_null(again);
	if (!shorthand->as_needed)
		assert_string_equal(encoded(again), encoded(shorthand->timing));
}

static const char *
add(const char *line, const char *before, const char *word)
{
	return word == NULL ? line
			    : arena_printf(arena, "%s%s%s%s", line,
				  *line == '\0' ? "" : " ", before, word);
}

static const char *
add_each(const char *line, const struct json *array)
{
	json_each (item, array)
		line = item == array->child ? add(line, "", json_text(item))
					    : arena_printf(arena, "%s,%s", line,
						  json_text(item));
	return line;
}

/* "2/1d PCM,PCV +30 ×7d" */
static const char *
repeat_line(const struct json *repeat)
{
	const struct json *frequency = json_get(repeat, "frequency");
	const struct json *bound = json_get(repeat, "boundsDuration");
	const struct json *offset = json_get(repeat, "offset");
	const char *line = "";

	if (json_get(repeat, "count") != NULL)
		line = add(line, "once", "");
	if (frequency != NULL)
		line = arena_printf(arena, "%s/%s%s", frequency->text,
		    json_get(repeat, "period")->text,
		    json_get_text(repeat, "periodUnit"));
	line = add_each(line, json_get(repeat, "dayOfWeek"));
	line = add_each(line, json_get(repeat, "timeOfDay"));
	line = add_each(line, json_get(repeat, "when"));
	if (offset != NULL)
		line = add(line, "+", offset->text);
	if (bound != NULL)
		line = arena_printf(arena, "%s x%s%s", line,
		    json_get(bound, "value")->text,
		    json_get_text(bound, "code"));
	return line;
}

/* The answer in one line: the schedule, the dose, how and what for. */
static const char *
read_line(const char *text)
{
	struct shorthand shorthand;
	const struct json *json, *timing, *dose;
	const char *line;

	timing_read_text(text, arena, &shorthand);
	json = parse_json(arena, as_fhir(&shorthand));
	if (shorthand.review != NULL)
		return add("", "? ", json_get_text(json, "needs_review"));
	timing = json_get(json, "timing");
	if (timing == NULL && json_get(json, "repeat") != NULL)
		timing = json;
	line = repeat_line(json_get(timing, "repeat"));
	if (timing != NULL)
		check_written(&shorthand, timing);
	dose =
	    json_get(json_at(json_get(json, "doseAndRate"), 0), "doseQuantity");
	if (dose != NULL)
		line = add(line, json_get(dose, "value")->text,
		    json_get_text(dose, "unit"));
	line =
	    add(line, "route ", json_get_text(json_get(json, "route"), "text"));
	line = add(
	    line, "method ", json_get_text(json_get(json, "method"), "text"));
	line = add(line, "for ",
	    json_get_text(json_get(json, "asNeededCodeableConcept"), "text"));
	if (json_get(json, "asNeededBoolean") != NULL)
		line = add(line, "prn", "");
	return add(line, "confirm ", json_get_text(json, "confirm"));
}

static void
check(const char *const cases[][2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *line = read_line(cases[i][0]);

		if (strcmp(line, cases[i][1]) != 0)
			fail_msg(
			    "%s: %s, not %s", cases[i][0], line, cases[i][1]);
	}
}

#define CHECK(cases) check((cases), COUNT(cases))

static void
one_moment_is_one_dose(void **state)
{
	static const char *const cases[][2] = {
	    {"晚上睡前 1片", "1/1d HS 1片"},
	    {"每天晚上睡前 10mg", "1/1d HS 10mg"},
	    {"晚睡前", "1/1d HS"},
	    {"晚 睡前 1片", "1/1d HS 1片"},
	    {"晚上(睡前)1片", "1/1d HS 1片"},
	    {"晚上睡前30分钟", "1/1d HS +30"},
	    {"qd 晚上，睡前", "1/1d HS"},
	    {"早上早餐前 1片", "1/1d ACM 1片"},
	    {"早上早饭后1片", "1/1d PCM 1片"},
	    {"早上晨起", "1/1d WAKE"},
	    {"早 晨起 1片", "1/1d WAKE 1片"},
	    {"晨起早餐前 1片", "1/1d ACM 1片"},
	    {"中午午饭后", "1/1d PCD"},
	    {"晚上晚饭后 1片", "1/1d PCV 1片"},
	    {"早上空腹 晚上睡前 各1片", "2/1d ACM,HS 1片 confirm 空腹"},
	    {"每日2次 早空腹 晚睡前", "2/1d ACM,HS confirm 空腹"},
	    {"早、晚睡前各1片", "2/1d MORN,HS 1片"},
	    {"早餐前30分钟空腹1片(qd ac)", "1/1d ACM +30 1片 confirm 空腹"},
	};

	(void)state;
	CHECK(cases);
}

static void
one_part_of_the_day_counts_twice_only_if_said(void **state)
{
	static const char *const cases[][2] = {
	    {"晚饭后睡前", "? one time of the day, or two: 晚饭后, 睡前"},
	    {"bid 晚饭后睡前", "2/1d PCV,HS"},
	    {"早餐前 早餐后", "? one time of the day, or two: 早餐前, 早餐后"},
	    {"bid 早餐前、早餐后", "2/1d ACM,PCM"},
	    {"晚上、睡前各1片",
		"? one time of the day, or two: 晚上, 睡前各, 1片"},
	    {"晚 睡前各1片", "? one time of the day, or two: 晚, 睡前各, 1片"},
	    {"早 中 晚 睡前",
		"? one time of the day, or two: 早, 中, 晚, 睡前"},
	    {"tid 早、中、晚、睡前",
		"? one time of the day, or two: tid, 早, 中, 晚, 睡前"},
	    {"qid 早 中 晚 睡前", "4/1d MORN,NOON,EVE,HS"},
	    {"每日4次（早中晚及睡前）", "4/1d MORN,NOON,EVE,HS"},
	    {"bid 晨起、早餐前",
		"? one time of the day, or two: bid, 晨起, 早餐前"},
	    {"bid 晚上睡前", "? does not fit together: bid, 晚上, 睡前"},
	    /* before a nap, which is no bedtime */
	    {"午睡前1片", "? does not fit together: 午, 睡前, 1片"},
	    {"三餐后及睡前", "4/1d PC,HS"},
	    {"qid 三餐后、睡前", "4/1d PC,HS"},
	    {"tid 三餐后 睡前", "? does not fit together: tid, 三餐后, 睡前"},
	};

	(void)state;
	CHECK(cases);
}

static void
meal_belongs_to_all_of_a_list(void **state)
{
	static const char *const cases[][2] = {
	    {"早、晚饭后 1片", "2/1d PCM,PCV 1片"},
	    {"每日2次，早、晚饭后", "2/1d PCM,PCV"},
	    {"早，晚饭后", "2/1d PCM,PCV"},
	    {"早、中、晚饭后各1片", "3/1d PC 1片"},
	    {"早、中、晚餐前", "3/1d AC"},
	    {"早、晚饭后30分钟", "2/1d PCM,PCV +30"},
	    {"早、晚 饭后", "2/1d PCM,PCV"},
	    {"早晚饭前 1粒", "2/1d ACM,ACV 1粒"},
	    {"早饭前、晚饭后", "2/1d ACM,PCV"},
	    {"早上、晚饭后各1片",
		"? does not fit together: 早上, 晚饭后各, 1片"},
	    {"早饭前、晚", "? which hour is not said: 早饭前, 晚"},
	    {"晚、早饭后", "? which hour is not said: 晚, 早饭后"},
	    {"每日2次 餐后", "? which meals is not said: 每日2次, 餐后"},
	};

	(void)state;
	CHECK(cases);
}

static void
evening_alone_has_no_hour(void **state)
{
	static const char *const cases[][2] = {
	    {"晚上", "? which hour is not said: 晚上"},
	    {"晚1片", "? which hour is not said: 晚, 1片"},
	    {"qd 晚上", "? which hour is not said: qd, 晚上"},
	    {"晨起、晚上", "? which hour is not said: 晨起, 晚上"},
	    {"下午1片", "? which hour is not said: 下午, 1片"},
	    {"每晚1片", "1/1d HS 1片"},
	    {"每天晚上1片", "1/1d HS 1片"},
	    {"每日晚上 10mg", "1/1d HS 10mg"},
	    {"每晚饭后", "1/1d PCV"},
	    {"早晚各1片", "2/1d MORN,EVE 1片"},
	    {"早上、晚上各1片", "2/1d MORN,EVE 1片"},
	};

	(void)state;
	CHECK(cases);
}

static void
impossible_numbers_are_not_read(void **state)
{
	static const char *const cases[][2] = {
	    {"每0小时一次", "? not understood: 每0小时一次"},
	    {"每00小时一次", "? not understood: 每00小时一次"},
	    {"每0天一次", "? not understood: 每0"},
	    {"每０周一次", "? not understood: 每０周一次"},
	    {"每日0次", "? not understood: 0次"},
	    {"tid ×0天", "? not understood: ×0天"},
	    {"每日24次", "24/1d"},
	    {"每日25次", "? more than 24 doses a day: 每日25次"},
	    {"每日99次", "? more than 24 doses a day: 每日99次"},
	    {"每日100次 prn", "? more than 24 doses a day: 每日100次, prn"},
	    {"每小时2次", "? more than 24 doses a day: 每小时2次"},
	    {"每1分钟一次", "? not understood: 每1分钟一次"},
	    {"q168h", "1/168h"},
	    {"q999h", "? too long an interval: q999h"},
	    {"3天3次", "? not understood: 3"},
	    {"3月1次", "? not understood: 3月1次"},
	};

	(void)state;
	CHECK(cases);
}

static void
amount_is_that_of_one_dose(void **state)
{
	static const char *const cases[][2] = {
	    {"1# qd", "1/1d 1片"},
	    {"每天一片", "1/1d 1片"},
	    {"1片/日", "1/1d 1片"},
	    {"日1片", "1/1d 1片"},
	    {"每天半片", "1/1d 0.5片"},
	    {"每周1片", "1/1wk 1片"},
	    {"10mg/日", "? how often is not said: 10mg/日"},
	    {"每日2片 qd", "1/1d 2片"},
	    {"每日2片，早晚服",
		"? an amount of several doses: 每日2片, 早晚, 服"},
	    {"每日1片 bid", "? does not fit together: 每日1片, bid"},
	    {"3片/日 tid", "? an amount of several doses: 3片/日, tid"},
	    {"2片/次 3次/日", "3/1d 2片"},
	    {"早晚2片", "? each time, or in all: 早晚, 2片"},
	    {"早晚各2片", "2/1d MORN,EVE 2片"},
	    {"2片 早晚", "2/1d MORN,EVE 2片"},
	    {"0.5g(1片) tid", "3/1d 0.5g"},
	    {"5mg 2片 qd", "? does not fit together: 5mg, 2片, qd"},
	    {"5mg×2片 qd", "? not understood: ×"},
	    {"1片+1片 qd", "? not understood: +"},
	    {"1片×3次/日", "3/1d 1片"},
	    {"qd 顿服", "1/1d"},
	    {"2g 顿服", "? how often is not said: 2g, 顿服"},
	};

	(void)state;
	CHECK(cases);
}

static void
days_of_the_week_are_no_numbers(void **state)
{
	static const char *const cases[][2] = {
	    {"周一三五", "3/1wk mon,wed,fri"},
	    {"每周一", "1/1wk mon"},
	    {"每周一、四 1片", "2/1wk mon,thu 1片"},
	    {"每周2次(周一、周四)", "2/1wk mon,thu"},
	    {"周一至周五 睡前", "1/1d mon,tue,wed,thu,fri HS"},
	    {"周一三五 bid", "2/1d mon,wed,fri"},
	    {"每周六日 1片", "2/1wk sat,sun 1片"},
	    {"每周三次", "3/1wk"},
	    {"每周一次", "1/1wk"},
	    {"每周一片", "1/1wk 1片"},
	    {"每周三片", "? how often is not said: 每周三片"},
	    {"每周一二次", "? not understood: 每周一二次"},
	    {"每周五天", "? not understood: 每周五天"},
	    {"每周一半片", "? not understood: 每周一"},
	    {"每周3次 周一", "? does not fit together: 每周3次, 周一"},
	    {"每天 周一", "? does not fit together: 每天, 周一"},
	    {"每两周一次", "1/2wk"},
	    {"双周一次", "1/2wk"},
	    {"隔週一次", "1/2wk"},
	};

	(void)state;
	CHECK(cases);
}

static void
clock_counts_to_24_or_names_the_part(void **state)
{
	static const char *const cases[][2] = {
	    {"8:00 16:00", "2/1d 08:00:00,16:00:00"},
	    {"８：００、２０：００", "2/1d 08:00:00,20:00:00"},
	    {"8点、20点各1片", "2/1d 08:00:00,20:00:00 1片"},
	    {"早8点、晚8点", "2/1d 08:00:00,20:00:00"},
	    {"每晚9点半 1片", "1/1d 21:30:00 1片"},
	    {"下午3:00", "1/1d 15:00:00"},
	    {"20时30分", "1/1d 20:30:00"},
	    {"每周一 8:00", "1/1d mon 08:00:00"},
	    {"8点", "? morning or evening is not said: 8点"},
	    {"8:00 12:00 6:00",
		"? morning or evening is not said: 8:00, 12:00, 6:00"},
	    {"1:10 外用 qd",
		"? morning or evening is not said: 1:10, 外用, qd"},
	    {"晚12点", "? does not fit together: 晚, 12点"},
	    {"bid 8:00", "? does not fit together: bid, 8:00"},
	    {"8:00 早餐前", "? does not fit together: 8:00, 早餐前"},
	    {"25:00", "? not understood: 25, 00"},
	};

	(void)state;
	CHECK(cases);
}

static void
course_has_an_end(void **state)
{
	static const char *const cases[][2] = {
	    {"tid 连服7天", "3/1d x7d"},
	    {"qd×14天", "1/1d x14d"},
	    {"TID x7d", "3/1d x7d"},
	    {"bid 共2周", "2/1d x2wk"},
	    {"qw×4周", "1/1wk x4wk"},
	    /* so many days, or so many doses? */
	    {"qod ×14天", "? how long is not clear: qod, ×14天"},
	    {"每周1次 连服3天", "? how long is not clear: 每周1次, 连服3天"},
	    {"st ×3天", "? does not fit together: st, ×3天"},
	    {"tid ×3", "? not understood: ×3"},
	    {"tid 7天", "? not understood: 7天"},
	    {"bid 共7天 共14天", "? does not fit together: bid, 共7天, 共14天"},
	};

	(void)state;
	CHECK(cases);
}

static void
nothing_beside_the_timing_is_lost(void **state)
{
	static const char *const cases[][2] = {
	    {"tid po", "3/1d route po"},
	    {"tiw 皮下注射", "3/1wk route 皮下注射"},
	    {"iv st", "once route iv"},
	    {"qd 口服(po)", "1/1d route 口服"},
	    {"po im qd", "? does not fit together: po, im, qd"},
	    {"静滴 q12h", "1/12h route 静滴"},
	    {"滴眼 1滴 tid", "3/1d 1滴 route 滴眼"},
	    {"沖服 1包 tid", "3/1d 1包 method 沖服"},
	    {"口服 嚼服 1片 qd", "1/1d 1片 route 口服 method 嚼服"},
	    {"疼痛时 1片", "1片 for 疼痛时"},
	    {"發熱時 每6小时1次", "1/6h for 發熱時"},
	    {"失眠时 睡前1片 prn", "1/1d HS 1片 for 失眠时"},
	    {"sos 1片", "1片 prn"},
	    {"疼痛时 不超过4次/日", "? not understood: 不超过"},
	    {"阿司匹林 1片 qd", "? not understood: 阿司匹林"},
	    {"bd", "2/1d"},
	    {"tds", "3/1d"},
	    {"qpm", "? not understood: qpm"},
	    {"od", "? not understood: od"},
	};

	(void)state;
	CHECK(cases);
}

static void
empty_stomach_is_confirmed(void **state)
{
	static const char *const cases[][2] = {
	    {"qd 空腹", "1/1d ACM confirm 空腹"},
	    {"早晨空腹1片，晚饭后1片", "2/1d ACM,PCV 1片 confirm 空腹"},
	    {"晨起空腹 1片", "1/1d WAKE 1片 confirm 空腹"},
	    {"晚餐前空腹", "1/1d ACV"},
	    {"空腹 饭后", "? does not fit together: 空腹, 饭后"},
	    {"早晚空腹", "? does not fit together: 早晚, 空腹"},
	    {"7:30 空腹", "? does not fit together: 7:30, 空腹"},
	};

	(void)state;
	CHECK(cases);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, arena_set_up, arena_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(one_moment_is_one_dose),
	    TEST(one_part_of_the_day_counts_twice_only_if_said),
	    TEST(meal_belongs_to_all_of_a_list),
	    TEST(evening_alone_has_no_hour),
	    TEST(impossible_numbers_are_not_read),
	    TEST(amount_is_that_of_one_dose),
	    TEST(days_of_the_week_are_no_numbers),
	    TEST(clock_counts_to_24_or_names_the_part),
	    TEST(course_has_an_end),
	    TEST(nothing_beside_the_timing_is_lost),
	    TEST(empty_stomach_is_confirmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
