#ifndef ADHERD_BASE_HTTP_HEAD_H
#define ADHERD_BASE_HTTP_HEAD_H

#include "base/buf.h"

/*
 * The head of an HTTP/1 request, read strictly (RFC 9112): what a proxy and
 * we might read in two ways is refused, not repaired.  Pure: no I/O.
 */
#define HTTP_HEADERS_MAX 64

enum http_method { /* bits */
	HTTP_GET = 1,
	HTTP_POST = 2,
	HTTP_PUT = 4,
	HTTP_PATCH = 8,
	HTTP_DELETE = 16
};

struct http_field {
	const char *name;  /* as sent */
	const char *value; /* without the blanks around it */
};

struct http_head {
	enum http_method method;
	const char *path;  /* decoded; no control bytes */
	const char *query; /* raw, "" if none */
	struct http_field *fields;
	size_t field_count;
	size_t content_bytes; /* 0 if there is no body; may be absurd */
	bool chunked;         /* content_bytes is not known */
	bool continue_expected;
	bool keep_alive;
};

/*
 * The bytes of the head with its empty line; 0 if it is not whole yet; -1
 * if it holds what no head may: a bare CR or LF, or another control byte.
 */
long http_head_bytes(const char *data, size_t bytes);
/* Read the head, all strings in the arena.  0, or the status to refuse with. */
must_check int http_head_parse(const char *data, size_t bytes,
    struct arena *arena, struct http_head *head);
/* The first field of this name, whatever its case; NULL if absent. */
const char *http_head_field(const struct http_head *head, const char *name);
/* "GET, POST" for these bits. */
void http_method_names(unsigned bits, struct buf *out);
/*
 * Undo percent-encoding (and, for forms, '+'): the text in the arena, or
 * NULL if it is malformed or hides a control byte.
 */
must_check char *http_decode(
    const char *text, size_t bytes, bool form, struct arena *arena);

#endif
