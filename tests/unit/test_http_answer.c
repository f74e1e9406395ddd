/*
 * Answers as the reader takes them: whole, a byte at a time, and cut in two
 * at every place; the verdict is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http_answer.h"

#define BODY_BYTES_MAX 100

struct row {
	const char *bytes; /* then the connection ends */
	enum http_answered result;
	int status;
	const char *body;
	const char *x; /* the value of header x; NULL: none */
	bool lasting;
	size_t left; /* bytes behind the answer */
};

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static const struct row good[] = {
    {OK "Content-Length: 5\r\n\r\nhello", 1, 200, "hello", NULL, true, 0},
    {OK "content-LENGTH:5\r\nX: \t a b\t \r\n\r\nhello", 1, 200, "hello", "a b",
	true, 0},
    {OK "Content-Length: 5\r\nContent-Length: 05\r\n\r\nhello", 1, 200, "hello",
	NULL, true, 0},
    {OK "X:\r\nContent-Length: 0\r\n\r\n", 1, 200, "", "", true, 0},
    {"HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n", 1, 299, "", NULL, true, 0},
    {"HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\na", 1, 404, "a", NULL, true, 0},
    {OK "Connection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", 1, 200, "", NULL,
	true, 0},
    {OK "Content-Encoding: identity\r\nContent-Length: 1\r\n\r\na", 1, 200, "a",
	NULL, true, 0},
    {OK "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", 1, 200, "", NULL,
	true, 0},
    /* the connection does not last */
    {OK "Connection: close\r\nContent-Length: 1\r\n\r\na", 1, 200, "a", NULL,
	false, 0},
    {OK "Connection: keep-alive\r\nConnection: close\r\n"
	"Content-Length: 1\r\n\r\na",
	1, 200, "a", NULL, false, 0},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
	1, 200, "a", NULL, false, 0},
    {OK "\r\nhello", 1, 200, "hello", NULL, false, 0},
    {"HTTP/1.0 200 OK\r\n\r\n", 1, 200, "", NULL, false, 0},
    /* chunks */
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", 1, 200, "hello", NULL, true, 0},
    {CHUNKED "2\r\nhe\r\n03 ;a=\"b\"\r\nllo\r\n000;c\r\nX: y\r\nZ:\r\n\r\n", 1,
	200, "hello", NULL, true, 0},
    {CHUNKED "A\r\n0\r\n\r\n12345\r\n0\r\n\r\n", 1, 200, "0\r\n\r\n12345", NULL,
	true, 0},
    {OK "Content-Length: 7\r\nTransfer-Encoding: Chunked\r\n\r\n"
	"1\r\na\r\n0\r\n\r\n",
	1, 200, "a", NULL, false, 0},
    /* no body */
    {"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", 1, 204, "", "y", true, 0},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 1, 304, "", NULL,
	true, 0},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab", 1, 204, "", NULL,
	false, 2},
    /* interim answers */
    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\na", 1, 200,
	"a", NULL, true, 0},
    {"HTTP/1.1 103 Early Hints\r\nX: y\r\nContent-Length: 9\r\n"
     "Connection: close\r\n\r\n" OK "Content-Length: 1\r\n\r\na",
	1, 200, "a", NULL, true, 0},
    /* what follows */
    {OK "Content-Length: 1\r\n\r\nab", 1, 200, "a", NULL, true, 1},
    {CHUNKED "0\r\n\r\n" OK, 1, 200, "", NULL, true, 17},
};

#define BAD HTTP_ANSWER_BAD
#define CUT HTTP_ANSWER_CUT
#define LARGE HTTP_ANSWER_TOO_LARGE

static const struct {
	const char *bytes;
	enum http_answered result;
} broken[] = {
    {"", HTTP_ANSWER_NONE},
    {"hello", BAD},
    {"hello\r\n", BAD},
    {"\r\n" OK "\r\n", BAD},
    {"SSH-2.0-OpenSSH_9.2\r\n", BAD},
    {"HTTP/1.2 200 OK\r\n\r\n", BAD},
    {"HTTP/2 200\r\n\r\n", BAD},
    {"http/1.1 200 OK\r\n\r\n", BAD},
    {"HTTP/1.1 2000 OK\r\n\r\n", BAD},
    {"HTTP/1.1 20 OK\r\n\r\n", BAD},
    {"HTTP/1.1  200 OK\r\n\r\n", BAD},
    {"HTTP/1.1 099 OK\r\n\r\n", BAD},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", BAD},
    /* lines and fields */
    {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", BAD},
    {OK "Content-Length: 0\n\r\n", BAD},
    {OK "X: a\rb\r\nContent-Length: 0\r\n\r\n", BAD},
    {OK "X: a\x01\r\nContent-Length: 0\r\n\r\n", BAD},
    {OK "X: a\r\n folded\r\nContent-Length: 0\r\n\r\n", BAD},
    {OK "X : a\r\nContent-Length: 0\r\n\r\n", BAD},
    {OK " X: a\r\nContent-Length: 0\r\n\r\n", BAD},
    {OK ": a\r\nContent-Length: 0\r\n\r\n", BAD},
    {OK "X\r\nContent-Length: 0\r\n\r\n", BAD},
    {OK "X(: a\r\nContent-Length: 0\r\n\r\n", BAD},
    /* lengths */
    {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", BAD},
    {OK "Content-Length: 5, 5\r\n\r\nhello", BAD},
    {OK "Content-Length: +5\r\n\r\nhello", BAD},
    {OK "Content-Length: 5a\r\n\r\nhello", BAD},
    {OK "Content-Length:\r\n\r\nhello", BAD},
    {OK "Content-Length: -1\r\n\r\nhello", BAD},
    {OK "Content-Length: 101\r\n\r\n", LARGE},
    {OK "Content-Length: 18446744073709551617\r\n\r\na", LARGE},
    {OK "Content-Length: 6\r\n\r\nhello", CUT},
    {OK "Content-Length: 0\r\n", CUT},
    {"HTTP/1.1 100 Continue\r\n\r\n", CUT},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP", CUT},
    /* chunks */
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD},
    {OK "Transfer-Encoding: identity\r\n\r\n", BAD},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
	"\r\n0\r\n\r\n",
	BAD},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD},
    {CHUNKED "5\r\nhelloo\r\n0\r\n\r\n", BAD},
    {CHUNKED "g\r\nhello\r\n0\r\n\r\n", BAD},
    {CHUNKED "\r\nhello\r\n0\r\n\r\n", BAD},
    {CHUNKED " 5\r\nhello\r\n0\r\n\r\n", BAD},
    {CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", BAD},
    {CHUNKED "5\nhello\r\n0\r\n\r\n", BAD},
    {CHUNKED "5\r\nhello\n0\r\n\r\n", BAD},
    {CHUNKED "-5\r\nhello\r\n0\r\n\r\n", BAD},
    {CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n", BAD},
    {CHUNKED "0\r\nX\r\n\r\n", BAD},
    {CHUNKED "65\r\n", LARGE},
    {CHUNKED "ffffffffffffffff\r\n", LARGE},
    {CHUNKED "5\r\nhel", CUT},
    {CHUNKED "5\r\nhello\r\n", CUT},
    {CHUNKED "5\r\nhello\r\n0\r\n", CUT},
    {CHUNKED "5\r\nhello\r\n0\r\nX: y\r\n", CUT},
    /* codings */
    {OK "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\na",
	HTTP_ANSWER_CODED},
    {OK "Content-Encoding: br\r\n\r\na", HTTP_ANSWER_CODED},
};

static struct arena *arena;
static struct http_answer answer;

/* Push a piece, copied to its size so that a step past its end is seen. */
static enum http_answered
push(const char *bytes, size_t count, size_t *taken)
{
	char *copy = malloc(count > 0 ? count : 1);
	enum http_answered result;

	assert_non_null(copy);
	memcpy(copy, bytes, count);
	result = http_answer_push(&answer, copy, count, taken);
	assert_true(*taken <= count);
	free(copy);
	return result;
}

/* Read it in pieces: the first so long, the others of this size. */
static enum http_answered
read_in_pieces(const char *bytes, size_t first, size_t size, size_t *taken)
{
	size_t count = strlen(bytes), at = 0;
	enum http_answered result = HTTP_ANSWER_MORE;

	arena_reset(arena);
	http_answer_begin(&answer, arena, BODY_BYTES_MAX);
	while (result == HTTP_ANSWER_MORE && at < count) {
		size_t piece = at == 0 ? first : size, step;

		if (piece > count - at)
			piece = count - at;
		result = push(bytes + at, piece, &step);
		at += step;
		assert_true(result != HTTP_ANSWER_MORE || step == piece);
	}
	*taken = at;
	return result == HTTP_ANSWER_MORE ? http_answer_close(&answer) : result;
}

static void
check_good(const struct row *row, size_t first, size_t size)
{
	const char *x = NULL;
	size_t taken;

	if (read_in_pieces(row->bytes, first, size, &taken) !=
	    HTTP_ANSWER_WHOLE)
		fail_msg("refused: %s", row->bytes);
	assert_int_equal(taken, strlen(row->bytes) - row->left);
	assert_int_equal(answer.status, row->status);
	assert_string_equal(buf_string(&answer.body), row->body);
	assert_int_equal(answer.lasting, row->lasting);
	for (size_t i = 0; i < answer.headers.count; i++) {
		const struct http_header *header = answer.headers.data;

		if (strcmp(header[i].name, "x") == 0)
			x = header[i].value;
	}
	assert_true((x == NULL) == (row->x == NULL));
	if (x != NULL)
		assert_string_equal(x, row->x);
}

static void
answers_are_read_however_they_come(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		for (size_t size = 1; size < 4; size++)
			check_good(&good[i], size, size);
		for (size_t first = 1; first <= strlen(good[i].bytes); first++)
			check_good(&good[i], first, SIZE_MAX);
	}
}

static void
broken_answers_are_refused_however_they_come(void **state)
{
	size_t taken;

	(void)state;
	for (size_t i = 0; i < COUNT(broken); i++) {
		size_t bytes = strlen(broken[i].bytes);

		for (size_t first = 1; first <= bytes + 1; first++)
			if (read_in_pieces(broken[i].bytes, first, SIZE_MAX,
				&taken) != broken[i].result)
				fail_msg("not so: %s", broken[i].bytes);
		if (read_in_pieces(broken[i].bytes, 1, 1, &taken) !=
		    broken[i].result)
			fail_msg("not so in bytes: %s", broken[i].bytes);
	}
}

/* The same piece again and again, until it is too much or has no effect. */
static enum http_answered
push_many(const char *begin, const char *piece, size_t times, size_t body_max)
{
	enum http_answered result;
	size_t taken;

	arena_reset(arena);
	http_answer_begin(&answer, arena, body_max);
	result = push(begin, strlen(begin), &taken);
	for (size_t i = 0; result == HTTP_ANSWER_MORE && i < times; i++)
		result = push(piece, strlen(piece), &taken);
	return result;
}

static void
everything_has_a_bound(void **state)
{
	(void)state;
	assert_int_equal(push_many("", "a", 40000, 100), LARGE);
	assert_int_equal(push_many(OK "X: ", "a", 40000, 100), LARGE);
	assert_int_equal(push_many(OK, "X: a\r\n", 129, 100), LARGE);
	assert_int_equal(push_many(OK, "X: a\r\n", 128, 100), HTTP_ANSWER_MORE);
	assert_int_equal(push_many(OK "\r\n", "a", 101, 100), LARGE);
	assert_int_equal(push_many(OK "\r\n", "a", 100, 100), HTTP_ANSWER_MORE);
	assert_int_equal(
	    push_many(CHUNKED, "1\r\na\r\n", 100, 100), HTTP_ANSWER_MORE);
	assert_int_equal(push_many(CHUNKED, "1\r\na\r\n", 101, 100), LARGE);
	assert_int_equal(
	    push_many(CHUNKED, "1;extension\r\na\r\n", 5000, 10000), LARGE);
	assert_int_equal(push_many(CHUNKED "1;", "a", 40000, 100), LARGE);
	assert_int_equal(
	    push_many(CHUNKED "0\r\n", "X: a\r\n", 6000, 100), LARGE);
	assert_int_equal(push_many("", "HTTP/1.1 100 Continue\r\n\r\n", 8, 100),
	    HTTP_ANSWER_MORE);
	assert_int_equal(
	    push_many("", "HTTP/1.1 100 Continue\r\n\r\n", 10, 100), BAD);
}

static int
begin(void **state)
{
	(void)state;
	arena = arena_create();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	http_answer_free(&answer);
	arena_free(arena);
	return 0;
}

int
main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    test(answers_are_read_however_they_come),
	    test(broken_answers_are_refused_however_they_come),
	    test(everything_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
