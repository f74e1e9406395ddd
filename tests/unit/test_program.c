/*
 * Programs as documents: what a setting may be, what is said of one that is
 * wrong, how classes of products take over from their kind, and what a
 * changed program changes in a plan.
 */
#include "plan_world.h"

#include "arena.h"
#include "care/program_read.h"

static struct conf_error error;
static struct rules rules;
static uint32_t culprit;

/* The documents of a JSON array; versions count from 1. */
static int
compose(const char *text)
{
	struct program_document documents[8];
	struct json_error json_error;
	const struct json *list =
	    json_parse(text, strlen(text), NULL, arena, &json_error);
	uint32_t count = 0;

	error.text[0] = '\0';
	if (list == NULL)
		fail_msg("%s: %s", text, json_error.reason);
	json_each (item, list) {
		struct program_document *document = &documents[count++];

		culprit = count - 1;
		if (program_document_read(item, document, &error) != 0)
			return -1;
		document->version = (int32_t)count;
	}
	return program_compose(
	    documents, count, arena, &rules, &culprit, &error);
}

static void
composed(const char *text)
{
	if (compose(text) != 0)
		fail_msg("%s: %s", text, error.text);
}

/* Refused, and this is said about it. */
static void
refused(const char *text, const char *why)
{
	if (compose(text) == 0)
		fail_msg("taken: %s", text);
	if (strstr(error.text, why) == NULL)
		fail_msg(
		    "%s: \"%s\" does not say \"%s\"", text, error.text, why);
}

static void
refused_setting(const char *kind, const char *setting, const char *why)
{
	refused(arena_printf(arena, "[{\"kind\":\"%s\",\"settings\":{%s}}]",
		    kind, setting),
	    why);
}

/* ---- documents ---- */

/* All rows of a kind, one a line. */
static char *
rows_text(const struct rules *of, enum kind kind, const char *product_class)
{
	const struct program_row *rows;
	uint32_t count = program_rows(of, kind, product_class, arena, &rows);
	struct buf out = BUF_INIT(1 << 16);
	char *text;

	for (uint32_t i = 0; i < count; i++)
		buf_printf(&out, "%s\"%s\":%s", i > 0 ? "," : "", rows[i].key,
		    rows[i].value);
	text = arena_text(arena, buf_string(&out));
	buf_free(&out);
	return text;
}

static void
defaults_read_the_same_as_they_are_written(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind <= KIND_FOLLOW_UP; kind++) {
		const char *text = rows_text(program_default(), kind, "");

		composed(
		    arena_printf(arena, "[{\"kind\":\"%s\",\"settings\":{%s}}]",
			program_kind_word(kind), text));
		assert_string_equal(rows_text(&rules, kind, ""), text);
	}
}

static void
no_document_means_the_defaults(void **state)
{
	(void)state;
	composed("[]");
	assert_int_equal(rules.version, 0);
	assert_int_equal(rules.kinds[KIND_REFILL].version, 0);
	assert_int_equal(rules.kinds[KIND_REFILL].stage_count, 6);
	assert_int_equal(rules.class_count, 0);
}

/* program.md 2, each number moved away from its default */
static void
every_number_of_the_page_is_a_setting(void **state)
{
	const struct program *p;

	(void)state;
	composed(
	    "[{\"kind\":\"dose\",\"settings\":{\"valid\":\"45min\","
	    "\"hours\":\"05:30-24:00\",\"merge\":\"10min\",\"cap_per_day\":4,"
	    "\"channels\":[\"push\"]}},"
	    "{\"kind\":\"refill\",\"settings\":{\"stages\":[\"-10d\",\"-5d\","
	    "\"0d\"],\"task\":\"+21d\",\"time\":\"09:15\","
	    "\"hours\":\"09:00-18:00\",\"valid\":\"2d\",\"merge\":\"5d\","
	    "\"fallback\":\"90min\",\"repeat_after_unknown\":false,"
	    "\"cycle_shift\":\"2d\",\"channels\":[\"sms\",\"push\"]}},"
	    "{\"kind\":\"follow_up\",\"settings\":{\"stages\":[\"-2d\"],"
	    "\"task\":\"+7d\",\"missed_valid\":\"3d\",\"fallback\":\"none\","
	    "\"repeat_after_unknown\":false}},"
	    "{\"kind\":\"all\",\"settings\":{\"sms_per_day\":2,"
	    "\"sms_per_7_days\":6,\"others_per_day\":5,\"gap\":\"3min\","
	    "\"retries\":[\"2min\",\"10min\"],\"spread_min\":30,"
	    "\"guardian_age\":16}}]");
	p = &rules.kinds[KIND_DOSE];
	assert_true(p->valid_us == 45 * MINUTE_US);
	assert_int_equal(p->hours_from_s, 5 * 3600 + 1800);
	assert_int_equal(p->hours_until_s, 86400);
	assert_int_equal(p->merge_s, 600);
	assert_int_equal(p->cap_day, 4);
	assert_int_equal(p->channel_count, 1);
	assert_int_equal(p->channels[0], CHANNEL_PUSH);
	p = &rules.kinds[KIND_REFILL];
	assert_int_equal(p->stage_count, 4);
	assert_int_equal(p->stages[1].day, -5);
	assert_string_equal(stage_word(p->stages[1].stage), "-5d");
	assert_int_equal(p->stages[2].stage, STAGE_D0);
	assert_true(p->stages[3].task && p->stages[3].day == 21);
	assert_int_equal(p->stage_time_s, 9 * 3600 + 900);
	assert_true(p->valid_us == 2 * DAY_US);
	assert_int_equal(p->merge_days, 5);
	assert_true(p->fallback_us == 90 * MINUTE_US);
	assert_false(p->repeat_after_unknown);
	assert_int_equal(p->cycle_shift_days, 2);
	assert_int_equal(p->channels[0], CHANNEL_SMS);
	p = &rules.kinds[KIND_FOLLOW_UP];
	assert_int_equal(p->stage_count, 2);
	assert_true(p->valid_us == 3 * DAY_US);
	assert_true(p->fallback_us == 0);
	assert_int_equal(rules.caps.sms_day, 2);
	assert_int_equal(rules.caps.sms_week, 6);
	assert_int_equal(rules.caps.other_day, 5);
	assert_true(rules.gap_us == 3 * MINUTE_US);
	assert_true(rules.retry_us[1] == 10 * MINUTE_US);
	assert_true(rules.retry_us[3] == 10 * MINUTE_US);
	assert_int_equal(rules.spread_min, 30);
	assert_int_equal(rules.guardian_age, 16);
	assert_int_equal(rules.version, 4);
	/* what nobody named stays */
	assert_int_equal(rules.kinds[KIND_RENEWAL].stage_count, 5);
}

static void
what_is_wrong_is_named_with_its_place(void **state)
{
	static const struct {
		const char *kind, *setting, *why;
	} cases[] = {
	    {"refill", "\"stage\":[]",
		"settings.stage: unknown; did you mean \"stages\"?"},
	    {"refill", "\"cap_per_day\":3",
		"settings.cap_per_day: no setting of \"refill\""},
	    {"refill", "\"stages\":\"-7d\"", "settings.stages: not a list"},
	    {"refill", "\"stages\":[]", "settings.stages: not a list"},
	    {"refill", "\"stages\":[\"-7d\",7]",
		"settings.stages[1]: not a day"},
	    {"refill", "\"stages\":[\"-61d\"]",
		"settings.stages[0]: not a day"},
	    {"refill", "\"stages\":[\"due\"]", "settings.stages[0]: not a day"},
	    {"refill", "\"stages\":[\"-1d\",\"-3d\"]",
		"settings.stages[1]: \"-3d\" does not come after \"-1d\""},
	    {"refill", "\"stages\":[\"-1d\",\"-1d\"]", "settings.stages[1]"},
	    {"follow_up", "\"stages\":[\"+1d\"]", "settings.stages[0]"},
	    {"refill", "\"stages\":[\"+14d\"]",
		"settings.task: \"+14d\" does not come after"},
	    {"refill", "\"task\":\"0d\"", "settings.task: not a day"},
	    {"refill", "\"time\":\"25:00\"", "settings.time: not a time"},
	    {"refill", "\"time\":\"10:60\"", "settings.time: not a time"},
	    {"refill", "\"time\":\"24:00\"", "settings.time: not a time"},
	    {"refill", "\"time\":\"7:00\"", "settings.time: not a time"},
	    {"refill", "\"time\":\"21:00\"",
		"settings.time: outside the hours"},
	    {"refill", "\"hours\":\"21:00-08:00\"", "settings.hours: \"21"},
	    {"refill", "\"hours\":\"08:00\"", "settings.hours: not hours"},
	    {"refill", "\"hours\":\"08:00-24:01\"",
		"settings.hours: not hours"},
	    {"dose", "\"valid\":\"13h\"", "is not from 1min to 12h"},
	    {"dose", "\"valid\":\"0min\"", "is not from 1min to 12h"},
	    {"dose", "\"valid\":60", "settings.valid: not a duration"},
	    {"dose", "\"valid\":\"60m\"", "settings.valid: not a duration"},
	    {"dose", "\"valid\":\"9999999s\"",
		"settings.valid: not a duration"},
	    {"dose", "\"fallback\":\"60min\"",
		"settings.fallback: not shorter"},
	    {"refill", "\"valid\":\"2h\"", "settings.fallback: not shorter"},
	    {"refill", "\"stages\":[\"-2d\",\"-1d\"],\"fallback\":\"1d\"",
		"settings.fallback: not shorter than from stage \"-2d\""},
	    {"refill", "\"fallback\":\"none\"",
		"settings.repeat_after_unknown: needs a fallback"},
	    {"refill", "\"repeat_after_unknown\":1", "not true or false"},
	    {"refill", "\"merge\":\"12h\"", "settings.merge: not a duration"},
	    {"refill", "\"merge\":\"31d\"", "is not from 0min to 30d"},
	    {"dose", "\"cap_per_day\":0", "not a number from 1 to 48"},
	    {"dose", "\"cap_per_day\":\"6\"", "not a number from 1 to 48"},
	    {"dose", "\"cap_per_day\":1.5", "not a number from 1 to 48"},
	    {"dose", "\"channels\":[\"fax\"]", "settings.channels[0]"},
	    {"dose", "\"channels\":[\"sms\",\"sms\"]", "stands there twice"},
	    {"dose", "\"channels\":[]", "settings.channels: not a list"},
	    {"all", "\"sms_per_7_days\":2", "less than sms_per_day"},
	    {"all", "\"retries\":[\"5min\",\"1min\"]", "settings.retries[1]"},
	    {"all", "\"retries\":[\"5min\",3]", "settings.retries[1]"},
	    {"all", "\"spread_min\":\"90s\"",
		"settings.spread_min: not a number"},
	    {"all", "\"stages\":[]", "settings.stages: no setting of \"all\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		refused_setting(cases[i].kind, cases[i].setting, cases[i].why);
}

static void
envelope_is_checked(void **state)
{
	(void)state;
	refused("[3]", "not an object");
	refused("[{\"kind\":\"refils\",\"settings\":{}}]", "kind: not dose");
	refused("[{\"kind\":\"answer\",\"settings\":{}}]", "kind: not dose");
	refused("[{\"settings\":{}}]", "kind: not dose");
	refused("[{\"kind\":\"dose\"}]", "settings: not an object");
	refused("[{\"kind\":\"dose\",\"setings\":{}}]",
	    "setings: unknown; did you mean settings");
	refused("[{\"kind\":\"dose\",\"product_class\":\"a b\","
		"\"settings\":{}}]",
	    "product_class: not a word");
	refused("[{\"kind\":\"dose\",\"product_class\":7,\"settings\":{}}]",
	    "product_class: not a word");
	refused("[{\"kind\":\"follow_up\",\"product_class\":\"x\","
		"\"settings\":{}}]",
	    "speaks of no product");
	refused("[{\"kind\":\"dose\",\"settings\":{}},"
		"{\"kind\":\"dose\",\"settings\":{}}]",
	    "a second document");
	assert_int_equal(culprit, 1);
}

/* As many as lie in a database that somebody filled. */
static void
second_document_is_found_among_many(void **state)
{
	enum { MANY = 20000 };
	struct program_document *documents =
	    arena_array(arena, MANY, sizeof(*documents));
	struct json_error json_error;
	const struct json *settings =
	    json_parse("{}", 2, NULL, arena, &json_error);

	(void)state;
	for (int i = 0; i < MANY; i++)
		documents[i] = (struct program_document){
		    .kind = KIND_REFILL,
		    .product_class = arena_printf(
			arena, "c%d", i == 17000 ? 15000 : i * 7919 % MANY),
		    .settings = settings,
		};
	/* 15000 = 5000 * 7919 % 20000 */
	assert_string_equal(documents[5000].product_class, "c15000");
	assert_int_equal(
	    program_compose(documents, MANY, arena, &rules, &culprit, &error),
	    -1);
	assert_non_null(strstr(error.text, "a second document"));
	assert_int_equal(culprit, 17000);
}

/* ---- classes ---- */

#define STRIPS \
	"{\"kind\":\"refill\",\"product_class\":\"strips\"," \
	"\"settings\":{\"stages\":[\"-3d\",\"-1d\"],\"task\":\"+7d\"}}"

static void
class_takes_over_what_it_does_not_name(void **state)
{
	const struct program *strips;

	(void)state;
	composed("[" STRIPS ",{\"kind\":\"refill\",\"settings\":"
		 "{\"time\":\"11:00\"}}]");
	strips = program_for(&rules, KIND_REFILL, "strips");
	assert_int_equal(strips->stage_time_s, 11 * 3600);
	assert_int_equal(strips->stage_count, 3);
	assert_string_equal(strips->product_class, "strips");
	/* the newest document behind it, its kind's included */
	assert_int_equal(strips->version, 2);
	assert_ptr_equal(program_for(&rules, KIND_REFILL, "insulin"),
	    &rules.kinds[KIND_REFILL]);
	assert_ptr_equal(
	    program_for(&rules, KIND_REFILL, NULL), &rules.kinds[KIND_REFILL]);
	assert_ptr_equal(
	    program_for(&rules, KIND_DOSE, "strips"), &rules.kinds[KIND_DOSE]);
	assert_int_equal(rules.kinds[KIND_REFILL].stage_count, 6);
}

static void
class_is_checked_with_what_it_takes_over(void **state)
{
	(void)state;
	refused("[{\"kind\":\"refill\",\"settings\":{\"task\":\"+8d\"}},"
		"{\"kind\":\"refill\",\"product_class\":\"strips\","
		"\"settings\":{\"stages\":[\"+9d\"]}}]",
	    "settings.task: \"+8d\" does not come after");
	assert_int_equal(culprit, 1);
	refused("[{\"kind\":\"all\",\"settings\":{\"spread_min\":600}},"
		"{\"kind\":\"refill\",\"settings\":{\"time\":\"11:30\"}}]",
	    "\"refill\" and a spread of 600 min reach beyond its hours");
	refused("[{\"kind\":\"dose\",\"product_class\":\"x\","
		"\"settings\":{\"cap_per_day\":3}}]",
	    "settings.cap_per_day: the same for all products");
}

/* ---- what a program changes ---- */

static void
use(const char *text)
{
	int64_t handled_before;

	world();
	handled_before = w.rules.handled_before;
	composed(text);
	rules.handled_before = handled_before;
	rules.each_hold = w.rules.each_hold;
	w.rules = rules;
}

static void
stages_and_task_come_on_the_days_of_the_program(void **state)
{
	(void)state;
	use("[{\"kind\":\"refill\",\"settings\":{\"stages\":[\"-5d\",\"+2d\"],"
	    "\"task\":\"+9d\",\"time\":\"09:30\"}}]");
	fill(rx("a"), "2026-02-03", 28); /* 03-03 */
	expect("2026-02-20", 30,
	    "02-26 09:30 send refill -5d sms a\n"
	    "03-05 09:30 send refill +2d sms a\n"
	    "03-12 09:30 task refill +9d - a\n");
}

/* "climb one ladder … where the program is the same" */
static void
products_of_other_programs_climb_by_themselves(void **state)
{
	(void)state;
	use("[" STRIPS "]");
	fill(rx("a"), "2026-02-03", 28); /* 03-03 */
	fill(rx("b"), "2026-02-04", 28); /* 03-04 */
	fill(rx("c"), "2026-02-05", 28); /* 03-05: with a */
	w.prescriptions[1].product_class = "strips";
	expect("2026-02-20", 20,
	    "02-24 10:00 send refill -7d sms a,c\n"
	    "02-28 10:00 send refill -3d sms a,c\n"
	    "03-01 10:00 send refill -3d sms b\n"
	    "03-02 10:00 send refill -1d sms a,c\n"
	    "03-03 10:00 send refill -1d sms b\n"
	    "03-04 10:00 send refill +1d sms a,c\n"
	    "03-10 10:00 send refill +7d sms a,c\n"
	    "03-11 10:00 task refill +7d - b\n");
}

static void
doses_of_other_programs_are_messages_of_their_own(void **state)
{
	(void)state;
	use("[{\"kind\":\"dose\",\"product_class\":\"insulin\","
	    "\"settings\":{\"hours\":\"05:00-23:00\",\"merge\":\"0min\"}}]");
	daily("a", "08:00:00");
	daily("b", "08:00:00\",\"22:45:00")->product_class = "insulin";
	daily("c", "08:10:00");
	expect("2026-03-02", 1,
	    "03-02 08:00 send dose due sms a,c\n"
	    "03-02 08:02 send dose due sms b\n"
	    "03-02 22:45 send dose due sms b\n");
}

static void
first_channel_of_the_program_is_preferred(void **state)
{
	(void)state;
	use("[{\"kind\":\"refill\",\"settings\":"
	    "{\"channels\":[\"sms\",\"push\"]}}]");
	(void)contact(CHANNEL_PUSH);
	(void)consent("2026-01-01", true, TOPIC_ALL, CHANNEL_ALL);
	fill(rx("a"), "2026-02-03", 28);
	expect("2026-03-01", 3, "03-02 10:00 send refill -1d sms a\n");
	use("[{\"kind\":\"refill\",\"settings\":{\"channels\":[\"push\"]}}]");
	(void)consent("2026-01-01", true, TOPIC_ALL, CHANNEL_ALL);
	fill(rx("a"), "2026-02-03", 28);
	expect("2026-03-01", 3, "03-02 10:00 hold refill -1d no_channel a\n");
}

static struct rules later;

static void
change_rules(void)
{
	int64_t handled_before = w.rules.handled_before;

	w.rules = later;
	w.rules.handled_before = handled_before;
	w.rules.each_hold = true;
}

/* the product left its ladder with the task, whatever day that is now */
static void
changed_task_day_gives_no_second_task(void **state)
{
	(void)state;
	composed("[{\"kind\":\"refill\",\"settings\":{\"stages\":[\"-7d\","
		 "\"+16d\"],\"task\":\"+20d\"}}]");
	later = rules;
	world();
	fill(rx("a"), "2026-02-03", 28); /* 03-03 */
	becomes_known("2026-03-18 12:00", change_rules);
	expect("2026-03-16", 20, "03-17 10:00 task refill +14d - a\n");
}

static int
world_over(void **state)
{
	(void)state;
	world_empty();
	return arena_tear_down(state);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, arena_set_up, arena_tear_down)
#define PLAN(name) \
	cmocka_unit_test_setup_teardown(name, arena_set_up, world_over)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(defaults_read_the_same_as_they_are_written),
	    TEST(no_document_means_the_defaults),
	    TEST(every_number_of_the_page_is_a_setting),
	    TEST(what_is_wrong_is_named_with_its_place),
	    TEST(envelope_is_checked),
	    TEST(second_document_is_found_among_many),
	    TEST(class_takes_over_what_it_does_not_name),
	    TEST(class_is_checked_with_what_it_takes_over),
	    PLAN(stages_and_task_come_on_the_days_of_the_program),
	    PLAN(products_of_other_programs_climb_by_themselves),
	    PLAN(doses_of_other_programs_are_messages_of_their_own),
	    PLAN(first_channel_of_the_program_is_preferred),
	    PLAN(changed_task_day_gives_no_second_task),
	};

	return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
