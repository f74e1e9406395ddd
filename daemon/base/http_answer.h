#ifndef ADHERD_BASE_HTTP_ANSWER_H
#define ADHERD_BASE_HTTP_ANSWER_H

#include "base/buf.h"
#include "base/http_client.h"

/*
 * An HTTP/1 answer to a GET or POST, read as its bytes come, strictly (RFC
 * 9112): what two readers might take in two ways is refused, not repaired.
 * Pure: no I/O.
 *
 * 2.2  lines end in CR LF; no other control byte stands in one
 * 4    the status line; its reason may be missing with its blank
 * 5    no blank before a colon, no folded line (5.2)
 * 6.1  the only transfer coding is chunked, in HTTP/1.1, said once
 * 6.2  Content-Length is digits; where it is said again it says the same
 * 6.3  204 and 304 have no body; without a length it ends with the connection
 * 7.1  chunks; their extensions and trailers are read and dropped
 * 9.3  the connection lasts if HTTP/1.1 has not said otherwise
 *
 * A head with both a length and chunks is read as chunks (6.3) and its
 * connection does not last.  Interim answers (1xx) are skipped, but 101,
 * which nobody asked for.
 */
#define HTTP_ANSWER_HEADERS_MAX 128
#define HTTP_ANSWER_HEADER_BYTES_MAX ((size_t)32 << 10)

enum http_answered {
	HTTP_ANSWER_MORE,  /* is awaited */
	HTTP_ANSWER_WHOLE, /* look at status, headers, body, lasting */
	HTTP_ANSWER_BAD,
	HTTP_ANSWER_NONE, /* closed before the first byte */
	HTTP_ANSWER_CUT,  /* closed before the end */
	HTTP_ANSWER_TOO_LARGE,
	HTTP_ANSWER_CODED /* a content coding, which nobody asked for */
};

enum http_answer_place {
	PLACE_STATUS,
	PLACE_FIELD,
	PLACE_BODY, /* of known length */
	PLACE_CHUNK_SIZE,
	PLACE_CHUNK,
	PLACE_CHUNK_END,
	PLACE_TRAILER,
	PLACE_REST, /* a body that ends with the connection */
	PLACE_END
};

struct http_answer {
	struct arena *arena; /* borrowed: the headers lie in it */
	struct list headers; /* struct http_header, names in lower case */
	struct buf body;     /* owned */
	int status;          /* 0: not known yet */
	bool lasting;        /* of a whole one: its connection may serve on */
	/* the rest is the reader's own */
	enum http_answer_place place;
	struct buf line; /* owned: the beginning of one that is not whole */
	size_t header_bytes;
	size_t left; /* of the body or the chunk */
	size_t length;
	unsigned heads;
	bool version_1_1;
	bool length_given;
	bool chunked;
	bool closing;
	bool coded;
};

/* Begin an answer; memory of the one before is used again. */
void http_answer_begin(
    struct http_answer *answer, struct arena *arena, size_t body_bytes_max);
/*
 * Take the next bytes; *taken are its own, what follows a whole answer is
 * not.  After anything but HTTP_ANSWER_MORE no more may be pushed.
 */
must_check enum http_answered http_answer_push(
    struct http_answer *answer, const char *data, size_t bytes, size_t *taken);
/* The connection ended: HTTP_ANSWER_WHOLE, _NONE, _CUT or _BAD. */
must_check enum http_answered http_answer_close(struct http_answer *answer);
void http_answer_free(struct http_answer *answer); /* what it owns */

#endif
