/*
 * Texts of messages: what a file may hold, which text a patient gets, how
 * values are written and made harmless; and the shipped texts themselves,
 * for every kind, stage and locale, plain and discreet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "care/segment.h"
#include "care/template.h"
#include "flow/template_files.h"

static struct template_set *set;
static struct conf_error error;
static struct arena *arena;
static struct template_values values;

static const char *const one_drug[] = {"二甲双胍缓释片"};

static int
set_up(void **state)
{
	(void)state;
	arena = arena_create();
	set = template_set_create("zh-CN");
	error.text[0] = '\0';
	values = (struct template_values){
	    .patient = "张三",
	    .clinic = "示例医院",
	    .drugs = one_drug,
	    .drug_count = 1,
	    .visit = "内分泌科复诊",
	    .count = 1,
	    .days = 7,
	    .zone = zone_open("Asia/Shanghai"),
	    .at_has_time = true,
	};
	assert_true(civil_parse("2026-03-08", &values.run_out_on));
	values.date_on = values.run_out_on;
	values.at = zone_instant(values.zone, values.date_on, 10 * 3600);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	template_set_free(set);
	arena_free(arena);
	return 0;
}

static int
add(enum kind kind, const char *locale, enum channel channel, const char *stage,
    const char *text)
{
	return template_set_add(set, kind, locale, channel, "x.tpl",
	    arena_printf(arena, "[stage \"%s\"]\ntext = \"%s\"\n", stage, text),
	    &error);
}

static const char *
render(const struct template *template)
{
	struct buf out = {0};
	const char *text;

	assert_non_null(template);
	template_render(template, &values, &out);
	text = arena_text(arena, buf_string(&out));
	buf_free(&out);
	return text;
}

/* Render one text that stands alone in its set. */
static const char *
rendered(enum kind kind, const char *locale, const char *text)
{
	const char *stage = kind == KIND_DOSE ? "due" : "-3d";

	template_set_free(set);
	set = template_set_create(locale);
	if (add(kind, locale, CHANNEL_NONE, stage, text) != 0)
		fail_msg("%s", error.text);
	return render(template_find(
	    set, kind, stage_from_word(stage), CHANNEL_SMS, locale));
}

static void
refused(const char *text, const char *why)
{
	template_set_free(set);
	set = template_set_create("zh-CN");
	assert_int_equal(
	    add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-7d", text), -1);
	if (strstr(error.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, why);
	assert_ptr_equal(strstr(error.text, "x.tpl:2: "), error.text);
}

static void
variables_are_filled_in(void **state)
{
	(void)state;
	assert_string_equal(
	    rendered(KIND_REFILL, "zh-CN",
		"{{patient}}，您的{{drug}}到{{run_out}}用完，还有{{days}}天。"),
	    "张三，您的二甲双胍缓释片到3月8日用完，还有7天。");
}

static void
mistakes_in_a_text_are_told_with_their_line(void **state)
{
	(void)state;
	refused("{{pateint}}你好", "unknown variable");
	refused("{{drug|colour}}你好", "unknown format");
	refused("{{drug|date}}你好", "no such format");
	refused("{{run_out|date:9}}你好", "only text has a length");
	refused("{{drug|text:7}}你好", "8 to 35");
	refused("{{drug|text:36}}你好", "8 to 35");
	refused("{{drug|text:}}你好", "8 to 35");
	refused("{{at}}你好", "this kind has no such variable");
	refused("{{drug", "without }}");
	refused("{drug}你好", "stray brace");
	refused("你好{{drug}}}", "stray brace");
	refused("{{}}你好", "unknown variable");
	refused("【示例医院】你好", "【】");
	refused("你好\\n{{drug}}", "control character");
}

/* What makes a text fit every provider: gateways of the mainland. */
static void
variables_stand_once_apart_and_not_alone(void **state)
{
	(void)state;
	refused("{{drug}}{{run_out}}用完", "side by side");
	refused("{{drug}}和{{drug}}", "used before");
	refused("{{drug}}", "nothing but variables");
}

static void
text_is_at_most_500_characters_with_its_values(void **state)
{
	struct buf text = {0};

	(void)state;
	for (int i = 0; i < 457; i++)
		buf_text(&text, "药");
	buf_text(&text, "{{drug}}");
	assert_int_equal(
	    add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-3d", buf_string(&text)),
	    0);
	buf_text(&text, "药");
	refused(buf_string(&text), "longer than 500");
	buf_free(&text);
}

static void
stages_are_those_of_the_kind_and_stand_once(void **state)
{
	(void)state;
	assert_int_equal(add(KIND_DOSE, "en", 0, "-7d", "x"), -1);
	assert_non_null(strstr(error.text, "dose has no stage \"-7d\""));
	assert_int_equal(add(KIND_REFILL, "en", 0, "moved", "x"), -1);
	assert_int_equal(add(KIND_FOLLOW_UP, "en", 0, "+7d", "x"), -1);
	assert_int_equal(add(KIND_REFILL, "en", 0, "soon", "x"), -1);
	assert_int_equal(add(KIND_REFILL, "en", 0, "-7d", "x"), 0);
	assert_int_equal(add(KIND_REFILL, "EN", 0, "-7d", "y"), -1);
	assert_non_null(strstr(error.text, "a second text"));
	assert_int_equal(add(KIND_REFILL, "fr", 0, "-7d", "x"), -1);
	assert_non_null(strstr(error.text, "no words"));
}

static void
patient_gets_the_nearest_locale(void **state)
{
	static const char *const cases[][2] = {{"zh-CN", "zh"}, {"en", "en"},
	    {"en-GB", "gb"}, {"EN-gb", "gb"}, {"en-US", "en"},
	    {"zh-Hans-SG", "zh"}, {"fr", "zh"}, {"e", "zh"}, {NULL, "zh"}};

	(void)state;
	assert_int_equal(add(KIND_REFILL, "en-GB", 0, "-7d", "gb"), 0);
	assert_int_equal(add(KIND_REFILL, "en", 0, "-7d", "en"), 0);
	assert_int_equal(add(KIND_REFILL, "zh-CN", 0, "-7d", "zh"), 0);
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(template_find(set, KIND_REFILL, STAGE_M7,
					CHANNEL_SMS, cases[i][0])
					->text,
		    cases[i][1]);
	assert_null(
	    template_find(set, KIND_RENEWAL, STAGE_M7, CHANNEL_SMS, "zh-CN"));
}

static void
text_of_the_channel_goes_before_the_common_one(void **state)
{
	(void)state;
	assert_int_equal(
	    add(KIND_REFILL, "zh-CN", CHANNEL_SMS, "-7d", "sms"), 0);
	assert_int_equal(
	    add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-7d", "common"), 0);
	assert_string_equal(
	    template_find(set, KIND_REFILL, STAGE_M7, CHANNEL_SMS, "zh-CN")
		->text,
	    "sms");
	assert_string_equal(
	    template_find(set, KIND_REFILL, STAGE_M7, CHANNEL_PUSH, "zh-CN")
		->text,
	    "common");
}

static void
missing_text_is_found_at_the_start(void **state)
{
	(void)state;
	assert_int_equal(add(KIND_DOSE, "zh-CN", CHANNEL_SMS, "due", "x"), 0);
	assert_int_equal(
	    template_set_check(set, program_default(), &error), -1);
	assert_string_equal(error.text,
	    "x.tpl: no text for stage \"due\" of dose in zh-CN by "
	    "wechat_mini, wechat_oa, push");
}

static void
hash_is_that_of_the_text_as_written(void **state)
{
	static const char text[] = "您的{{drug|text:20}}";
	uint8_t hash[32];

	(void)state;
	assert_int_equal(add(KIND_REFILL, "zh-CN", 0, "-7d", text), 0);
	crypto_sha256(text, strlen(text), hash);
	assert_memory_equal(
	    template_set_first(set, KIND_REFILL, STAGE_M7)->text_hash, hash,
	    sizeof(hash));
}

static void
dates_are_written_as_the_locale_does(void **state)
{
	(void)state;
	assert_string_equal(
	    rendered(KIND_FOLLOW_UP, "zh-CN", "到{{at|date_time}}"),
	    "到3月8日（周日）10:00");
	assert_string_equal(
	    rendered(KIND_FOLLOW_UP, "en", "by {{at|date_time}}"),
	    "by Sun 8 Mar, 10:00");
	assert_string_equal(
	    rendered(KIND_REFILL, "zh-CN", "到{{run_out|long_date}}"),
	    "到2026年3月8日");
	assert_string_equal(
	    rendered(KIND_REFILL, "en", "by {{run_out|long_date}}"),
	    "by 8 Mar 2026");
	assert_string_equal(
	    rendered(KIND_REFILL, "zh-CN", "到{{run_out|weekday}}"), "到周日");
	assert_string_equal(
	    rendered(KIND_REFILL, "en", "by {{run_out|weekday}}"), "by Sun");
	assert_string_equal(rendered(KIND_DOSE, "zh-CN", "到{{at}}的{{date}}"),
	    "到10:00的3月8日");
	assert_string_equal(
	    rendered(KIND_DOSE, "en", "on {{at|date}} x"), "on 8 Mar x");
}

/* A visit that has only a date is not at midnight. */
static void
day_without_a_time_is_written_as_a_day(void **state)
{
	(void)state;
	values.at = zone_instant(values.zone, values.date_on, 0);
	values.at_has_time = false;
	assert_string_equal(
	    rendered(KIND_FOLLOW_UP, "zh-CN", "到{{at|date_time}}"),
	    "到3月8日（周日）");
}

static void
times_are_local_to_the_patient(void **state)
{
	(void)state;
	values.zone = zone_open("America/New_York");
	assert_string_equal(rendered(KIND_DOSE, "en", "on {{at|date_time}}"),
	    "on Sat 7 Mar, 21:00");
}

/* The drugs of one message, shown in at most n characters. */
static const char *
drugs(const char *locale, int n, const char *const *names)
{
	values.drugs = names;
	for (values.drug_count = 0; names[values.drug_count] != NULL;)
		values.drug_count++;
	return rendered(KIND_DOSE, locale,
		   arena_printf(arena, ":{{drug|text:%d}}", n)) +
	       1;
}
#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
drugs_are_listed_as_far_as_there_is_room(void **state)
{
	(void)state;
	assert_string_equal(drugs("zh-CN", 35, NAMES("甲", "乙")), "甲、乙");
	assert_string_equal(drugs("en", 35, NAMES("A", "B")), "A and B");
	assert_string_equal(
	    drugs("en", 35, NAMES("A", "B", "C")), "A, B and C");
	assert_string_equal(
	    drugs("zh-CN", 12, NAMES("阿卡波糖片", "二甲双胍片", "格列美脲片")),
	    "阿卡波糖片等3种药");
	assert_string_equal(
	    drugs("zh-CN", 16, NAMES("阿卡波糖片", "二甲双胍片", "格列美脲片")),
	    "阿卡波糖片、二甲双胍片等3种药");
	assert_string_equal(
	    drugs("en", 24, NAMES("Acarbose", "Metformin", "Glimepiride")),
	    "Acarbose and 2 more");
	assert_string_equal(
	    drugs("en", 30, NAMES("Acarbose", "Metformin", "Glimepiride")),
	    "Acarbose, Metformin and 1 more");
}

static void
name_that_is_too_long_is_cut(void **state)
{
	(void)state;
	assert_string_equal(
	    drugs("zh-CN", 8, NAMES("盐酸二甲双胍缓释片")), "盐酸二甲双胍缓…");
	assert_string_equal(
	    drugs("en", 12, NAMES("Hydrochlorothiazide")), "Hydrochlo...");
	assert_string_equal(
	    drugs("en", 20, NAMES("Hydrochlorothiazide", "Aspirin")),
	    "Hydroc... and 1 more");
}

/* Rather no name than one that hides the others. */
static void
drugs_without_room_for_how_many_are_not_named(void **state)
{
	(void)state;
	assert_string_equal(
	    drugs("en", 18, NAMES("Hydrochlorothiazide", "Aspirin")),
	    "medicine");
}

/* e + U+0301 is one letter; so are the Hangul jamo. */
static void
cut_never_splits_a_grapheme(void **state)
{
	(void)state;
	assert_string_equal(drugs("en", 8,
				NAMES("abcde\xcc\x81"
				      "fgh")),
	    "abcd...");
	assert_string_equal(drugs("zh-CN", 8,
				NAMES("六个字的药名\xe1\x84\x92\xe1\x85\xa1"
				      "\xe1\x86\xab片")),
	    "六个字的药名…");
}

static void
missing_text_has_a_neutral_word(void **state)
{
	(void)state;
	values.patient = NULL;
	values.clinic = "";
	values.visit = " \t";
	assert_string_equal(rendered(KIND_FOLLOW_UP, "zh-CN",
				"{{patient}}，{{visit}}请联系{{clinic}}。"),
	    "您好，复诊请联系我们。");
	values.drug_count = 0;
	assert_string_equal(
	    rendered(KIND_DOSE, "en", "{{patient}}, your {{drug}}."),
	    "Hello, your medicine.");
	assert_string_equal(
	    drugs("zh-CN", 35, NAMES("\xff", "甲")), "药品、甲");
}

static void
discreet_message_names_no_drug_visit_or_sender(void **state)
{
	(void)state;
	values.discreet = true;
	assert_string_equal(
	    rendered(KIND_DOSE, "zh-CN", "{{patient}}，{{drug}}，{{clinic}}。"),
	    "张三，药品，我们。");
	assert_string_equal(
	    rendered(KIND_FOLLOW_UP, "en", "Your {{visit}}."), "Your visit.");
}

static const char *
cleaned(const char *value)
{
	values.visit = value;
	return rendered(KIND_FOLLOW_UP, "en", ":{{visit}}") + 1;
}

static void
value_adds_no_field_signature_or_control(void **state)
{
	(void)state;
	assert_string_equal(cleaned("{{patient}}"), "patient");
	assert_string_equal(cleaned("${x}{1}"), "$x1");
	assert_string_equal(cleaned("【某银行】x"), "(某银行)x");
	assert_string_equal(cleaned("a\x01\r\n\tb\x7f"), "a b");
	/* U+FFF9 is no bidi control, but as invisible */
	assert_string_equal(cleaned("a\xef\xbf\xb9z"), "az");
	/* U+202E, U+2066, U+200B, U+FEFF, a lone continuation byte */
	assert_string_equal(
	    cleaned("a\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8b\xef\xbb\xbf\x80z"),
	    "az");
	assert_string_equal(
	    cleaned("吃药💊👨‍👩‍👧☀️❶"), "吃药");
	assert_string_equal(cleaned("\xe3\x80\x80甲\xe3\x80\x80乙 "), "甲 乙");
}

static void
value_adds_no_link(void **state)
{
	(void)state;
	assert_string_equal(
	    cleaned("http://evil.example/x"), "http: /evil example/x");
	assert_string_equal(cleaned("www.evil.com"), "www evil com");
	assert_string_equal(cleaned("evil.\xe2\x80\x8d"
				    "com"),
	    "evil com");
	assert_string_equal(cleaned("evil\xef\xbc\x8e中国"), "evil 中国");
	assert_string_equal(cleaned("10.0.0.1"), "10.0 0.1");
	assert_string_equal(cleaned("163.com"), "163 com");
}

static void
value_keeps_strengths_and_sentences(void **state)
{
	(void)state;
	assert_string_equal(cleaned("0.5g×2.5mg/5℃"), "0.5g×2.5mg/5℃");
	assert_string_equal(
	    cleaned("Dr. Lee, 2. Floor."), "Dr. Lee, 2. Floor.");
}

/* Of a text of its own, "key=value" of each parameter. */
static const char *
filled(const char *text, const char *const *entries, uint32_t count)
{
	const struct template_parameters *parameters;
	const struct template_parameter *list;
	struct buf out = {0};
	const char *joined;

	(void)rendered(KIND_REFILL, "zh-CN", text);
	parameters = template_parameters_parse(
	    template_set_first(set, KIND_REFILL, STAGE_M3), entries, count,
	    arena, &error);
	if (parameters == NULL)
		return error.text;
	list = template_parameters_fill(parameters, &values, arena);
	for (uint32_t i = 0; i < parameters->count; i++)
		buf_printf(&out, "%s%s=%s", i == 0 ? "" : " ", list[i].name,
		    list[i].value);
	joined = arena_text(arena, buf_string(&out));
	buf_free(&out);
	return joined;
}
#define FILLED(text, ...) \
	filled(text, (const char *const[]){__VA_ARGS__}, \
	    COUNT(((const char *const[]){__VA_ARGS__})))

static void
parameters_come_in_the_order_of_the_registration(void **state)
{
	(void)state;
	assert_string_equal(FILLED("{{drug}}到{{run_out}}，还有{{days}}天",
				"days", "run_out", "drug"),
	    "days=7 run_out=3月8日 drug=二甲双胍缓释片");
}

/* What a provider fills in is what the text says. */
static void
bare_parameter_has_the_format_of_the_text(void **state)
{
	(void)state;
	assert_string_equal(FILLED("到{{run_out|weekday}}", "run_out", "days"),
	    "run_out=周日 days=7");
}

static void
parameter_may_have_the_providers_name_and_form(void **state)
{
	(void)state;
	values.drugs = NAMES("盐酸二甲双胍缓释片");
	assert_string_equal(
	    FILLED("到{{run_out|weekday}}", "date2=run_out|long_date",
		"thing1=drug|text:8"),
	    "date2=2026年3月8日 thing1=盐酸二甲双胍缓…");
}

static void
parameter_that_cannot_be_filled_is_told(void **state)
{
	(void)state;
	assert_string_equal(FILLED("到{{run_out}}", "drug", "dosage"),
	    "refill: parameter \"dosage\": unknown variable");
	assert_string_equal(FILLED("到{{run_out}}", "time1=at"),
	    "refill: parameter \"time1=at\": "
	    "this kind has no such variable");
}

/* A discreet message tells the provider no more than it tells the patient. */
static void
discreet_parameters_name_no_drug(void **state)
{
	(void)state;
	values.discreet = true;
	assert_string_equal(FILLED("{{drug}}到{{run_out}}", "drug", "clinic"),
	    "drug=药品 clinic=我们");
}

/* One patient with two prescriptions and two visits on one day. */
static const struct prescription prescriptions[] = {
    {.no = 1, .id = "a", .name = "甲药"}, {.no = 2, .id = "b", .name = "乙药"}};
static struct visit visits[] = {
    {.no = 1, .id = "v", .description = "晚的", .start_has_time = true},
    {.no = 2, .id = "w", .description = "早的", .start_has_time = false}};

static void
from_step(enum kind kind, bool sensitive, const struct plan_item *items)
{
	struct dossier dossier = {
	    .zone = values.zone,
	    .prescriptions = prescriptions,
	    .prescription_count = COUNT(prescriptions),
	    .visits = visits,
	    .visit_count = COUNT(visits),
	};
	struct plan_step step = {
	    .action = PLAN_SEND,
	    .kind = kind,
	    .items = items,
	    .item_count = 2,
	    .occurrence_on = values.date_on,
	    .at = values.at,
	    .sensitive = sensitive,
	};

	template_values_from_step(
	    &dossier, &step, "张三", "示例医院", arena, &values);
}

static void
step_of_a_refill_gives_drugs_and_the_earliest_run_out(void **state)
{
	struct plan_item items[] = {
	    {.no = 1, .run_out_on = values.date_on + 5, .at = values.at},
	    {.no = 2, .run_out_on = values.date_on + 3, .at = values.at}};

	(void)state;
	from_step(KIND_REFILL, false, items);
	assert_string_equal(rendered(KIND_REFILL, "zh-CN",
				"{{patient}}，{{drug}}（{{count}}）到"
				"{{run_out}}，{{days}}天，{{clinic}}"),
	    "张三，甲药、乙药（2）到3月11日，3天，示例医院");
	/* a week after the run-out */
	items[1].run_out_on = zone_local(values.zone, values.at, NULL) - 7;
	from_step(KIND_REFILL, true, items);
	assert_int_equal(values.days, 7);
	assert_true(values.discreet);
}

static void
step_of_a_visit_gives_the_first_of_the_day(void **state)
{
	struct plan_item items[] = {
	    {.no = 1, .run_out_on = ON_UNKNOWN, .at = values.at + 9 * HOUR_US},
	    {.no = 2,
		.run_out_on = ON_UNKNOWN,
		.at = values.at + 2 * DAY_US - 10 * HOUR_US}};

	(void)state;
	items[0].at = items[1].at + 9 * HOUR_US;
	from_step(KIND_FOLLOW_UP, false, items);
	assert_string_equal(
	    rendered(KIND_FOLLOW_UP, "zh-CN",
		"{{visit}}在{{at|date_time}}，{{days}}天，{{date}}"),
	    "早的在3月10日（周二），2天，3月10日");
}

static void
step_of_a_dose_gives_its_time(void **state)
{
	const struct plan_item items[] = {
	    {.no = 1, .run_out_on = ON_UNKNOWN, .at = values.at + MINUTE_US},
	    {.no = 2, .run_out_on = ON_UNKNOWN, .at = values.at}};

	(void)state;
	from_step(KIND_DOSE, false, items);
	assert_string_equal(rendered(KIND_DOSE, "en", "{{drug}} at {{at}}"),
	    "甲药 and 乙药 at 10:00");
}

/* Each shipped text of each locale, one after the other. */
static void
each_shipped(void (*check)(const struct template *template))
{
	struct template_set *shipped =
	    template_files_load("templates", "zh-CN", &error);
	int count = 0;

	if (shipped == NULL)
		fail_msg("%s", error.text);
	if (template_set_check(shipped, program_default(), &error) != 0)
		fail_msg("%s", error.text);
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++)
		for (enum stage stage = 0; stage < STAGE_COUNT; stage++)
			for (const struct template *t =
				 template_set_first(shipped, kind, stage);
			     t != NULL; t = t->next) {
				count++;
				check(t);
			}
	assert_int_equal(count, 2 * 14);
	template_set_free(shipped);
}

static void
check_one_segment(const struct template *template)
{
	bool chinese = strcmp(template->locale, "zh-CN") == 0;
	const char *const english[] = {"Metformin 500 mg"};
	struct segments segments;
	const char *text;

	values.patient = chinese ? "欧阳建国" : "Anna Example";
	values.clinic = chinese ? "示例互联网医院" : "Example Clinic";
	values.drugs = chinese ? one_drug : english;
	text = render(template);
	assert_int_equal(
	    segment_text(chinese ? SEGMENT_MAINLAND : SEGMENT_INTERNATIONAL,
		chinese ? "示例医院" : NULL, text, &segments),
	    0);
	if (segments.count != 1)
		fail_msg("%s %s %s: %u units: %s", kind_word(template->kind),
		    stage_word(template->stage), template->locale,
		    segments.units, text);
}

static void
shipped_texts_fit_one_sms(void **state)
{
	(void)state;
	each_shipped(check_one_segment);
}

static void
check_discreet(const struct template *template)
{
	static const char *const revealing[] = {"内分泌", "示例医院", "秘密药"};
	const char *const secret[] = {"秘密药"};
	const char *text;

	values.drugs = secret;
	values.discreet = true;
	text = render(template);
	for (size_t i = 0; i < COUNT(revealing); i++)
		assert_null(strstr(text, revealing[i]));
	assert_non_null(strstr(text, "张三"));
}

static void
shipped_texts_have_a_discreet_form(void **state)
{
	(void)state;
	each_shipped(check_discreet);
}

static void
write_file(const char *path, const char *text, size_t bytes)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, bytes, file), bytes);
	assert_int_equal(fclose(file), 0);
}

/* A directory of templates with one file in it; what loading it says. */
static const char *
load_with(const char *name, const char *text, size_t bytes)
{
	static const char *const folders[] = {
	    "dose", "refill", "renewal", "follow_up", "answer"};
	char directory[] = "/tmp/adherd-test-XXXXXX";
	const char *path;
	struct template_set *loaded;

	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < COUNT(folders); i++)
		assert_int_equal(
		    mkdir(arena_printf(arena, "%s/%s", directory, folders[i]),
			0700),
		    0);
	path = arena_printf(arena, "%s/%s", directory, name);
	write_file(path, text, bytes);
	loaded = template_files_load(directory, "zh-CN", &error);
	assert_int_equal(unlink(path), 0);
	for (size_t i = 0; i < COUNT(folders); i++)
		(void)rmdir(
		    arena_printf(arena, "%s/%s", directory, folders[i]));
	assert_int_equal(rmdir(directory), 0);
	if (loaded == NULL)
		return error.text + strlen(directory) + 1;
	path = template_find(loaded, KIND_DOSE, STAGE_DUE, CHANNEL_SMS, "en") ==
		       NULL
		   ? "nothing"
		   : "found";
	template_set_free(loaded);
	return path;
}

static void
files_are_known_by_their_names(void **state)
{
	static const char text[] = "[stage \"due\"]\ntext = hello\n";

	(void)state;
	assert_string_equal(
	    load_with("dose/zh-CN.tpl", text, strlen(text)), "found");
	assert_string_equal(
	    load_with("dose/zh-CN.sms.tpl", text, strlen(text)), "found");
	assert_string_equal(
	    load_with("dose/zh-CN.push.tpl", text, strlen(text)), "nothing");
	assert_string_equal(
	    load_with("dose/.zh-CN.tpl.swp", text, strlen(text)), "nothing");
	assert_string_equal(load_with("dose/zh-CN.fax.tpl", text, 0),
	    "dose/zh-CN.fax.tpl: no channel of that name");
	assert_string_equal(load_with("dose/zh-CN.tpl", "x\0y", 3),
	    "dose/zh-CN.tpl: a NUL byte in it");
	assert_non_null(
	    strstr(load_with("refill/zh-CN.tpl", text, strlen(text)),
		"refill has no stage \"due\""));
	/* the law's words stop the start */
	assert_non_null(strstr(
	    load_with("dose/en.tpl", "[stage \"due\"]\ntext = cured!\n", 28),
	    "dose/en.tpl:2: \"cured\""));
	assert_string_equal(
	    load_with("dose/en.tpl", arena_alloc(arena, 65537), 65537),
	    "dose/en.tpl: too big a file");
	assert_null(template_files_load("/nonexistent", "en", &error));
	assert_string_equal(
	    error.text, "/nonexistent: No such file or directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(variables_are_filled_in),
	    TEST(mistakes_in_a_text_are_told_with_their_line),
	    TEST(variables_stand_once_apart_and_not_alone),
	    TEST(text_is_at_most_500_characters_with_its_values),
	    TEST(stages_are_those_of_the_kind_and_stand_once),
	    TEST(patient_gets_the_nearest_locale),
	    TEST(text_of_the_channel_goes_before_the_common_one),
	    TEST(missing_text_is_found_at_the_start),
	    TEST(hash_is_that_of_the_text_as_written),
	    TEST(dates_are_written_as_the_locale_does),
	    TEST(day_without_a_time_is_written_as_a_day),
	    TEST(times_are_local_to_the_patient),
	    TEST(drugs_are_listed_as_far_as_there_is_room),
	    TEST(name_that_is_too_long_is_cut),
	    TEST(drugs_without_room_for_how_many_are_not_named),
	    TEST(cut_never_splits_a_grapheme),
	    TEST(missing_text_has_a_neutral_word),
	    TEST(discreet_message_names_no_drug_visit_or_sender),
	    TEST(value_adds_no_field_signature_or_control),
	    TEST(value_adds_no_link),
	    TEST(value_keeps_strengths_and_sentences),
	    TEST(parameters_come_in_the_order_of_the_registration),
	    TEST(bare_parameter_has_the_format_of_the_text),
	    TEST(parameter_may_have_the_providers_name_and_form),
	    TEST(parameter_that_cannot_be_filled_is_told),
	    TEST(discreet_parameters_name_no_drug),
	    TEST(step_of_a_refill_gives_drugs_and_the_earliest_run_out),
	    TEST(step_of_a_visit_gives_the_first_of_the_day),
	    TEST(step_of_a_dose_gives_its_time),
	    TEST(shipped_texts_fit_one_sms),
	    TEST(shipped_texts_have_a_discreet_form),
	    TEST(files_are_known_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
