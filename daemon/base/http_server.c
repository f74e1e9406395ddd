/*
 * HTTP server: connections, deadlines, routes and replies; http_head.c reads
 * the heads.
 *
 * Owns the listening socket, the routes and the connections.  A connection
 * owns its bufferevent, timer and the body that is being read.  An exchange
 * is one request with its reply: the handler has it until it replies, so it
 * outlives a connection that dies meanwhile.  A connection works on one
 * exchange at a time; what a client sends ahead waits in the input buffer.
 *
 * Reads are steps (connection_advance) that go on while there are bytes for
 * them.  A reply only queues bytes; connections end in callbacks of the loop,
 * never inside a handler.
 */
#include "base/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"

#define HEADER_BYTES_MAX ((size_t)8 << 10)
#define BODY_BYTES_MAX ((size_t)64 << 10)
#define CONNECTIONS_MAX 512
#define CONNECTIONS_PER_ADDRESS_MAX 128
#define HEADER_DEADLINE_US (10 * SECOND_US)
#define DEADLINE_US (30 * SECOND_US)
/* Longer than proxies keep theirs, so that they close first. */
#define IDLE_US (75 * SECOND_US)
/* How long a refused client may still send before it is cut off. */
#define LINGER_US (2 * SECOND_US)
#define ACCEPT_PAUSE_US (SECOND_US / 10)
#define READ_AHEAD_BYTES ((size_t)16 << 10)
#define CHUNK_LINE_BYTES_MAX 16

enum state {
	STATE_HEAD, /* of the next request; idle while nothing came */
	STATE_BODY,
	STATE_CHUNK_SIZE,
	STATE_CHUNK,
	STATE_CHUNK_END,
	STATE_CHUNKS_END,
	STATE_HANDLING, /* a handler has the exchange */
	STATE_REPLYING, /* the reply is on its way */
	STATE_LINGERING /* refused; what still comes is thrown away */
};

struct route {
	unsigned methods;
	const char *path;
	size_t path_bytes;
	void (*handler)(struct http_exchange *exchange, void *arg);
	void *arg;
};

struct connection {
	struct http_server *server;
	struct connection *next, **link;
	struct bufferevent *bev;  /* owned */
	struct loop_timer *timer; /* owned */
	enum state state;
	struct http_exchange *exchange; /* owned until the handler has it */
	size_t left;                    /* of the body, or of the chunk */
	int64_t started_at; /* clock_boot() of the first byte; 0: idle */
	bool keep_alive;
	bool ended; /* the client sends no more */
	char peer[INET6_ADDRSTRLEN];
};

struct http_exchange {
	struct connection *connection; /* NULL: the client is gone */
	struct arena *arena;           /* owned, with this struct's strings */
	struct http_head head;
	struct buf body;   /* owned */
	struct buf fields; /* owned: reply headers, as sent */
	const char *peer;
};

struct http_server {
	struct loop *loop;
	struct http_server_settings settings;
	struct evconnlistener *listener; /* owned */
	struct loop_timer *accept_timer; /* owned; out of descriptors */
	struct connection *connections;  /* owned */
	size_t connection_count;
	struct arena *arena; /* owned: routes and paths */
	struct list routes;  /* struct route */
	struct list chunked; /* const char *, prefixes */
};

static void connection_advance(struct connection *connection);
static void connection_reply(struct connection *connection, int status,
    const char *content_type, const struct buf *fields, const void *body,
    size_t bytes);
static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *address, int bytes, void *arg);
static void on_accept_error(struct evconnlistener *listener, void *arg);

/* ---- the server ---- */

static void
accept_again(void *arg)
{
	struct http_server *server = arg;

	if (server->connection_count < server->settings.connections_max)
		evconnlistener_enable(server->listener);
}

/* The settings with their defaults; loopback is one address to count by. */
static struct http_server_settings
complete(const struct http_server_settings *given)
{
	struct http_server_settings settings = *given;

	if (settings.header_bytes_max == 0)
		settings.header_bytes_max = HEADER_BYTES_MAX;
	if (settings.body_bytes_max == 0)
		settings.body_bytes_max = BODY_BYTES_MAX;
	if (settings.connections_max == 0)
		settings.connections_max = CONNECTIONS_MAX;
	if (settings.connections_per_address_max == 0)
		settings.connections_per_address_max =
		    CONNECTIONS_PER_ADDRESS_MAX;
	if (settings.connections_max > settings.connections_per_address_max)
		settings.connections_max = settings.connections_per_address_max;
	if (settings.header_deadline_us == 0)
		settings.header_deadline_us = HEADER_DEADLINE_US;
	if (settings.deadline_us == 0)
		settings.deadline_us = DEADLINE_US;
	settings.address = NULL; /* the caller's, and not needed any more */
	return settings;
}

/* The address to listen on; 0 if it is not one of loopback's. */
static socklen_t
listen_address(const struct http_server_settings *settings,
    struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (strcmp(settings->address, "127.0.0.1") == 0) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(settings->port);
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*v4);
	}
	if (strcmp(settings->address, "::1") == 0) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(settings->port);
		v6->sin6_addr = in6addr_loopback;
		return sizeof(*v6);
	}
	return 0;
}

/* Does this socket listen, and on loopback? */
static bool
is_loopback_listener(int fd)
{
	struct sockaddr_storage address = {0};
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
	socklen_t bytes = sizeof(address), int_bytes = sizeof(int);
	int listening = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &int_bytes) !=
		0 ||
	    !listening ||
	    getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
		return false;
	return (address.ss_family == AF_INET &&
		   v4->sin_addr.s_addr == htonl(INADDR_LOOPBACK)) ||
	       (address.ss_family == AF_INET6 &&
		   IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
}

/* Take over the socket that was passed to us, or open one. */
static struct evconnlistener *
listener_open(struct loop *loop, struct http_server *server,
    const struct http_server_settings *settings, char *error, size_t bytes)
{
	const unsigned flags =
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
	struct sockaddr_storage address;
	socklen_t address_bytes = listen_address(settings, &address);
	struct evconnlistener *listener;

	if (settings->socket > 0) {
		if (is_loopback_listener(settings->socket) &&
		    evutil_make_socket_nonblocking(settings->socket) == 0)
			return evconnlistener_new(loop_base(loop), on_accept,
			    server, flags, 0, settings->socket);
		snprintf(error, bytes,
		    "the socket passed as %d does not listen on loopback",
		    settings->socket);
		return NULL;
	}
	if (address_bytes == 0) {
		snprintf(error, bytes,
		    "cannot listen on %s: only on 127.0.0.1 or ::1, behind a "
		    "proxy",
		    settings->address);
		return NULL;
	}
	listener = evconnlistener_new_bind(loop_base(loop), on_accept, server,
	    flags, -1, (struct sockaddr *)&address, (int)address_bytes);
	if (listener == NULL)
		snprintf(error, bytes, "cannot listen on %s port %u: %s",
		    settings->address, settings->port, strerror(errno));
	return listener;
}

struct http_server *
http_server_open(struct loop *loop, const struct http_server_settings *settings,
    char *error, size_t bytes)
{
	struct http_server *server = mem_alloc(sizeof(*server));
	struct evconnlistener *listener =
	    listener_open(loop, server, settings, error, bytes);

	if (listener == NULL) {
		free(server);
		return NULL;
	}
	evconnlistener_set_error_cb(listener, on_accept_error);
	server->loop = loop;
	server->settings = complete(settings);
	server->listener = listener;
	server->accept_timer = loop_timer_create(loop, accept_again, server);
	server->arena = arena_create();
	list_init(&server->routes, server->arena, sizeof(struct route));
	list_init(&server->chunked, server->arena, sizeof(const char *));
	return server;
}

uint16_t
http_server_port(const struct http_server *server)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {.v6 = {0}};
	socklen_t bytes = sizeof(address);

	if (getsockname(evconnlistener_get_fd(server->listener), &address.any,
		&bytes) != 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port
						       : address.v4.sin_port);
}

void
http_server_route(struct http_server *server, unsigned methods,
    const char *path,
    void (*handler)(struct http_exchange *exchange, void *arg), void *arg)
{
	struct route *route = list_add(&server->routes);

	assert(*path == '/');
	*route = (struct route){.methods = methods,
	    .path = arena_text(server->arena, path),
	    .path_bytes = strlen(path),
	    .handler = handler,
	    .arg = arg};
}

void
http_server_allow_chunked(struct http_server *server, const char *path)
{
	const char **prefix = list_add(&server->chunked);

	*prefix = arena_text(server->arena, path);
}

/* ---- exchanges ---- */

static struct http_exchange *
exchange_create(struct connection *connection)
{
	struct arena *arena = arena_create();
	struct http_exchange *exchange = arena_alloc(arena, sizeof(*exchange));

	exchange->connection = connection;
	exchange->arena = arena;
	exchange->body.bytes_max = connection->server->settings.body_bytes_max;
	exchange->peer = arena_text(arena, connection->peer);
	return exchange;
}

static void
exchange_free(struct http_exchange *exchange)
{
	if (exchange == NULL)
		return;
	buf_free(&exchange->body);
	buf_free(&exchange->fields);
	arena_free(exchange->arena); /* and the exchange in it */
}

enum http_method
http_exchange_method(const struct http_exchange *exchange)
{
	return exchange->head.method;
}

const char *
http_exchange_path(const struct http_exchange *exchange)
{
	return exchange->head.path;
}

const char *
http_exchange_query(const struct http_exchange *exchange)
{
	return exchange->head.query;
}

const char *
http_exchange_query_value(struct http_exchange *exchange, const char *name)
{
	const char *at = exchange->head.query;
	size_t name_bytes = strlen(name);

	for (; *at != '\0'; at += *at == '&') {
		const char *start = at;
		size_t bytes = strcspn(at, "&");

		at += bytes;
		if (bytes < name_bytes || memcmp(start, name, name_bytes) != 0)
			continue;
		if (bytes == name_bytes)
			return "";
		if (start[name_bytes] == '=')
			return http_decode(start + name_bytes + 1,
			    bytes - name_bytes - 1, true, exchange->arena);
	}
	return NULL;
}

const char *
http_exchange_header(const struct http_exchange *exchange, const char *name)
{
	return http_head_field(&exchange->head, name);
}

const char *
http_exchange_peer(const struct http_exchange *exchange)
{
	return exchange->peer;
}

const char *
http_exchange_body(const struct http_exchange *exchange, size_t *bytes)
{
	*bytes = exchange->body.bytes;
	return exchange->body.data != NULL ? exchange->body.data : "";
}

struct arena *
http_exchange_arena(struct http_exchange *exchange)
{
	return exchange->arena;
}

void
http_exchange_set_header(
    struct http_exchange *exchange, const char *name, const char *value)
{
	assert(strpbrk(name, "\r\n") == NULL);
	assert(strpbrk(value, "\r\n") == NULL);
	buf_printf(&exchange->fields, "%s: %s\r\n", name, value);
}

void
http_exchange_reply(struct http_exchange *exchange, int status,
    const char *content_type, const void *body, size_t bytes)
{
	struct connection *connection = exchange->connection;

	if (connection != NULL) {
		connection->exchange = NULL;
		connection_reply(connection, status, content_type,
		    &exchange->fields, body, bytes);
	}
	exchange_free(exchange);
}

void
http_exchange_reply_text(struct http_exchange *exchange, int status,
    const char *content_type, const char *body)
{
	http_exchange_reply(exchange, status, content_type, body, strlen(body));
}

/* ---- a connection's life ---- */

static void
connection_free(struct connection *connection)
{
	struct http_server *server = connection->server;
	struct http_exchange *exchange = connection->exchange;

	if (connection->state == STATE_HANDLING)
		exchange->connection = NULL; /* the handler frees it */
	else
		exchange_free(exchange);
	*connection->link = connection->next;
	if (connection->next != NULL)
		connection->next->link = connection->link;
	loop_timer_free(connection->timer);
	bufferevent_free(connection->bev);
	free(connection);
	server->connection_count--;
	/* Resume at low water, not at every single place that falls free. */
	if (server->connection_count <=
	    server->settings.connections_max * 7 / 8)
		evconnlistener_enable(server->listener);
}

void
http_server_close(struct http_server *server)
{
	if (server == NULL)
		return;
	while (server->connections != NULL)
		/* each takes itself off the list, which clang-tidy misses */
		connection_free(server->connections); /* NOLINT */
	evconnlistener_free(server->listener);
	loop_timer_free(server->accept_timer);
	arena_free(server->arena);
	free(server);
}

/* The reason phrase; clients go by the number. */
static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} reasons[] = {{200, "OK"}, {201, "Created"}, {202, "Accepted"},
	    {204, "No Content"}, {304, "Not Modified"}, {400, "Bad Request"},
	    {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
	    {405, "Method Not Allowed"}, {408, "Request Timeout"},
	    {409, "Conflict"}, {411, "Length Required"},
	    {412, "Precondition Failed"}, {413, "Content Too Large"},
	    {415, "Unsupported Media Type"}, {417, "Expectation Failed"},
	    {422, "Unprocessable Content"}, {428, "Precondition Required"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"}, {501, "Not Implemented"},
	    {503, "Service Unavailable"}, {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < COUNT(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].phrase;
	return "Other";
}

/* Queue a reply; fields are further header lines, or NULL. */
static void
connection_reply(struct connection *connection, int status,
    const char *content_type, const struct buf *fields, const void *body,
    size_t bytes)
{
	struct http_server *server = connection->server;
	struct evbuffer *out = bufferevent_get_output(connection->bev);
	bool bodiless = status == 204 || status == 304;

	/* No idle connection may keep others out. */
	if (server->connection_count == server->settings.connections_max)
		connection->keep_alive = false;
	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n", status, reason(status));
	if (!bodiless)
		evbuffer_add_printf(out, "Content-Length: %zu\r\n", bytes);
	if (!bodiless && content_type != NULL)
		evbuffer_add_printf(out, "Content-Type: %s\r\n", content_type);
	if (!connection->keep_alive)
		evbuffer_add_printf(out, "Connection: close\r\n");
	if (fields != NULL && fields->bytes > 0)
		evbuffer_add(out, fields->data, fields->bytes);
	evbuffer_add(out, "\r\n", 2);
	if (!bodiless && bytes > 0)
		evbuffer_add(out, body, bytes);
	if (fault_fails(WRITE))
		(void)shutdown(bufferevent_getfd(connection->bev), SHUT_RDWR);
	connection->state = STATE_REPLYING;
}

/* Answer a request that no handler sees, and end the connection. */
static void
connection_refuse(
    struct connection *connection, int status, const struct buf *fields)
{
	char text[64], number[12];
	int bytes =
	    snprintf(text, sizeof(text), "%d %s\n", status, reason(status));

	snprintf(number, sizeof(number), "%d", status);
	metric_add(METRIC_DOOR_REFUSED, number, NULL, 1);
	exchange_free(connection->exchange);
	connection->exchange = NULL;
	connection->keep_alive = false;
	connection_reply(
	    connection, status, "text/plain", fields, text, (size_t)bytes);
}

/* Wait for the next request; it may have been sent ahead. */
static void
connection_begin(struct connection *connection)
{
	connection->state = STATE_HEAD;
	connection->started_at = 0;
	loop_timer_arm(connection->timer, IDLE_US);
	connection_advance(connection);
}

/* Everything queued has left. */
static void
on_written(struct bufferevent *bev, void *arg)
{
	struct connection *connection = arg;

	if (connection->state != STATE_REPLYING)
		return; /* it was "100 Continue" */
	if (connection->keep_alive) {
		connection_begin(connection);
		return;
	}
	if (connection->ended) {
		connection_free(connection);
		return;
	}
	/*
	 * To close with unread bytes would reset the connection, and the
	 * reset may overtake the reply: let the client end first.
	 */
	connection->state = STATE_LINGERING;
	loop_timer_arm(connection->timer, LINGER_US);
	shutdown(bufferevent_getfd(bev), SHUT_WR);
	connection_advance(connection);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	connection_advance(arg);
}

/* The client is gone, or will send no more. */
static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct connection *connection = arg;

	(void)bev;
	if ((what & BEV_EVENT_EOF) == 0 ||
	    (connection->state != STATE_HANDLING &&
		connection->state != STATE_REPLYING)) {
		connection_free(connection);
		return;
	}
	connection->ended = true; /* but it may wait for the reply */
	connection->keep_alive = false;
}

static void
on_deadline(void *arg)
{
	struct connection *connection = arg;
	bool idle =
	    connection->state == STATE_HEAD && connection->started_at == 0;

	if (idle || connection->state >= STATE_HANDLING) {
		connection_free(connection);
		return;
	}
	connection_refuse(connection, 408, NULL);
	loop_timer_arm(connection->timer, LINGER_US);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *address, int bytes, void *arg)
{
	struct http_server *server = arg;
	struct connection *connection = mem_alloc(sizeof(*connection));
	int one = 1;

	connection->server = server;
	connection->link = &server->connections;
	connection->next = server->connections;
	if (connection->next != NULL)
		connection->next->link = &connection->next;
	server->connections = connection;
	if (++server->connection_count >= server->settings.connections_max)
		evconnlistener_disable(listener);
	getnameinfo(address, (socklen_t)bytes, connection->peer,
	    sizeof(connection->peer), NULL, 0, NI_NUMERICHOST);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection->timer =
	    loop_timer_create(server->loop, on_deadline, connection);
	connection->bev = bufferevent_socket_new(
	    loop_base(server->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	assert(connection->bev != NULL);
	bufferevent_setcb(
	    connection->bev, on_read, on_written, on_event, connection);
	bufferevent_setwatermark(connection->bev, EV_READ, 0,
	    server->settings.header_bytes_max + READ_AHEAD_BYTES);
	bufferevent_enable(connection->bev, EV_READ | EV_WRITE);
	loop_timer_arm(connection->timer, server->settings.header_deadline_us);
	connection->keep_alive = true;
}

/* Most likely no descriptor is free: accepting at once would only spin. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct http_server *server = arg;

	log_error("http_server.accept",
	    log_s(ERROR, strerror(EVUTIL_SOCKET_ERROR())));
	evconnlistener_disable(listener);
	loop_timer_arm(server->accept_timer, ACCEPT_PAUSE_US);
}

/* ---- reading a request, in steps: true if the next may begin ---- */

/* The route for this head, or NULL and the methods that its path has. */
static const struct route *
find_route(const struct http_server *server, const struct http_head *head,
    unsigned *methods)
{
	const struct route *routes = server->routes.data, *best = NULL;
	size_t longest = 0;

	*methods = 0;
	for (size_t i = 0; i < server->routes.count; i++) {
		const struct route *route = &routes[i];
		/* A prefix ends in '/', a whole path in its NUL. */
		size_t compared = route->path_bytes +
				  (route->path[route->path_bytes - 1] != '/');

		if (route->path_bytes < longest ||
		    strncmp(head->path, route->path, compared) != 0)
			continue;
		if (route->path_bytes > longest) {
			longest = route->path_bytes;
			best = NULL;
			*methods = 0;
		}
		*methods |= route->methods;
		if (route->methods & head->method)
			best = route;
	}
	return best;
}

/* Hand the exchange to its handler, or refuse it; never another step. */
static bool
dispatch(struct connection *connection)
{
	struct http_exchange *exchange = connection->exchange;
	unsigned methods;
	const struct route *route =
	    find_route(connection->server, &exchange->head, &methods);
	struct buf allow = BUF_INIT(0);

	if (route != NULL) {
		connection->state = STATE_HANDLING;
		route->handler(exchange, route->arg);
		return false;
	}
	if (methods != 0) {
		buf_text(&allow, "Allow: ");
		http_method_names(methods, &allow);
		buf_text(&allow, "\r\n");
	}
	connection_refuse(connection, methods != 0 ? 405 : 404, &allow);
	buf_free(&allow);
	return false;
}

static bool
chunked_allowed(const struct http_server *server, const char *path)
{
	const char *const *prefixes = server->chunked.data;

	for (size_t i = 0; i < server->chunked.count; i++)
		if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* The status to refuse this head with before any body is read, or 0. */
static int
judge_head(const struct http_server *server, const struct http_head *head)
{
	if (head->chunked && !chunked_allowed(server, head->path))
		return 411;
	if (head->content_bytes > server->settings.body_bytes_max)
		return 413;
	return 0;
}

static bool
read_head(struct connection *connection, struct evbuffer *in)
{
	const struct http_server_settings *settings =
	    &connection->server->settings;
	size_t available = evbuffer_get_length(in), most;
	struct http_head *head;
	const char *data;
	long bytes;
	int refused;

	if (connection->started_at == 0) {
		connection->started_at = clock_boot();
		loop_timer_arm(connection->timer, settings->header_deadline_us);
	}
	most = available < settings->header_bytes_max
		   ? available
		   : settings->header_bytes_max;
	data = (const char *)evbuffer_pullup(in, (ev_ssize_t)most);
	bytes = http_head_bytes(data, most);
	if (bytes == 0 && available <= settings->header_bytes_max)
		return false;
	if (bytes <= 0) {
		connection_refuse(connection, bytes < 0 ? 400 : 431, NULL);
		return false;
	}
	connection->exchange = exchange_create(connection);
	head = &connection->exchange->head;
	refused = http_head_parse(
	    data, (size_t)bytes, connection->exchange->arena, head);
	if (refused == 0)
		refused = judge_head(connection->server, head);
	if (refused != 0) {
		connection_refuse(connection, refused, NULL);
		return false;
	}
	evbuffer_drain(in, (size_t)bytes);
	connection->keep_alive = head->keep_alive;
	connection->left = head->content_bytes;
	connection->state = head->chunked ? STATE_CHUNK_SIZE : STATE_BODY;
	loop_timer_arm(connection->timer,
	    connection->started_at + settings->deadline_us - clock_boot());
	if (head->continue_expected && evbuffer_get_length(in) == 0)
		bufferevent_write(
		    connection->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	return true;
}

/* Move bytes of the body or chunk from the input; true if it is whole. */
static bool
read_bytes(struct connection *connection, struct evbuffer *in)
{
	struct buf *body = &connection->exchange->body;
	char piece[4096];

	while (connection->left > 0) {
		size_t wanted = connection->left < sizeof(piece)
				    ? connection->left
				    : sizeof(piece);
		int got = evbuffer_remove(in, piece, wanted);

		if (got <= 0)
			return false;
		buf_add(body, piece, (size_t)got);
		connection->left -= (size_t)got;
	}
	return true;
}

/* A line of a chunked body without its CRLF, in out; false: not yet there. */
static bool
read_chunk_line(struct connection *connection, struct evbuffer *in,
    char out[CHUNK_LINE_BYTES_MAX])
{
	struct evbuffer_ptr end =
	    evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_CRLF_STRICT);
	size_t bytes = end.pos >= 0 ? (size_t)end.pos : evbuffer_get_length(in);

	if (bytes >= CHUNK_LINE_BYTES_MAX) {
		connection_refuse(connection, 400, NULL);
		return false;
	}
	if (end.pos < 0)
		return false;
	evbuffer_remove(in, out, bytes);
	out[bytes] = '\0';
	evbuffer_drain(in, 2);
	return true;
}

/* Hex digits and nothing else: no sign, no 0x, no extension. */
static bool
read_chunk_size(struct connection *connection, struct evbuffer *in)
{
	struct buf *body = &connection->exchange->body;
	char line[CHUNK_LINE_BYTES_MAX];
	size_t digits;

	if (!read_chunk_line(connection, in, line))
		return false;
	digits = strspn(line, "0123456789abcdefABCDEF");
	if (digits == 0 || line[digits] != '\0') {
		connection_refuse(connection, 400, NULL);
		return false;
	}
	connection->left = strtoul(line, NULL, 16);
	if (connection->left > body->bytes_max - body->bytes) {
		connection_refuse(connection, 413, NULL);
		return false;
	}
	connection->state =
	    connection->left > 0 ? STATE_CHUNK : STATE_CHUNKS_END;
	return true;
}

/* The empty line after a chunk, or after the last: no trailers. */
static bool
read_chunk_end(struct connection *connection, struct evbuffer *in)
{
	char line[CHUNK_LINE_BYTES_MAX];

	if (!read_chunk_line(connection, in, line))
		return false;
	if (line[0] == '\0')
		return true;
	connection_refuse(connection, 400, NULL);
	return false;
}

/* Go as far as the bytes that are here allow. */
static void
connection_advance(struct connection *connection)
{
	struct evbuffer *in = bufferevent_get_input(connection->bev);
	bool more = true;

	while (more) {
		switch (connection->state) {
		case STATE_HEAD:
			more = evbuffer_get_length(in) > 0 &&
			       read_head(connection, in);
			break;
		case STATE_BODY:
			more =
			    read_bytes(connection, in) && dispatch(connection);
			break;
		case STATE_CHUNK_SIZE:
			more = read_chunk_size(connection, in);
			break;
		case STATE_CHUNK:
			more = read_bytes(connection, in);
			if (more)
				connection->state = STATE_CHUNK_END;
			break;
		case STATE_CHUNK_END:
			more = read_chunk_end(connection, in);
			if (more)
				connection->state = STATE_CHUNK_SIZE;
			break;
		case STATE_CHUNKS_END:
			more = read_chunk_end(connection, in) &&
			       dispatch(connection);
			break;
		case STATE_LINGERING:
			evbuffer_drain(in, evbuffer_get_length(in));
			more = false;
			break;
		case STATE_HANDLING:
		case STATE_REPLYING:
			more = false;
			break;
		}
	}
}
