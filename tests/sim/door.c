/*
 * The simulator's HTTP server: libevent's evhttp, used directly.  Owns the
 * listening socket and the answers that are held back.  Handlers fill in an
 * answer at once; the door sends it, late or wrongly if so asked.
 */
#include "tests/sim/door.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/clock.h"

#define BODY_BYTES_MAX (8u << 20)
#define HEADER_BYTES_MAX (64 << 10)
#define ROUTES_MAX 32
#define HELD_MAX 20000
#define SILENT_US (300 * SECOND_US)

struct route {
	const char *path;
	door_handler *handler;
	void *arg;
};

struct door {
	struct loop *loop;
	struct evhttp *http;
	uint16_t port;
	struct route routes[ROUTES_MAX];
	size_t route_count;
	struct arena *arena;
	struct held *held; /* list of answers held back */
	size_t held_count;
};

struct held { /* an answer that has not left yet; owned by the door */
	struct door *door;
	struct evhttp_request *raw;
	struct loop_timer *timer;
	struct held *next, **link;
	struct buf body;
	size_t sent; /* of a trickle */
	int status;
	enum door_manner manner;
};

static void
held_free(struct held *held)
{
	*held->link = held->next;
	if (held->next != NULL)
		held->next->link = held->link;
	held->door->held_count--;
	loop_timer_free(held->timer);
	buf_free(&held->body);
	free(held);
}

/* End the connection so that the client sees a reset. */
static void
reset(struct evhttp_request *raw)
{
	struct evhttp_connection *connection =
	    evhttp_request_get_connection(raw);
	struct linger linger = {.l_onoff = 1};

	if (connection == NULL) {
		evhttp_request_free(raw); /* the client left before */
		return;
	}
	(void)setsockopt(
	    bufferevent_getfd(evhttp_connection_get_bufferevent(connection)),
	    SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	evhttp_connection_free(connection);
}

static void
answer(struct evhttp_request *raw, int status, const struct buf *body)
{
	struct evbuffer *out = evbuffer_new();

	if (out == NULL)
		abort();
	evbuffer_add(out, body->data, body->bytes);
	evhttp_send_reply(raw, status, NULL, out);
	evbuffer_free(out);
}

static void
trickle(struct held *held)
{
	struct evbuffer *chunk = evbuffer_new();

	if (chunk == NULL)
		abort();
	if (held->sent == 0)
		evhttp_send_reply_start(held->raw, held->status, NULL);
	if (evhttp_request_get_connection(held->raw) == NULL ||
	    held->sent == held->body.bytes) {
		evhttp_send_reply_end(held->raw);
		held_free(held);
	} else {
		evbuffer_add(chunk, held->body.data + held->sent++, 1);
		evhttp_send_reply_chunk(held->raw, chunk);
		loop_timer_arm(held->timer, SECOND_US);
	}
	evbuffer_free(chunk);
}

static void
held_fired(void *arg)
{
	struct held *held = arg;

	if (held->manner == DOOR_TRICKLE) {
		trickle(held);
		return;
	}
	if (held->manner == DOOR_ANSWER)
		answer(held->raw, held->status, &held->body);
	else
		reset(held->raw);
	held_free(held);
}

static void
hold(struct door *door, struct evhttp_request *raw, struct door_reply *reply)
{
	struct held *held = mem_alloc(sizeof(*held));
	int64_t delay = reply->delay_us;

	held->door = door;
	held->raw = raw;
	held->status = reply->status;
	held->manner = reply->manner;
	held->body = reply->body;
	reply->body = (struct buf){0};
	held->next = door->held;
	held->link = &door->held;
	if (held->next != NULL)
		held->next->link = &held->next;
	door->held = held;
	door->held_count++;
	held->timer = loop_timer_create(door->loop, held_fired, held);
	if (held->manner == DOOR_SILENT)
		delay = SILENT_US;
	loop_timer_arm(held->timer, delay);
}

static void
add_headers(struct evhttp_request *raw, const struct door_reply *reply)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(raw);
	char name[32];

	evhttp_add_header(headers, "Content-Type",
	    reply->content_type != NULL ? reply->content_type
					: "application/json; charset=utf-8");
	evhttp_add_header(headers, "Cache-Control", "no-store");
	for (size_t i = 0; i < reply->header_count; i++)
		evhttp_add_header(
		    headers, reply->headers[i].name, reply->headers[i].value);
	for (size_t i = 0; i < reply->filler_headers; i++) {
		(void)snprintf(name, sizeof(name), "x-filler-%zu", i);
		evhttp_add_header(headers, name, "filler");
	}
}

static void
send_reply(
    struct door *door, struct evhttp_request *raw, struct door_reply *reply)
{
	if (reply->status == 0)
		reply->status = 200;
	add_headers(raw, reply);
	if (door->held_count >= HELD_MAX && reply->manner != DOOR_RESET) {
		reply->manner = DOOR_ANSWER;
		reply->delay_us = 0;
	}
	if (reply->manner == DOOR_ANSWER && reply->delay_us <= 0)
		answer(raw, reply->status, &reply->body);
	else
		hold(door, raw, reply);
	buf_free(&reply->body);
}

static const char *
method_word(enum evhttp_cmd_type method)
{
	switch (method) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	default:
		return "OTHER";
	}
}

static void
read_headers(struct evhttp_request *raw, struct door_request *request)
{
	struct evkeyval *header;
	struct door_pair *pairs;
	size_t count = 0;

	TAILQ_FOREACH(header, evhttp_request_get_input_headers(raw), next)
	count++;
	pairs = arena_array(request->arena, count + 1, sizeof(*pairs));
	count = 0;
	TAILQ_FOREACH(header, evhttp_request_get_input_headers(raw), next)
	pairs[count++] = (struct door_pair){header->key, header->value};
	request->headers = pairs;
	request->header_count = count;
}

/* The request as the handlers see it: raw path and query, exact body. */
static void
read_request(struct evhttp_request *raw, struct door_request *request)
{
	const char *uri = evhttp_request_get_uri(raw);
	struct evbuffer *input = evhttp_request_get_input_buffer(raw);
	size_t path_bytes = strcspn(uri, "?");
	char *body;

	request->method = method_word(evhttp_request_get_command(raw));
	request->path = arena_text_n(request->arena, uri, path_bytes);
	request->query = arena_text(
	    request->arena, uri + path_bytes + (uri[path_bytes] == '?'));
	request->body_bytes = evbuffer_get_length(input);
	body = arena_alloc(request->arena, request->body_bytes + 1);
	evbuffer_copyout(input, body, request->body_bytes);
	request->body = body;
	read_headers(raw, request);
}

static void
door_on_request(struct evhttp_request *raw, void *arg)
{
	struct door *door = arg;
	struct door_request request = {.arena = door->arena};
	struct door_reply reply = {.body = BUF_INIT(64u << 20)};
	const struct route *route = NULL;

	arena_reset(door->arena);
	read_request(raw, &request);
	for (size_t i = 0; i < door->route_count; i++)
		if (strcmp(door->routes[i].path, request.path) == 0)
			route = &door->routes[i];
	if (route == NULL) {
		reply.status = 404;
		buf_text(&reply.body, "{\"code\":\"not_found\"}\n");
	} else {
		route->handler(&request, &reply, route->arg);
	}
	send_reply(door, raw, &reply);
}

static uint16_t
bound_port(struct evhttp_bound_socket *bound)
{
	struct sockaddr_in address;
	socklen_t bytes = sizeof(address);

	if (getsockname(evhttp_bound_socket_get_fd(bound),
		(struct sockaddr *)&address, &bytes) != 0)
		return 0;
	return ntohs(address.sin_port);
}

struct door *
door_open(struct loop *loop, uint16_t port, char *error, size_t bytes)
{
	struct door *door = mem_alloc(sizeof(*door));
	struct evhttp_bound_socket *bound;

	door->loop = loop;
	door->http = evhttp_new(loop_base(loop));
	if (door->http == NULL)
		abort();
	evhttp_set_max_body_size(door->http, BODY_BYTES_MAX);
	evhttp_set_max_headers_size(door->http, HEADER_BYTES_MAX);
	evhttp_set_allowed_methods(
	    door->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_timeout(door->http, 120);
	bound = evhttp_bind_socket_with_handle(door->http, "127.0.0.1", port);
	if (bound == NULL) {
		(void)snprintf(error, bytes, "cannot listen on 127.0.0.1:%u",
		    (unsigned)port);
		evhttp_free(door->http);
		free(door);
		return NULL;
	}
	door->port = bound_port(bound);
	door->arena = arena_create();
	evhttp_set_gencb(door->http, door_on_request, door);
	return door;
}

void
door_close(struct door *door)
{
	while (door->held != NULL) {
		struct evhttp_request *raw = door->held->raw;

		held_free(door->held);
		reset(raw);
	}
	evhttp_free(door->http);
	arena_free(door->arena);
	free(door);
}

uint16_t
door_port(const struct door *door)
{
	return door->port;
}

void
door_route(
    struct door *door, const char *path, door_handler *handler, void *arg)
{
	if (door->route_count == ROUTES_MAX)
		abort();
	door->routes[door->route_count++] = (struct route){path, handler, arg};
}

const char *
door_header(const struct door_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return NULL;
}

int64_t
door_query_i64(
    const struct door_request *request, const char *name, int64_t otherwise)
{
	const char *at = request->query;
	size_t bytes = strlen(name);

	while (*at != '\0') {
		if (strncmp(at, name, bytes) == 0 && at[bytes] == '=')
			return strtoll(at + bytes + 1, NULL, 10);
		at += strcspn(at, "&");
		at += *at == '&';
	}
	return otherwise;
}

void
door_reply_header(struct door_reply *reply, const char *name, const char *value)
{
	if (reply->header_count == COUNT(reply->headers))
		abort();
	reply->headers[reply->header_count++] = (struct door_pair){name, value};
}
