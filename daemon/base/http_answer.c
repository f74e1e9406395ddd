/*
 * An HTTP/1 answer, read as its bytes come.  A line that lies whole in the
 * bytes at hand is read where it lies, so that a usual answer is copied once,
 * into the arena.  Side effects: none.
 */
#include "base/http_answer.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define HEADS_MAX 9                     /* of one answer: eight interim ones */
#define LENGTH_ABSURD ((size_t)1 << 40) /* larger than any bound of ours */

/* A piece of the bytes that are being read. */
struct span {
	const char *at;
	const char *end;
};

void
http_answer_begin(
    struct http_answer *answer, struct arena *arena, size_t body_bytes_max)
{
	struct buf body = answer->body, line = answer->line;

	*answer =
	    (struct http_answer){.arena = arena, .body = body, .line = line};
	buf_clear(&answer->body);
	answer->body.bytes_max = body_bytes_max;
	buf_clear(&answer->line);
	answer->line.bytes_max = HTTP_ANSWER_HEADER_BYTES_MAX + 2;
	list_init(&answer->headers, arena, sizeof(struct http_header));
}

void
http_answer_free(struct http_answer *answer)
{
	buf_free(&answer->body);
	buf_free(&answer->line);
}

static size_t
span_bytes(struct span span)
{
	return (size_t)(span.end - span.at);
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct span
without_blanks(struct span span)
{
	while (span.at < span.end && (*span.at == ' ' || *span.at == '\t'))
		span.at++;
	while (
	    span.at < span.end && (span.end[-1] == ' ' || span.end[-1] == '\t'))
		span.end--;
	return span;
}

/* `HTTP/1.1 200 OK`; a new head forgets what an interim one said. */
static enum http_answered
take_status(struct http_answer *answer, struct span line)
{
	const char *at = line.at;

	if (span_bytes(line) < 12 || memcmp(at, "HTTP/1.", 7) != 0 ||
	    (at[7] != '0' && at[7] != '1') || at[8] != ' ' || at[9] < '1' ||
	    at[9] > '9' || !digit(at[10]) || !digit(at[11]) ||
	    (span_bytes(line) > 12 && at[12] != ' '))
		return HTTP_ANSWER_BAD;
	if (++answer->heads > HEADS_MAX)
		return HTTP_ANSWER_BAD;
	answer->status =
	    (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
	answer->version_1_1 = at[7] == '1';
	answer->header_bytes = 0;
	answer->length_given = answer->chunked = false;
	answer->closing = answer->coded = false;
	list_init(&answer->headers, answer->arena, sizeof(struct http_header));
	answer->place = PLACE_FIELD;
	return HTTP_ANSWER_MORE;
}

/* Digits only; past LENGTH_ABSURD it grows no more. */
static bool
read_length(const char *text, size_t *out)
{
	size_t length = 0;

	if (*text == '\0')
		return false;
	for (; digit(*text); text++)
		if (length < LENGTH_ABSURD)
			length = length * 10 + (size_t)(*text - '0');
	*out = length;
	return *text == '\0';
}

/* Note what a field says about the exchange itself; false: it must not. */
static bool
note_field(struct http_answer *answer, const struct http_header *field)
{
	size_t length;

	if (strcmp(field->name, "content-length") == 0) {
		if (!read_length(field->value, &length) ||
		    (answer->length_given && length != answer->length))
			return false;
		answer->length_given = true;
		answer->length = length;
	} else if (strcmp(field->name, "transfer-encoding") == 0) {
		if (answer->chunked || !answer->version_1_1 ||
		    strcasecmp(field->value, "chunked") != 0)
			return false;
		answer->chunked = true;
	} else if (strcmp(field->name, "connection") == 0) {
		/* whatever else it says, at worst a connection ends early */
		if (strcasecmp(field->value, "keep-alive") != 0)
			answer->closing = true;
	} else if (strcmp(field->name, "content-encoding") == 0) {
		if (*field->value != '\0' &&
		    strcasecmp(field->value, "identity") != 0)
			answer->coded = true;
	}
	return true;
}

/* A character of a token, a letter in lower case; '\0' if it is none. */
static char
token_char(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	if ((c >= 'a' && c <= 'z') || digit(c))
		return c;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL ? c : '\0';
}

/* `Name: value`; the name in lower case, in the arena; NULL: malformed. */
static char *
take_name(struct http_answer *answer, struct span line, const char *colon)
{
	char *name;

	if (colon == NULL || colon == line.at)
		return NULL;
	name = arena_text_n(answer->arena, line.at, (size_t)(colon - line.at));
	for (char *c = name; c < name + (colon - line.at); c++) {
		*c = token_char(*c);
		if (*c == '\0')
			return NULL;
	}
	return name;
}

static enum http_answered
take_field(struct http_answer *answer, struct span line)
{
	const char *colon = memchr(line.at, ':', span_bytes(line));
	struct http_header *field;
	struct span value;
	char *name;

	if (answer->headers.count == HTTP_ANSWER_HEADERS_MAX)
		return HTTP_ANSWER_TOO_LARGE;
	name = take_name(answer, line, colon);
	if (name == NULL)
		return HTTP_ANSWER_BAD;
	value = without_blanks((struct span){colon + 1, line.end});
	field = list_add(&answer->headers);
	field->name = name;
	field->value = arena_text_n(answer->arena, value.at, span_bytes(value));
	return note_field(answer, field) ? HTTP_ANSWER_MORE : HTTP_ANSWER_BAD;
}

static enum http_answered
answer_whole(struct http_answer *answer)
{
	answer->place = PLACE_END;
	return HTTP_ANSWER_WHOLE;
}

/* The head is over: what follows it? */
static enum http_answered
take_head_end(struct http_answer *answer)
{
	if (answer->status < 200) {
		answer->place = PLACE_STATUS;
		return answer->status == 101 ? HTTP_ANSWER_BAD
					     : HTTP_ANSWER_MORE;
	}
	answer->lasting = answer->version_1_1 && !answer->closing &&
			  !(answer->chunked && answer->length_given);
	if (answer->status == 204 || answer->status == 304) {
		/* a 204 must not speak of a body: who knows what comes */
		if (answer->status == 204 &&
		    (answer->chunked ||
			(answer->length_given && answer->length > 0)))
			answer->lasting = false;
		return answer_whole(answer);
	}
	if (answer->chunked) {
		answer->place = PLACE_CHUNK_SIZE;
	} else if (answer->length_given) {
		if (answer->length == 0)
			return answer_whole(answer);
		if (answer->length > answer->body.bytes_max)
			return HTTP_ANSWER_TOO_LARGE;
		answer->left = answer->length;
		answer->place = PLACE_BODY;
	} else {
		answer->lasting = false;
		answer->place = PLACE_REST;
	}
	return answer->coded ? HTTP_ANSWER_CODED : HTTP_ANSWER_MORE;
}

static int
hex_digit(char c)
{
	if (digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* `1f` or `1f;extension`; all extensions together have a bound. */
static enum http_answered
take_chunk_size(struct http_answer *answer, struct span line)
{
	const char *at = line.at;
	size_t size = 0;

	for (; at < line.end && hex_digit(*at) >= 0; at++)
		if (size < LENGTH_ABSURD)
			size = size * 16 + (size_t)hex_digit(*at);
	if (at == line.at || at - line.at > 16)
		return HTTP_ANSWER_BAD;
	answer->header_bytes += (size_t)(line.end - at);
	if (answer->header_bytes > HTTP_ANSWER_HEADER_BYTES_MAX)
		return HTTP_ANSWER_TOO_LARGE;
	while (at < line.end && (*at == ' ' || *at == '\t'))
		at++;
	if (at < line.end && *at != ';')
		return HTTP_ANSWER_BAD;
	if (size > answer->body.bytes_max - answer->body.bytes)
		return HTTP_ANSWER_TOO_LARGE;
	answer->left = size;
	answer->place = size > 0 ? PLACE_CHUNK : PLACE_TRAILER;
	return HTTP_ANSWER_MORE;
}

/* A trailer must be a field, but says nothing that anyone asks for. */
static enum http_answered
take_trailer(struct http_answer *answer, struct span line)
{
	const char *colon = memchr(line.at, ':', span_bytes(line));

	if (line.at == line.end)
		return answer_whole(answer);
	return take_name(answer, line, colon) != NULL ? HTTP_ANSWER_MORE
						      : HTTP_ANSWER_BAD;
}

/* No control byte but a tab; a stray CR would begin a line elsewhere. */
static bool
line_clean(struct span line)
{
	for (const char *at = line.at; at < line.end; at++)
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
			return false;
	return true;
}

/* A whole line, without its end. */
static enum http_answered
take_line(struct http_answer *answer, struct span line)
{
	if (!line_clean(line))
		return HTTP_ANSWER_BAD;
	if (answer->place == PLACE_CHUNK_SIZE)
		return take_chunk_size(answer, line);
	if (answer->place == PLACE_CHUNK_END) {
		answer->place = PLACE_CHUNK_SIZE;
		return line.at == line.end ? HTTP_ANSWER_MORE : HTTP_ANSWER_BAD;
	}
	answer->header_bytes += span_bytes(line) + 2;
	if (answer->header_bytes > HTTP_ANSWER_HEADER_BYTES_MAX)
		return HTTP_ANSWER_TOO_LARGE;
	if (answer->place == PLACE_STATUS)
		return take_status(answer, line);
	if (answer->place == PLACE_TRAILER)
		return take_trailer(answer, line);
	if (line.at == line.end)
		return take_head_end(answer);
	return take_field(answer, line);
}

/* Take a line from the front, or what there is of it. */
static enum http_answered
push_line(struct http_answer *answer, struct span *rest)
{
	const char *end = memchr(rest->at, '\n', span_bytes(*rest));
	struct span line = {rest->at, end != NULL ? end + 1 : rest->end};
	enum http_answered result;

	rest->at = line.end;
	if (end == NULL || answer->line.bytes > 0) {
		buf_add(&answer->line, line.at, span_bytes(line));
		if (answer->line.overflow)
			return HTTP_ANSWER_TOO_LARGE;
		if (end == NULL)
			return HTTP_ANSWER_MORE;
		line.at = answer->line.data;
		line.end = line.at + answer->line.bytes;
	}
	if (span_bytes(line) < 2 || line.end[-2] != '\r')
		return HTTP_ANSWER_BAD;
	line.end -= 2;
	result = take_line(answer, line);
	buf_clear(&answer->line);
	return result;
}

/* Take bytes of the body from the front. */
static enum http_answered
push_body(struct http_answer *answer, struct span *rest)
{
	bool bounded = answer->place != PLACE_REST;
	size_t bytes = span_bytes(*rest);

	if (bounded && bytes > answer->left)
		bytes = answer->left;
	buf_add(&answer->body, rest->at, bytes);
	rest->at += bytes;
	if (answer->body.overflow)
		return HTTP_ANSWER_TOO_LARGE;
	if (!bounded)
		return HTTP_ANSWER_MORE;
	answer->left -= bytes;
	if (answer->left > 0)
		return HTTP_ANSWER_MORE;
	if (answer->place == PLACE_BODY)
		return answer_whole(answer);
	answer->place = PLACE_CHUNK_END;
	return HTTP_ANSWER_MORE;
}

enum http_answered
http_answer_push(
    struct http_answer *answer, const char *data, size_t bytes, size_t *taken)
{
	struct span rest = {data, data + bytes};
	enum http_answered result = HTTP_ANSWER_MORE;

	assert(answer->place != PLACE_END);
	while (result == HTTP_ANSWER_MORE && rest.at < rest.end) {
		if (answer->place == PLACE_BODY ||
		    answer->place == PLACE_CHUNK || answer->place == PLACE_REST)
			result = push_body(answer, &rest);
		else
			result = push_line(answer, &rest);
	}
	*taken = (size_t)(rest.at - data);
	return result;
}

enum http_answered
http_answer_close(struct http_answer *answer)
{
	if (answer->place == PLACE_REST)
		return answer_whole(answer);
	if (answer->place != PLACE_STATUS || answer->heads > 0)
		return HTTP_ANSWER_CUT;
	return answer->line.bytes > 0 ? HTTP_ANSWER_BAD : HTTP_ANSWER_NONE;
}
