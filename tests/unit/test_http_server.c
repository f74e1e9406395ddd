/*
 * The HTTP server against a client that writes raw bytes: what is refused
 * and how, bodies byte for byte, connections kept, deadlines, caps.  Client
 * and server share one loop.
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
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/http_server.h"

#define PATIENCE_US (5 * SECOND_US)

/* One raw connection. */
struct client {
	struct bufferevent *bev;
	struct buf received;
	const char *awaited; /* NULL: the end */
	bool ended;
	bool broken; /* by a reset */
	bool done;
};

static struct loop *loop;
static struct http_server *server;
static struct http_exchange *waiting; /* of /later */
static unsigned handled;
static bool timed_out;

/* ---- the handlers ---- */

/* Reply with the request's body. */
static void
echo(struct http_exchange *exchange, void *arg)
{
	size_t bytes;
	const char *body = http_exchange_body(exchange, &bytes);

	(void)arg;
	assert_int_equal(body[bytes], '\0');
	handled++;
	http_exchange_reply(
	    exchange, 200, "application/octet-stream", body, bytes);
}

/* Reply with what the accessors say. */
static void
describe(struct http_exchange *exchange, void *arg)
{
	const char *name = http_exchange_query_value(exchange, "name");
	const char *header = http_exchange_header(exchange, "x-test");
	char *text = arena_printf(http_exchange_arena(exchange),
	    "%d|%s|%s|%s|%s|%s", (int)http_exchange_method(exchange),
	    http_exchange_path(exchange), http_exchange_query(exchange),
	    name != NULL ? name : "-", header != NULL ? header : "-",
	    http_exchange_peer(exchange));

	(void)arg;
	handled++;
	http_exchange_set_header(exchange, "X-Reply", "yes");
	http_exchange_reply_text(exchange, 201, "text/plain", text);
}

static void
nothing(struct http_exchange *exchange, void *arg)
{
	(void)arg;
	handled++;
	http_exchange_reply(exchange, 204, NULL, NULL, 0);
}

/* Keep the exchange; the test replies. */
static void
later(struct http_exchange *exchange, void *arg)
{
	(void)arg;
	handled++;
	assert_null(waiting);
	waiting = exchange;
}

/* ---- the client ---- */

static void
give_up(void *arg)
{
	timed_out = true;
	*(bool *)arg = true;
}

static void
wait_for(bool *done)
{
	struct loop_timer *timer = loop_timer_create(loop, give_up, done);

	timed_out = false;
	loop_timer_arm(timer, PATIENCE_US);
	loop_run_until(loop, done);
	loop_timer_free(timer);
	assert_false(timed_out);
}

/* Let the loop turn this long. */
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
client_check(struct client *client)
{
	if (client->ended ||
	    (client->awaited != NULL &&
		strstr(buf_string(&client->received), client->awaited) != NULL))
		client->done = true;
}

static void
client_on_read(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;
	char piece[4096];
	size_t got;

	while ((got = bufferevent_read(bev, piece, sizeof(piece))) > 0)
		buf_add(&client->received, piece, got);
	client_check(client);
}

static void
client_on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client->ended = true;
	if (what & BEV_EVENT_ERROR)
		client->broken = true;
	client_check(client);
}

static struct client *
client_open(void)
{
	struct client *client = mem_alloc(sizeof(*client));
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons(http_server_port(server)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	client->bev =
	    bufferevent_socket_new(loop_base(loop), -1, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(
	    client->bev, client_on_read, NULL, client_on_event, client);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
	assert_int_equal(bufferevent_socket_connect(client->bev,
			     (struct sockaddr *)&address, sizeof(address)),
	    0);
	return client;
}

static void
client_free(struct client *client)
{
	bufferevent_free(client->bev);
	buf_free(&client->received);
	free(client);
}

static void
client_send(struct client *client, const void *bytes, size_t count)
{
	bufferevent_write(client->bev, bytes, count);
}

static void
client_text(struct client *client, const char *text)
{
	client_send(client, text, strlen(text));
}

/* What came until this text did; NULL: until the server ended. */
static const char *
client_wait(struct client *client, const char *awaited)
{
	client->awaited = awaited;
	client->done = false;
	client_check(client);
	wait_for(&client->done);
	if (awaited != NULL)
		assert_non_null(strstr(buf_string(&client->received), awaited));
	return buf_string(&client->received);
}

/* Forget what came so far. */
static void
client_forget(struct client *client)
{
	buf_clear(&client->received);
}

static size_t
count_replies(const char *text)
{
	size_t count = 0;

	while ((text = strstr(text, "HTTP/1.1 ")) != NULL) {
		count++;
		text++;
	}
	return count;
}

/* ---- the server, anew for each test ---- */

static const struct http_server_settings usual = {.address = "127.0.0.1"};

static void
serve(const struct http_server_settings *settings)
{
	char error[128] = "";

	server = http_server_open(loop, settings, error, sizeof(error));
	assert_string_equal(error, "");
	assert_non_null(server);
	http_server_route(server, HTTP_POST | HTTP_PUT, "/echo", echo, NULL);
	http_server_route(server, HTTP_GET, "/", describe, NULL);
	http_server_route(
	    server, HTTP_GET | HTTP_PATCH, "/v1/", describe, NULL);
	http_server_route(server, HTTP_DELETE, "/v1/gone", nothing, NULL);
	http_server_route(server, HTTP_POST, "/later", later, NULL);
	http_server_route(server, HTTP_POST, "/import/", echo, NULL);
	http_server_allow_chunked(server, "/import/");
}

static int
begin(void **state)
{
	(void)state;
	loop = loop_create();
	handled = 0;
	waiting = NULL;
	serve(&usual);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	http_server_close(server);
	pass_time(1000); /* libevent frees its bufferevents in the loop */
	loop_free(loop);
	return 0;
}

static void
begin_with(const struct http_server_settings *settings)
{
	http_server_close(server);
	serve(settings);
}

/* ---- refusals ---- */

/* The request is refused with this status, once, and the connection ends. */
static void
expect_refused(const char *request, size_t bytes, int status)
{
	struct client *client = client_open();
	char line[32];
	const char *reply;

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	client_send(client, request, bytes);
	reply = client_wait(client, NULL);
	if (strncmp(reply, line, strlen(line)) != 0)
		print_message(
		    "# %d wanted for %s# got %s\n", status, request, reply);
	assert_memory_equal(reply, line, strlen(line));
	assert_int_equal(count_replies(reply), 1);
	assert_non_null(strstr(reply, "\r\nConnection: close\r\n"));
	assert_int_equal(handled, 0);
	client_free(client);
}

static void
ambiguous_and_malformed_requests_are_refused(void **state)
{
	static const struct {
		int status;
		const char *request;
	} cases[] = {
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"
	    /* where the body ends */
	    {400, POST("/echo") "Content-Length: 5\r\nContent-Length: 5\r\n"
				"\r\nhello"},
	    {400, POST("/echo") "Content-Length: +5\r\n\r\nhello"},
	    {400, POST("/echo") "Content-Length: -5\r\n\r\nhello"},
	    {400, POST("/echo") "Content-Length: 5, 5\r\n\r\nhello"},
	    {400, POST("/echo") "Content-Length: 0x5\r\n\r\nhello"},
	    {400, POST("/echo") "Content-Length:\r\n\r\nhello"},
	    {400,
		POST(
		    "/import/a") "Content-Length: 5\r\n"
				 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	    {400, POST("/import/a") "Transfer-Encoding: gzip, chunked\r\n\r\n"
				    "0\r\n\r\n"},
	    {400,
		POST(
		    "/import/a") "Transfer-Encoding: chunked\r\n"
				 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	    {400, "POST /import/a HTTP/1.0\r\nHost: a\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	    {411, POST("/echo") "Transfer-Encoding: chunked\r\n\r\n"
				"0\r\n\r\n"},
	    {400, POST("/import/a") "Transfer-Encoding: chunked\r\n\r\n"
				    "0x5\r\nhello\r\n0\r\n\r\n"},
	    {400, POST("/import/a") "Transfer-Encoding: chunked\r\n\r\n"
				    "5;a=b\r\nhello\r\n0\r\n\r\n"},
	    {400, POST("/import/a") "Transfer-Encoding: chunked\r\n\r\n"
				    "+5\r\nhello\r\n0\r\n\r\n"},
	    {400, POST("/import/a") "Transfer-Encoding: chunked\r\n\r\n"
				    "00000000000000005\r\nhello\r\n0\r\n\r\n"},
	    {400, POST("/import/a") "Transfer-Encoding: chunked\r\n\r\n"
				    "5\r\nhelloworld\r\n0\r\n\r\n"},
	    {400, POST("/import/a") "Transfer-Encoding: chunked\r\n\r\n"
				    "0\r\nX-Trailer: 1\r\n\r\n"},
	    /* the limits */
	    {413, POST("/echo") "Content-Length: 65537\r\n\r\n"},
	    {413, POST("/echo") "Content-Length: 1099511627776\r\n\r\n"},
	    {413, POST("/echo") "Content-Length: 99999999999999999999999\r\n"
				"\r\n"},
	    {413, POST("/echo") "Content-Length: 18446744073709551621\r\n\r\n"},
	    {413, POST("/echo") "Expect: 100-continue\r\n"
				"Content-Length: 65537\r\n\r\n"},
	    {413, POST("/import/a") "Transfer-Encoding: chunked\r\n\r\n"
				    "10001\r\n"},
	    {413, POST("/import/a") "Transfer-Encoding: chunked\r\n\r\n"
				    "ffffffffffffff\r\n"},
	    /* the fields */
	    {400, "GET / HTTP/1.1\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"},
	    {400, "GET / HTTP/1.1\nHost: a\n\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"},
	    {400, "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n"},
	    {417, POST("/echo") "Expect: wonders\r\n\r\n"},
	    /* the request line */
	    {400, "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET /%0a HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET /%7f HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET /%g0 HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
	    {400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "GET /\r\nHost: a\r\n\r\n"},
	    {400, "GET / http/1.1\r\nHost: a\r\n\r\n"}, {400, "\r\n\r\n"},
	    {400, "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {400, "\x16\x03\x01\x02"},
	    {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
	    {505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
	    {501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {501, "get / HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {501, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"},
	    /* the routes */
	    {405, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {405, "PUT /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
		  "\r\n"}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_refused(cases[i].request, strlen(cases[i].request),
		    cases[i].status);
}

static void
nul_bytes_are_refused(void **state)
{
	static const char in_value[] =
	    "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n";
	static const char in_path[] = "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n";

	(void)state;
	expect_refused(in_value, sizeof(in_value) - 1, 400);
	expect_refused(in_path, sizeof(in_path) - 1, 400);
}

/* A request with this many header bytes in all, and this many fields. */
static void
make_head(struct buf *request, size_t bytes, size_t fields)
{
	buf_clear(request);
	buf_text(request, "GET /v1/ HTTP/1.1\r\nHost: a\r\n"
			  "Connection: close\r\n");
	for (size_t i = 3; i < fields; i++)
		buf_printf(request, "X-%zu: a\r\n", i);
	buf_text(request, "X: ");
	while (request->bytes + 4 < bytes)
		buf_char(request, 'a');
	buf_text(request, "\r\n\r\n");
}

static void
large_heads_are_refused(void **state)
{
	struct buf request = BUF_INIT(0);
	struct client *client = client_open();

	(void)state;
	make_head(&request, 8193, 3);
	expect_refused(request.data, request.bytes, 431);
	make_head(&request, 60000, 3);
	expect_refused(request.data, request.bytes, 431);
	make_head(&request, 0, 65);
	expect_refused(request.data, request.bytes, 431);
	make_head(&request, 8192, 64);
	assert_int_equal(request.bytes, 8192);
	client_send(client, request.data, request.bytes);
	assert_memory_equal(client_wait(client, NULL), "HTTP/1.1 201 ", 13);
	client_free(client);
	buf_free(&request);
}

static void
other_paths_and_methods_are_told_apart(void **state)
{
	static const char short_path[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
	static const char longer_path[] =
	    "GET /b/a/ HTTP/1.1\r\nHost: a\r\n\r\n";
	struct client *client = client_open();

	(void)state;
	client_text(client, "DELETE /v1/other HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_non_null(
	    strstr(client_wait(client, NULL), "\r\nAllow: GET, PATCH\r\n"));
	client_free(client);
	http_server_close(server);
	server = http_server_open(loop, &usual, NULL, 0);
	http_server_route(server, HTTP_GET, "/a/", describe, NULL);
	expect_refused(short_path, strlen(short_path), 404);
	expect_refused(longer_path, strlen(longer_path), 404);
}

/* ---- bodies and connections ---- */

static void
body_arrives_byte_for_byte(void **state)
{
	struct client *client = client_open();
	struct buf body = BUF_INIT(0);
	const char *reply;

	(void)state;
	for (size_t i = 0; i < 65536; i++)
		buf_char(&body, (char)(i * 7 + i / 256));
	client_text(client,
	    "POST /echo HTTP/1.1\r\nHost: a\r\n"
	    "Connection: close\r\nContent-Length: 65536\r\n\r\n");
	client_send(client, body.data, body.bytes);
	reply = client_wait(client, NULL);
	assert_memory_equal(reply, "HTTP/1.1 200 OK\r\n", 17);
	reply = strstr(reply, "\r\n\r\n") + 4;
	assert_int_equal(
	    client->received.bytes - (size_t)(reply - client->received.data),
	    65536);
	assert_memory_equal(reply, body.data, body.bytes);
	client_free(client);
	buf_free(&body);
}

static void
chunks_are_put_together_where_they_are_allowed(void **state)
{
	struct client *client = client_open();
	static const char request[] =
	    "POST /import/a HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: Chunked\r\n\r\n"
	    "5\r\nhello\r\n00A\r\n, chunks\r\n\r\n0\r\n\r\n"
	    "POST /import/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

	(void)state;
	client_text(client, request);
	assert_non_null(
	    strstr(client_wait(client, NULL), "Content-Length: 15\r\n"));
	assert_non_null(strstr(client->received.data, "hello, chunks\r\n"));
	assert_non_null(strstr(client->received.data, "Content-Length: 0\r\n"));
	assert_int_equal(handled, 2);
	client_free(client);
}

/* However the bytes are cut up on the way. */
static void
request_may_come_one_byte_at_a_time(void **state)
{
	static const char request[] =
	    "POST /import/a HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n0\r\n\r\n"
	    "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	    "Content-Length: 5\r\n\r\nworld";
	struct client *client = client_open();

	(void)state;
	for (const char *c = request; *c != '\0'; c++) {
		client_send(client, c, 1);
		pass_time(300);
	}
	client_wait(client, NULL);
	assert_int_equal(count_replies(client->received.data), 2);
	assert_non_null(strstr(client->received.data, "\r\n\r\nhello"));
	assert_non_null(strstr(client->received.data, "\r\n\r\nworld"));
	client_free(client);
}

static void
connection_is_kept_from_post_to_post(void **state)
{
	struct client *client = client_open();

	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		client_text(client, "POST /echo HTTP/1.1\r\nHost: a\r\n"
				    "Content-Length: 5\r\n\r\nhello");
		assert_null(strstr(
		    client_wait(client, "\r\n\r\nhello"), "Connection: close"));
		client_forget(client);
		assert_int_equal(handled, i);
		assert_false(client->ended);
	}
	client_free(client);
}

static void
requests_sent_ahead_are_answered_in_order(void **state)
{
	struct client *client = client_open();
	const char *first, *second;

	(void)state;
	client_text(client,
	    "POST /later HTTP/1.1\r\nHost: a\r\n\r\n"
	    "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	    "Content-Length: 6\r\n\r\nsecond");
	pass_time(20 * 1000);
	assert_int_equal(handled, 1);
	http_exchange_reply_text(waiting, 200, "text/plain", "first");
	client_wait(client, NULL);
	first = strstr(client->received.data, "first");
	second = strstr(client->received.data, "second");
	assert_non_null(first);
	assert_true(first < second);
	client_free(client);
}

static void
old_clients_are_served_and_closed(void **state)
{
	struct client *client = client_open();

	(void)state;
	client_text(client, "POST /echo HTTP/1.0\r\nHost: a\r\n"
			    "Content-Length: 5\r\n\r\nhello");
	assert_non_null(
	    strstr(client_wait(client, NULL), "Connection: close\r\n"));
	assert_non_null(strstr(client->received.data, "\r\n\r\nhello"));
	client_free(client);
}

static void
expected_continue_is_given(void **state)
{
	struct client *client = client_open();

	(void)state;
	client_text(client,
	    "POST /echo HTTP/1.1\r\nHost: a\r\n"
	    "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	assert_string_equal(
	    client_wait(client, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
	client_text(client, "hello");
	client_wait(client, "\r\n\r\nhello");
	client_free(client);
}

static void
handler_sees_the_request(void **state)
{
	struct client *client = client_open();

	(void)state;
	client_text(client,
	    "PATCH /v1/%E8%8D%AF%2fa?x&name2=1&name=a+b%26%0Ac"
	    "&name=2 HTTP/1.1\r\nHost: a\r\nX-TEST: \t first \t\r\n"
	    "X-Test: second\r\nConnection: close\r\n\r\n");
	client_wait(client, NULL);
	assert_non_null(
	    strstr(client->received.data, "HTTP/1.1 201 Created\r\n"));
	assert_non_null(strstr(client->received.data, "\r\nX-Reply: yes\r\n"));
	assert_non_null(
	    strstr(client->received.data, "\r\nContent-Type: text/plain\r\n"));
	assert_string_equal(strstr(client->received.data, "\r\n\r\n") + 4,
	    "8|/v1/药/a|x&name2=1&name=a+b%26%0Ac&name=2|a b&\nc|first|"
	    "127.0.0.1");
	client_free(client);
	client = client_open();
	client_text(client, "GET /v1/?name=%00&name HTTP/1.1\r\nHost: a\r\n"
			    "Connection: close\r\n\r\n");
	assert_string_equal(strstr(client_wait(client, NULL), "\r\n\r\n") + 4,
	    "1|/v1/|name=%00&name|-|-|127.0.0.1");
	client_free(client);
}

static void
longest_route_wins(void **state)
{
	struct client *client = client_open();

	(void)state;
	client_text(client, "DELETE /v1/gone HTTP/1.1\r\nHost: a\r\n"
			    "Connection: close\r\n\r\n");
	assert_string_equal(client_wait(client, NULL),
	    "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
	client_free(client);
}

static void
reply_may_come_later(void **state)
{
	struct client *client = client_open();

	(void)state;
	client_text(client, "POST /later HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 2\r\n\r\nhi");
	pass_time(20 * 1000);
	assert_int_equal(client->received.bytes, 0);
	http_exchange_reply_text(waiting, 200, "text/plain", "late");
	client_wait(client, "\r\n\r\nlate");
	client_free(client);
}

static void
reply_to_a_client_that_left_is_dropped(void **state)
{
	struct client *client = client_open();

	(void)state;
	client_text(client, "POST /later HTTP/1.1\r\nHost: a\r\n\r\n");
	pass_time(20 * 1000);
	client_free(client);
	pass_time(20 * 1000);
	http_exchange_reply_text(waiting, 200, "text/plain", "late");
	pass_time(20 * 1000);
	waiting = NULL;
	client = client_open();
	client_text(client, "POST /later HTTP/1.1\r\nHost: a\r\n\r\n");
	pass_time(20 * 1000);
	http_server_close(server); /* the exchange outlives it too */
	http_exchange_reply_text(waiting, 200, "text/plain", "late");
	client_wait(client, NULL);
	client_free(client);
	serve(&usual);
}

static void
client_that_only_stopped_sending_gets_its_reply(void **state)
{
	struct client *client = client_open();

	(void)state;
	client_text(client, "POST /later HTTP/1.1\r\nHost: a\r\n\r\n");
	pass_time(20 * 1000);
	shutdown(bufferevent_getfd(client->bev), SHUT_WR);
	pass_time(20 * 1000);
	http_exchange_reply_text(waiting, 200, "text/plain", "late");
	assert_non_null(strstr(client_wait(client, NULL), "late"));
	client_free(client);
}

/* A refusal is read even by a client that has not ended its body. */
static void
refused_client_gets_the_reply_while_it_sends(void **state)
{
	static char flood[1 << 20];
	struct client *client = client_open();

	(void)state;
	client_text(client, "POST /echo HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 1048576\r\n\r\n");
	client_send(client, flood, sizeof(flood));
	assert_memory_equal(client_wait(client, NULL), "HTTP/1.1 413 ", 13);
	client_send(client, flood, sizeof(flood)); /* it does not stop yet */
	pass_time(100 * 1000);
	assert_false(client->broken);
	client_free(client);
}

/* ---- deadlines and caps ---- */

static const struct http_server_settings hurried = {.address = "127.0.0.1",
    .header_deadline_us = 100 * 1000,
    .deadline_us = 600 * 1000};

/* How long the server bears a client that sends this, a byte at a time. */
static int64_t
drip(const char *first, const char *status)
{
	struct client *client = client_open();
	int64_t began_at = clock_boot();

	client_text(client, first);
	while (!client->ended && clock_boot() < began_at + PATIENCE_US) {
		client_text(client, "a");
		pass_time(10 * 1000);
	}
	if (*status != '\0')
		assert_non_null(strstr(buf_string(&client->received), status));
	else
		assert_int_equal(client->received.bytes, 0);
	client_free(client);
	return clock_boot() - began_at;
}

static void
slow_heads_meet_their_deadline(void **state)
{
	int64_t took_us;

	(void)state;
	begin_with(&hurried);
	took_us = drip("GET / HTTP/1.1\r\nX: ", "HTTP/1.1 408 ");
	assert_in_range(took_us, 100 * 1000, 590 * 1000);
	assert_int_equal(handled, 0);
}

static void
slow_bodies_meet_their_deadline(void **state)
{
	int64_t took_us;

	(void)state;
	begin_with(&hurried);
	took_us = drip("POST /echo HTTP/1.1\r\nHost: a\r\n"
		       "Content-Length: 60000\r\n\r\n",
	    "HTTP/1.1 408 ");
	assert_in_range(took_us, 600 * 1000, 3 * SECOND_US);
	assert_int_equal(handled, 0);
}

/* A slow head does not lengthen the time for the whole. */
static void
deadline_counts_from_the_first_byte(void **state)
{
	struct http_server_settings settings = usual;
	struct client *client;
	int64_t began_at;

	(void)state;
	settings.header_deadline_us = 400 * 1000;
	settings.deadline_us = 500 * 1000;
	begin_with(&settings);
	client = client_open();
	began_at = clock_boot();
	client_text(client, "POST /echo HTTP/1.1\r\nHost: a\r\n");
	pass_time(350 * 1000);
	client_text(client, "Content-Length: 5\r\n\r\n");
	assert_memory_equal(client_wait(client, NULL), "HTTP/1.1 408 ", 13);
	assert_in_range(clock_boot() - began_at, 490 * 1000, 750 * 1000);
	client_free(client);
}

static void
slow_handlers_meet_the_deadline(void **state)
{
	struct client *client;

	(void)state;
	begin_with(&hurried);
	client = client_open();
	client_text(client, "POST /later HTTP/1.1\r\nHost: a\r\n\r\n");
	client_wait(client, NULL);
	assert_int_equal(client->received.bytes, 0);
	http_exchange_reply_text(waiting, 200, "text/plain", "late");
	client_free(client);
}

static void
silent_connection_is_closed_silently(void **state)
{
	struct client *client;

	(void)state;
	begin_with(&hurried);
	client = client_open();
	assert_string_equal(client_wait(client, NULL), "");
	client_free(client);
}

static void
connections_over_the_cap_wait(void **state)
{
	struct http_server_settings settings = usual;
	struct client *first, *second, *third;

	(void)state;
	settings.connections_max = 8;
	settings.connections_per_address_max = 2;
	begin_with(&settings);
	first = client_open();
	client_text(first, "POST /echo HTTP/1.1\r\nHost: a\r\n"
			   "Content-Length: 5\r\n\r\n");
	pass_time(20 * 1000);
	second = client_open();
	client_text(second, "POST /later HTTP/1.1\r\nHost: a\r\n\r\n");
	pass_time(20 * 1000);
	third = client_open();
	client_text(third, "GET /v1/ HTTP/1.1\r\nHost: a\r\n\r\n");
	pass_time(50 * 1000);
	assert_int_equal(third->received.bytes, 0);
	/* None is kept while others wait. */
	client_text(first, "hello");
	assert_non_null(strstr(client_wait(first, NULL), "Connection: close"));
	client_free(first);
	client_wait(third, "HTTP/1.1 201 ");
	http_exchange_reply_text(waiting, 200, "text/plain", "late");
	client_wait(second, "late");
	client_free(second);
	client_free(third);
}

/* ---- where it listens ---- */

static void
only_loopback_is_listened_on(void **state)
{
	static const char *const refused[] = {"0.0.0.0", "::", "localhost",
	    "127.0.0.2", "10.0.0.1", "", "::ffff:127.0.0.1"};
	char error[128];

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct http_server_settings settings = {.address = refused[i]};

		assert_null(
		    http_server_open(loop, &settings, error, sizeof(error)));
		assert_non_null(strstr(error, "only on 127.0.0.1 or ::1"));
	}
}

static void
port_in_use_is_told(void **state)
{
	struct http_server_settings settings = usual;
	char error[128], wanted[128];

	(void)state;
	settings.port = http_server_port(server);
	assert_null(http_server_open(loop, &settings, error, sizeof(error)));
	snprintf(wanted, sizeof(wanted),
	    "cannot listen on 127.0.0.1 port %u: "
	    "Address already in use",
	    settings.port);
	assert_string_equal(error, wanted);
}

int
main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    test(ambiguous_and_malformed_requests_are_refused),
	    test(nul_bytes_are_refused),
	    test(large_heads_are_refused),
	    test(other_paths_and_methods_are_told_apart),
	    test(body_arrives_byte_for_byte),
	    test(chunks_are_put_together_where_they_are_allowed),
	    test(request_may_come_one_byte_at_a_time),
	    test(connection_is_kept_from_post_to_post),
	    test(requests_sent_ahead_are_answered_in_order),
	    test(old_clients_are_served_and_closed),
	    test(expected_continue_is_given),
	    test(handler_sees_the_request),
	    test(longest_route_wins),
	    test(reply_may_come_later),
	    test(reply_to_a_client_that_left_is_dropped),
	    test(client_that_only_stopped_sending_gets_its_reply),
	    test(refused_client_gets_the_reply_while_it_sends),
	    test(slow_heads_meet_their_deadline),
	    test(slow_bodies_meet_their_deadline),
	    test(deadline_counts_from_the_first_byte),
	    test(slow_handlers_meet_the_deadline),
	    test(silent_connection_is_closed_silently),
	    test(connections_over_the_cap_wait),
	    test(only_loopback_is_listened_on),
	    test(port_in_use_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
