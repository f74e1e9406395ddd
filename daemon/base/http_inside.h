#ifndef ADHERD_BASE_HTTP_INSIDE_H
#define ADHERD_BASE_HTTP_INSIDE_H

#include <curl/curl.h>

#include "base/clock.h"
#include "base/http_answer.h"
#include "base/http_client.h"
#include "base/http_wire.h"

/*
 * The HTTP client as its own files see it: http_client.c has the calls,
 * http_curl.c curl and the requests that are its own, http_direct.c the
 * connections that ordinary requests go over, http_connect.c how those come
 * to be.
 */
#define HTTP_CONNECT_TIMEOUT_US (3 * SECOND_US)
#define HTTP_TIMEOUT_US (20 * SECOND_US)

struct http_curl;
struct http_direct;

/* What curl has under way: CURLOPT_PRIVATE of each easy handle points to it. */
struct http_transfer {
	struct http_curl *curl;
	void (*over)(struct http_transfer *transfer, CURLcode code);
	bool plain_allowed;
};

struct http_call {
	struct http_transfer transfer; /* first */
	struct http_client *client;
	struct http_call *before, *next; /* in its list, or in the pool */
	CURL *easy;                /* owned; NULL until a request needs curl */
	struct arena *arena;       /* owned: the request, then the headers */
	struct http_answer answer; /* owned */
	bool headers_complete;     /* curl's */
	bool asked;                /* the request began to leave, or may have */
	int64_t begin_until;       /* clock_boot(); 0: no bound */
	bool too_large;
#ifdef ADHERD_FAULTS
	bool under_way;  /* curl's: sent, and the answer awaited */
	uint64_t failed; /* its number among all calls; 0: it does not fail */
#endif
	int64_t started_at; /* clock_boot() */
	void (*done)(const struct http_response *response, void *arg);
	void *arg;
	/* http_direct.c's */
	bool is_direct;
	struct http_calls *list;
	struct destination *to;
	struct connection *connection; /* NULL: it has none yet */
	int64_t deadline;              /* clock_boot() */
	int64_t connect_timeout_us;
	struct buf out; /* owned: the request */
	size_t sent;    /* bytes of it */
};

struct http_calls { /* a list */
	struct http_call *first, *last;
	size_t count;
};

/* ---- http_client.c ---- */

/*
 * The request is about to leave: false if it must not any more.  Once this
 * is true the call counts as unsure until it is answered.
 */
must_check bool http_call_begin(struct http_call *call);
bool http_call_in_time(const struct http_call *call);
/* Tell how it ended, whatever led to it, and take the call back. */
void http_call_finish(struct http_call *call, CURLcode code);

/* ---- http_curl.c ---- */

struct http_curl *http_curl_create(struct loop *loop);
void http_curl_free(struct http_curl *curl); /* nothing is under way */
void http_curl_send(struct http_curl *curl, struct http_call *call,
    const struct http_request *request);
void http_curl_cancel(struct http_curl *curl, struct http_call *call);
/* A handle with what all have in common; the transfer must outlive it. */
CURL *http_easy_create(struct http_curl *curl, struct http_transfer *transfer);
/* Say what it may speak and whom it believes; NULL: the system's. */
void http_easy_trust(const struct http_curl *curl, CURL *easy,
    bool plain_allowed, const char *ca_file);
/* Let curl begin: the transfer is told when it is over. */
void http_curl_add(struct http_curl *curl, CURL *easy);
void http_curl_remove(struct http_curl *curl, CURL *easy);
/* Microseconds as curl's milliseconds. */
long http_milliseconds(int64_t us);

/* ---- http_direct.c ---- */

struct http_direct *http_direct_create(
    struct loop *loop, struct http_curl *curl);
void http_direct_free(struct http_direct *direct); /* no call is under way */
/* Begin a call whose request is ordinary. */
void http_direct_send(struct http_direct *direct, struct http_call *call,
    const struct http_request *request, const struct http_place *place);
void http_direct_cancel(struct http_call *call);

/* ---- http_connect.c: connections that curl makes for us ---- */

struct http_connectors; /* a pool of them */
struct http_connector;

struct http_connect_options {
	const char *origin; /* `https://host:port` */
	const char *ca_file;
	bool plain_allowed;
	int64_t timeout_us;
	int64_t connect_timeout_us;
};

struct http_connectors *http_connectors_create(struct http_curl *curl);
void http_connectors_free(struct http_connectors *connectors); /* all idle */
/*
 * Connect, with TLS if the origin says so.  done is called exactly once, from
 * the loop, unless http_connect_end() comes first.  With CURLE_OK the fd is
 * connected: without TLS it is the caller's to close, and the connector is
 * gone; with TLS it is only to be waited for, and http_connect_end() closes
 * it.  With another code all is gone.
 */
struct http_connector *http_connect(struct http_connectors *connectors,
    const struct http_connect_options *options,
    void (*done)(CURLcode code, int fd, void *arg), void *arg);
void http_connect_end(struct http_connector *connector);
/* Over TLS: CURLE_AGAIN when there is nothing; no bytes are the end. */
must_check CURLcode http_connect_recv(
    struct http_connector *connector, void *data, size_t room, size_t *got);
must_check CURLcode http_connect_send(struct http_connector *connector,
    const void *data, size_t bytes, size_t *sent);

#endif
