#ifndef ADHERD_BASE_HTTP_POOL_H
#define ADHERD_BASE_HTTP_POOL_H

#include "base/http_inside.h"

/*
 * Connections of our own, and which of them may stand in for each other.
 * Each carries one request at a time; the idle ones of a destination are
 * taken again, the one that was used last first, and closed after a while.
 */
struct event;
struct http_pool;

/* An origin as it was asked for: by whom trusted, and whether plain. */
struct destination {
	struct destination *next;
	struct http_pool *pool;
	char *origin;  /* owned */
	char *ca_file; /* owned; NULL: the system's */
	bool plain_allowed;
	size_t users;             /* its connections and calls */
	struct connection **idle; /* owned; the last was used last */
	size_t idle_count, idle_capacity;
};

struct connection {
	struct http_direct *direct;
	struct destination *to;
	struct http_connector *connector; /* owned; connecting, or TLS */
	int fd;                           /* owned without a connector */
	struct event *readable;           /* owned; pending since connected */
	struct event *writable; /* owned; pending after a short write */
	struct http_call *call; /* NULL: it is idle */
	bool clean;             /* nothing follows the answer */
	int64_t idle_at;        /* clock_boot() */
};

struct http_pool *http_pool_create(struct loop *loop);
void http_pool_free(struct http_pool *pool); /* all are idle */

/* Find or make the destination of a request, for one more user. */
struct destination *http_destination_take(struct http_pool *pool,
    const struct http_request *request, const struct http_place *place);
void http_destination_leave(struct destination *to);

/* One that is not connected yet; it is a user of its destination. */
struct connection *http_connection_create(struct destination *to);
/* End it, whatever it does; nobody may touch it afterwards. */
void http_connection_close(struct connection *connection);
/* CURLE_AGAIN when there is nothing; no bytes are the end. */
must_check CURLcode http_connection_recv(
    struct connection *connection, void *data, size_t room, size_t *got);
must_check CURLcode http_connection_send(struct connection *connection,
    const void *data, size_t bytes, size_t *sent);
/*
 * CURLE_OK if nothing came that nobody asked for, not even the end.  Of TLS
 * this takes in what is not for us (tickets); of what is, a byte is lost,
 * but then the connection is of no use.
 */
must_check CURLcode http_connection_listen(struct connection *connection);

void http_idle_add(struct connection *connection); /* may close it */
void http_idle_remove(struct connection *connection);
/* The idle connection that was used last and is still good; NULL: none. */
struct connection *http_idle_take(struct destination *to);

#endif
