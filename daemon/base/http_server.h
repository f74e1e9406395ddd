#ifndef ADHERD_BASE_HTTP_SERVER_H
#define ADHERD_BASE_HTTP_SERVER_H

#include "base/buf.h"
#include "base/http_head.h"
#include "base/loop.h"

/*
 * HTTP/1.1 server on libevent's bufferevents, with a strict head (http_head.h):
 * refused are two Content-Lengths, signs in lengths, chunked bodies where not
 * allowed, a missing Host, control bytes, bare LF, folded lines; absolute
 * deadlines (10 s to the end of the headers, 30 s in all); caps on
 * connections.  Listens on loopback only: a proxy stands in front.
 */
struct http_server;
struct http_exchange;

struct http_server_settings {
	const char *address; /* "127.0.0.1", "::1"; anything else is refused */
	uint16_t port;       /* 0: any free one */
	int socket; /* one that listens already, on loopback; < 1: none */
	size_t header_bytes_max; /* 0: 8 kB */
	size_t body_bytes_max;   /* 0: 64 kB */
	size_t connections_max;  /* 0: 512 */
	size_t
	    connections_per_address_max; /* 0: 128; loopback is one address */
	int64_t header_deadline_us;      /* 0: 10 s */
	int64_t deadline_us;             /* 0: 30 s */
};

/* NULL with a message in error: the address refused, the port in use. */
struct http_server *http_server_open(struct loop *loop,
    const struct http_server_settings *settings, char *error, size_t bytes);
void http_server_close(struct http_server *server);
/* The port it listens on; 0 if nobody can tell. */
uint16_t http_server_port(const struct http_server *server);
/*
 * Serve paths that equal path, or start with it where it ends in '/'.
 * Longest match wins; other methods get 405, other paths 404.  The handler
 * must see to it that http_exchange_reply() is called once, then or later.
 */
void http_server_route(struct http_server *server, unsigned methods,
    const char *path,
    void (*handler)(struct http_exchange *exchange, void *arg), void *arg);
/* Refuse chunked bodies everywhere but under this path prefix. */
void http_server_allow_chunked(struct http_server *server, const char *path);

/* All strings live until the reply. */
enum http_method http_exchange_method(const struct http_exchange *exchange);
const char *http_exchange_path(
    const struct http_exchange *exchange); /* decoded */
const char *http_exchange_query(
    const struct http_exchange *exchange); /* raw, "" if none */
/* A decoded query parameter, NULL if absent. */
const char *http_exchange_query_value(
    struct http_exchange *exchange, const char *name);
const char *http_exchange_header(
    const struct http_exchange *exchange, const char *name);
const char *http_exchange_peer(const struct http_exchange *exchange);
const char *http_exchange_body(const struct http_exchange *exchange,
    size_t *bytes); /* the exact bytes, NUL-terminated besides */
struct arena *http_exchange_arena(struct http_exchange *exchange);
void http_exchange_set_header(struct http_exchange *exchange, const char *name,
    const char *value); /* no CR, LF */
/*
 * Answer, exactly once; the exchange is gone after it, also if the client
 * went away meanwhile (then nothing is sent).
 */
void http_exchange_reply(struct http_exchange *exchange, int status,
    const char *content_type, const void *body, size_t bytes);
void http_exchange_reply_text(struct http_exchange *exchange, int status,
    const char *content_type, const char *body);

#endif
