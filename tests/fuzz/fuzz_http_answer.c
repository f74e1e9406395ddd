/*
 * Any bytes as an HTTP answer, in pieces of any size: the verdict does not
 * depend on the pieces, and what is taken for whole hides nothing.
 */
#include <string.h>

#include "base/http_answer.h"
#include "fuzz.h"

#define BODY_BYTES_MAX 1000

/* No control byte, and so no line that a value could begin. */
static void
must_be_clean(const char *text)
{
	for (; *text != '\0'; text++)
		must(((unsigned char)*text >= ' ' || *text == '\t') &&
		     *text != 0x7f);
}

static void
check_answer(const struct http_answer *answer)
{
	const struct http_header *headers = answer->headers.data;

	must(answer->headers.count <= HTTP_ANSWER_HEADERS_MAX);
	must(answer->body.bytes <= BODY_BYTES_MAX && !answer->body.overflow);
	for (size_t i = 0; i < answer->headers.count; i++) {
		must(headers[i].name[0] != '\0');
		must(strpbrk(headers[i].name, " \t:ABCXYZ") == NULL);
		must_be_clean(headers[i].name);
		must_be_clean(headers[i].value);
	}
}

/* Read it in pieces whose sizes the seed says; 0: in one. */
static enum http_answered
read_answer(struct http_answer *answer, struct arena *arena,
    const uint8_t *data, size_t bytes, uint32_t seed, size_t *at)
{
	enum http_answered result = HTTP_ANSWER_MORE;

	http_answer_begin(answer, arena, BODY_BYTES_MAX);
	*at = 0;
	while (result == HTTP_ANSWER_MORE && *at < bytes) {
		size_t piece = bytes - *at, taken;
		char *copy;

		if (seed != 0) {
			seed = seed * 1103515245 + 12345;
			if (piece > (seed >> 16) % 9 + 1)
				piece = (seed >> 16) % 9 + 1;
		}
		/* just this size, so that a step past its end is seen */
		copy = malloc(piece);
		must(copy != NULL);
		memcpy(copy, data + *at, piece);
		result = http_answer_push(answer, copy, piece, &taken);
		must(taken <= piece);
		must(result != HTTP_ANSWER_MORE || taken == piece);
		free(copy);
		*at += taken;
	}
	if (result == HTTP_ANSWER_MORE)
		result = http_answer_close(answer);
	must(result != HTTP_ANSWER_MORE);
	return result;
}

static bool
same_headers(const struct list *a, const struct list *b)
{
	const struct http_header *one = a->data, *other = b->data;

	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (strcmp(one[i].name, other[i].name) != 0 ||
		    strcmp(one[i].value, other[i].value) != 0)
			return false;
	return a->count == b->count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct arena *arena = arena_create();
	struct http_answer whole = {.arena = NULL}, pieces = {.arena = NULL};
	uint32_t seed = bytes > 0 ? data[0] : 0;
	enum http_answered result;
	size_t taken, taken_in_pieces;

	if (bytes > 0) {
		data++;
		bytes--;
	}
	result = read_answer(&whole, arena, data, bytes, 0, &taken);
	must(read_answer(&pieces, arena, data, bytes, seed + 1,
		 &taken_in_pieces) == result);
	if (result == HTTP_ANSWER_WHOLE) {
		check_answer(&whole);
		must(taken == taken_in_pieces);
		must(whole.status >= 200 && whole.status <= 999);
		must(whole.status == pieces.status);
		must(whole.lasting == pieces.lasting);
		must(whole.body.bytes == pieces.body.bytes);
		must(memcmp(buf_string(&whole.body), buf_string(&pieces.body),
			 whole.body.bytes) == 0);
		must(same_headers(&whole.headers, &pieces.headers));
	}
	http_answer_free(&whole);
	http_answer_free(&pieces);
	arena_free(arena);
	return 0;
}
