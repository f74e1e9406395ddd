/*
 * The host functions that a plug-in gets: what they do with odd input, and
 * Retry-After.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "flow/gateway_call.h"

#define NOW_US (784111777 * SECOND_US) /* 1994-11-06 08:49:37 UTC */
#define CHINA_S (8 * 3600)

static const struct gw_pair settings[] = {{"url", "http://x"}, {"u", ""}};
static struct gw_call call;
static const struct gw_host *host = &gateway_call_host;

static int
setup(void **state)
{
	*state = arena_create();
	gateway_call_init(&call, *state, "sms-ali", settings, COUNT(settings),
	    NOW_US, "token");
	return 0;
}

static int
teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static void
call_carries_what_it_was_given(void **state)
{
	(void)state;
	assert_ptr_equal(call.host, host);
	assert_int_equal(host->size, sizeof(*host));
	assert_string_equal(call.gateway, "sms-ali");
	assert_string_equal(call.token, "token");
	assert_string_equal(gw_setting(&call, "url"), "http://x");
	assert_string_equal(gw_setting(&call, "u"), "");
	assert_null(gw_setting(&call, "ur"));
	assert_null(gw_setting(&call, "urls"));
}

static void
no_host_function_is_missing(void **state)
{
	const unsigned char *at = (const unsigned char *)host;
	const void *function;

	(void)state;
	for (size_t i = offsetof(struct gw_host, alloc); i < sizeof(*host);
	     i += sizeof(function)) {
		memcpy(&function, at + i, sizeof(function));
		assert_non_null(function);
	}
}

static void
times_are_written_at_an_offset(void **state)
{
	static const char format[] = "%Y-%m-%dT%H:%M:%SZ";

	(void)state;
	assert_string_equal(host->time_text(&call, NOW_US + 999999, 0, format),
	    "1994-11-06T08:49:37Z");
	assert_string_equal(
	    host->time_text(&call, NOW_US, CHINA_S, "%Y%m%d%H"), "1994110616");
	assert_string_equal(
	    host->time_text(&call, -1, 0, format), "1969-12-31T23:59:59Z");
}

static void
times_are_read_strictly(void **state)
{
	static const char *const bad[] = {"", "1994-11-06", "soon",
	    "1994-11-06 16:49:3", "1994-11-06 16:49:370", "1994-11-06T16:49:37",
	    " 994-11-06 16:49:37", "1994-11-06 16:49:60", "1994-11-06 24:49:37",
	    "1994-13-06 16:49:37", "1994-11-31 16:49:37", "1994-00-06 16:49:37",
	    "2026-02-29 08:30:05", "1994-11-06 16:49:+7"};
	int64_t at = 0;

	(void)state;
	assert_true(
	    host->time_parse(&call, "1994-11-06 16:49:37", CHINA_S, &at));
	assert_int_equal(at, NOW_US);
	assert_true(host->time_parse(&call, "2024-02-29 00:00:00", 0, &at));
	assert_false(host->time_parse(&call, NULL, 0, &at));
	for (size_t i = 0; i < COUNT(bad); i++)
		if (host->time_parse(&call, bad[i], CHINA_S, &at))
			fail_msg("taken: %s", bad[i]);
}

static const struct gw_json *
parse(const char *text)
{
	return host->json_parse(&call, text, strlen(text));
}

static void
json_readers_take_anything(void **state)
{
	const struct gw_json *value = parse(
	    "{\"a\":[1.50,\"\\u4e2d\\n\",true,false,null,{}],\"b\":{\"c\":7}}");
	const struct gw_json *list = host->json_get(value, "a");

	(void)state;
	assert_int_equal(host->json_count(value), 2);
	assert_int_equal(host->json_count(list), 6);
	assert_string_equal(host->json_text(host->json_at(list, 0)), "1.50");
	assert_string_equal(host->json_text(host->json_at(list, 1)), "中\n");
	assert_string_equal(host->json_text(host->json_at(list, 2)), "true");
	assert_string_equal(host->json_text(host->json_at(list, 3)), "false");
	assert_null(host->json_text(host->json_at(list, 4)));
	assert_null(host->json_text(host->json_at(list, 5)));
	assert_null(host->json_at(list, 6));
	assert_null(host->json_at(list, SIZE_MAX));
	assert_null(host->json_at(NULL, 0));
	assert_null(host->json_get(list, "a"));
	assert_null(host->json_get(NULL, "a"));
	assert_null(host->json_text(NULL));
	assert_int_equal(host->json_count(NULL), 0);
	assert_int_equal(host->json_count(host->json_at(list, 1)), 0);
}

static void
json_types_are_told_apart(void **state)
{
	static const enum gw_json_type types[] = {GW_JSON_NUMBER,
	    GW_JSON_STRING, GW_JSON_BOOLEAN, GW_JSON_BOOLEAN, GW_JSON_NULL,
	    GW_JSON_ARRAY, GW_JSON_OBJECT};
	const struct gw_json *list = parse("[1,\"\",true,false,null,[],{}]");

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++)
		assert_int_equal(
		    host->json_type(host->json_at(list, i)), types[i]);
	assert_int_equal(host->json_type(NULL), GW_JSON_NONE);
	assert_null(parse("{\"a\":1,\"a\":2}"));
	assert_null(parse("[1"));
}

static void
buffers_grow(void **state)
{
	struct gw_buf *buf = host->buf(&call);

	(void)state;
	assert_string_equal(host->buf_string(buf), "");
	for (int i = 0; i < 100000; i++)
		host->buf_text(buf, "0123456789");
	host->buf_add(buf, "\0x", 2);
	host->buf_add(buf, NULL, 0);
	assert_int_equal(host->buf_bytes(buf), 1000002);
	assert_int_equal(strlen(host->buf_string(buf)), 1000000);
	assert_memory_equal(
	    host->buf_string(buf) + 999990, "0123456789\0x", 13);
	buf = host->buf(&call);
	host->buf_json(buf, "a\"b\\\n中");
	assert_string_equal(host->buf_string(buf), "\"a\\\"b\\\\\\n中\"");
}

static void
texts_of_any_length_are_formatted(void **state)
{
	char *text = host->format(&call, "%05000d%s", 7, "x");

	(void)state;
	assert_int_equal(strlen(text), 5001);
	assert_string_equal(text + 4998, "07x");
}

static void
encodings_and_their_inverse(void **state)
{
	uint8_t *out = NULL;

	(void)state;
	assert_string_equal(host->hex(&call, "\x00\xff", 2), "00ff");
	assert_string_equal(host->base64(&call, "\x00\xff\x10", 3), "AP8Q");
	assert_string_equal(
	    host->percent(&call, "a b*~/中"), "a%20b%2A~%2F%E4%B8%AD");
	assert_int_equal(host->base64_decode(&call, "AP8Q", &out), 3);
	assert_memory_equal(out, "\x00\xff\x10", 3);
	assert_int_equal(host->base64_decode(&call, "", &out), 0);
	assert_int_equal(host->base64_decode(&call, "AP8", &out), -1);
	assert_int_equal(host->base64_decode(&call, "A?8Q", &out), -1);
	assert_true(host->equal(&call, "abc", "abd", 2));
	assert_false(host->equal(&call, "abc", "abd", 3));
}

static int32_t
retry_after(const char *value)
{
	const struct gw_pair headers[] = {
	    {"content-type", "9"}, {"retry-after", value}};
	const struct gw_response response = {
	    .headers = headers, .header_count = value != NULL ? 2 : 1};

	return gateway_call_retry_after_s(&response, NOW_US);
}

static void
retry_after_is_seconds_or_a_date(void **state)
{
	(void)state;
	assert_int_equal(retry_after("120"), 120);
	assert_int_equal(retry_after("0"), 0);
	assert_int_equal(retry_after("Sun, 06 Nov 1994 08:50:37 GMT"), 60);
}

static void
retry_after_is_at_most_an_hour(void **state)
{
	(void)state;
	assert_int_equal(retry_after("315360000"), 3600);
	assert_int_equal(retry_after("99999999999999999999999"), 3600);
	assert_int_equal(retry_after("Fri, 06 Nov 2004 08:49:37 GMT"), 3600);
}

static void
retry_after_that_cannot_be_used_is_none(void **state)
{
	static const char *const bad[] = {"", "-5", "soon", "1.5", "12 3",
	    "Sun, 06 Nov 1994 08:48:37 GMT", "Sun, 06 Nov 1994 08:50:37 GMTx",
	    "Sun, 06 Nov 1994"};

	(void)state;
	assert_int_equal(retry_after(NULL), 0);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(retry_after(bad[i]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(call_carries_what_it_was_given),
	    cmocka_unit_test(no_host_function_is_missing),
	    cmocka_unit_test(times_are_written_at_an_offset),
	    cmocka_unit_test(times_are_read_strictly),
	    cmocka_unit_test(json_readers_take_anything),
	    cmocka_unit_test(json_types_are_told_apart),
	    cmocka_unit_test(buffers_grow),
	    cmocka_unit_test(texts_of_any_length_are_formatted),
	    cmocka_unit_test(encodings_and_their_inverse),
	    cmocka_unit_test(retry_after_is_seconds_or_a_date),
	    cmocka_unit_test(retry_after_is_at_most_an_hour),
	    cmocka_unit_test(retry_after_that_cannot_be_used_is_none),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
