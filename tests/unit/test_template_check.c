/*
 * What texts must have and must not say: every rule with a text that breaks
 * it and, where it could be mistaken, one that does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "care/template_approval.h"
#include "flow/template_files.h"

static struct arena *arena;
static struct template_set *set;
static struct word_lists words;
static struct findings findings;
static struct template_check check;

static void
reset(void)
{
	template_set_free(set);
	set = template_set_create("zh-CN");
	findings_init(&findings, arena);
	check = (struct template_check){
	    .set = set,
	    .words = &words,
	    .rules = program_default(),
	    .even_locales = true,
	    .findings = &findings,
	};
}

static int
set_up(void **state)
{
	(void)state;
	arena = arena_create();
	findings_init(&findings, arena);
	template_files_words("templates", &words, &findings);
	assert_int_equal(findings.list.count, 0);
	reset();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	template_set_free(set);
	set = NULL;
	arena_free(arena);
	return 0;
}

static void
add(enum kind kind, const char *locale, enum channel channel, const char *stage,
    const char *text)
{
	template_set_read(set, kind, locale, channel,
	    arena_printf(arena, "%s/%s.tpl", kind_word(kind), locale),
	    arena_printf(arena, "[stage \"%s\"]\n%s%s\n", stage,
		strncmp(text, "class", 5) == 0 ? "" : "text = ", text),
	    &findings);
}

/* The findings as "rule rule", warnings in brackets, coverage left out. */
static const char *
told(void)
{
	const struct finding *list = findings.list.data;
	struct buf out = {0};
	const char *text;

	for (size_t i = 0; i < findings.list.count; i++)
		if (strncmp(list[i].rule, "missing-", 8) != 0)
			buf_printf(&out,
			    list[i].severity == SEVERITY_ERROR ? "%s%s"
							       : "%s(%s)",
			    out.bytes > 0 ? " " : "", list[i].rule);
	text = arena_text(arena, buf_string(&out));
	buf_free(&out);
	return text;
}

/* What is found in one text that stands alone. */
static const char *
checked(enum kind kind, const char *locale, const char *stage, const char *text)
{
	reset();
	add(kind, locale, CHANNEL_NONE, stage, text);
	template_check_set(&check);
	return told();
}
#define REFILL(text) checked(KIND_REFILL, "zh-CN", "-7d", text)

/* The message of the first finding with this rule. */
static const struct finding *
find(const char *rule)
{
	const struct finding *list = findings.list.data;

	for (size_t i = 0; i < findings.list.count; i++)
		if (strcmp(list[i].rule, rule) == 0)
			return &list[i];
	fail_msg("no finding \"%s\"", rule);
	return NULL;
}

static void
all_that_is_wrong_with_a_text_is_told(void **state)
{
	(void)state;
	assert_string_equal(
	    REFILL("{{pateint}}您好{{drug|colour}}，{{drug}}{{days}}{x}根治"),
	    "unknown-variable unknown-format adjacent-variables stray-brace "
	    "advertising-word");
	assert_string_equal(find("unknown-variable")->text,
	    "unknown variable, at \"{{pateint}}您\"; did you mean "
	    "\"patient\"?");
	assert_int_equal(find("unknown-variable")->place.line, 2);
	assert_int_equal(find("unknown-variable")->place.column, 8);
	/* after 8 bytes of "text = ", in bytes */
	assert_int_equal(find("adjacent-variables")->place.column,
	    8 + (int)strlen("{{pateint}}您好{{drug|colour}}，{{drug}}"));
}

/* The text as compiled is not always the text as written. */
static void
column_is_told_where_the_text_stands_as_it_is(void **state)
{
	(void)state;
	(void)REFILL("  \"{{x}}您好\"");
	assert_int_equal(find("unknown-variable")->place.column, 8 + 2 + 1);
	(void)REFILL("\"\\\"{{x}}您好\"");
	assert_int_equal(find("unknown-variable")->place.column, 0);
	(void)REFILL("您好\\\n{{x}}");
	assert_int_equal(find("unknown-variable")->place.column, 0);
	assert_int_equal(find("unknown-variable")->place.line, 2);
}

static void
mistakes_of_a_file_have_their_rules(void **state)
{
	(void)state;
	assert_string_equal(
	    checked(KIND_REFILL, "zh-CN", "moved", "您好"), "unknown-stage");
	assert_string_equal(
	    checked(KIND_REFILL, "fr", "-7d", "Bonjour"), "unknown-locale");
	assert_string_equal(REFILL("class = advert\ntext = 您好"), "class");
	assert_string_equal(REFILL("您好\ntxt = 您好"), "unknown-key");
	assert_string_equal(REFILL("您好\ntext = 您好"), "repeated-text");
	assert_string_equal(REFILL("您好\nwhat"), "syntax");
	assert_int_equal(find("syntax")->place.line, 3);
	assert_string_equal(find("syntax")->place.file, "refill/zh-CN.tpl");
	assert_string_equal(REFILL("【示例医院】您好"), "signature-in-text");
	assert_string_equal(REFILL("{{drug|text:99}}您好"), "text-limit");
	assert_string_equal(REFILL("{{drug}}"), "only-variables");
	assert_string_equal(REFILL("您好\xff"), "not-utf8");
	assert_string_equal(REFILL("您好\xe2\x80\xae"), "control-character");
}

/* ---- coverage ---- */

static uint32_t
count_rule(const char *rule)
{
	const struct finding *list = findings.list.data;
	uint32_t count = 0;

	for (size_t i = 0; i < findings.list.count; i++)
		count += strcmp(list[i].rule, rule) == 0;
	return count;
}

static void
stage_that_the_program_sends_must_have_a_text(void **state)
{
	(void)state;
	(void)REFILL("您好");
	/* dose 1, refill 5 - 1, renewal 4, follow-up 4, answer 15 */
	assert_int_equal(count_rule("missing-stage"), 28);
	assert_int_equal(count_rule("missing-locale"), 0);
}

static void
stage_of_one_locale_must_be_in_the_others(void **state)
{
	(void)state;
	reset();
	add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-7d", "您好");
	/* no program's, but one locale has it */
	add(KIND_REFILL, "en", CHANNEL_NONE, "-14d", "hello");
	template_check_set(&check);
	assert_int_equal(count_rule("missing-locale"), 2);
	assert_string_equal(find("missing-locale")->text,
	    "no text for stage \"-14d\" of refill in zh-CN");
	assert_string_equal(
	    find("missing-locale")->place.file, "refill/zh-CN.tpl");
	/* but a promotion is no message that the others lack */
	reset();
	add(KIND_REFILL, "en", CHANNEL_NONE, "-14d",
	    "class = promotion\ntext = reply stop");
	template_check_set(&check);
	assert_int_equal(count_rule("missing-locale"), 0);
}

/* The daemon asks for what its programs send, no more. */
static void
start_needs_the_stages_of_the_program_only(void **state)
{
	struct template_set *shipped;
	struct conf_error error;

	(void)state;
	shipped = template_files_load("templates", "zh-CN", &error);
	assert_non_null(shipped);
	assert_int_equal(
	    template_set_add(shipped, KIND_REFILL, "zh-CN", CHANNEL_NONE,
		"x.tpl", "[stage \"-14d\"]\ntext = 您好\n", &error),
	    0);
	assert_int_equal(
	    template_set_check(shipped, program_default(), &error), 0);
	check.set = shipped;
	template_check_set(&check);
	assert_int_equal(count_rule("missing-locale"), 1);
	template_set_free(shipped);
}

static void
locale_must_serve_every_channel(void **state)
{
	(void)state;
	reset();
	add(KIND_DOSE, "zh-CN", CHANNEL_SMS, "due", "您好");
	add(KIND_DOSE, "zh-CN", CHANNEL_PUSH, "due", "您好");
	template_check_set(&check);
	assert_string_equal(find("missing-channel")->text,
	    "no text for stage \"due\" of dose in zh-CN by wechat_mini, "
	    "wechat_oa");
	reset();
	add(KIND_DOSE, "zh-CN", CHANNEL_SMS, "due", "您好");
	add(KIND_DOSE, "zh-CN", CHANNEL_NONE, "due", "您好");
	template_check_set(&check);
	assert_int_equal(count_rule("missing-channel"), 0);
}

/* One broken file would otherwise read as a dozen missing texts. */
static void
nothing_is_missing_from_a_file_that_could_not_be_read(void **state)
{
	(void)state;
	assert_string_equal(REFILL("您好\n]"), "syntax");
	assert_int_equal(findings.list.count, 1);
}

/* ---- words ---- */

static void
advertising_has_no_place_in_any_message(void **state)
{
	static const char *const bad[] = {"根治糖尿病", "全国第一", "疗效最佳",
	    "国家级专家", "无副作用", "保证有效", "最好的药", "a sure Cure"};
	static const char *const good[] = {"这是您第一次取药",
	    "第一天请饭后服用", "请到第一医院取药", "最好在饭后服用",
	    "please procure it", "curettage"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (strstr(REFILL(bad[i]), "advertising-word") == NULL)
			fail_msg("%s", bad[i]);
	for (size_t i = 0; i < COUNT(good); i++)
		assert_string_equal(REFILL(good[i]), "");
	/* one harmless use does not excuse another */
	assert_string_equal(
	    REFILL("第一次取药就到全国第一的药店"), "advertising-word");
	assert_string_equal(REFILL("class = promotion\ntext = 根治！回复退订"),
	    "advertising-word (promotion-unused)");
}

static void
notification_has_no_offer_and_no_refusal_note(void **state)
{
	(void)state;
	assert_string_equal(
	    REFILL("限时优惠"), "promotion-word promotion-word");
	assert_string_equal(REFILL("可申请医保减免"), "");
	assert_string_equal(REFILL("Big SALE today"), "promotion-word");
	assert_string_equal(REFILL("a wholesaler"), "");
	assert_string_equal(REFILL("您好，拒收请回复R"), "opt-out-forbidden");
	assert_string_equal(REFILL("您好，回TD退订"), "opt-out-forbidden");
	assert_string_equal(REFILL("Reply STOP to end"), "opt-out-forbidden");
	assert_string_equal(REFILL("stop taking it if unwell"), "");
}

static void
promotion_tells_how_to_refuse_and_names_no_medicine(void **state)
{
	(void)state;
	assert_string_equal(
	    REFILL("class = promotion\ntext = 限时优惠，拒收请回复R"),
	    "(promotion-unused)");
	assert_string_equal(REFILL("class = promotion\ntext = 限时优惠"),
	    "opt-out-missing (promotion-unused)");
	assert_string_equal(
	    REFILL("class = promotion\ntext = {{drug}}优惠，拒收请回复R"),
	    "promotion-drug (promotion-unused)");
	/* the next section is a notification again */
	assert_string_equal(
	    REFILL("class = promotion\ntext = 优惠，拒收请回复R\n"
		   "[stage \"-3d\"]\ntext = 优惠"),
	    "(promotion-unused) promotion-word");
}

static void
promotion_is_never_sent_for_a_reminder(void **state)
{
	(void)state;
	reset();
	add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-7d",
	    "class = promotion\ntext = 优惠，拒收请回复R");
	assert_null(
	    template_find(set, KIND_REFILL, STAGE_M7, CHANNEL_SMS, "zh-CN"));
	/* and stands beside the notification */
	add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-7d", "您好");
	assert_int_equal(findings.list.count, 0);
	assert_string_equal(
	    template_find(set, KIND_REFILL, STAGE_M7, CHANNEL_SMS, "zh-CN")
		->text,
	    "您好");
}

static void
text_after_a_run_out_asks_and_never_reproaches(void **state)
{
	(void)state;
	assert_string_equal(
	    checked(KIND_REFILL, "zh-CN", "+1d", "您的药用完了"),
	    "no-question");
	assert_string_equal(
	    checked(KIND_REFILL, "zh-CN", "+1d", "您的药用完了吗？"), "");
	assert_string_equal(
	    checked(KIND_REFILL, "zh-CN", "+7d", "怎么还不来取药？"),
	    "reproach");
	assert_string_equal(
	    checked(KIND_RENEWAL, "en", "+7d", "You forgot it?"), "reproach");
	/* before the run-out there is nothing to reproach */
	assert_string_equal(REFILL("请别忘记取药"), "");
	assert_string_equal(
	    checked(KIND_DOSE, "zh-CN", "due", "您漏服了一次"), "reproach");
	assert_string_equal(
	    checked(KIND_FOLLOW_UP, "en", "missed", "You missed it."),
	    "reproach");
}

static void
renewal_asks_for_a_visit(void **state)
{
	(void)state;
	assert_string_equal(
	    checked(KIND_RENEWAL, "zh-CN", "-7d", "请购买"), "purchase-word");
	assert_string_equal(checked(KIND_RENEWAL, "en", "-7d", "Buy a refill"),
	    "purchase-word purchase-word");
	assert_string_equal(
	    checked(KIND_REFILL, "en", "-7d", "Need a refill"), "");
}

static void
illness_is_not_named(void **state)
{
	(void)state;
	assert_string_equal(REFILL("您的艾滋病用药"), "sensitive-name");
	assert_string_equal(
	    checked(KIND_FOLLOW_UP, "zh-CN", "-3d", "肿瘤科复诊"),
	    "sensitive-name");
	assert_string_equal(
	    checked(KIND_FOLLOW_UP, "zh-CN", "-3d", "提醒您{{visit}}"),
	    "(sensitive-name)");
	assert_string_equal(REFILL("您的{{drug}}"), "");
}

static void
discreet_text_names_no_product_visit_or_sender(void **state)
{
	(void)state;
	reset();
	check.discreet = true;
	add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-7d",
	    "{{patient}}，您的{{drug}}，请联系{{clinic}}");
	add(KIND_FOLLOW_UP, "zh-CN", CHANNEL_NONE, "-3d", "您的{{visit}}");
	add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-3d",
	    "{{patient}}，还有{{days}}天");
	template_check_set(&check);
	assert_string_equal(
	    told(), "sensitive-name sensitive-name sensitive-name");
}

static void
word_list_is_read_line_by_line(void **state)
{
	static const char text[] = "# comment\n\n 第一 ! 第一次, 第一天 # x\n"
				   "two words\r\n! 孤\n甲 ! 乙\n";
	struct word_list list;
	size_t at = 0;

	(void)state;
	word_list_read(&list, "x.txt", text, &findings);
	assert_string_equal(told(), "word-list word-list");
	assert_int_equal(find("word-list")->place.line, 5);
	assert_string_equal(
	    word_list_find(&list, "a TWO WORDS b", 13, &at), "two words");
	assert_int_equal(at, 2);
	at = 3;
	assert_null(word_list_find(&list, "a TWO WORDS b", 13, &at));
	at = 0;
	assert_null(word_list_find(&list, "第一天", strlen("第一天"), &at));
	/* where one begins with another, the longer; phrases hold it twice */
	word_list_read(
	    &list, "x.txt", "优惠\n优惠券\n一 ! 一对一\n", &findings);
	at = 0;
	assert_string_equal(
	    word_list_find(&list, "优惠券", strlen("优惠券"), &at), "优惠券");
	at = 0;
	assert_null(word_list_find(&list, "一对一", strlen("一对一"), &at));
}

/* ---- segments ---- */

static const char *
repeat(const char *text, int count)
{
	struct buf out = {0};
	const char *copy;

	for (int i = 0; i < count; i++)
		buf_text(&out, text);
	copy = arena_text(arena, buf_string(&out));
	buf_free(&out);
	return copy;
}

static void
sms_is_counted_with_its_signature(void **state)
{
	(void)state;
	/* 【示例医院】 and 64 characters are one message */
	assert_string_equal(REFILL(repeat("药", 64)), "");
	assert_string_equal(REFILL(repeat("药", 65)), "(segments)");
	assert_string_equal(REFILL(repeat("药", 4 * 67 - 6)), "(segments)");
	assert_string_equal(REFILL(repeat("药", 4 * 67 - 5)), "segments");
	/* values count as they are expected, and at their longest */
	assert_string_equal(
	    REFILL(arena_printf(arena, "%s{{drug}}", repeat("药", 57))), "");
	assert_string_equal(
	    REFILL(arena_printf(arena, "%s{{drug}}", repeat("药", 58))),
	    "(segments)");
	assert_string_equal(REFILL(arena_printf(arena, "%s{{drug}}",
				repeat("药", 4 * 67 - 6 - 35))),
	    "(segments)");
	assert_string_equal(REFILL(arena_printf(arena, "%s{{drug}}",
				repeat("药", 4 * 67 - 5 - 35))),
	    "segments");
}

static void
latin_sms_is_counted_in_septets(void **state)
{
	(void)state;
	assert_string_equal(
	    checked(KIND_REFILL, "en", "-7d", repeat("a", 160)), "");
	assert_string_equal(
	    checked(KIND_REFILL, "en", "-7d", repeat("a", 161)), "(segments)");
	assert_string_equal(
	    checked(KIND_REFILL, "en", "-7d", "it\xe2\x80\x99s time"),
	    "(not-gsm7)");
	assert_int_equal(find("not-gsm7")->place.column, 8 + 2);
	assert_string_equal(
	    checked(KIND_REFILL, "en", "-7d",
		arena_printf(arena, "\xe2\x80\x99%s", repeat("a", 70))),
	    "(segments) (not-gsm7)");
}

static void
text_with_too_many_variables_is_not_read_to_its_end(void **state)
{
	(void)state;
	(void)REFILL(repeat("a{{drug}}", 50));
	assert_true(count_rule("repeated-variable") > 1);
	assert_true(count_rule("repeated-variable") < 25);
}

/* A text that never goes out by SMS is not counted. */
static void
only_texts_for_sms_are_counted(void **state)
{
	(void)state;
	reset();
	add(KIND_REFILL, "zh-CN", CHANNEL_PUSH, "-7d", repeat("药", 300));
	template_check_set(&check);
	assert_string_equal(told(), "");
	reset();
	add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-7d", repeat("药", 300));
	add(KIND_REFILL, "zh-CN", CHANNEL_SMS, "-7d", "您好");
	template_check_set(&check);
	assert_string_equal(told(), "");
}

/* ---- providers ---- */

static struct template_approval approval;

/* What is found in a refill text that a provider approved like this. */
static const char *
passed_class(const char *plugin, enum channel channel, const char *text,
    const char *parameters)
{
	static const char *names[32];
	const struct template_gateway gateway = {
	    .name = "g",
	    .channel = channel,
	    .limits = template_limits_find(plugin),
	    .source = "registrations",
	    .approval_needed = true,
	};
	char *list = arena_text(arena, parameters), *save = NULL;

	reset();
	add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-7d", text);
	approval.kind = KIND_REFILL;
	approval.stage = STAGE_M7;
	approval.locale = "zh-CN";
	approval.code = "SMS_1";
	approval.parameters = names;
	approval.parameter_count = 0;
	for (char *name = strtok_r(list, " ", &save); name != NULL;
	     name = strtok_r(NULL, " ", &save))
		names[approval.parameter_count++] = name;
	template_check_gateway(
	    &check, &gateway, &approval, approval.locale == NULL ? 0 : 1);
	return told();
}

static const char *
passed(const char *plugin, enum channel channel, const char *text,
    const char *parameters)
{
	approval = (struct template_approval){.signature = "示例医院"};
	return passed_class(plugin, channel, text, parameters);
}
#define ALIYUN(text, parameters) \
	passed("sms_aliyun", CHANNEL_SMS, text, parameters)
#define WECHAT(parameters) \
	passed("wechat_mini", CHANNEL_WECHAT_MINI, \
	    "{{patient}}，{{drug}}到{{run_out}}，{{days}}天，{{count}}", \
	    parameters)

static void
text_must_be_the_one_that_was_approved(void **state)
{
	const struct template_gateway gateway = {
	    .name = "g", .channel = CHANNEL_SMS, .approval_needed = true};
	uint8_t hash[32];

	(void)state;
	reset();
	add(KIND_REFILL, "zh-CN", CHANNEL_NONE, "-7d", "您好");
	template_check_gateway(&check, &gateway, NULL, 0);
	assert_string_equal(told(), "template-unapproved");
	memcpy(hash, template_set_first(set, KIND_REFILL, STAGE_M7)->text_hash,
	    sizeof(hash));
	approval = (struct template_approval){.text_hash = hash};
	assert_string_equal(
	    passed_class("sms_aliyun", CHANNEL_SMS, "您好", ""), "");
	assert_string_equal(
	    passed_class("sms_aliyun", CHANNEL_SMS, "您好。", ""),
	    "template-unapproved");
}

static void
class_must_be_the_one_that_was_approved(void **state)
{
	(void)state;
	approval = (struct template_approval){.promotion = true};
	assert_string_equal(passed_class("sms_aliyun", CHANNEL_SMS, "您好", ""),
	    "registration-class");
}

static void
registration_without_a_text_is_told(void **state)
{
	const struct template_gateway gateway = {
	    .name = "g", .channel = CHANNEL_SMS, .source = "r.json"};

	(void)state;
	approval = (struct template_approval){.kind = KIND_REFILL,
	    .stage = STAGE_M7,
	    .locale = "zh-CN",
	    .code = "SMS_1"};
	template_check_gateway(&check, &gateway, &approval, 1);
	assert_string_equal(told(), "(registration-unused)");
	assert_string_equal(find("registration-unused")->place.file, "r.json");
	/* another channel's own text is none of this gateway's */
	reset();
	add(KIND_REFILL, "zh-CN", CHANNEL_PUSH, "-7d", "您好");
	template_check_gateway(&check, &gateway, &approval, 1);
	assert_string_equal(told(), "(registration-unused)");
}

static void
parameters_are_the_variables_of_the_text(void **state)
{
	static const char text[] = "{{drug}}到{{run_out}}用完";

	(void)state;
	assert_string_equal(ALIYUN(text, "drug run_out"), "");
	assert_string_equal(ALIYUN(text, "run_out drug"), "");
	assert_string_equal(ALIYUN(text, "drug"), "parameter-missing");
	assert_string_equal(
	    ALIYUN(text, "drug run_out days"), "parameter-extra");
	assert_string_equal(
	    ALIYUN(text, "drug run_out dosage"), "parameter-unknown");
	assert_string_equal(
	    ALIYUN(text, "drug drug=run_out"), "parameter-name");
}

static void
parameters_by_position_stand_in_the_order_of_the_text(void **state)
{
	static const char text[] = "{{drug|text:10}}到{{run_out}}用完";

	(void)state;
	assert_string_equal(
	    passed("sms_tencent", CHANNEL_SMS, text, "drug run_out"), "");
	assert_string_equal(
	    passed("sms_tencent", CHANNEL_SMS, text, "run_out drug"),
	    "parameter-order");
	assert_string_equal(find("parameter-order")->text,
	    "g: {1} is {{drug}} in the text, run_out as registered");
}

static void
provider_takes_so_many_parameters(void **state)
{
	struct buf names = {0};

	(void)state;
	for (int i = 0; i < 21; i++)
		buf_printf(&names, " p%d=days", i);
	assert_string_equal(passed("sms_huawei", CHANNEL_SMS, "还有{{days}}天",
				buf_string(&names)),
	    "parameter-count");
	assert_string_equal(passed("sms_huawei", CHANNEL_SMS, "还有{{days}}天",
				strchr(buf_string(&names) + 1, ' ')),
	    "");
	buf_free(&names);
}

static void
value_that_reviewers_find_long_is_a_warning(void **state)
{
	(void)state;
	assert_string_equal(passed("sms_tencent", CHANNEL_SMS,
				"{{drug|text:13}}到{{days}}", "drug days"),
	    "(parameter-length)");
}

static void
promotion_of_a_provider_has_its_rules(void **state)
{
	static const char early[] =
	    "class = promotion\ntext = 优惠，拒收请回复R，到{{days}}天";

	(void)state;
	approval = (struct template_approval){.promotion = true};
	assert_string_equal(
	    passed_class("sms_huawei", CHANNEL_SMS, early, "days"),
	    "parameter-count");
	assert_string_equal(
	    passed_class("sms_aliyun", CHANNEL_SMS, early, "days"),
	    "opt-out-missing");
	assert_string_equal(passed_class("sms_aliyun", CHANNEL_SMS,
				"class = promotion\n"
				"text = 优惠，拒收请回复R，欢迎",
				""),
	    "opt-out-missing");
	assert_string_equal(
	    passed_class("sms_aliyun", CHANNEL_SMS,
		"class = promotion\ntext = 到{{days}}天优惠，拒收请回复R",
		"days"),
	    "");
}

static void
fields_of_wechat_have_types(void **state)
{
	(void)state;
	assert_string_equal(
	    WECHAT("thing1=drug|text:20 date2=run_out|long_date number3=days"),
	    "");
	assert_string_equal(WECHAT("drug"), "parameter-name");
	assert_string_equal(WECHAT("thing=drug"), "parameter-name");
	assert_string_equal(WECHAT("gift1=drug"), "parameter-name");
	assert_string_equal(WECHAT("thing1=drug|text:21"), "parameter-length");
	assert_string_equal(WECHAT("date2=run_out"), "parameter-type");
	assert_string_equal(WECHAT("time2=run_out"), "parameter-type");
	assert_string_equal(WECHAT("number1=drug|text:20"), "parameter-type");
	assert_string_equal(
	    WECHAT("character_string1=drug|text:20"), "parameter-type");
	assert_string_equal(
	    WECHAT("phrase1=drug|text:8"), "parameter-type parameter-length");
	assert_string_equal(WECHAT("name1=patient|text:10"), "");
	assert_string_equal(
	    WECHAT("name1=patient|text:12"), "parameter-length");
	assert_string_equal(WECHAT("const1=patient|text:10"), "parameter-type");
}

static void
signature_has_its_length_and_discretion(void **state)
{
	(void)state;
	approval = (struct template_approval){.signature = "医"};
	assert_string_equal(passed_class("sms_aliyun", CHANNEL_SMS, "您好", ""),
	    "signature-length");
	approval.signature = "一二三四五六七八九十一二三";
	assert_string_equal(passed_class("sms_aliyun", CHANNEL_SMS, "您好", ""),
	    "signature-length");
	approval.signature = "示例精神病医院";
	assert_string_equal(passed_class("sms_aliyun", CHANNEL_SMS, "您好", ""),
	    "sensitive-name");
}

static void
latin_text_is_dear_over_a_mainland_gateway(void **state)
{
	const struct template_gateway gateway = {.name = "g",
	    .channel = CHANNEL_SMS,
	    .limits = template_limits_find("sms_aliyun")};

	(void)state;
	reset();
	add(KIND_REFILL, "en", CHANNEL_NONE, "-7d", repeat("a", 199));
	template_check_gateway(&check, &gateway, NULL, 0);
	assert_string_equal(told(), "");
	reset();
	add(KIND_REFILL, "en", CHANNEL_NONE, "-7d", repeat("a", 200));
	template_check_gateway(&check, &gateway, NULL, 0);
	assert_string_equal(told(), "(segments)");
}

static void
values_have_the_forms_of_their_fields(void **state)
{
	static const struct {
		enum value_form form;
		bool good;
		const char *value;
	} cases[] = {
	    {VALUE_TIME, true, "10:00"},
	    {VALUE_TIME, true, "23:59:59"},
	    {VALUE_TIME, true, "2026年3月8日 10:00"},
	    {VALUE_TIME, true, "10:00~11:00"},
	    {VALUE_TIME, false, "24:00"},
	    {VALUE_TIME, false, "10:60"},
	    {VALUE_TIME, false, "10:00:"},
	    {VALUE_TIME, false, "10"},
	    {VALUE_TIME, false, "3月8日（周日）10:00"},
	    {VALUE_DATE, true, "2026年12月28日"},
	    {VALUE_DATE, true, "2026-03-08"},
	    {VALUE_DATE, true, "2026/3/8"},
	    {VALUE_DATE, true, "2026.3.8 10:00"},
	    {VALUE_DATE, true, "2026-03-08~2026-03-09"},
	    {VALUE_DATE, false, "3月8日"},
	    {VALUE_DATE, false, "2026年13月1日"},
	    {VALUE_DATE, false, "2026年3月32日"},
	    {VALUE_DATE, false, "8 Mar 2026"},
	    {VALUE_DATE, false, "2026年3月8日x"},
	    {VALUE_NUMBER, true, "0.5"},
	    {VALUE_NUMBER, false, "5片"},
	    {VALUE_LETTER, true, "Abc"},
	    {VALUE_LETTER, false, "A1"},
	    {VALUE_SYMBOL, true, "+-%"},
	    {VALUE_SYMBOL, false, "+1"},
	    {VALUE_ASCII, true, "A-1"},
	    {VALUE_ASCII, false, "A片"},
	    {VALUE_AMOUNT, true, "¥12.50"},
	    {VALUE_AMOUNT, false, "12个"},
	    {VALUE_PHONE, true, "+86-10"},
	    {VALUE_PHONE, false, "ext1"},
	    {VALUE_PHRASE, true, "待取药"},
	    {VALUE_PHRASE, false, "待取药1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (value_has_form(cases[i].form, cases[i].value) !=
		    cases[i].good)
			fail_msg("%s", cases[i].value);
	assert_int_equal(value_characters(VALUE_NAME, "欧阳建国"), 4);
	assert_int_equal(value_characters(VALUE_NAME, "Example"), 4);
	assert_int_equal(value_characters(VALUE_THING, "Example"), 7);
}

static void
shipped_texts_are_clean(void **state)
{
	struct template_set *shipped;
	struct conf_error error;

	(void)state;
	shipped = template_files_read("templates", "zh-CN", &findings, &error);
	assert_non_null(shipped);
	check.set = shipped;
	template_check_set(&check);
	for (size_t i = 0; i < findings.list.count; i++)
		fail_msg(
		    "%s", ((const struct finding *)findings.list.data)[i].text);
	template_set_free(shipped);
}

static void
findings_stand_in_the_order_of_the_files(void **state)
{
	static const struct place places[] = {
	    {"b", 1, 0}, {"a", 2, 5}, {"a", 2, 1}, {"a", 1, 9}};

	(void)state;
	for (size_t i = 0; i < COUNT(places); i++)
		findings_add(&findings, &places[i], SEVERITY_WARNING,
		    arena_printf(arena, "%zu", i), "x");
	findings_sort(&findings);
	assert_string_equal(told(), "(3) (2) (1) (0)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_that_is_wrong_with_a_text_is_told),
	    TEST(column_is_told_where_the_text_stands_as_it_is),
	    TEST(mistakes_of_a_file_have_their_rules),
	    TEST(stage_that_the_program_sends_must_have_a_text),
	    TEST(stage_of_one_locale_must_be_in_the_others),
	    TEST(start_needs_the_stages_of_the_program_only),
	    TEST(locale_must_serve_every_channel),
	    TEST(nothing_is_missing_from_a_file_that_could_not_be_read),
	    TEST(advertising_has_no_place_in_any_message),
	    TEST(notification_has_no_offer_and_no_refusal_note),
	    TEST(promotion_tells_how_to_refuse_and_names_no_medicine),
	    TEST(promotion_is_never_sent_for_a_reminder),
	    TEST(text_after_a_run_out_asks_and_never_reproaches),
	    TEST(renewal_asks_for_a_visit),
	    TEST(illness_is_not_named),
	    TEST(discreet_text_names_no_product_visit_or_sender),
	    TEST(word_list_is_read_line_by_line),
	    TEST(sms_is_counted_with_its_signature),
	    TEST(latin_sms_is_counted_in_septets),
	    TEST(text_with_too_many_variables_is_not_read_to_its_end),
	    TEST(only_texts_for_sms_are_counted),
	    TEST(text_must_be_the_one_that_was_approved),
	    TEST(class_must_be_the_one_that_was_approved),
	    TEST(registration_without_a_text_is_told),
	    TEST(parameters_are_the_variables_of_the_text),
	    TEST(parameters_by_position_stand_in_the_order_of_the_text),
	    TEST(provider_takes_so_many_parameters),
	    TEST(value_that_reviewers_find_long_is_a_warning),
	    TEST(promotion_of_a_provider_has_its_rules),
	    TEST(fields_of_wechat_have_types),
	    TEST(signature_has_its_length_and_discretion),
	    TEST(latin_text_is_dear_over_a_mainland_gateway),
	    TEST(values_have_the_forms_of_their_fields),
	    TEST(shipped_texts_are_clean),
	    TEST(findings_stand_in_the_order_of_the_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
