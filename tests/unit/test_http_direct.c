/*
 * Connections of our own: when they are kept, when one is given up, and that
 * no request goes twice, over plain HTTP and TLS; and curl as a witness of
 * how answers are read.
 */
#include "http_peer.h"

#include <errno.h>

/* ---- a socket that takes little, or nothing ---- */

static size_t socket_room;    /* bytes that it takes until it is full */
static size_t socket_at_once; /* bytes of one call */
static bool socket_refills;   /* when it was full, it is not the next time */
static int socket_error;      /* it fails, once */
static unsigned sends;

/* In the place of libc's; only the client calls it. */
ssize_t
send(int fd, const void *data, size_t bytes, int flags)
{
	static size_t used;

	sends++;
	if (socket_error != 0 || used >= socket_room) {
		errno = socket_error != 0 ? socket_error : EAGAIN;
		socket_error = 0;
		if (socket_refills)
			used = 0;
		return -1;
	}
	if (bytes > socket_at_once)
		bytes = socket_at_once;
	if (bytes > socket_room - used)
		bytes = socket_room - used;
	used = socket_room != SIZE_MAX ? used + bytes : 0;
	return sendto(fd, data, bytes, flags, NULL, 0);
}

static int
begin_socket(void **state)
{
	socket_room = socket_at_once = SIZE_MAX;
	socket_refills = true;
	socket_error = 0;
	sends = 0;
	return begin(state);
}

static void
expect_counts(unsigned wanted_requests, unsigned wanted_connections)
{
	assert_int_equal(requests, wanted_requests);
	assert_int_equal(connections, wanted_connections);
}

/* ---- what comes back ---- */

static void
answers_come_in_bytes(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	dribbling = true;
	steps[0].answer = OK_HELLO;
	steps[1].answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
			  "\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
	for (unsigned i = 0; i < 2; i++) {
		call(&request);
		expect_answer(200, "hello");
	}
	expect_counts(2, 1);
}

/* The same answer by both ways. */
static void
curl_reads_answers_alike(void **state)
{
#define OK "HTTP/1.1 200 OK\r\n"
	static const struct step answers[] = {{OK_HELLO, 0, THEN_KEEP},
	    {OK "X-Test:  a b \r\nContent-Length: 0\r\n\r\n", 0, THEN_KEEP},
	    {OK "\r\nhello", 0, THEN_CLOSE},
	    {OK "Content-Length: 6\r\n\r\nhello", 0, THEN_CLOSE},
	    {OK "Content-Length: 6\r\n\r\nhello", 0, THEN_KEEP},
	    {OK "\r\nhello", 0, THEN_KEEP},
	    {OK "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
		0, THEN_KEEP},
	    {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0,
		THEN_CLOSE},
	    {OK "Transfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n", 0,
		THEN_KEEP},
	    {OK "Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n"
		"1\r\na\r\n0\r\n\r\n",
		0, THEN_KEEP},
	    {"HTTP/1.0 200 OK\r\n\r\nhello", 0, THEN_CLOSE},
	    {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, THEN_KEEP},
	    {"HTTP/1.1 204 No Content\r\n\r\n", 0, THEN_KEEP},
	    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 0,
		THEN_KEEP},
	    {"HTTP/1.1 503 No\r\nRetry-After: 3\r\nContent-Length: 1\r\n\r\na",
		0, THEN_KEEP},
	    {"HTTP/1.1 100 Continue\r\n\r\n" OK_HELLO, 0, THEN_KEEP},
	    {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 0,
		THEN_KEEP},
	    {"nonsense\r\n\r\n", 0, THEN_CLOSE}, {NULL, 0, THEN_CLOSE},
	    {NULL, 0, THEN_KEEP}, {NULL, 0, THEN_RESET}};
	struct http_request request = plain("POST", "body");
	char curls[sizeof(url) + 1];

	(void)state;
	snprintf(curls, sizeof(curls), "%s#", url);
	request.timeout_us = 150 * 1000;
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct result direct;

		requests = 0;
		steps[0] = steps[1] = answers[i];
		request.url = url;
		call(&request);
		direct = result;
		result.body = (struct buf)BUF_INIT(0);
		request.url = curls;
		call(&request);
		expect_counts(2, connections);
		if (direct.end != result.end || direct.status != result.status)
			fail_msg("%s: %d %s, by curl %d %s", answers[i].answer,
			    (int)direct.end, direct.error, (int)result.end,
			    result.error);
		assert_string_equal(direct.header, result.header);
		assert_int_equal(direct.header_count, result.header_count);
		if (result.end == HTTP_ANSWERED)
			assert_string_equal(
			    buf_string(&direct.body), buf_string(&result.body));
		buf_free(&direct.body);
	}
}

/* ---- which connections are kept ---- */

static void
only_clean_connections_are_kept(void **state)
{
	static const struct {
		const char *answer;
		bool kept;
	} cases[] = {{OK_HELLO, true},
	    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", true},
	    {"HTTP/1.1 204 No Content\r\n\r\n", true},
	    {"HTTP/1.1 100 Continue\r\n\r\n" OK_HELLO, true},
	    {OK_HELLO "x", false}, {OK_HELLO OK_HELLO, false},
	    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n", false},
	    {"HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\n", false},
	    {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
	    {OK "Connection: close\r\nContent-Length: 0\r\n\r\n", false},
	    {OK "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"
		"0\r\n\r\n",
		false}};
	struct http_request request = plain("POST", "body");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		requests = connections = 0;
		steps[0].answer = cases[i].answer;
		steps[1].answer =
		    "HTTP/1.1 201 Created\r\nConnection: close\r\n"
		    "Content-Length: 0\r\n\r\n";
		call(&request);
		expect_end(HTTP_ANSWERED, "");
		assert_int_not_equal(result.status, 201);
		call(&request);
		expect_answer(201, "");
		assert_int_equal(requests, 2);
		if (connections != (cases[i].kept ? 1u : 2u))
			fail_msg(
			    "%u connections: %s", connections, cases[i].answer);
	}
}

static void
say_more(void)
{
	for (struct peer_connection *peer = peers; peer != NULL;
	     peer = peer->next)
		if (peer->bev != NULL)
			bufferevent_write(peer->bev, OK_HELLO, 41);
}

/* An answer that nobody asked for is not that of the next request. */
static void
connection_that_speaks_while_idle_is_given_up(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	steps[0].answer = OK_HELLO;
	steps[1].answer = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
	call(&request);
	expect_answer(200, "hello");
	say_more();
	pass_time(20 * 1000);
	assert_null(peers->bev); /* closed without waiting for a request */
	call(&request);
	expect_answer(201, "");
	expect_counts(2, 2);
}

static bool chained;
static enum then chain_breaks;

static void
break_peer(void *arg)
{
	int fd = bufferevent_getfd(peers->bev);
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	(void)arg;
	if (chain_breaks == THEN_KEEP)
		assert_int_equal(write(fd, OK_HELLO, 41), 41);
	else if (chain_breaks == THEN_CLOSE)
		assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
	else /* is a reset */
		assert_int_equal(connect(fd, &none, sizeof(none)), 0);
	usleep(20 * 1000); /* until it has come */
}

/*
 * After the loop looked at its sockets and just before the next request
 * leaves, the peer closes the connection or says more.
 */
static void
on_first(const struct http_response *response, void *arg)
{
	struct http_request request = plain("POST", "body");

	assert_int_equal(response->end, HTTP_ANSWERED);
	loop_defer(loop, break_peer, NULL);
	http_client_send(client, &request, on_done, arg);
	chained = true;
}

static void
broken_connection_is_seen_before_the_request(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	for (int i = 0; i < 3; i++) {
		chain_breaks = (enum then)i;
		requests = connections = 0;
		steps[0].answer = OK_HELLO;
		steps[1].answer =
		    "HTTP/1.1 201 Created\r\nConnection: close\r\n"
		    "Content-Length: 0\r\n\r\n";
		chained = result.done = false;
		http_client_send(client, &request, on_first, NULL);
		loop_run_until(loop, &chained);
		assert_false(result.done);
		loop_run_until(loop, &result.done);
		expect_answer(201, "");
		expect_counts(2, 2);
	}
}

static void
idle_connections_are_given_up(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	for (size_t i = 0; i < 4; i++)
		steps[i].answer = OK_HELLO;
	call(&request);
	pass_time(2 * SECOND_US);
	call(&request);
	expect_counts(2, 1);
	pass_time(3 * SECOND_US);
	assert_non_null(peers->bev);
	pass_time(SECOND_US + 300 * 1000);
	assert_null(peers->bev);
	call(&request);
	expect_counts(3, 2);
}

/* plain_allowed and ca_file say what a connection is good for. */
static void
connections_are_as_they_were_asked_for(void **state)
{
	struct http_request request = plain("GET", "");

	(void)state;
	steps[0].answer = steps[1].answer = steps[2].answer = OK_HELLO;
	call(&request);
	expect_answer(200, "hello");
	request.ca_file = "/nonexistent";
	call(&request);
	expect_answer(200, "hello");
	expect_counts(2, 2);
	request.plain_allowed = false;
	call(&request);
	expect_end(HTTP_UNSENT, "URL refused");
	expect_counts(2, 2);
}

/* ---- sure and unsure ---- */

static void
too_late_a_request_never_leaves(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	steps[0].answer = steps[1].answer = OK_HELLO;
	request.begin_until = clock_boot() + SECOND_US;
	call(&request);
	expect_answer(200, "hello");
	request.begin_until = clock_boot();
	call(&request); /* on the connection that is there */
	expect_end(HTTP_UNSENT, "connection lost");
	call(&request); /* and on a new one */
	expect_end(HTTP_UNSENT, "connection lost");
	pass_time(20 * 1000);
	assert_int_equal(requests, 1);
	request.begin_until = clock_boot() + SECOND_US;
	result.done = false;
	http_client_send(client, &request, on_done, NULL);
	usleep(1100 * 1000); /* frozen before it began */
	loop_run_until(loop, &result.done);
	expect_end(HTTP_UNSENT, "connection lost");
	assert_int_equal(requests, 1);
}

/* The kernel took nothing and is asked again: by then it is too late. */
static void
full_socket_does_not_put_off_the_bound(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	socket_room = 0;
	socket_refills = false;
	request.begin_until = clock_boot() + 100 * 1000;
	call(&request);
	expect_end(HTTP_UNSURE, "connection lost");
	assert_in_range(result.took_us, 90 * 1000, SECOND_US);
	pass_time(20 * 1000);
	expect_counts(0, 1);
}

/* Whether or not the kernel took a byte, nothing is tried again. */
static void
failed_write_is_not_repeated(void **state)
{
	static const int errors[] = {EPIPE, ECONNRESET, ENOBUFS};
	struct http_request request = plain("POST", "body");

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		requests = connections = 0;
		steps[0].answer = OK_HELLO;
		call(&request);
		expect_answer(200, "hello");
		sends = 0;
		socket_error = errors[i];
		call(&request);
		expect_end(HTTP_UNSURE, "connection lost");
		pass_time(20 * 1000);
		assert_int_equal(sends, 1);
		assert_int_equal(requests, 1);
	}
	steps[0].answer = steps[1].answer = OK_HELLO;
	requests = 0;
	socket_error = EINTR; /* is no failure */
	call(&request);
	expect_answer(200, "hello");
	assert_int_equal(requests, 1);
}

static void
timeouts_come_in_their_order(void **state)
{
	struct http_request request = plain("POST", "body");
	int64_t began = clock_boot();

	(void)state;
	result.times = 0;
	request.timeout_us = SECOND_US;
	http_client_send(client, &request, on_done, NULL);
	request.timeout_us = 0;
	http_client_send(client, &request, on_done, NULL);
	request.timeout_us = 200 * 1000;
	http_client_send(client, &request, on_done, NULL);
	result.done = false;
	loop_run_until(loop, &result.done);
	expect_end(HTTP_UNSURE, "no answer in time");
	assert_in_range(result.took_us, 200 * 1000, 900 * 1000);
	result.done = false;
	loop_run_until(loop, &result.done);
	expect_end(HTTP_UNSURE, "no answer in time");
	assert_in_range(clock_boot() - began, SECOND_US, 2 * SECOND_US);
	assert_int_equal(result.times, 2);
	assert_int_equal(http_client_calls(client), 1);
	result.done = false;
	for (struct peer_connection *peer = peers; peer != NULL;
	     peer = peer->next)
		if (peer->bev != NULL)
			peer_end(peer, THEN_CLOSE);
	loop_run_until(loop, &result.done);
	expect_end(HTTP_UNSURE, "connection lost");
}

/* Bytes that come one by one do not put off the end. */
static void
slow_answer_ends_in_time(void **state)
{
	static char slow[100000];
	struct http_request request = plain("POST", "body");

	(void)state;
	memset(slow, 'a', sizeof(slow) - 1);
	memcpy(slow, OK "\r\n", 19);
	dribbling = true;
	steps[0].answer = slow;
	request.timeout_us = 100 * 1000;
	request.response_bytes_max = sizeof(slow);
	call(&request);
	expect_end(HTTP_UNSURE, "no answer in time");
	assert_int_equal(result.status, 200);
	assert_in_range(result.took_us, 100 * 1000, SECOND_US);
}

static void
large_request_leaves_in_pieces(void **state)
{
	static char body[1 << 20];
	struct http_request request;

	(void)state;
	memset(body, 'a', sizeof(body) - 1);
	request = plain("POST", body);
	socket_room = 3000;
	socket_at_once = 1000;
	steps[0].answer = steps[1].answer = OK_HELLO;
	for (unsigned i = 1; i <= 2; i++) {
		sends = 0;
		call(&request);
		expect_answer(200, "hello");
		expect_counts(i, 1);
		assert_in_range(sends, 1000, 3000);
		assert_int_equal(
		    strspn(strstr(last_request.data, "\r\n\r\n") + 4, "a"),
		    sizeof(body) - 1);
	}
}

/* An answer is one, but what is left of the request will not follow it. */
static void
early_answer_ends_the_connection(void **state)
{
	static char body[1 << 20];
	struct http_request request;

	(void)state;
	memset(body, 'a', sizeof(body) - 1);
	request = plain("POST", body);
	socket_room = 3000;
	at_once = true;
	steps[0].answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
	call(&request);
	expect_answer(413, "");
	at_once = false;
	steps[1].answer = OK_HELLO;
	request.body_bytes = 4;
	call(&request);
	expect_answer(200, "hello");
	expect_counts(2, 2);
}

/* ---- the life of calls ---- */

static void
cancelled_call_takes_its_connection_along(void **state)
{
	struct http_request request = plain("POST", "body");
	struct http_call *doomed;

	(void)state;
	steps[0].answer = OK_HELLO;
	steps[1].answer = OK "Content-Length: 6\r\n\r\nhello";
	steps[2].answer = OK_HELLO;
	call(&request);
	expect_answer(200, "hello");
	result.times = 0;
	doomed = http_client_send(client, &request, on_done, NULL);
	pass_time(20 * 1000);
	assert_int_equal(requests, 2);
	http_client_cancel(doomed); /* in the midst of its answer */
	pass_time(20 * 1000);
	assert_null(peers->bev);
	assert_int_equal(result.times, 0);
	call(&request);
	expect_answer(200, "hello");
	expect_counts(3, 2);
	/* while it connects, and the client goes before the loop comes */
	request.url = "https://127.0.0.1:9/";
	doomed = http_client_send(client, &request, on_done, NULL);
	http_client_cancel(doomed);
	evconnlistener_disable(listener);
	result.times = 0;
	doomed = http_client_send(client, &request, on_done, NULL);
	http_client_cancel(doomed);
	assert_int_equal(result.times, 0);
}

static unsigned left;
static bool all_done;

static void
on_many(const struct http_response *response, void *arg)
{
	struct http_request request = plain("POST", "body");

	(void)arg;
	assert_int_equal(response->end, HTTP_ANSWERED);
	assert_string_equal(response->body, "hello");
	requests = 0;
	if (left > 0) {
		left--;
		http_client_send(client, &request, on_many, NULL);
	} else if (http_client_calls(client) == 0) {
		all_done = true;
	}
}

static void
as_many_connections_as_calls(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	for (size_t i = 0; i < STEPS_MAX; i++)
		steps[i].answer = OK_HELLO;
	left = 2000;
	all_done = false;
	for (unsigned i = 0; i < STEPS_MAX - 2; i++)
		http_client_send(client, &request, on_many, NULL);
	loop_run_until(loop, &all_done);
	assert_in_range(connections, 1, STEPS_MAX - 2);
}

/* ---- TLS ---- */

static struct {
	pid_t pid;
	int in; /* it ends when this is closed */
	char directory[32], ca[64];
	unsigned port;
} tls;

static int
begin_tls(void **state)
{
	char command[512];
	int in[2], out[2];
	FILE *from;

	if (begin_socket(state) != 0)
		return -1;
	strcpy(tls.directory, "/tmp/test_http.XXXXXX");
	if (mkdtemp(tls.directory) == NULL || pipe(in) != 0 || pipe(out) != 0)
		return -1;
	snprintf(tls.ca, sizeof(tls.ca), "%s/ca", tls.directory);
	snprintf(command, sizeof(command),
	    "cd %s && openssl req -x509 "
	    "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
	    "-subj /CN=localhost -addext subjectAltName=DNS:localhost "
	    "-keyout key -out ca 2>/dev/null",
	    tls.directory);
	if (run_whole(command) != 0)
		return -1;
	tls.pid = fork();
	if (tls.pid == 0) {
		snprintf(command, sizeof(command), "%s/key", tls.directory);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		execl("tests/unit/tls_peer.py", "tls_peer.py", tls.ca, command,
		    (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	tls.in = in[1];
	from = fdopen(out[0], "r");
	if (from == NULL || fscanf(from, "%u", &tls.port) != 1)
		return -1;
	fclose(from);
	return 0;
}

static int
end_tls(void **state)
{
	char command[64];

	close(tls.in);
	waitpid(tls.pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", tls.directory);
	return run_whole(command) == 0 ? end(state) : -1;
}

/* POST there, and expect connections/requests in the answer, if any. */
static void
call_tls(const char *path, enum http_end wanted, const char *error,
    const char *counts)
{
	struct http_request request = plain("POST", "body");
	char https[64];

	snprintf(
	    https, sizeof(https), "https://localhost:%u%s", tls.port, path);
	request.url = https;
	request.ca_file = tls.ca;
	request.plain_allowed = false;
	call(&request);
	expect_end(wanted, error != NULL ? error : result.error);
	if (counts != NULL)
		assert_string_equal(result.header, counts);
}

static void
tls_connections_are_kept(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 5; i++) {
		char counts[16];

		snprintf(counts, sizeof(counts), "1/%u", i);
		call_tls(i == 2   ? "/bytes"
			 : i == 3 ? "/long"
				  : "/",
		    HTTP_ANSWERED, "", counts);
		assert_int_equal(result.body.bytes, i == 3 ? 60000 : 5);
	}
}

/* curl looks through connections it knows when it makes another. */
static void
tls_connection_outlives_what_curl_does(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	steps[0].answer = steps[1].answer = steps[2].answer = OK_HELLO;
	call_tls("/", HTTP_ANSWERED, "", "1/1");
	for (unsigned i = 2; i <= 4; i++) {
		char counts[16];

		strcat(url, i == 2 ? "#" : "");
		pass_time(2 * SECOND_US);
		call(&request);
		expect_answer(200, "hello");
		snprintf(counts, sizeof(counts), "1/%u", i);
		call_tls("/", HTTP_ANSWERED, "", counts);
	}
}

static void
tls_requests_go_once(void **state)
{
	(void)state;
	call_tls("/", HTTP_ANSWERED, "", "1/1");
	call_tls("/drop", HTTP_UNSURE, "connection lost", NULL);
	call_tls("/", HTTP_ANSWERED, "", "2/3");
	call_tls("/notify", HTTP_UNSURE, "connection lost", NULL);
	call_tls("/", HTTP_ANSWERED, "", "3/5");
	call_tls("/cut", HTTP_UNSURE, NULL, NULL);
	call_tls("/", HTTP_ANSWERED, "", "4/7");
	/* closed while it is idle, with a word */
	call_tls("/end", HTTP_ANSWERED, "", "4/8");
	pass_time(200 * 1000); /* the kernel may put it off for 40 ms */
	call_tls("/", HTTP_ANSWERED, "", "5/9");
}

static void
tls_answers_must_end(void **state)
{
	(void)state;
	call_tls("/rest", HTTP_ANSWERED, "", NULL);
	assert_string_equal(result.body.data, "hello");
	call_tls("/", HTTP_ANSWERED, "", "2/2");
	call_tls("/behind", HTTP_ANSWERED, "", "2/3");
	call_tls("/", HTTP_ANSWERED, "", "3/4");
	call_tls("/late", HTTP_ANSWERED, "", "3/5");
	pass_time(200 * 1000);
	call_tls("/", HTTP_ANSWERED, "", "4/6");
	assert_string_equal(result.body.data, "hello");
}

int
main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin_socket, end)
#define test_tls(name) cmocka_unit_test_setup_teardown(name, begin_tls, end_tls)
	const struct CMUnitTest tests[] = {
	    test(answers_come_in_bytes),
	    test(curl_reads_answers_alike),
	    test(only_clean_connections_are_kept),
	    test(connection_that_speaks_while_idle_is_given_up),
	    test(broken_connection_is_seen_before_the_request),
	    test(idle_connections_are_given_up),
	    test(connections_are_as_they_were_asked_for),
	    test(too_late_a_request_never_leaves),
	    test(full_socket_does_not_put_off_the_bound),
	    test(failed_write_is_not_repeated),
	    test(timeouts_come_in_their_order),
	    test(slow_answer_ends_in_time),
	    test(large_request_leaves_in_pieces),
	    test(early_answer_ends_the_connection),
	    test(cancelled_call_takes_its_connection_along),
	    test(as_many_connections_as_calls),
	    test_tls(tls_connections_are_kept),
	    test_tls(tls_connection_outlives_what_curl_does),
	    test_tls(tls_requests_go_once),
	    test_tls(tls_answers_must_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
