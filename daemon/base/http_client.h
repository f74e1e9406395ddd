#ifndef ADHERD_BASE_HTTP_CLIENT_H
#define ADHERD_BASE_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/loop.h"

/*
 * HTTP client on the loop.  Kept-alive connections, TLS always verified, no
 * redirects, no proxy, no cookies, no Expect.  An ordinary GET or POST
 * (base/http_wire.h) asks for no compression and its answer is read strictly
 * (base/http_answer.h); whatever else curl can do is left to curl.
 */
struct http_client;
struct http_call;

struct http_header {
	const char *name;
	const char *value;
};

struct http_request {
	const char *method;
	const char *url;
	const struct http_header *headers;
	size_t header_count;
	const void *body; /* copied before http_client_send() returns */
	size_t body_bytes;
	bool http2;
	bool plain_allowed;         /* http:// is allowed (loopback only) */
	const char *ca_file;        /* NULL: the system's */
	int64_t connect_timeout_us; /* 0: 3 s */
	int64_t timeout_us;         /* in all; 0: 20 s */
	int64_t begin_until; /* clock_boot(): no byte leaves later; or 0 */
	size_t response_bytes_max; /* after decompression; 0: 64 kB */
};

/* How the call ended, as the outcome needs it (fault-matrix: sure or unsure).
 */
enum http_end {
	HTTP_ANSWERED,  /* a whole response: look at status */
	HTTP_UNSENT,    /* surely no request byte left: resolve, connect, TLS */
	HTTP_UNSURE,    /* request bytes may have left; no whole answer */
	HTTP_TOO_LARGE, /* answer over the bound; counts as unsure */
};

struct http_response {
	enum http_end end;
	const char *error; /* fixed phrase when not HTTP_ANSWERED */
	int status;
	const struct http_header *headers; /* names in lower case */
	size_t header_count;
	const char *body; /* NUL-terminated */
	size_t body_bytes;
	int64_t took_us;
};

struct http_client *http_client_create(struct loop *loop);
void http_client_free(
    struct http_client *client); /* no call may be under way */
/*
 * Start a request.  done is called exactly once, from the loop, unless the
 * call is cancelled; the response is valid during the call.
 */
struct http_call *http_client_send(struct http_client *client,
    const struct http_request *request,
    void (*done)(const struct http_response *response, void *arg), void *arg);
void http_client_cancel(struct http_call *call); /* done is not called */
size_t http_client_calls(const struct http_client *client); /* under way */
const char *http_response_header(
    const struct http_response *response, const char *name);

#endif
