/*
 * For unit tests: JSON from a text, or from a file of the repository, which
 * is where they run.  Include it behind cmocka.h.
 */
#ifndef ADHERD_UNIT_READ_JSON_H
#define ADHERD_UNIT_READ_JSON_H

#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* Fails the test where it is none. */
static inline const struct json *
parse_json(struct arena *in, const char *text)
{
	struct json_error error;
	const struct json *json =
	    json_parse(text, strlen(text), NULL, in, &error);

	if (json == NULL)
		fail_msg("%s: %s", text, error.reason);
	return json;
}

/* Fails the test where the file is missing or no JSON. */
static inline const struct json *
read_json(const char *path, struct arena *in)
{
	FILE *file = fopen(path, "rb");
	struct buf text = BUF_INIT(0);
	struct json_error error;
	const struct json *json;
	char chunk[4096];
	size_t bytes;

	if (file == NULL)
		fail_msg("%s: cannot be opened", path);
	while ((bytes = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&text, chunk, bytes);
	(void)fclose(file);
	json = json_parse(buf_string(&text), text.bytes, NULL, in, &error);
	if (json == NULL)
		fail_msg("%s:%d: %s", path, error.line, error.reason);
	buf_free(&text);
	return json;
}

#endif
