#ifndef ADHERD_BASE_HTTP_WIRE_H
#define ADHERD_BASE_HTTP_WIRE_H

#include "base/buf.h"
#include "base/http_client.h"

/*
 * Ordinary HTTP/1.1 requests as bytes.  Pure: no I/O.
 *
 * Ordinary is: GET or POST, without HTTP/2; a URL `http(s)://host[:port]` with
 * a path and query of visible ASCII, without user, fragment or dot segment;
 * headers that nobody could misread, and none that says how the request
 * itself is carried.
 */
struct http_place {         /* all borrowed from the request's URL */
	const char *origin; /* `https://host:port` as it was given */
	size_t origin_bytes;
	const char *authority; /* what Host says: no usual port */
	size_t authority_bytes;
	const char *path; /* with its query; may be "" */
	bool tls;
};

bool http_wire_ordinary(
    const struct http_request *request, struct http_place *place);
/* Add the request, head and body; it must be ordinary. */
void http_wire_write(const struct http_request *request,
    const struct http_place *place, struct buf *out);

#endif
