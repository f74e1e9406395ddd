/*
 * Any text as a configuration file: it is taken or refused with a message,
 * and what was taken and dumped reads back as the same dump.
 */
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "fuzz.h"

struct settings {
	const char *text;
	const char **list;
	int64_t number, duration, size;
	bool boolean;
	int word;
};

static const char *const words[] = {"all", "plan", NULL};

static const struct conf_setting table[] = {
    {"s", "text", CONF_TEXT, offsetof(struct settings, text), .help = ""},
    {"s", "list", CONF_LIST, offsetof(struct settings, list), .help = ""},
    {"s", "number", CONF_INTEGER, offsetof(struct settings, number),
	.help = ""},
    {"s", "duration", CONF_DURATION, offsetof(struct settings, duration),
	.max = DAY_US, .help = ""},
    {"s", "size", CONF_BYTES, offsetof(struct settings, size), .help = ""},
    {"s", "boolean", CONF_BOOLEAN, offsetof(struct settings, boolean),
	.help = ""},
    {"s", "word", CONF_WORD, offsetof(struct settings, word), .words = words,
	.help = ""},
};

/* Take every section "s" of the text and dump it; false if refused. */
static bool
dump(const char *text, struct buf *out)
{
	static const char *const known[] = {"s", NULL};
	struct conf *conf = conf_create();
	struct conf_error error = {""};
	struct settings settings = {0};
	const char **names;
	bool taken = conf_read_text(conf, "f", text, &error) == 0 &&
		     conf_take(conf, "s", NULL, table, COUNT(table), &settings,
			 &error) == 0;

	if (taken)
		conf_dump(table, COUNT(table), "s", NULL, &settings, out);
	names = conf_names(conf, "s");
	for (size_t i = 0; taken && names[i] != NULL; i++) {
		memset(&settings, 0, sizeof(settings));
		taken = conf_take(conf, "s", names[i], table, COUNT(table),
			    &settings, &error) == 0;
		if (taken)
			conf_dump(
			    table, COUNT(table), "s", names[i], &settings, out);
	}
	taken = taken && conf_check_taken(conf, known, &error) == 0;
	must(taken == (error.text[0] == '\0'));
	conf_free(conf);
	return taken;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *text = mem_alloc(bytes + 1);
	struct buf first = BUF_INIT(0), second = BUF_INIT(0);

	if (bytes > 0)
		memcpy(text, data, bytes);
	if (dump(text, &first)) {
		must(dump(buf_string(&first), &second));
		must(strcmp(buf_string(&first), buf_string(&second)) == 0);
	}
	buf_free(&first);
	buf_free(&second);
	free(text);
	return 0;
}
