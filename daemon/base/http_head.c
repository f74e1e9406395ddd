/*
 * The head of an HTTP/1 request.  A reverse proxy stands in front of us, and
 * every smuggled request begins with a head that the two read differently:
 * so each thing has one spelling here and the rest is 400.  Nothing is owned;
 * strings go into the caller's arena.
 */
#include "base/http_head.h"

#include <string.h>
#include <strings.h>

#define LENGTH_ABSURD ((size_t)1 << 40) /* larger than any bound of ours */

static const struct {
	const char *name;
	enum http_method method;
} methods[] = {{"GET", HTTP_GET}, {"POST", HTTP_POST}, {"PUT", HTTP_PUT},
    {"PATCH", HTTP_PATCH}, {"DELETE", HTTP_DELETE}};

/* A piece of the head that is being read. */
struct span {
	const char *at;
	const char *end;
};

long
http_head_bytes(const char *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		unsigned char byte = (unsigned char)data[i];

		if (byte == '\n') {
			if (i == 0 || data[i - 1] != '\r')
				return -1;
			if (i >= 3 && memcmp(data + i - 3, "\r\n\r", 3) == 0)
				return (long)i + 1;
		} else if ((byte < ' ' && byte != '\t' && byte != '\r') ||
			   byte == 0x7f || (i > 0 && data[i - 1] == '\r')) {
			return -1;
		}
	}
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

char *
http_decode(const char *text, size_t bytes, bool form, struct arena *arena)
{
	char *decoded = arena_alloc(arena, bytes + 1), *end = decoded;

	for (size_t i = 0; i < bytes; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '%') {
			int high = i + 2 < bytes ? hex_digit(text[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

			if (low < 0)
				return NULL;
			byte = (unsigned char)(high << 4 | low);
			i += 2;
		} else if (byte == '+' && form) {
			byte = ' ';
		}
		/* A form's text may have lines, a path may not. */
		if (byte == '\0' || byte == 0x7f || (byte < ' ' && !form))
			return NULL;
		*end++ = (char)byte;
	}
	return decoded;
}

/* Take the span up to this byte, and the byte; false if it is not there. */
static bool
take_until(struct span *from, char stop, struct span *taken)
{
	const char *found =
	    memchr(from->at, stop, (size_t)(from->end - from->at));

	if (found == NULL)
		return false;
	*taken = (struct span){from->at, found};
	from->at = found + 1;
	return true;
}

static bool
span_is(struct span span, const char *text)
{
	size_t bytes = strlen(text);

	return (size_t)(span.end - span.at) == bytes &&
	       memcmp(span.at, text, bytes) == 0;
}

/* A method's bit; 0 if it is none that anyone here serves. */
static int
parse_method(struct span method)
{
	for (size_t i = 0; i < COUNT(methods); i++)
		if (span_is(method, methods[i].name))
			return (int)methods[i].method;
	return 0;
}

void
http_method_names(unsigned bits, struct buf *out)
{
	const char *separator = "";

	for (size_t i = 0; i < COUNT(methods); i++) {
		if (!(bits & methods[i].method))
			continue;
		buf_printf(out, "%s%s", separator, methods[i].name);
		separator = ", ";
	}
}

/* `/path?query`; no absolute URI, for no proxy sends one to its backend. */
static int
parse_target(struct span target, struct arena *arena, struct http_head *head)
{
	struct span path = target;

	head->query = "";
	if (take_until(&target, '?', &path))
		head->query = arena_text_n(
		    arena, target.at, (size_t)(target.end - target.at));
	if (path.at == path.end || *path.at != '/' ||
	    memchr(path.at, '#', (size_t)(target.end - path.at)) != NULL)
		return 400;
	head->path =
	    http_decode(path.at, (size_t)(path.end - path.at), false, arena);
	return head->path != NULL ? 0 : 400;
}

/* `GET /path HTTP/1.1`: one blank each, nothing before or after. */
static int
parse_request_line(
    struct span line, struct arena *arena, struct http_head *head)
{
	struct span method, target;

	if (memchr(line.at, '\t', (size_t)(line.end - line.at)) != NULL ||
	    !take_until(&line, ' ', &method) || method.at == method.end ||
	    !take_until(&line, ' ', &target))
		return 400;
	if (span_is(line, "HTTP/1.1"))
		head->keep_alive = true;
	else if (!span_is(line, "HTTP/1.0"))
		return line.end - line.at == 8 &&
			       memcmp(line.at, "HTTP/", 5) == 0
			   ? 505
			   : 400;
	head->method = (enum http_method)parse_method(method);
	if (head->method == 0)
		return 501;
	return parse_target(target, arena, head);
}

static bool
token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* `Name: value`; a blank in or before the name is refused, so no folding. */
static int
parse_field(struct span line, struct arena *arena, struct http_head *head)
{
	struct http_field *field = &head->fields[head->field_count];
	struct span name;

	if (head->field_count == HTTP_HEADERS_MAX)
		return 431;
	if (!take_until(&line, ':', &name) || name.at == name.end)
		return 400;
	for (const char *c = name.at; c < name.end; c++)
		if (!token_char(*c))
			return 400;
	while (line.at < line.end && (*line.at == ' ' || *line.at == '\t'))
		line.at++;
	while (
	    line.at < line.end && (line.end[-1] == ' ' || line.end[-1] == '\t'))
		line.end--;
	field->name =
	    arena_text_n(arena, name.at, (size_t)(name.end - name.at));
	field->value =
	    arena_text_n(arena, line.at, (size_t)(line.end - line.at));
	head->field_count++;
	return 0;
}

const char *
http_head_field(const struct http_head *head, const char *name)
{
	for (size_t i = 0; i < head->field_count; i++)
		if (strcasecmp(head->fields[i].name, name) == 0)
			return head->fields[i].value;
	return NULL;
}

static size_t
count_fields(const struct http_head *head, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < head->field_count; i++)
		count += strcasecmp(head->fields[i].name, name) == 0;
	return count;
}

/* Digits only; past LENGTH_ABSURD it grows no more. */
static bool
parse_length(const char *text, size_t *out)
{
	size_t length = 0;

	if (*text == '\0')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (length < LENGTH_ABSURD)
			length = length * 10 + (size_t)(*text - '0');
	*out = length;
	return *text == '\0';
}

/* Where the body ends: one way to say it, said once. */
static int
parse_framing(struct http_head *head)
{
	const char *length = http_head_field(head, "Content-Length");
	const char *coding = http_head_field(head, "Transfer-Encoding");

	if (count_fields(head, "Content-Length") > 1 ||
	    (length != NULL && !parse_length(length, &head->content_bytes)))
		return 400;
	if (coding == NULL)
		return 0;
	if (length != NULL || !head->keep_alive ||
	    count_fields(head, "Transfer-Encoding") > 1 ||
	    strcasecmp(coding, "chunked") != 0)
		return 400;
	head->chunked = true;
	return 0;
}

/* Judge the fields that decide about the exchange itself. */
static int
parse_meaning(struct http_head *head)
{
	const char *host = http_head_field(head, "Host");
	const char *expect = http_head_field(head, "Expect");
	const char *connection = http_head_field(head, "Connection");
	int refused = parse_framing(head); /* needs keep_alive of the version */

	if (refused != 0)
		return refused;
	if (host == NULL || *host == '\0' || count_fields(head, "Host") > 1)
		return 400;
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return 417;
	head->continue_expected = expect != NULL && head->keep_alive;
	/* Whatever else it says, at worst a connection ends early. */
	if (connection != NULL && strcasecmp(connection, "keep-alive") != 0)
		head->keep_alive = false;
	return 0;
}

int
http_head_parse(
    const char *data, size_t bytes, struct arena *arena, struct http_head *head)
{
	struct span rest = {data, data + bytes}, line;
	int refused;

	*head = (struct http_head){
	    .fields = arena_array(
		arena, HTTP_HEADERS_MAX + 1, sizeof(struct http_field))};
	if (!take_until(&rest, '\r', &line))
		return 400;
	refused = parse_request_line(line, arena, head);
	while (refused == 0) {
		rest.at++; /* the LF, which http_head_bytes() made sure of */
		if (!take_until(&rest, '\r', &line))
			return 400;
		if (line.at == line.end)
			return parse_meaning(head);
		refused = parse_field(line, arena, head);
	}
	return refused;
}
