/*
 * JSON: what must be refused, each with its reason and line; what must be
 * accepted; numbers; the writer and the way back; hostile sizes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "base/json.h"

static struct json_error error;

/* Parse a copy that ends where the text ends, so that ASan sees a step over. */
static const struct json *
parse_bytes(const char *text, size_t bytes, const struct json_limits *limits)
{
	char *copy = malloc(bytes > 0 ? bytes : 1);
	const struct json *value;

	assert_non_null(copy);
	memcpy(copy, text, bytes);
	value = json_parse(copy, bytes, limits, arena, &error);
	free(copy);
	return value;
}

static const struct json *
parse(const char *text)
{
	return parse_bytes(text, strlen(text), NULL);
}

/* ---- refused ---- */

#define LITERAL(text) (text), sizeof(text) - 1

static const struct refused {
	const char *text;
	size_t bytes;
	const char *reason;
	int line;
	size_t offset;
} refused[] = {
    /* what jsmn takes, also in strict mode */
    {LITERAL("[1 2]"), "comma or closing bracket expected", 1, 3},
    {LITERAL("{\"a\":1,}"), "key expected", 1, 7},
    {LITERAL("[1,,2]"), "value expected", 1, 3},
    {LITERAL("[1,]"), "value expected", 1, 3},
    {LITERAL("[,1]"), "value expected", 1, 1},
    {LITERAL("{,}"), "key expected", 1, 1},
    {LITERAL("[tru]"), "bad literal", 1, 1},
    {LITERAL("[01]"), "bad literal", 1, 1},
    {LITERAL("[-]"), "bad literal", 1, 1},
    {LITERAL("{\"a\":}"), "value expected", 1, 5},
    {LITERAL("{\"a\" \"b\"}"), "unexpected string", 1, 5},
    {LITERAL("{}{}"), "text after the value", 1, 2},
    {LITERAL(":,:{}"), "value expected", 1, 0},
    {LITERAL("{\"a\":1,\n\"b\":2,\n\"a\":3}"), "duplicate key", 3, 16},
    {LITERAL("[\"a\nb\"]"), "control character in a string", 1, 3},
    {LITERAL("[\"a\tb\"]"), "control character in a string", 1, 3},
    {LITERAL("[\n\"\\ud800\"]"), "escaped NUL or lone surrogate", 2, 3},
    {LITERAL("[\"\\udc00\"]"), "escaped NUL or lone surrogate", 1, 2},
    {LITERAL("[\"\\ud800\\u0041\"]"), "escaped NUL or lone surrogate", 1, 2},
    {LITERAL("[\"\\ud83dx\\ude00\"]"), "escaped NUL or lone surrogate", 1, 2},
    {LITERAL("[\"\\ud83d\\\\ude00\"]"), "escaped NUL or lone surrogate", 1, 2},
    {LITERAL("[\"\\u0000\"]"), "escaped NUL or lone surrogate", 1, 2},
    {LITERAL("[\"\xff\"]"), "bad UTF-8", 1, 2},
    {LITERAL("[\"\xc0\xaf\"]"), "bad UTF-8", 1, 2},
    {LITERAL("[\"\xe0\x80\xaf\"]"), "bad UTF-8", 1, 2},
    {LITERAL("[\"\xed\xa0\x80\"]"), "bad UTF-8", 1, 2},
    {LITERAL("[\"\xf4\x90\x80\x80\"]"), "bad UTF-8", 1, 2},
    {LITERAL("[\"\xe4\xb8\"]"), "bad UTF-8", 1, 2},
    {LITERAL("\"\xe4\xb8"), "bad UTF-8", 1, 1},
    {LITERAL("[\"a\0b\"]"), "NUL byte", 1, 3},
    {LITERAL("{}\0{"), "NUL byte", 1, 2},
    {LITERAL(""), "empty text", 1, 0},
    {LITERAL(" \n\t "), "empty text", 2, 4},
    /* brackets */
    {LITERAL("[1}"), "unexpected bracket", 1, 2},
    {LITERAL("{\"a\":[1}]"), "unexpected bracket", 1, 7},
    {LITERAL("]"), "unexpected bracket", 1, 0},
    {LITERAL("[]]"), "unexpected bracket", 1, 2},
    {LITERAL("\n["), "unexpected end", 2, 2},
    {LITERAL("{\"a\":1"), "unexpected end", 1, 6},
    {LITERAL("{\"a\":{}"), "unexpected end", 1, 7},
    /* strings and keys */
    {LITERAL("\"abc"), "unexpected end", 1, 4},
    {LITERAL("\"abc\\"), "unexpected end", 1, 5},
    {LITERAL("\"abc\\\""), "unexpected end", 1, 6},
    {LITERAL("[\"\\u12\"]"), "bad escape", 1, 1},
    {LITERAL("[\"\\u12G4\"]"), "bad escape", 1, 1},
    {LITERAL("[\"\\x41\"]"), "bad escape", 1, 1},
    {LITERAL("[\"\\'\"]"), "bad escape", 1, 1},
    {LITERAL("['a']"), "bad literal", 1, 1},
    {LITERAL("{a:1}"), "key expected", 1, 1},
    {LITERAL("{1:1}"), "key expected", 1, 1},
    {LITERAL("{null:1}"), "key expected", 1, 1},
    {LITERAL("{[]:1}"), "key expected", 1, 1},
    {LITERAL("{\"a\"}"), "colon expected", 1, 4},
    {LITERAL("{\"a\",\"b\"}"), "colon expected", 1, 4},
    {LITERAL("{\"a\"::1}"), "value expected", 1, 5},
    {LITERAL("{\"a\":1:2}"), "comma or closing bracket expected", 1, 6},
    {LITERAL("{\"a\":1 \"b\":2}"), "unexpected string", 1, 7},
    {LITERAL("[\"a\":1]"), "comma or closing bracket expected", 1, 4},
    {LITERAL("[\"a\"\"b\"]"), "unexpected string", 1, 4},
    {LITERAL("[1\"a\"]"), "unexpected string", 1, 2},
    {LITERAL("[1[2]]"), "unexpected bracket", 1, 5},
    {LITERAL("[[1][2]]"), "comma or closing bracket expected", 1, 4},
    {LITERAL("{\"a\":1}}"), "unexpected bracket", 1, 7},
    {LITERAL("{\"\":1,\"\":2}"), "duplicate key", 1, 7},
    /* the same key, once escaped */
    {LITERAL("{\"a\":1,\"\\u0061\":2}"), "duplicate key", 1, 8},
    {LITERAL("[{\"a\":{\"b\":1,\"b\":2}}]"), "duplicate key", 1, 14},
    /* numbers and literals */
    {LITERAL("-"), "bad literal", 1, 0},
    {LITERAL("+1"), "bad literal", 1, 0},
    {LITERAL("-01"), "bad literal", 1, 0},
    {LITERAL("00"), "bad literal", 1, 0},
    {LITERAL("1."), "bad literal", 1, 0},
    {LITERAL(".5"), "bad literal", 1, 0},
    {LITERAL("1.e5"), "bad literal", 1, 0},
    {LITERAL("1e"), "bad literal", 1, 0},
    {LITERAL("1e+"), "bad literal", 1, 0},
    {LITERAL("1E5.5"), "bad literal", 1, 0},
    {LITERAL("0x10"), "bad literal", 1, 0},
    {LITERAL("--1"), "bad literal", 1, 0},
    {LITERAL("NaN"), "bad literal", 1, 0},
    {LITERAL("Infinity"), "bad literal", 1, 0},
    {LITERAL("nul"), "bad literal", 1, 0},
    {LITERAL("nulll"), "bad literal", 1, 0},
    {LITERAL("True"), "bad literal", 1, 0},
    {LITERAL("1 2"), "text after the value", 1, 2},
    {LITERAL("1:2"), "text after the value", 1, 1},
    {LITERAL("1,"), "text after the value", 1, 1},
    {LITERAL("// no\n1"), "bad literal", 1, 0},
    {LITERAL("[1]\n/* no */"), "text after the value", 2, 4},
    {LITERAL("[\f1]"), "bad literal", 1, 1},
    {LITERAL("[\x7f]"), "bad literal", 1, 1},
    {LITERAL("[\xc2\xa0]"), "bad literal", 1, 1},
    {LITERAL("\xef\xbb\xbf{}"), "byte order mark", 1, 0},
};

static void
nonsense_is_refused_with_reason_and_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		const struct refused *row = &refused[i];

		error = (struct json_error){"", 0, 0};
		if (parse_bytes(row->text, row->bytes, NULL) != NULL)
			fail_msg("taken: %s", row->text);
		if (strcmp(error.reason, row->reason) != 0 ||
		    error.line != row->line || error.offset != row->offset)
			fail_msg("%s: \"%s\" line %d offset %zu", row->text,
			    error.reason, error.line, error.offset);
	}
}

/* ---- accepted ---- */

static const struct {
	const char *text;
	const char *written; /* NULL: the same */
} accepted[] = {
    {"{}", NULL},
    {"[]", NULL},
    {" [ ] ", "[]"},
    {"\r\n\t{ \"a\" : [ 1 , 2 ] }\n", "{\"a\":[1,2]}"},
    {"null", NULL},
    {"true", NULL},
    {"false", NULL},
    {"\"\"", NULL},
    {"0", NULL},
    {"-0", NULL},
    {"5 ", "5"},
    {"-12.50e+07", NULL},
    {"0.1E-2", NULL},
    {"123456789012345678901234567890", NULL},
    {"[null,true,false,[],{},\"x\",-1.5]", NULL},
    {"{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":2}}", NULL},
    {"[{\"a\":1},{\"a\":1}]", NULL},
    {"{\"\":\"\"}", NULL},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"\"\\u0001\\u001F\"", "\"\\u0001\\u001f\""},
    {"\"\\u7528\\u836F\"", "\"\xe7\x94\xa8\xe8\x8d\xaf\""},
    {"\"\\uD83D\\uDe00\"", "\"\xf0\x9f\x98\x80\""},
    {"\"\\udbff\\udfff\"", "\"\xf4\x8f\xbf\xbf\""},
    {"\"\xe7\x94\xa8\xe8\x8d\xaf\x7f\xef\xbf\xbf\"", NULL},
    {"\"[[[[{{{{::::,,,,\"", NULL},
    {"{\"\\u0061\":1,\"A\":2}", "{\"a\":1,\"A\":2}"},
};

static void
what_is_json_survives_the_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++) {
		const char *text = accepted[i].text;
		const struct json *value = parse(text);
		struct buf buf = BUF_INIT(0);
		struct json_writer writer;

		if (value == NULL)
			fail_msg("%s: %s", text, error.reason);
		json_write_init(&writer, &buf);
		json_write_tree(&writer, value);
		assert_int_equal(writer.depth, 0);
		assert_string_equal(buf_string(&buf),
		    accepted[i].written != NULL ? accepted[i].written : text);
		buf_free(&buf);
	}
}

static void
tree_can_be_walked(void **state)
{
	const struct json *root =
	    parse("{\"id\":\"p1\",\"list\":[10,\"x\",null],\"no\":false}");
	const struct json *list = json_get(root, "list");
	int64_t value;
	int count = 0;

	(void)state;
	assert_non_null(root);
	assert_int_equal(root->count, 3);
	assert_null(root->key);
	assert_string_equal(json_get_text(root, "id"), "p1");
	assert_int_equal(json_get(root, "id")->bytes, 2);
	assert_string_equal(list->key, "list");
	assert_int_equal(list->count, 3);
	assert_true(json_i64(json_at(list, 0), &value));
	assert_int_equal(value, 10);
	assert_string_equal(json_text(json_at(list, 1)), "x");
	assert_true(json_is(json_at(list, 2), JSON_NULL));
	assert_null(json_at(list, 3));
	assert_null(json_at(list, UINT32_MAX));
	json_each (item, root)
		count++;
	assert_int_equal(count, 3);
}

static void
nothing_is_found_in_nothing(void **state)
{
	const struct json *number = parse("[1]")->child;
	int64_t value;
	int count = 0;

	(void)state;
	assert_null(json_get(NULL, "a"));
	assert_null(json_get(number, "a"));
	assert_null(json_get(parse("{\"a\":1}"), "b"));
	assert_null(json_at(NULL, 0));
	assert_null(json_at(number, 0));
	assert_null(json_at(parse("{\"a\":1}"), 0));
	assert_null(json_text(NULL));
	assert_null(json_text(number));
	assert_null(json_get_text(NULL, "a"));
	assert_false(json_is(NULL, JSON_NULL));
	assert_false(json_i64(NULL, &value));
	assert_false(json_micro(NULL, &value));
	assert_false(json_i64(parse("\"1\""), &value));
	assert_false(json_micro(parse("\"1\""), &value));
	json_each (item, (const struct json *)NULL)
		count++;
	assert_int_equal(count, 0);
}

/* ---- numbers ---- */

static const struct {
	const char *text;
	bool is_integer;
	int64_t integer;
	bool is_micro;
	int64_t micro;
} numbers[] = {
    {"0", true, 0, true, 0},
    {"-0", true, 0, true, 0},
    {"7", true, 7, true, 7000000},
    {"-7", true, -7, true, -7000000},
    {"9223372036854775807", true, INT64_MAX, false, 0},
    {"9223372036854775808", false, 0, false, 0},
    {"-9223372036854775808", true, INT64_MIN, false, 0},
    {"-9223372036854775809", false, 0, false, 0},
    {"18446744073709551616", false, 0, false, 0},
    {"1.50", false, 0, true, 1500000},
    {"1.0", false, 0, true, 1000000},
    {"-0.000001", false, 0, true, -1},
    {"0.0000001", false, 0, false, 0},
    {"0.1000000000000000000000000000000", false, 0, true, 100000},
    {"0.0000000000000000000000000000000", false, 0, true, 0},
    {"1.0000005", false, 0, false, 0},
    {"1e3", false, 0, true, 1000000000},
    {"1E+3", false, 0, true, 1000000000},
    {"1.5e-2", false, 0, true, 15000},
    {"1e-6", false, 0, true, 1},
    {"1e-7", false, 0, false, 0},
    {"10e-7", false, 0, true, 1},
    {"100000000000000000000000e-24", false, 0, true, 100000},
    {"0.000000000000000000000001e24", false, 0, true, 1000000},
    {"0e999999999999999999999", false, 0, true, 0},
    {"1e999999999999999999999", false, 0, false, 0},
    {"1e-999999999999999999999", false, 0, false, 0},
    {"9223372036854.775807", false, 0, true, INT64_MAX},
    {"9223372036854.775808", false, 0, false, 0},
    {"-9223372036854.775808", false, 0, true, INT64_MIN},
    {"1002003.0405", false, 0, true, 1002003040500},
};

static void
numbers_are_exact_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		const struct json *number = parse(numbers[i].text);
		int64_t integer = 0, micro = 0;
		bool is_integer, is_micro;

		assert_non_null(number);
		is_integer = json_i64(number, &integer);
		is_micro = json_micro(number, &micro);
		if (is_integer != numbers[i].is_integer ||
		    is_micro != numbers[i].is_micro)
			fail_msg("%s: integer %d, micro %d", numbers[i].text,
			    is_integer, is_micro);
		if (integer != numbers[i].integer || micro != numbers[i].micro)
			fail_msg("%s: %" PRId64 ", %" PRId64, numbers[i].text,
			    integer, micro);
	}
}

/* ---- writer ---- */

static void
writer_puts_commas_and_escapes(void **state)
{
	struct buf buf = BUF_INIT(0);
	struct json_writer writer;

	(void)state;
	json_write_init(&writer, &buf);
	json_write_object(&writer);
	json_write_member(&writer, "a\"", "\\\x01\n");
	json_write_member(&writer, "none", NULL);
	json_write_key(&writer, "list");
	json_write_array(&writer);
	json_write_i64(&writer, INT64_MIN);
	json_write_bool(&writer, true);
	json_write_bool(&writer, false);
	json_write_null(&writer);
	json_write_array(&writer);
	json_write_end_array(&writer);
	json_write_object(&writer);
	json_write_end_object(&writer);
	json_write_raw(&writer, "{\"x\":1}");
	json_write_end_array(&writer);
	json_write_key(&writer, "last");
	json_write_text(&writer, "");
	json_write_end_object(&writer);
	assert_int_equal(writer.depth, 0);
	assert_string_equal(buf_string(&buf),
	    "{\"a\\\"\":\"\\\\\\u0001\\n\",\"none\":null,"
	    "\"list\":[-9223372036854775808,true,false,null,[],{},{\"x\":1}],"
	    "\"last\":\"\"}");
	buf_free(&buf);
}

static void
writer_replaces_bad_utf8(void **state)
{
	struct buf buf = BUF_INIT(0);
	struct json_writer writer;

	(void)state;
	json_write_init(&writer, &buf);
	json_write_text(&writer, "a\xff\xe4\xb8z\xed\xa0\x80\xe7\x94\xa8\xe4");
	assert_string_equal(buf_string(&buf),
	    "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz"
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe7\x94\xa8\xef\xbf\xbd\"");
	assert_non_null(parse(buf_string(&buf)));
	buf_free(&buf);
}

/* ---- limits and hostile sizes ---- */

static void
limits_hold_to_the_one(void **state)
{
	struct json_limits limits = {
	    .bytes_max = 20, .depth_max = 3, .values_max = 5};

	(void)state;
	assert_non_null(parse_bytes(LITERAL("[1,2,           3  ]"), &limits));
	assert_null(parse_bytes(LITERAL("[1,2,           3   ]"), &limits));
	assert_string_equal(error.reason, "too long");
	assert_non_null(parse_bytes(LITERAL("[[{\"a\":1}]]"), &limits));
	assert_null(parse_bytes(LITERAL("[[{\"a\":[]}]]"), &limits));
	assert_string_equal(error.reason, "nested too deeply");
	assert_non_null(parse_bytes(LITERAL("{\"a\":1,\"b\":[2,3]}"), &limits));
	assert_null(parse_bytes(LITERAL("[1,2,3,4,5]"), &limits));
	assert_string_equal(error.reason, "too many values");
}

static void
depth_is_sixteen_unless_said(void **state)
{
	(void)state;
	assert_non_null(parse("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"));
	assert_null(parse("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"));
	assert_string_equal(error.reason, "nested too deeply");
	assert_int_equal(error.offset, 16);
}

#define HOSTILE_BYTES ((size_t)1 << 20)

/* Fill a buffer with a piece, after a start and before an end. */
static void
repeat(struct buf *buf, const char *start, const char *piece, const char *end)
{
	buf_clear(buf);
	buf_text(buf, start);
	while (buf->bytes + strlen(piece) + strlen(end) < HOSTILE_BYTES)
		buf_text(buf, piece);
	buf_text(buf, end);
}

static void
hostile_texts_cost_linear_time(void **state)
{
	static const char *const texts[][3] = {{"", "[", ""},
	    {"[", "[],", "0]"}, {"[", "{},", "{}]"}, {"", "{\"a\":", ""},
	    {"", "\"a\":", "1"}, {"[", "1:", "]"},
	    {"[[[[[[[[[[[[[[[[", "1:", "]]]]]]]]]]]]]]]]"},
	    {"[[[[[[[[[", "\"a\":", "],[],[],[],[],[]]]]]]]]]]"},
	    {"[", "1,", "1]"}, {"", "1", ""}, {"[", ",", "]"}, {"1e", "9", ""},
	    {"\"", "\\u0061", "\""}, {"\"", "\\", "\""},
	    {"[\"", "\",\"", "\"]"}, {"", "\n", "x"}};
	struct json_limits limits = {
	    .bytes_max = HOSTILE_BYTES, .values_max = HOSTILE_BYTES};
	struct buf buf = BUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		clock_t started = clock(), took;
		const struct json *value;
		int64_t number;

		repeat(&buf, texts[i][0], texts[i][1], texts[i][2]);
		value = parse_bytes(buf_string(&buf), buf.bytes, &limits);
		if (json_is(value, JSON_NUMBER))
			assert_false(json_micro(value, &number));
		took = clock() - started;
		/* linear is a tenth of a second, quadratic minutes */
		if (took > 5 * CLOCKS_PER_SEC)
			fail_msg("\"%s\" took %ld s", texts[i][1],
			    (long)(took / CLOCKS_PER_SEC));
		arena_reset(arena);
	}
	buf_free(&buf);
}

static void
many_keys_are_compared_quickly(void **state)
{
	struct json_limits limits = {.bytes_max = 4 * HOSTILE_BYTES};
	struct buf buf = BUF_INIT(0);
	clock_t started = clock();

	(void)state;
	buf_char(&buf, '{');
	for (int i = 0; i < 100000; i++)
		buf_printf(&buf, "\"a-long-common-beginning-%d\":%d,\n", i, i);
	buf_text(&buf, "\"last\":0}");
	assert_non_null(parse_bytes(buf.data, buf.bytes, &limits));
	buf.data[buf.bytes - 1] = ',';
	buf_text(&buf, "\n\"a-long-common-beginning-5\":0}");
	assert_null(parse_bytes(buf.data, buf.bytes, &limits));
	assert_string_equal(error.reason, "duplicate key");
	assert_int_equal(error.line, 100002);
	assert_true(clock() - started < 5 * CLOCKS_PER_SEC);
	buf_free(&buf);
}

/* jsmn would need minutes to close all of them. */
static void
deep_nesting_is_refused_at_once(void **state)
{
	static char text[HOSTILE_BYTES];
	clock_t started = clock();

	(void)state;
	memset(text, '[', sizeof(text) / 2);
	memset(text + sizeof(text) / 2, ']', sizeof(text) / 2);
	assert_null(parse_bytes(text, sizeof(text), NULL));
	assert_string_equal(error.reason, "nested too deeply");
	assert_true(clock() - started < CLOCKS_PER_SEC);
}

int
main(void)
{
#define json_test(name) \
	cmocka_unit_test_setup_teardown(name, arena_set_up, arena_tear_down)
	const struct CMUnitTest tests[] = {
	    json_test(nonsense_is_refused_with_reason_and_line),
	    json_test(what_is_json_survives_the_round_trip),
	    json_test(tree_can_be_walked),
	    json_test(nothing_is_found_in_nothing),
	    json_test(numbers_are_exact_or_refused),
	    json_test(writer_puts_commas_and_escapes),
	    json_test(writer_replaces_bad_utf8),
	    json_test(limits_hold_to_the_one),
	    json_test(depth_is_sixteen_unless_said),
	    json_test(hostile_texts_cost_linear_time),
	    json_test(deep_nesting_is_refused_at_once),
	    json_test(many_keys_are_compared_quickly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
