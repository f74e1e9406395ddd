/*
 * Whatever json_parse() takes, the writer writes as text that it takes
 * again, and the same; whatever it refuses has a reason and a place in it.
 */
#include <string.h>

#include "base/json.h"
#include "fuzz.h"

#define MICRO_MAX (INT64_MAX / 1000000)

static void
write_tree(struct buf *buf, const struct json *value)
{
	struct json_writer writer;

	json_write_init(&writer, buf);
	json_write_tree(&writer, value);
	must(writer.depth == 0 && !buf->overflow);
}

/* Keys are there and found, counts are right, texts are C strings. */
static void
check_tree(const struct json *value)
{
	uint32_t count = 0;
	int64_t number, micro;

	json_each (item, value) {
		if (value->type == JSON_OBJECT)
			must(json_get(value, item->key) == item);
		else
			must(json_at(value, count) == item);
		check_tree(item);
		count++;
	}
	must(count == value->count);
	must((value->text != NULL) ==
	     (value->type == JSON_STRING || value->type == JSON_NUMBER));
	if (value->text != NULL)
		must(strlen(value->text) == value->bytes);
	if (json_i64(value, &number) && number < MICRO_MAX &&
	    number > -MICRO_MAX) {
		must(json_micro(value, &micro));
		must(micro == number * 1000000);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct arena *arena = arena_create();
	struct json_error error = {NULL, 0, 0};
	struct buf first = BUF_INIT(0), second = BUF_INIT(0);
	const struct json *value =
	    json_parse((const char *)data, bytes, NULL, arena, &error);

	if (value == NULL) {
		must(error.reason != NULL && error.line >= 1);
		must(error.offset <= bytes);
	} else {
		check_tree(value);
		write_tree(&first, value);
		value =
		    json_parse(first.data, first.bytes, NULL, arena, &error);
		must(value != NULL);
		write_tree(&second, value);
		must(strcmp(first.data, second.data) == 0);
	}
	buf_free(&first);
	buf_free(&second);
	arena_free(arena);
	return 0;
}
