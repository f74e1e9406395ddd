#ifndef ADHERD_BASE_JSON_H
#define ADHERD_BASE_JSON_H

#include "base/buf.h"

/*
 * JSON (RFC 8259): jsmn's tokens plus what it lacks: the grammar, depth and
 * size checks, no duplicate keys, no bad UTF-8, no lone surrogates, no NUL,
 * unescaping.  The tree lives in the caller's arena.
 */
enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json {
	enum json_type type;
	uint32_t count;  /* elements or members */
	uint32_t bytes;  /* of text */
	const char *key; /* unescaped; NULL outside objects */
	const char
	    *text; /* string unescaped, number as written; NUL-terminated */
	const struct json *child; /* first element or member */
	const struct json *next;  /* sibling */
};

struct json_limits {
	size_t bytes_max;    /* 0: 1 MB */
	uint32_t depth_max;  /* 0: 16 */
	uint32_t values_max; /* 0: 1,000,000 */
};

struct json_error {
	const char *reason; /* a fixed phrase: "duplicate key" */
	size_t offset;      /* byte in the text */
	int line;           /* from 1 */
};

/* NULL, with *error filled, if the text is not acceptable JSON. */
must_check const struct json *json_parse(const char *text, size_t bytes,
    const struct json_limits *limits, struct arena *arena,
    struct json_error *error);

/* Is a text, up to its NUL, UTF-8 as JSON has it?  For texts from elsewhere. */
must_check bool json_is_utf8(const char *text);

/* All of these take NULL and then find nothing. */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, uint32_t index);
bool json_is(const struct json *value, enum json_type type);
const char *json_text(const struct json *string); /* NULL if no string */
const char *json_get_text(const struct json *object, const char *key);
/* True if it is an integer that fits (no fraction, no exponent). */
must_check bool json_i64(const struct json *number, int64_t *value);
/*
 * Exact decimal to millionths ("1.50" is 1500000; exponents are read).
 * False if it is no number, has more than six decimals that matter, or
 * does not fit.
 */
must_check bool json_micro(const struct json *number, int64_t *value);

#define json_each(item, container) \
	for (const struct json *item = (container) ? (container)->child \
						   : NULL; \
	     item != NULL; item = item->next)

/*
 * Writer: appends to a buf, puts the commas itself.  Keys and strings are
 * escaped; text must be UTF-8 (bad bytes become U+FFFD).
 */
struct json_writer {
	struct buf *buf;
	uint32_t depth;
	bool comma;
};

void json_write_init(struct json_writer *writer, struct buf *buf);
void json_write_object(struct json_writer *writer); /* { */
void json_write_array(struct json_writer *writer);  /* [ */
void json_write_end_object(struct json_writer *writer);
void json_write_end_array(struct json_writer *writer);
void json_write_key(struct json_writer *writer, const char *key);
void json_write_text(
    struct json_writer *writer, const char *text); /* NULL: null */
void json_write_i64(struct json_writer *writer, int64_t value);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
void json_write_raw(struct json_writer *writer, const char *json);
/* key and text in one */
void json_write_member(
    struct json_writer *writer, const char *key, const char *text);
void json_write_tree(struct json_writer *writer, const struct json *value);

#endif
