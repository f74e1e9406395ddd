/*
 * Vectors on stdin, one line of answer for each.  A value that is broken is
 * answered as such and reading goes on with the next line that begins one,
 * so one bad vector never stops the others.  Owns the bounds of what is
 * read.
 */
#include "ctl_vectors.h"

#include <stdio.h>
#include <string.h>

#define INPUT_BYTES_MAX ((size_t)64 << 20)
#define ANSWER_BYTES_MAX ((size_t)16 << 20)
#define VECTORS_MAX 100000
#define DEPTH_MAX 16 /* brackets open at once */

struct answering {
	vector_answer *answer;
	const struct json *file;
	struct arena *arena; /* reset for each vector */
	struct buf out;      /* one line */
	uint32_t count;      /* answered, bad ones too */
	bool any_json;
};

void
vector_refuse(
    struct vector *vector, const char *code, const char *at, const char *text)
{
	struct json_writer *w = vector->out;

	json_write_key(w, "error");
	json_write_object(w);
	json_write_member(w, "code", code);
	json_write_member(w, "at", at);
	json_write_end_object(w);
	json_write_member(w, "message", text);
}

bool
vector_moment(struct vector *vector, const struct json *json, const char *at,
    const struct zone *zone, int64_t *moment, bool *has_time)
{
	const char *text = json_text(json);
	int32_t date_on;
	bool date;

	if (text == NULL) {
		vector_refuse(vector, json == NULL ? "required" : "structure",
		    at, "must be a date or an instant");
		return false;
	}
	date = civil_parse(text, &date_on);
	if (date)
		*moment = zone_instant(zone, date_on, 0);
	else if (!instant_parse(text, moment)) {
		vector_refuse(vector, "value", at,
		    "must be YYYY-MM-DD, or an instant with its offset");
		return false;
	}
	if (has_time != NULL)
		*has_time = !date;
	return true;
}

/* ---- one line for each ---- */

static void
begin_line(struct answering *a, struct json_writer *w, const struct json *id)
{
	if (a->count++ == VECTORS_MAX)
		ctl_fail(EXIT_DATA, "over %d vectors: the rest is unanswered",
		    VECTORS_MAX);
	buf_clear(&a->out);
	json_write_init(w, &a->out);
	json_write_object(w);
	json_write_key(w, "id");
	if (id != NULL)
		json_write_tree(w, id);
	else
		json_write_null(w);
}

static void
end_line(struct answering *a, struct json_writer *w)
{
	json_write_end_object(w);
	if (a->out.overflow)
		ctl_fail(
		    EXIT_DATA, "an answer of over %zu bytes", ANSWER_BYTES_MAX);
	(void)puts(buf_string(&a->out));
}

static void
answer_one(struct answering *a, const struct json *json)
{
	struct json_writer w;
	struct vector vector = {
	    .json = json, .file = a->file, .arena = a->arena, .out = &w};

	arena_reset(a->arena);
	begin_line(a, &w, json_get(json, "id"));
	if (json_is(json, JSON_OBJECT))
		a->answer(&vector);
	else
		vector_refuse(&vector, "structure", "", "must be an object");
	if (!vector.silent)
		end_line(a, &w);
}

static void
answer_broken(struct answering *a, int line, const char *reason)
{
	struct json_writer w;
	struct vector vector = {.out = &w};
	char at[32];

	(void)snprintf(at, sizeof(at), "line %d", line);
	begin_line(a, &w, NULL);
	vector_refuse(&vector, "invalid", at, reason);
	end_line(a, &w);
}

/* An object with `vectors`, an array of vectors, or one. */
static void
answer_value(struct answering *a, const struct json *json)
{
	const struct json *list =
	    json_is(json, JSON_ARRAY) ? json : json_get(json, "vectors");

	a->any_json = true;
	if (!json_is(list, JSON_ARRAY)) {
		answer_one(a, json);
		return;
	}
	a->file = list == json ? NULL : json;
	json_each (item, list)
		answer_one(a, item);
	a->file = NULL;
}

/* ---- value by value ---- */

/* Behind the text whose quote is here; NULL: it does not end on its line. */
static const char *
skip_text(const char *at)
{
	for (;; at++) {
		at += 1 + strcspn(at + 1, "\"\\\n");
		if (*at == '"')
			return at + 1;
		if (*at != '\\' || at[1] == '\0' || at[1] == '\n')
			return NULL;
	}
}

/*
 * The end of the object or array that begins here, by its brackets; of
 * anything else, of the line.  NULL with the reason where it has none.
 * Of the lines that begin what never ends, at most DEPTH_MAX stand open at
 * any byte, so it is looked at no more often than that.
 */
static const char *
find_end(const char *at, const char **reason)
{
	int depth = 0;

	*reason = "is no whole JSON value";
	if (*at != '{' && *at != '[')
		return at + strcspn(at, "\n");
	do {
		if (*at == '"') {
			at = skip_text(at);
			if (at == NULL)
				return NULL;
		} else {
			depth += *at == '{' || *at == '[' ? 1 : -1;
			at++;
		}
		if (depth == 0)
			return at;
		if (depth > DEPTH_MAX) {
			*reason = "nested too deeply";
			return NULL;
		}
		at += strcspn(at, "\"{}[]");
	} while (*at != '\0');
	return NULL;
}

/* After what is broken: the next line that begins a value. */
static const char *
find_next(const char *at)
{
	do {
		at += strcspn(at, "\n");
		at += *at == '\n';
	} while (*at != '\0' && *at != '{' && *at != '[');
	return at;
}

static int
count_lines(const char *from, const char *to)
{
	int lines = 0;

	for (; from < to; from++)
		lines += *from == '\n';
	return lines;
}

/* Answer the value that begins here; where to go on. */
static const char *
answer_next(struct answering *a, const char *at, int line, struct arena *arena)
{
	static const struct json_limits limits = {.bytes_max = INPUT_BYTES_MAX,
	    .depth_max = DEPTH_MAX,
	    .values_max = 20000000};
	const char *reason, *end = find_end(at, &reason);
	const struct json *json;
	struct json_error error;

	if (end == NULL) {
		answer_broken(a, line, reason);
		return find_next(at);
	}
	arena_reset(arena);
	json = json_parse(at, (size_t)(end - at), &limits, arena, &error);
	if (json == NULL)
		answer_broken(a, line + error.line - 1, error.reason);
	else
		answer_value(a, json);
	return end;
}

int
vectors_answer(struct ctl *ctl, vector_answer *answer)
{
	struct answering a = {.answer = answer,
	    .arena = arena_create(),
	    .out = BUF_INIT(ANSWER_BYTES_MAX)};
	struct arena *values = arena_create();
	size_t bytes;
	const char *at = ctl_read_file(ctl, "-", INPUT_BYTES_MAX, &bytes);
	const char *end = at + bytes, *next;
	int line = 1;

	if (strncmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	for (; at < end; at = next) {
		const char *value = at + strspn(at, " \t\r\n");

		line += count_lines(at, value);
		if (value == end)
			break;
		/* a NUL ends a text, not the input */
		next = *value == '\0' ? value + 1
				      : answer_next(&a, value, line, values);
		line += count_lines(value, next);
	}
	buf_free(&a.out);
	arena_free(a.arena);
	arena_free(values);
	if (!a.any_json) {
		(void)fflush(stdout);
		(void)fputs("adherctl: no JSON on stdin\n", stderr);
	}
	return a.any_json ? 0 : EXIT_DATA;
}
