/*
 * adherctl reply: what patients' replies mean.  Pure: reads JSON lines,
 * writes one for each.
 */
#include <stdio.h>
#include <string.h>

#include "care/reply_json.h"
#include "ctl.h"
#include "ctl_line.h"

#define FILE_BYTES_MAX ((size_t)64 << 20)

struct reply_line {
	const struct json *json;
	const char *text;
	size_t text_bytes;
	struct reply_question question;
	const char *items[REPLY_ITEMS_MAX];
};

static const struct reply_rules *
read_rules(struct ctl *ctl)
{
	struct findings findings;
	const struct reply_rules *rules;
	struct conf_error error;

	findings_init(&findings, ctl->arena);
	rules = reply_rules_read(reply_files, reply_file_count, &findings);
	if (findings_fail(&findings, &error) != 0)
		ctl_fail(EXIT_DATA, "%s", error.text);
	return rules;
}

/* NULL, or what is wrong with the items. */
static const char *
read_items(const struct json *json, struct reply_line *line)
{
	const struct json *items = json_get(json, "open_items");

	line->question.items = line->items;
	if (items == NULL || json_is(items, JSON_NULL))
		return NULL;
	if (!json_is(items, JSON_ARRAY))
		return "open_items: must be an array";
	if (items->count > REPLY_ITEMS_MAX)
		return "open_items: more than 20";
	json_each (item, items) {
		const char *text = json_text(item);

		if (text == NULL)
			return "open_items: must be texts";
		line->items[line->question.item_count++] = text;
	}
	return NULL;
}

/* NULL, or what is wrong with the line. */
static const char *
read_reply(const struct json *json, struct reply_line *line)
{
	const char *context = json_get_text(json, "context");
	const struct json *text = json_get(json, "text");

	*line = (struct reply_line){.json = json};
	if (!json_is(json, JSON_OBJECT))
		return "is no JSON object";
	if (json_text(text) == NULL)
		return "text: must be a text";
	if (json_get(json, "context") == NULL)
		context = "none";
	if (context == NULL ||
	    !reply_context_find(context, &line->question.context))
		return "context: must be dose, refill, followup, multi or none";
	line->text = text->text;
	line->text_bytes = text->bytes;
	return read_items(json, line);
}

static void
write_answer(struct buf *out, const struct reply_line *line,
    const struct reply *reply, bool why)
{
	struct json_writer w = ctl_line_begin(out, NULL);

	json_write_key(&w, "id");
	if (json_get(line->json, "id") == NULL)
		json_write_null(&w);
	else
		json_write_tree(&w, json_get(line->json, "id"));
	json_write_member(&w, "primary", reply_label_row(reply->primary)->name);
	json_write_key(&w, "intents");
	json_write_array(&w);
	for (unsigned i = 0; i < reply->intent_count; i++)
		json_write_text(
		    &w, reply_label_row(reply->intents[i].label)->name);
	json_write_end_array(&w);
	json_write_key(&w, "slots");
	reply_slots_write(&reply->slots, &w);
	if (why) {
		json_write_key(&w, "rules");
		json_write_object(&w);
		for (unsigned i = 0; i < reply->intent_count; i++)
			json_write_member(&w,
			    reply_label_row(reply->intents[i].label)->name,
			    reply->intents[i].rule);
		json_write_end_object(&w);
	}
	ctl_line_end(&w);
}

/* Answer one line; what is wrong with it goes to stderr.  False: it was. */
static bool
answer(const struct reply_rules *rules, const char *text, size_t bytes,
    int number, bool why)
{
	struct arena *arena = arena_create();
	struct buf out = BUF_INIT(0);
	struct json_error error = {.reason = NULL};
	struct reply_line line = {.json = NULL};
	struct reply reply;
	const struct json *json = json_parse(text, bytes, NULL, arena, &error);
	const char *wrong =
	    json == NULL ? error.reason : read_reply(json, &line);

	if (wrong == NULL) {
		reply_understand(rules, line.text, line.text_bytes,
		    &line.question, arena, &reply);
		write_answer(&out, &line, &reply, why);
	} else {
		(void)fflush(stdout);
		(void)fprintf(stderr, "adherctl: line %d: %s\n", number, wrong);
	}
	buf_free(&out);
	arena_free(arena);
	return wrong == NULL;
}

static int
run_reply(struct ctl *ctl, int argc, char **argv)
{
	const struct reply_rules *rules;
	const char *path = NULL, *at, *end;
	size_t bytes;
	bool why = false, good = true;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--why") == 0)
			why = true;
		else if (path == NULL &&
			 (argv[i][0] != '-' || strcmp(argv[i], "-") == 0))
			path = argv[i];
		else
			ctl_stray(&ctl_reply, argv[i]);
	}
	rules = read_rules(ctl);
	at = ctl_read_file(
	    ctl, path == NULL ? "-" : path, FILE_BYTES_MAX, &bytes);
	end = at + bytes;
	for (int number = 1; at < end; number++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((stop == NULL ? end : stop) - at);

		if (strspn(at, " \t\r") < length)
			good = answer(rules, at, length, number, why) && good;
		at += length + 1;
	}
	return good ? 0 : EXIT_DATA;
}

const struct ctl_verb ctl_reply = {
    "reply",
    "[--why] [FILE]",
    "what patients' replies mean\n\n"
    "FILE, or stdin, has a JSON object a line: \"text\", and \"context\", "
    "what\n"
    "was asked last (dose, refill, followup, multi, none); for multi also\n"
    "\"open_items\", the numbered items (\"refill:NAME\", \"followup\").\n"
    "One line each: \"id\" as given, \"primary\", \"intents\" (the primary\n"
    "first), \"slots\" with what was stated; with --why also \"rules\", the\n"
    "rule behind each intent.  Of a text behind its first 2,000 bytes harm,\n"
    "a death and a refusal of everything are found.  A line that is none is\n"
    "told with its number; the rest is answered, and the exit status is 65.\n"
    "Bounds: 64 MB, 20 items.",
    run_reply,
};
