/*
 * Which requests are ordinary, and their bytes.  Witness: RFC 9112 3.2 (Host
 * is the target's authority, once) and 6.2; RFC 9110 4.2.1 (the usual port is
 * left out).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http_wire.h"

static struct http_request
post(const char *url, const struct http_header *headers, size_t count)
{
	return (struct http_request){.method = "POST",
	    .url = url,
	    .headers = headers,
	    .header_count = count,
	    .body = "a=b",
	    .body_bytes = 3};
}

static void
what_is_ordinary(void **state)
{
	static const struct {
		struct http_header header;
		bool ordinary;
	} cases[] = {
	    {{"host", "sms.example"}, true},
	    {{"Host", "sms.example"}, true},
	    {{"Host", "sms.example:443"}, false},
	    {{"Host", "other.example"}, false},
	    {{"Host", ""}, false},
	    {{"Accept", "application/json"}, true},
	    {{"User-Agent", "one"}, true},
	    {{"X-A", "b"}, true},
	    {{"Content-Length", "4"}, false},
	    {{"Transfer-Encoding", "chunked"}, false},
	    {{"Connection", "close"}, false},
	    {{"Expect", "100-continue"}, false},
	    {{"X-A", "b\r\nHost: c"}, false},
	    {{"X A", "b"}, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_request request =
		    post("https://sms.example/", &cases[i].header, 1);
		struct http_place place;

		if (http_wire_ordinary(&request, &place) != cases[i].ordinary)
			fail_msg("%s: %s", cases[i].header.name,
			    cases[i].header.value);
	}
}

static void
each_header_is_said_once(void **state)
{
	static const struct http_header headers[] = {
	    {"host", "sms.example"},
	    {"accept", "application/json"},
	    {"user-agent", "one"},
	    {"x-empty", ""},
	};
	struct http_request request =
	    post("https://sms.example:443/?x=1", headers, COUNT(headers));
	struct buf out = BUF_INIT(1000);
	struct http_place place;

	(void)state;
	assert_true(http_wire_ordinary(&request, &place));
	http_wire_write(&request, &place, &out);
	assert_string_equal(buf_string(&out),
	    "POST /?x=1 HTTP/1.1\r\nHost: sms.example\r\n"
	    "accept: application/json\r\nuser-agent: one\r\nx-empty:\r\n"
	    "Content-Length: 3\r\n\r\na=b");
	buf_clear(&out);
	request = post("https://sms.example", NULL, 0);
	assert_true(http_wire_ordinary(&request, &place));
	http_wire_write(&request, &place, &out);
	assert_string_equal(buf_string(&out),
	    "POST / HTTP/1.1\r\nHost: sms.example\r\n"
	    "User-Agent: adherd/" ADHERD_VERSION "\r\nAccept: */*\r\n"
	    "Content-Length: 3\r\n\r\na=b");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_ordinary),
	    cmocka_unit_test(each_header_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
