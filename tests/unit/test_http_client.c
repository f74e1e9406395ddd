/*
 * The HTTP client against a peer that writes raw bytes and misbehaves on
 * demand: what leaves, how often, and whether the client is sure of it.  All
 * of it twice, over connections of our own and by curl.
 */
#include "http_peer.h"

/* ---- what leaves ---- */

static void
request_leaves_as_it_was_given(void **state)
{
	static const char body[] = "a\0b";
	const struct http_header headers[] = {{"Content-Type", "text/x"},
	    {"X-Empty", ""}, {"X-Signed", "1; a=\"b\""}};
	struct http_request request = plain("POST", "");
	char wanted[512];

	(void)state;
	steps[0].answer = OK_HELLO;
	request.headers = headers;
	request.header_count = COUNT(headers);
	request.body = body;
	request.body_bytes = 3;
	call(&request);
	expect_answer(200, "hello");
	snprintf(wanted, sizeof(wanted),
	    "POST /a?b=c HTTP/1.1\r\n"
	    "Host: %.*s\r\nUser-Agent: adherd/" ADHERD_VERSION "\r\n"
	    "Accept: */*\r\n%s"
	    "Content-Type: text/x\r\nX-Empty:\r\nX-Signed: 1; a=\"b\"\r\n"
	    "Content-Length: 3\r\n\r\na",
	    (int)strcspn(url + 7, "/"), url + 7,
	    by_curl ? "Accept-Encoding: gzip\r\n" : "");
	assert_string_equal(last_request.data, wanted);
	assert_memory_equal(
	    last_request.data + last_request.bytes - 3, body, 3);
}

/* Signatures cover exact headers: curl must not add its own. */
static void
empty_post_has_a_length_and_no_type(void **state)
{
	struct http_request request = plain("POST", "");

	(void)state;
	steps[0].answer = OK_HELLO;
	call(&request);
	expect_answer(200, "hello");
	assert_non_null(strstr(last_request.data, "\r\nContent-Length: 0\r\n"));
	assert_null(strstr(last_request.data, "Content-Type"));
}

static void
large_body_leaves_without_asking(void **state)
{
	static char body[2 << 20];
	struct http_request request;

	(void)state;
	memset(body, 'a', sizeof(body) - 1);
	steps[0].answer = OK_HELLO;
	request = plain("PUT", body);
	call(&request);
	expect_answer(200, "hello");
	assert_null(strstr(last_request.data, "Expect"));
	assert_memory_equal(last_request.data, "PUT ", 4);
	assert_int_equal(strspn(strstr(last_request.data, "\r\n\r\n") + 4, "a"),
	    sizeof(body) - 1);
}

/* One handle is used again for each: nothing may stick to it. */
static void
methods_do_not_stick(void **state)
{
	static const char *const methods[] = {
	    "POST", "GET", "DELETE", "PATCH", "GET", "POST"};

	(void)state;
	for (size_t i = 0; i < COUNT(methods); i++) {
		struct http_request request =
		    plain(methods[i], *methods[i] == 'P' ? "body" : "");

		steps[i].answer = OK_HELLO;
		call(&request);
		expect_answer(200, "hello");
		assert_memory_equal(
		    last_request.data, methods[i], strlen(methods[i]));
		assert_int_equal(last_request.data[strlen(methods[i])], ' ');
		assert_true((strstr(last_request.data, "Content-Length") !=
				NULL) == (*methods[i] == 'P'));
	}
	/* one of curl's, and one that GET and POST share */
	assert_int_equal(connections, by_curl ? 1 : 2);
}

static void
line_breaks_in_headers_are_refused(void **state)
{
	const struct http_header headers[] = {{"X", "a\r\nY: b"}};
	struct http_request request = plain("GET", "");

	(void)state;
	request.headers = headers;
	request.header_count = 1;
	call(&request);
	expect_end(HTTP_UNSENT, "URL refused");
	assert_int_equal(connections, 0);
}

/* ---- what comes back ---- */

static void
headers_are_those_of_the_last_head(void **state)
{
	struct http_request request = plain("GET", "");

	(void)state;
	steps[0].answer =
	    "HTTP/1.1 103 Early Hints\r\nX-Test: early\r\n"
	    "X-Other: 1\r\n\r\nHTTP/1.1 404 Not Found\r\nx-tEST: \t last\t \r\n"
	    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
	    "X-Trailer: 1\r\n\r\n";
	call(&request);
	expect_answer(404, "abc");
	assert_string_equal(result.header, "last");
	assert_int_equal(result.header_count, 2);
}

static void
redirect_is_an_answer(void **state)
{
	struct http_request request = plain("GET", "");

	(void)state;
	steps[0].answer = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"
			  "Content-Length: 0\r\n\r\n";
	call(&request);
	expect_answer(302, "");
	assert_int_equal(requests, 1);
}

/* curl asks for gzip; of "hello, gzip" and of 200,000 zero bytes */
static const char gzip_hello[] =
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 31\r\n\r\n"
    "\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\x48\xaf\xca"
    "\x2c\0\0\x4a\x9b\xb1\x5c\x0b\0\0\0";
static const unsigned char gzip_bomb[229] = {0x1f, 0x8b, 0x08, [8] = 0x02, 0x03,
    0xed, 0xc1, 0x31, 0x01, [17] = 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 0x06, 0x7f,
    0xa0, [218] = 0x80, 0xd7, 0x00, 0x7b, 0x58, 0xe0, 0x5c, 0x40, 0x0d, 0x03,
    0x00};

static void
gzip_is_unpacked_within_the_bound(void **state)
{
	struct http_request request = plain("GET", "");
	struct buf answer = BUF_INIT(0);

	(void)state;
	steps[0] = (struct step){gzip_hello, sizeof(gzip_hello) - 1, THEN_KEEP};
	call(&request);
	expect_answer(200, "hello, gzip");
	buf_text(&answer, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
			  "Content-Length: 229\r\n\r\n");
	buf_add(&answer, gzip_bomb, sizeof(gzip_bomb));
	for (unsigned i = 1; i <= 2; i++)
		steps[i] = (struct step){answer.data, answer.bytes, THEN_KEEP};
	call(&request);
	expect_end(HTTP_TOO_LARGE, "answer too large");
	request.response_bytes_max = 200000;
	call(&request);
	expect_end(HTTP_ANSWERED, "");
	assert_int_equal(result.body.bytes, 200000);
	buf_free(&answer);
}

static void
answers_over_the_bound_are_too_large(void **state)
{
	struct http_request request = plain("GET", "");
	struct buf answer = BUF_INIT(0);

	(void)state;
	steps[0].answer = steps[1].answer = OK_HELLO;
	request.response_bytes_max = 4;
	call(&request);
	expect_end(HTTP_TOO_LARGE, "answer too large");
	request.response_bytes_max = 5;
	call(&request);
	expect_answer(200, "hello");
	buf_text(&answer, "HTTP/1.1 200 OK\r\n");
	for (unsigned i = 0; i < 129; i++)
		buf_printf(&answer, "X-%u: a\r\n", i);
	buf_text(&answer, "Content-Length: 0\r\n\r\n");
	steps[2].answer = answer.data;
	call(&request);
	expect_end(HTTP_TOO_LARGE, "answer too large");
	buf_clear(&answer);
	buf_text(&answer, "HTTP/1.1 200 OK\r\nX: ");
	for (unsigned i = 0; i < 33000; i++)
		buf_char(&answer, 'a');
	buf_text(&answer, "\r\nContent-Length: 0\r\n\r\n");
	steps[3].answer = answer.data;
	call(&request);
	expect_end(HTTP_TOO_LARGE, "answer too large");
	buf_free(&answer);
}

/* ---- sure and unsure ---- */

/*
 * A kept connection that the server closes on the second request: curl's
 * own retry would send twice what the server may have obeyed.
 */
static void
expect_sent_once(const char *method, const char *body, enum then then)
{
	struct http_request request = plain(method, body);

	requests = connections = 0;
	memset(steps, 0, sizeof(steps));
	steps[0].answer = OK_HELLO;
	steps[1].then = then;
	steps[2].answer = OK_HELLO;
	call(&request);
	expect_answer(200, "hello");
	call(&request);
	expect_end(HTTP_UNSURE, "connection lost");
	pass_time(50 * 1000);
	assert_int_equal(requests, 2);
	call(&request); /* and the next goes on as ever */
	expect_answer(200, "hello");
}

static void
lost_request_is_never_sent_again(void **state)
{
	(void)state;
	expect_sent_once("POST", "body", THEN_CLOSE);
	expect_sent_once("POST", "", THEN_CLOSE);
	expect_sent_once("GET", "", THEN_CLOSE);
	expect_sent_once("PUT", "body", THEN_CLOSE);
	expect_sent_once("DELETE", "", THEN_CLOSE);
	expect_sent_once("POST", "body", THEN_RESET);
	expect_sent_once("POST", "", THEN_RESET);
	expect_sent_once("GET", "", THEN_RESET);
}

/* The retry may also find another kept connection, and open none. */
static void
lost_request_does_not_move_to_another_connection(void **state)
{
	struct http_request request = plain("POST", "");

	(void)state;
	steps[0].answer = steps[1].answer = steps[3].answer = OK_HELLO;
	steps[2].then = THEN_CLOSE;
	result.times = 0;
	http_client_send(client, &request, on_done, NULL);
	http_client_send(client, &request, on_done, NULL);
	pass_time(100 * 1000);
	assert_int_equal(result.times, 2);
	assert_int_equal(connections, 2);
	call(&request);
	expect_end(HTTP_UNSURE, "connection lost");
	assert_int_equal(requests, 3);
}

static void
connection_closed_while_idle_is_replaced(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	steps[0] = (struct step){OK_HELLO, 0, THEN_CLOSE};
	steps[1].answer = OK_HELLO;
	call(&request);
	expect_answer(200, "hello");
	pass_time(20 * 1000);
	call(&request);
	expect_answer(200, "hello");
	assert_int_equal(connections, 2);
	assert_int_equal(requests, 2);
}

static void
broken_answers_leave_us_unsure(void **state)
{
	static const struct {
		struct step step;
		const char *error;
	} cases[] = {{{NULL, 0, THEN_CLOSE}, "connection lost"},
	    {{NULL, 0, THEN_RESET}, "connection lost"},
	    {{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 0,
		 THEN_CLOSE},
		"answer cut off"},
	    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		 0, THEN_CLOSE},
		"answer cut off"},
	    {{"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
	      "Content-Length: 5\r\n\r\nhello",
		 0, THEN_KEEP},
		"answer not readable"},
	    {{"SSH-2.0-OpenSSH_9.2\r\n", 0, THEN_CLOSE}, "no valid answer"},
	    {{"hello", 0, THEN_CLOSE}, "no valid answer"}};
	struct http_request request = plain("POST", "body");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		requests = 0;
		steps[0] = cases[i].step;
		call(&request);
		expect_end(HTTP_UNSURE, cases[i].error);
		assert_int_equal(requests, 1);
	}
}

static void
silence_leaves_us_unsure_after_the_timeout(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	request.timeout_us = 200 * 1000;
	call(&request);
	expect_end(HTTP_UNSURE, "no answer in time");
	assert_in_range(result.took_us, 190 * 1000, 3 * SECOND_US);
	assert_int_equal(requests, 1);
}

static void
refused_connection_is_surely_unsent(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	evconnlistener_free(listener);
	listener = NULL;
	call(&request);
	expect_end(HTTP_UNSENT, "not connected");
}

/* The peer answers no TLS hello, or with nonsense, or goes away. */
static void
failed_tls_is_surely_unsent(void **state)
{
	struct http_request request = plain("POST", "body");
	char https[sizeof(url) + 1];

	(void)state;
	snprintf(https, sizeof(https), "https%s", url + 4);
	request.url = https;
	request.connect_timeout_us = 200 * 1000;
	call(&request);
	expect_end(HTTP_UNSENT, "not connected in time");
	assert_int_equal(connections, 1);
	evconnlistener_disable(listener); /* nobody accepts, only the kernel */
	call(&request);
	expect_end(HTTP_UNSENT, "not connected in time");
	assert_int_equal(requests, 0);
}

static void
urls_that_are_not_for_us_are_refused(void **state)
{
	static const char *const urls[] = {"ftp://127.0.0.1/", "file:///etc",
	    "gopher://127.0.0.1/", "http://", "", "http://a:b@127.0.0.1/",
	    "http://127.0.0.1:99999/", "http://127.0.0.1/\r\nX: y"};
	struct http_request request = plain("GET", "");

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		request.url = urls[i];
		call(&request);
		expect_end(HTTP_UNSENT, "URL refused");
	}
}

static void
plain_http_is_for_loopback_and_only_where_allowed(void **state)
{
	struct http_request request = plain("GET", "");
	char unspecified[64];

	(void)state;
	request.plain_allowed = false;
	call(&request);
	expect_end(HTTP_UNSENT, "URL refused");
	request.plain_allowed = true;
	/* no loopback address, yet the kernel would connect it to the peer */
	snprintf(unspecified, sizeof(unspecified), "http://0.0.0.0%s",
	    strchr(url + 7, ':'));
	request.url = unspecified;
	request.timeout_us = SECOND_US;
	call(&request);
	expect_end(HTTP_UNSENT, "not connected");
	request.url = "http://[2001:db8::1]/"; /* for documentation */
	call(&request);
	expect_end(HTTP_UNSENT, "not connected");
	assert_int_equal(connections, 0);
}

/* ---- the life of calls ---- */

static void
cancelled_call_says_nothing_more(void **state)
{
	struct http_request request = plain("POST", "body");
	struct http_call *first, *second;

	(void)state;
	steps[0].answer = OK_HELLO;
	result.times = 0;
	first = http_client_send(client, &request, on_done, NULL);
	http_client_cancel(first); /* before it began */
	assert_int_equal(http_client_calls(client), 0);
	second = http_client_send(client, &request, on_done, NULL);
	steps[0].answer = NULL;
	pass_time(50 * 1000);
	assert_int_equal(requests, 1);
	http_client_cancel(second); /* while it waits */
	pass_time(50 * 1000);
	assert_int_equal(result.times, 0);
	assert_int_equal(http_client_calls(client), 0);
	steps[1].answer = OK_HELLO;
	call(&request);
	expect_answer(200, "hello");
}

static unsigned chain_left;
static bool chain_done;
static struct http_call *doomed;

/* Send the next from inside the callback; at the end cancel another. */
static void
on_chain(const struct http_response *response, void *arg)
{
	struct http_request request = plain("POST", "body");

	assert_int_equal(response->end, HTTP_ANSWERED);
	assert_ptr_equal(arg, &chain_left);
	if (--chain_left > 0) {
		http_client_send(client, &request, on_chain, arg);
		assert_string_equal(response->body, "hello");
		return;
	}
	http_client_cancel(doomed);
	chain_done = true;
}

static void
callbacks_may_send_and_cancel(void **state)
{
	struct http_request request = plain("POST", "body");

	(void)state;
	for (size_t i = 1; i < 6; i++)
		steps[i].answer = OK_HELLO;
	result.times = 0;
	chain_left = 5;
	chain_done = false;
	doomed = http_client_send(client, &request, on_done, NULL);
	pass_time(50 * 1000);
	http_client_send(client, &request, on_chain, &chain_left);
	loop_run_until(loop, &chain_done);
	assert_int_equal(http_client_calls(client), 0);
	assert_int_equal(result.times, 0);
	assert_int_equal(requests, 6);
	assert_int_equal(connections, 2);
}

/* ---- TLS, against openssl's own server ---- */

static void
certificates_are_verified(void **state)
{
	char directory[] = "/tmp/test_http.XXXXXX", command[512], ca[64];
	unsigned port = 20000 + (unsigned)getpid() % 20000;
	struct http_request request = plain("GET", "");
	char other[64], https[64];
	pid_t pid;

	(void)state;
	if (run_whole("command -v openssl >/dev/null") != 0)
		skip();
	assert_non_null(mkdtemp(directory));
	snprintf(command, sizeof(command),
	    "cd %s && openssl req -x509 "
	    "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
	    "-subj /CN=localhost -addext subjectAltName=DNS:localhost "
	    "-keyout key -out ca 2>/dev/null",
	    directory);
	assert_int_equal(run_whole(command), 0);
	snprintf(command, sizeof(command),
	    "cd %s && exec openssl s_server "
	    "-quiet -www -accept 127.0.0.1:%u -key key -cert ca "
	    ">/dev/null 2>&1",
	    directory, port);
	pid = run(command);
	snprintf(ca, sizeof(ca), "%s/ca", directory);
	snprintf(https, sizeof(https), "https://localhost:%u/", port);
	snprintf(other, sizeof(other), "https://127.0.0.1:%u/", port);
	request.plain_allowed = false;
	request.url = https;
	request.ca_file = ca;
	for (unsigned i = 0; i < 50; i++) {
		call(&request);
		if (result.end == HTTP_ANSWERED)
			break;
		pass_time(100 * 1000); /* until it listens */
	}
	expect_end(HTTP_ANSWERED, "");
	assert_int_equal(result.status, 200);
	request.url = other; /* a name that is not in it */
	call(&request);
	expect_end(HTTP_UNSENT, "certificate refused");
	request.url = https;
	request.ca_file = NULL; /* the system's do not vouch for it */
	call(&request);
	expect_end(HTTP_UNSENT, "certificate refused");
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(run_whole(command), 0);
}

/* The same, and requests go curl's way. */
static int
begin_by_curl(void **state)
{
	if (begin(state) != 0)
		return -1;
	by_curl = true;
	strcat(url, "#");
	return 0;
}

int
main(void)
{
#define test(name) \
	cmocka_unit_test_setup_teardown(name, begin, end), \
	{ \
#name "_by_curl", name, begin_by_curl, end, NULL \
	}
	const struct CMUnitTest tests[] = {
	    test(request_leaves_as_it_was_given),
	    test(empty_post_has_a_length_and_no_type),
	    test(large_body_leaves_without_asking),
	    test(methods_do_not_stick),
	    test(line_breaks_in_headers_are_refused),
	    test(headers_are_those_of_the_last_head),
	    test(redirect_is_an_answer),
	    cmocka_unit_test_setup_teardown(
		gzip_is_unpacked_within_the_bound, begin_by_curl, end),
	    test(answers_over_the_bound_are_too_large),
	    test(lost_request_is_never_sent_again),
	    test(lost_request_does_not_move_to_another_connection),
	    test(connection_closed_while_idle_is_replaced),
	    test(broken_answers_leave_us_unsure),
	    test(silence_leaves_us_unsure_after_the_timeout),
	    test(refused_connection_is_surely_unsent),
	    test(failed_tls_is_surely_unsent),
	    test(urls_that_are_not_for_us_are_refused),
	    test(plain_http_is_for_loopback_and_only_where_allowed),
	    test(cancelled_call_says_nothing_more),
	    test(callbacks_may_send_and_cancel),
	    test(certificates_are_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
