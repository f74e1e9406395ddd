/*
 * adherctl template: the texts as they stand in the folder, and what
 * providers approved of them.  `list` and `render` need no database.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "ctl.h"
#include "flow/clock_sync.h"
#include "flow/template_files.h"

#define REGISTRATIONS_BYTES_MAX ((size_t)4 << 20)
#define TEXT_BYTES_MAX 4096

/* From --dir, else from the configuration. */
static struct template_set *
load_templates(struct ctl *ctl, const char *dir)
{
	struct conf_error error;
	struct template_set *set = template_files_load(
	    dir != NULL ? dir : ctl_settings(ctl)->template_dir, "zh-CN",
	    &error);

	if (set == NULL)
		ctl_fail(EXIT_DATA, "%s", error.text);
	return set;
}

static void
each_template(const struct template_set *set,
    void (*visit)(const struct template *template, void *arg), void *arg)
{
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++)
		for (enum stage stage = STAGE_DUE; stage < STAGE_COUNT; stage++)
			for (const struct template *t =
				 template_set_first(set, kind, stage);
			     t != NULL; t = t->next)
				visit(t, arg);
}

/* The text the way Aliyun takes it: ${name}. */
static const char *
aliyun_text(const struct template *template, struct buf *out)
{
	buf_clear(out);
	for (uint32_t i = 0; i < template->part_count; i++) {
		const struct template_part *part = &template->parts[i];

		if (part->format == FORMAT_NONE)
			buf_add(out, part->text, part->bytes);
		else
			buf_printf(out, "${%s}",
			    template_variable_word(part->variable));
	}
	return buf_string(out);
}

static void
print_json(const struct template *t)
{
	struct buf out = BUF_INIT(TEXT_BYTES_MAX * 8);
	struct buf text = BUF_INIT(TEXT_BYTES_MAX);
	struct json_writer w;

	json_write_init(&w, &out);
	json_write_object(&w);
	json_write_member(&w, "kind", kind_word(t->kind));
	json_write_member(&w, "stage", stage_word(t->stage));
	json_write_member(&w, "locale", t->locale);
	json_write_member(&w, "channel", channel_word(t->channel));
	json_write_member(&w, "text", t->text);
	json_write_member(&w, "aliyun", aliyun_text(t, &text));
	json_write_key(&w, "parameters");
	json_write_array(&w);
	for (uint32_t i = 0; i < t->part_count; i++)
		if (t->parts[i].format != FORMAT_NONE)
			json_write_text(
			    &w, template_variable_word(t->parts[i].variable));
	json_write_end_array(&w);
	json_write_end_object(&w);
	(void)puts(buf_string(&out));
	buf_free(&out);
	buf_free(&text);
}

static void
print_template(const struct template *t, void *arg)
{
	if (((struct ctl *)arg)->json)
		print_json(t);
	else
		(void)printf("%-10s %-7s %-6s %-11s %s\n", kind_word(t->kind),
		    stage_word(t->stage), t->locale,
		    t->channel == CHANNEL_NONE ? "any"
					       : channel_word(t->channel),
		    t->text);
}

static int
run_list(struct ctl *ctl, int argc, char **argv)
{
	const char *dir = NULL, *value;
	struct template_set *set;

	for (int i = 0; i < argc; i++) {
		value = ctl_option(&ctl_template_list, argc, argv, &i, "--dir");
		if (value == NULL)
			ctl_usage(&ctl_template_list);
		dir = value;
	}
	set = load_templates(ctl, dir);
	each_template(set, print_template, ctl);
	template_set_free(set);
	return 0;
}

const struct ctl_verb ctl_template_list = {
    "template list",
    "[--dir DIR] [--json]",
    "every text; with --json also as Aliyun takes it for registration",
    run_list,
};

/* Values for looking at a text. */
static struct template_values
example_values(const struct template_words *words, bool discreet)
{
	static const char *const drugs[] = {"Metformin 0.5 g"};
	static const char *const drugs_zh[] = {"二甲双胍0.5g"};
	bool zh = words == template_words_find("zh-CN");

	return (struct template_values){
	    .patient = zh ? "张先生" : "Mr Smith",
	    .clinic = zh ? "示例医院" : "Example Hospital",
	    .drugs = zh ? drugs_zh : drugs,
	    .drug_count = 1,
	    .visit = zh ? "内分泌科复诊" : "endocrinology visit",
	    .count = 1,
	    .days = 7,
	    .run_out_on = 20520, /* 2026-03-08 */
	    .date_on = 20520,
	    .at = 20520 * DAY_US + 2 * HOUR_US,
	    .at_has_time = true,
	    .zone = zone_open("Asia/Shanghai"),
	    .discreet = discreet,
	};
}

static int
run_render(struct ctl *ctl, int argc, char **argv)
{
	const char *words[4] = {NULL}, *dir = NULL, *value;
	const struct template *template;
	struct template_values values;
	struct template_set *set;
	struct buf out = BUF_INIT(TEXT_BYTES_MAX);
	bool discreet = false;
	int count = 0;

	for (int i = 0; i < argc; i++) {
		value =
		    ctl_option(&ctl_template_render, argc, argv, &i, "--dir");
		if (value != NULL)
			dir = value;
		else if (strcmp(argv[i], "--discreet") == 0)
			discreet = true;
		else if (count == 3)
			ctl_usage(&ctl_template_render);
		else
			words[count++] = argv[i];
	}
	if (count < 2 || kind_from_word(words[0]) == 0 ||
	    stage_from_word(words[1]) == STAGE_NONE)
		ctl_usage(&ctl_template_render);
	set = load_templates(ctl, dir);
	template = template_find(set, kind_from_word(words[0]),
	    stage_from_word(words[1]), CHANNEL_NONE, words[2]);
	if (template == NULL)
		ctl_fail(EXIT_DATA, "no text for %s %s", words[0], words[1]);
	values = example_values(template->words, discreet);
	template_render(template, &values, &out);
	(void)puts(buf_string(&out));
	buf_free(&out);
	template_set_free(set);
	return 0;
}

const struct ctl_verb ctl_template_render = {
    "template render",
    "KIND STAGE [LOCALE] [--discreet] [--dir DIR]",
    "a text with example values",
    run_render,
};

/* ---- register ---- */

struct registering {
	struct ctl *ctl;
	struct template_set *set;
	const char *file;
	struct db_array kind, stage, locale, code, signature, parameters, hash;
};

/* The parameter names as one text, checked against the template. */
static const char *
take_parameters(struct registering *r, const struct template *template,
    const struct json *list, uint32_t index)
{
	struct arena *arena = r->ctl->arena;
	const char **names = arena_array(
	    arena, (list == NULL ? 0 : list->count) + 1, sizeof(*names));
	struct conf_error error = {""};
	struct buf joined = BUF_INIT(TEXT_BYTES_MAX);
	uint32_t count = 0;
	char *text;

	json_each (name, list) {
		if (json_text(name) == NULL ||
		    strchr(json_text(name), ' ') != NULL)
			ctl_fail(EXIT_DATA, "%s: [%u].parameters: not names",
			    r->file, index);
		names[count++] = json_text(name);
		buf_printf(
		    &joined, "%s%s", count > 1 ? " " : "", json_text(name));
	}
	if (template_parameters_parse(template, names, count, arena, &error) ==
	    NULL)
		ctl_fail(EXIT_DATA, "%s: [%u].parameters: %s", r->file, index,
		    error.text);
	text = arena_text(arena, buf_string(&joined));
	buf_free(&joined);
	return text;
}

static void
take_registration(struct registering *r, const struct json *row, uint32_t index)
{
	const char *kind = json_get_text(row, "kind");
	const char *stage = json_get_text(row, "stage");
	const char *locale = json_get_text(row, "locale");
	const char *code = json_get_text(row, "code");
	const char *signature = json_get_text(row, "signature");
	const struct template *template = NULL;

	if (kind == NULL || stage == NULL || locale == NULL || code == NULL ||
	    signature == NULL)
		ctl_fail(EXIT_DATA,
		    "%s: [%u]: kind, stage, locale, code, signature and "
		    "parameters are needed",
		    r->file, index);
	for (template = template_set_first(
		 r->set, kind_from_word(kind), stage_from_word(stage));
	     template != NULL && strcmp(template->locale, locale) != 0;
	     template = template->next)
		;
	if (template == NULL)
		ctl_fail(EXIT_DATA, "%s: [%u]: no text for %s %s %s", r->file,
		    index, kind, stage, locale);
	db_array_i64(&r->kind, template->kind);
	db_array_i64(&r->stage, template->stage);
	db_array_text(&r->locale, template->locale);
	db_array_text(&r->code, code);
	db_array_text(&r->signature, signature);
	db_array_text(&r->parameters,
	    take_parameters(r, template, json_get(row, "parameters"), index));
	db_array_bytes(
	    &r->hash, template->text_hash, sizeof(template->text_hash));
}

static void
store_registrations(struct registering *r, const char *gateway)
{
	struct db *db = ctl_database(r->ctl);
	struct clock clock = {0};
	struct db_unit *unit;

	if (!clock_sync_read(db, &clock))
		ctl_fail(
		    EXIT_DEPENDENCY, "the database's clock cannot be read");
	unit = db_unit_begin(db);
	db_unit_add(unit, "registration_store", NULL, NULL);
	db_param_i32(unit, 1);
	db_param_text(unit, gateway);
	db_param_array(unit, &r->kind);
	db_param_array(unit, &r->stage);
	db_param_array(unit, &r->locale);
	db_param_array(unit, &r->code);
	db_param_array(unit, &r->signature);
	db_param_array(unit, &r->parameters);
	db_param_array(unit, &r->hash);
	db_param_at(unit, clock_unmoved(&clock));
	ctl_run(unit);
}

static int
run_register(struct ctl *ctl, int argc, char **argv)
{
	struct registering r = {.ctl = ctl};
	struct json_error error;
	const struct json *list;
	uint32_t index = 0;
	size_t bytes;
	char *text;

	if (argc != 2)
		ctl_usage(&ctl_template_register);
	r.file = argv[1];
	r.set = load_templates(ctl, NULL);
	text = ctl_read_file(ctl, r.file, REGISTRATIONS_BYTES_MAX, &bytes);
	list = json_parse(text, bytes, NULL, ctl->arena, &error);
	if (list == NULL)
		ctl_fail(
		    EXIT_DATA, "%s:%d: %s", r.file, error.line, error.reason);
	if (!json_is(list, JSON_ARRAY))
		ctl_fail(EXIT_DATA, "%s: not an array", r.file);
	db_array_init(&r.kind, DB_I16);
	db_array_init(&r.stage, DB_I16);
	db_array_init(&r.locale, DB_TEXT);
	db_array_init(&r.code, DB_TEXT);
	db_array_init(&r.signature, DB_TEXT);
	db_array_init(&r.parameters, DB_TEXT);
	db_array_init(&r.hash, DB_BYTES);
	json_each (row, list)
		take_registration(&r, row, index++);
	store_registrations(&r, argv[0]);
	(void)printf("%u texts registered for %s\n", index, argv[0]);
	db_array_free(&r.kind);
	db_array_free(&r.stage);
	db_array_free(&r.locale);
	db_array_free(&r.code);
	db_array_free(&r.signature);
	db_array_free(&r.parameters);
	db_array_free(&r.hash);
	template_set_free(r.set);
	return 0;
}

const struct ctl_verb ctl_template_register = {
    "template register",
    "GATEWAY FILE",
    "record what a provider approved: a JSON array of kind, stage, locale, "
    "code, signature, parameters",
    run_register,
};
