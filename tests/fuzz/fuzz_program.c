/*
 * Any JSON as programs: each document is taken or refused with a message,
 * and what was taken, printed as the settings in force, reads back as the
 * same settings.
 */
#include <string.h>

#include "base/json.h"
#include "care/program_read.h"
#include "care/program_setting.h"
#include "fuzz.h"

#define DOCUMENTS_MAX 64

/* A JSON array of documents; false where any of it is refused. */
static bool
compose(
    const char *text, size_t bytes, struct arena *arena, struct rules *rules)
{
	struct program_document documents[DOCUMENTS_MAX];
	struct json_error json_error;
	struct conf_error error = {""};
	const struct json *list =
	    json_parse(text, bytes, NULL, arena, &json_error);
	uint32_t count = 0, culprit = DOCUMENTS_MAX;

	json_each (item, list) {
		if (count == DOCUMENTS_MAX)
			return false;
		if (program_document_read(item, &documents[count], &error) !=
		    0) {
			must(error.text[0] != '\0');
			return false;
		}
		count++;
	}
	if (program_compose(documents, count, arena, rules, &culprit, &error) ==
	    0)
		return true;
	must(error.text[0] != '\0' && culprit < count);
	return false;
}

static bool
may_name(const char *key, const char *product_class)
{
	for (size_t i = 0; i < program_setting_count; i++)
		if (strcmp(program_settings[i].key, key) == 0)
			return product_class[0] == '\0' ||
			       program_settings[i].by_class;
	abort();
}

/* One document, with every setting that it may have. */
static void
write_document(const struct rules *rules, enum kind kind,
    const char *product_class, struct arena *arena, struct buf *out)
{
	const struct program_row *rows;
	uint32_t count = program_rows(rules, kind, product_class, arena, &rows);
	const char *comma = "";

	buf_printf(out,
	    "%s{\"kind\":\"%s\",\"product_class\":\"%s\",\"settings\":{",
	    buf_string(out)[0] == '\0' ? "[" : ",", program_kind_word(kind),
	    product_class);
	for (uint32_t i = 0; i < count; i++) {
		if (!may_name(rows[i].key, product_class))
			continue;
		buf_printf(
		    out, "%s\"%s\":%s", comma, rows[i].key, rows[i].value);
		comma = ",";
	}
	buf_text(out, "}}");
}

static void
write_rules(const struct rules *rules, struct arena *arena, struct buf *out)
{
	for (enum kind kind = 0; kind <= KIND_FOLLOW_UP; kind++)
		write_document(rules, kind, "", arena, out);
	for (uint32_t i = 0; i < rules->class_count; i++)
		write_document(rules, rules->classes[i].kind,
		    rules->classes[i].product_class, arena, out);
	buf_char(out, ']');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct arena *arena = arena_create();
	struct buf first = BUF_INIT(0), second = BUF_INIT(0);
	struct rules rules, again;

	if (compose((const char *)data, bytes, arena, &rules)) {
		write_rules(&rules, arena, &first);
		must(compose(buf_string(&first), first.bytes, arena, &again));
		write_rules(&again, arena, &second);
		must(strcmp(buf_string(&first), buf_string(&second)) == 0);
	}
	buf_free(&first);
	buf_free(&second);
	arena_free(arena);
	return 0;
}
