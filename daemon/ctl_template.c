/*
 * adherctl template list, render: the texts as they stand in the folder.
 * Reads only, and needs no database.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_line.h"
#include "ctl_template.h"
#include "flow/template_files.h"

#define TEXT_BYTES_MAX 4096

struct template_set *
ctl_load_templates(struct ctl *ctl, const char *dir)
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
	for (enum kind kind = KIND_DOSE; kind <= KIND_ANSWER; kind++)
		for (enum stage stage = STAGE_DUE; stage < STAGE_COUNT; stage++)
			for (const struct template *t =
				 template_set_first(set, kind, stage);
			     t != NULL; t = t->next)
				visit(t, arg);
}

/* The text the way Aliyun takes it, ${name}, or Tencent, {1}. */
static const char *
provider_text(const struct template *template, bool numbered, struct buf *out)
{
	uint32_t number = 0;

	buf_clear(out);
	for (uint32_t i = 0; i < template->part_count; i++) {
		const struct template_part *part = &template->parts[i];

		if (part->format == FORMAT_NONE)
			buf_add(out, part->text, part->bytes);
		else if (numbered)
			buf_printf(out, "{%u}", ++number);
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
	struct json_writer w = ctl_line_begin(&out, NULL);

	json_write_member(&w, "kind", kind_word(t->kind));
	json_write_member(&w, "stage", stage_word(t->stage));
	json_write_member(&w, "locale", t->locale);
	json_write_member(&w, "channel", channel_word(t->channel));
	json_write_member(
	    &w, "class", t->promotion ? "promotion" : "notification");
	json_write_member(&w, "text", t->text);
	json_write_member(&w, "aliyun", provider_text(t, false, &text));
	json_write_member(&w, "tencent", provider_text(t, true, &text));
	json_write_key(&w, "parameters");
	json_write_array(&w);
	for (uint32_t i = 0; i < t->part_count; i++)
		if (t->parts[i].format != FORMAT_NONE)
			json_write_text(
			    &w, template_variable_word(t->parts[i].variable));
	json_write_end_array(&w);
	ctl_line_end(&w);
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
			ctl_stray(&ctl_template_list, argv[i]);
		dir = value;
	}
	set = ctl_load_templates(ctl, dir);
	each_template(set, print_template, ctl);
	template_set_free(set);
	return 0;
}

const struct ctl_verb ctl_template_list = {
    "template list",
    "[--dir DIR] [--json]",
    "every text; with --json also as Aliyun and Tencent take it for "
    "registration",
    run_list,
};

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
			ctl_stray(&ctl_template_render, argv[i]);
		else
			words[count++] = argv[i];
	}
	if (count < 2 || kind_from_word(words[0]) == 0 ||
	    stage_from_word(words[1]) == STAGE_NONE)
		ctl_usage(&ctl_template_render);
	set = ctl_load_templates(ctl, dir);
	template = template_find(set, kind_from_word(words[0]),
	    stage_from_word(words[1]), CHANNEL_NONE, words[2]);
	if (template == NULL)
		ctl_fail(EXIT_DATA, "no text for %s %s", words[0], words[1]);
	values = template_sample(
	    template->words, discreet ? SAMPLE_DISCREET : SAMPLE_USUAL);
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
