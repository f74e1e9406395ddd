/*
 * Any bytes as a template and as values.  A file is refused or compiled;
 * whatever the values, the message is text, has no control or bidi
 * character, signature, field or link of theirs, and every parameter fits
 * the strictest provider.  Whatever is read, all that is wrong with it can be
 * told, with any list of words and any registration.
 */
#include <string.h>
#include <utf8proc.h>

#include "care/segment.h"
#include "care/template_approval.h"
#include "fuzz.h"

#define LINES_MAX 16
#define TEXT_CHARACTERS_MAX 500

struct input {
	struct arena *arena;
	uint8_t choice;
	const char *lines[LINES_MAX];
	uint32_t count;
};

/* A first byte, then lines; missing ones are NULL. */
static void
read_input(struct input *input, const uint8_t *data, size_t bytes)
{
	input->choice = data[0];
	for (size_t from = 1; from < bytes && input->count < LINES_MAX;) {
		const uint8_t *end = memchr(data + from, '\n', bytes - from);
		size_t line =
		    end == NULL ? bytes - from : (size_t)(end - data) - from;

		input->lines[input->count++] =
		    arena_text_n(input->arena, (const char *)data + from, line);
		from += line + 1;
	}
}

/* What holds for every text that leaves; the number of characters. */
static uint32_t
check_text(const char *text)
{
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
	uint32_t characters = 0;

	while (*at != 0) {
		utf8proc_int32_t code;
		utf8proc_ssize_t bytes = utf8proc_iterate(at, -1, &code);

		must(bytes > 0);
		must(utf8proc_category(code) != UTF8PROC_CATEGORY_CC);
		must(utf8proc_category(code) != UTF8PROC_CATEGORY_CF);
		must(code != 0x3010 && code != 0x3011);
		must(code != '{' && code != '}');
		characters++;
		at += bytes;
	}
	return characters;
}

static void
check_value(const char *value)
{
	uint32_t characters = check_text(value);

	must(characters > 0 && characters <= VALUE_CHARACTERS_MAX);
	must(strstr(value, "//") == NULL);
	for (const char *dot = value; (dot = strchr(dot, '.')) != NULL; dot++)
		must(!((dot[1] >= 'a' && dot[1] <= 'z') ||
		       (dot[1] >= 'A' && dot[1] <= 'Z')));
}

static void
check_segments(const char *text, enum segment_rule rule)
{
	struct segments s;
	uint32_t sum = 0;

	must(segment_text(rule, NULL, text, &s) == 0);
	must(s.count >= 1 && s.count <= SEGMENTS_MAX);
	for (uint32_t i = 0; i < s.count; i++) {
		must(s.parts[i] <= (s.encoding == SEGMENT_GSM7 ? 160 : 70));
		must(s.count == 1 || s.parts[i] > 0);
		sum += s.parts[i];
	}
	must(sum == s.units);
}

static void
check_parameters(struct input *input, const struct template *template,
    const struct template_values *values)
{
	static const char *const own[] = {"patient", "x=clinic|text:8", "count",
	    "drug|text:20", "y=drug|text:8", "drug"};
	static const char *const own_of_visits[] = {
	    "patient", "x=clinic|text:8", "visit", "at|date_time", "days"};
	bool visits = template->kind == KIND_FOLLOW_UP;
	const struct template_parameters *parameters;
	const struct template_parameter *list;
	struct conf_error error;

	/* foreign entries are refused or filled */
	parameters = template_parameters_parse(
	    template, input->lines, input->count, input->arena, &error);
	if (parameters != NULL)
		(void)template_parameters_fill(
		    parameters, values, input->arena);
	parameters = template_parameters_parse(template,
	    visits ? own_of_visits : own,
	    visits ? COUNT(own_of_visits) : COUNT(own), input->arena, &error);
	must(parameters != NULL);
	list = template_parameters_fill(parameters, values, input->arena);
	for (uint32_t i = 0; i < parameters->count; i++)
		check_value(list[i].value);
}

static void
check_template(struct input *input, const struct template *template)
{
	struct template_values values = {
	    .patient = input->lines[1],
	    .clinic = input->lines[2],
	    .visit = input->lines[3],
	    .drugs = &input->lines[3],
	    .drug_count = input->count > 3 ? input->count - 3 : 0,
	    .count = input->count,
	    .run_out_on = 20520,
	    .date_on = 20520,
	    .at = 20520 * DAY_US,
	    .at_has_time = (input->choice & 8) != 0,
	    .zone = zone_open("Asia/Shanghai"),
	    .discreet = (input->choice & 16) != 0,
	};
	struct buf out = {0};

	template_render(template, &values, &out);
	must(check_text(buf_string(&out)) <= TEXT_CHARACTERS_MAX);
	check_segments(buf_string(&out), SEGMENT_MAINLAND);
	check_segments(buf_string(&out), SEGMENT_INTERNATIONAL);
	buf_free(&out);
	check_parameters(input, template, &values);
}

/* A finding names a line of the text and a column within it. */
static void
check_findings(const struct findings *findings, const char *text)
{
	const struct finding *list = findings->list.data;

	for (size_t i = 0; i < findings->list.count; i++) {
		must(list[i].rule[0] != '\0' && list[i].text[0] != '\0');
		must(list[i].place.line <= 2 + LINES_MAX);
		must(list[i].place.column <= (int)strlen(text) + 64);
	}
}

/* Every further check of what was read, faulty or not. */
static void
check_set(struct input *input, struct template_set *set, enum kind kind,
    const char *stage, const char *locale, const char *text)
{
	static const char *const plugins[] = {
	    "sms_aliyun", "sms_tencent", "wechat_mini", "none"};
	const char *plugin = plugins[input->choice >> 6];
	const struct template_approval approval = {
	    .kind = kind,
	    .stage = stage_from_word(stage),
	    .locale = locale,
	    .code = "x",
	    .signature = input->lines[2],
	    .parameters = input->lines,
	    .parameter_count = input->count,
	};
	const struct template_gateway gateway = {
	    .name = plugin,
	    .channel = CHANNEL_SMS,
	    .limits = template_limits_find(plugin),
	    .source = "x",
	    .approval_needed = true,
	};
	struct word_lists words = {0};
	struct findings findings;
	const struct template_check check = {
	    .set = set,
	    .words = &words,
	    .rules = program_default(),
	    .findings = &findings,
	};

	findings_init(&findings, input->arena);
	template_set_read(
	    set, kind, locale, CHANNEL_NONE, "x.tpl", text, &findings);
	for (uint32_t i = 0; i < input->count && i < WORDS_COUNT; i++)
		word_list_read(
		    &words.lists[i], "w.txt", input->lines[i], &findings);
	template_check_set(&check);
	template_check_gateway(&check, &gateway, &approval, 1);
	findings_sort(&findings);
	check_findings(&findings, text);
}

static void
check_file(
    struct input *input, enum kind kind, const char *stage, const char *text)
{
	const char *locale = input->choice & 4 ? "zh-CN" : "en";
	struct template_set *set = template_set_create(locale);
	struct conf_error error;
	const char *file = arena_printf(
	    input->arena, "[stage \"%s\"]\ntext = %s\n", stage, text);

	if (template_set_add(
		set, kind, locale, CHANNEL_NONE, "x.tpl", file, &error) == 0) {
		const struct template *template = template_find(
		    set, kind, stage_from_word(stage), CHANNEL_SMS, NULL);

		if (template != NULL)
			check_template(input, template);
	}
	template_set_free(set);
	set = template_set_create(locale);
	check_set(input, set, kind, stage, locale, file);
	template_set_free(set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input input = {.arena = arena_create()};

	if (bytes > 1) {
		read_input(&input, data, bytes);
		if (input.choice & 1)
			check_file(&input, KIND_DOSE, "due",
			    input.choice & 2
				? "{{patient}}: {{drug}}, {{at}} {{clinic}}"
				: input.lines[0]);
		else
			check_file(&input, KIND_FOLLOW_UP, "moved",
			    input.choice & 2 ? "{{visit}} {{at|date_time}}"
					     : input.lines[0]);
	}
	arena_free(input.arena);
	return 0;
}
