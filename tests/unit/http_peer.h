#ifndef ADHERD_TESTS_HTTP_PEER_H
#define ADHERD_TESTS_HTTP_PEER_H

/*
 * A peer for the HTTP client that writes raw bytes and misbehaves on demand.
 * Client and peer share one loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http_client.h"

#define PATIENCE_US (8 * SECOND_US)
#define STEPS_MAX 8

enum then {
	THEN_KEEP, /* the connection */
	THEN_CLOSE,
	THEN_RESET
};

/* What the peer does once it has read a request whole. */
struct step {
	const char *answer;
	size_t bytes; /* 0: answer is text */
	enum then then;
};

struct peer_connection {
	struct bufferevent *bev;
	struct peer_connection *next;
	struct buf request;
	enum then then;
	const char *left; /* to dribble */
	size_t left_bytes;
	struct loop_timer *timer;
};

/* How a call ended, with copies of what does not last. */
struct result {
	bool done;
	unsigned times;
	enum http_end end;
	int status;
	char error[64];
	struct buf body;
	char header[64];
	bool header_given;
	size_t header_count;
	int64_t took_us;
};

static struct loop *loop;
static struct http_client *client;
static struct evconnlistener *listener;
static char url[64];
static struct step steps[STEPS_MAX];
static unsigned requests, connections;
static struct buf last_request;
static struct peer_connection *peers;
static struct result result;
static bool dribbling; /* the peer answers a byte at a time */
static bool at_once;   /* and with the request's head */
static bool by_curl;   /* HTTP/2 is curl's, also where it comes to nothing */

/* ---- the peer ---- */

static void
peer_end(struct peer_connection *peer, enum then then)
{
	struct linger linger = {.l_onoff = then == THEN_RESET};

	setsockopt(bufferevent_getfd(peer->bev), SOL_SOCKET, SO_LINGER, &linger,
	    sizeof(linger));
	bufferevent_free(peer->bev);
	peer->bev = NULL;
	loop_timer_free(peer->timer);
	peer->timer = NULL;
}

static void
peer_on_write(struct bufferevent *bev, void *arg)
{
	struct peer_connection *peer = arg;

	(void)bev;
	if (peer->then != THEN_KEEP && peer->left_bytes == 0)
		peer_end(peer, peer->then);
}

static void
peer_dribble(void *arg)
{
	struct peer_connection *peer = arg;

	if (peer->left_bytes == 0)
		return;
	loop_timer_arm(peer->timer, 0);
	peer->left_bytes--;
	bufferevent_write(peer->bev, peer->left++, 1);
}

/* The bytes that the request should have; 0: its head is not whole. */
static size_t
request_bytes(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strstr(text, "Content-Length: ");

	if (end == NULL)
		return 0;
	return (size_t)(end - text) + 4 +
	       (length != NULL && length < end ? strtoul(length + 16, NULL, 10)
					       : 0);
}

static void
peer_on_read(struct bufferevent *bev, void *arg)
{
	struct peer_connection *peer = arg;
	const struct step *step = &steps[requests];
	char piece[4096];
	size_t got, whole;

	while ((got = bufferevent_read(bev, piece, sizeof(piece))) > 0)
		buf_add(&peer->request, piece, got);
	whole = request_bytes(buf_string(&peer->request));
	if (whole == 0 || (peer->request.bytes < whole && !at_once))
		return;
	if (at_once)
		bufferevent_disable(bev, EV_READ);
	else
		assert_int_equal(peer->request.bytes, whole);
	buf_clear(&last_request);
	buf_add(&last_request, peer->request.data, peer->request.bytes);
	buf_clear(&peer->request);
	requests++;
	assert_true(requests < STEPS_MAX);
	peer->then = step->then;
	if (dribbling) {
		peer->left = step->answer;
		peer->left_bytes = strlen(step->answer);
		if (peer->timer == NULL)
			peer->timer =
			    loop_timer_create(loop, peer_dribble, peer);
		peer_dribble(peer);
	} else if (step->answer != NULL)
		bufferevent_write(bev, step->answer,
		    step->bytes > 0 ? step->bytes : strlen(step->answer));
	else if (step->then != THEN_KEEP)
		peer_end(peer, step->then);
}

static void
peer_on_event(struct bufferevent *bev, short what, void *arg)
{
	struct peer_connection *peer = arg;

	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		peer_end(peer, THEN_CLOSE);
}

static void
peer_on_accept(struct evconnlistener *from, evutil_socket_t fd,
    struct sockaddr *address, int bytes, void *arg)
{
	struct peer_connection *peer = mem_alloc(sizeof(*peer));

	(void)from;
	(void)address;
	(void)bytes;
	(void)arg;
	connections++;
	peer->next = peers;
	peers = peer;
	peer->bev =
	    bufferevent_socket_new(loop_base(loop), fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(
	    peer->bev, peer_on_read, peer_on_write, peer_on_event, peer);
	bufferevent_enable(peer->bev, EV_READ | EV_WRITE);
}

/* ---- waiting ---- */

static void
give_up(void *arg)
{
	*(bool *)arg = true;
}

static void
pass_time(int64_t us)
{
	bool done = false;
	struct loop_timer *timer = loop_timer_create(loop, give_up, &done);

	loop_timer_arm(timer, us);
	loop_run_until(loop, &done);
	loop_timer_free(timer);
}

static void
on_done(const struct http_response *response, void *arg)
{
	const char *header = http_response_header(response, "X-Test");

	(void)arg;
	assert_true(
	    (response->error == NULL) == (response->end == HTTP_ANSWERED));
	result.done = true;
	result.times++;
	result.end = response->end;
	result.status = response->status;
	snprintf(result.error, sizeof(result.error), "%s",
	    response->error != NULL ? response->error : "");
	assert_int_equal(response->body[response->body_bytes], '\0');
	buf_clear(&result.body);
	buf_add(&result.body, response->body, response->body_bytes);
	result.header_given = header != NULL;
	snprintf(result.header, sizeof(result.header), "%s",
	    header != NULL ? header : "");
	result.header_count = response->header_count;
	result.took_us = response->took_us;
}

/* Send and wait for the end. */
static void
call(const struct http_request *request)
{
	struct loop_timer *timer;

	result.done = false;
	result.times = 0;
	timer = loop_timer_create(loop, give_up, &result.done);
	loop_timer_arm(timer, PATIENCE_US);
	http_client_send(client, request, on_done, NULL);
	assert_int_equal(result.times, 0); /* never before it returned */
	assert_int_equal(http_client_calls(client), 1);
	loop_run_until(loop, &result.done);
	loop_timer_free(timer);
	assert_int_equal(result.times, 1);
	assert_int_equal(http_client_calls(client), 0);
}

static struct http_request
plain(const char *method, const char *body)
{
	return (struct http_request){.method = method,
	    .url = url,
	    .body = body,
	    .body_bytes = strlen(body),
	    .plain_allowed = true};
}

static void
expect_end(enum http_end wanted, const char *error)
{
	if (result.end != wanted)
		print_message(
		    "# ended as %d: %s\n", (int)result.end, result.error);
	assert_int_equal(result.end, wanted);
	assert_string_equal(result.error, error);
}

static void
expect_answer(int status, const char *body)
{
	expect_end(HTTP_ANSWERED, "");
	assert_int_equal(result.status, status);
	assert_string_equal(result.body.data, body);
}

static int
begin(void **state)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);

	(void)state;
	loop = loop_create();
	client = http_client_create(loop);
	listener = evconnlistener_new_bind(loop_base(loop), peer_on_accept,
	    NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
	    (struct sockaddr *)&address, sizeof(address));
	if (listener == NULL || getsockname(evconnlistener_get_fd(listener),
				    (struct sockaddr *)&address, &bytes) != 0)
		return -1;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/a?b=c",
	    ntohs(address.sin_port));
	memset(steps, 0, sizeof(steps));
	requests = connections = 0;
	dribbling = at_once = false;
	return 0;
}

static int
end(void **state)
{
	struct peer_connection *peer;

	(void)state;
	by_curl = false;
	http_client_free(client);
	while ((peer = peers) != NULL) {
		peers = peer->next;
		if (peer->bev != NULL)
			bufferevent_free(peer->bev);
		loop_timer_free(peer->timer);
		buf_free(&peer->request);
		free(peer);
	}
	if (listener != NULL)
		evconnlistener_free(listener);
	pass_time(1000); /* libevent frees its bufferevents in the loop */
	loop_free(loop);
	buf_free(&last_request);
	buf_free(&result.body);
	return 0;
}

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* ---- programs ---- */

static pid_t
run(const char *command)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static int
run_whole(const char *command)
{
	int status = -1;

	waitpid(run(command), &status, 0);
	return status;
}

#endif
