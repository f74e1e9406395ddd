/*
 * JSON in three steps, each linear in the text.
 *
 * scan() looks at every byte once: UTF-8, NUL, control characters, depth.
 * jsmn cuts the text into tokens.  It is only a tokeniser: it also takes
 * "[1 2]", "{,}" or ":,:{}", so parse_*() walk text and tokens side by side
 * and accept nothing that RFC 8259 does not have, whatever the tokens say.
 *
 * The depth comes first for a reason: to close a bracket jsmn walks up from
 * the last token, which is quadratic in a text of half a million brackets.
 *
 * Everything but the tree is freed before json_parse() returns.
 */
#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define JSMN_STATIC
#define JSMN_PARENT_LINKS
/* Not JSMN_STRICT: that refuses a number which ends the text. */
#include <jsmn.h>

#define BYTES_MAX ((size_t)1 << 20)
#define DEPTH_MAX 16
#define DEPTH_LIMIT 256 /* what callers may ask for: the walk recurses */
#define VALUES_MAX 1000000
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define MICRO_DIGITS 6
#define INT64_DIGITS 19
#define EXPONENT_LIMIT (1 << 30) /* more than any text has digits */

/* A key of an object that is not finished. */
struct key {
	const char *text;
	size_t offset;
};

struct parse {
	const char *text; /* no NUL in it, nor after it */
	size_t bytes;
	size_t at;
	struct json_limits limits;
	jsmntok_t *tokens; /* owned */
	size_t token_count;
	size_t token_next;
	size_t values;
	struct key *keys; /* owned; a stack, room for every token */
	size_t key_count;
	struct arena *arena;
	struct json_error *error;
};

static bool parse_value(struct parse *parse, struct json *value);

static bool
parse_fail(struct parse *parse, const char *reason, size_t offset)
{
	struct json_error *error = parse->error;

	error->reason = reason;
	error->offset = offset;
	error->line = 1;
	for (size_t i = 0; i < offset; i++)
		error->line += parse->text[i] == '\n';
	return false;
}

/* Bytes of the UTF-8 sequence that starts here; 0 if it is none. */
static size_t
utf8_bytes(const char *at, size_t left)
{
	utf8proc_ssize_t bytes = left > 4 ? 4 : (utf8proc_ssize_t)left;
	utf8proc_int32_t code;

	if ((unsigned char)*at < 0x80)
		return 1;
	bytes = utf8proc_iterate((const utf8proc_uint8_t *)at, bytes, &code);
	return bytes > 0 ? (size_t)bytes : 0;
}

bool
json_is_utf8(const char *text)
{
	size_t left = strlen(text), bytes;

	for (; left > 0; text += bytes, left -= bytes) {
		bytes = utf8_bytes(text, left);
		if (bytes == 0)
			return false;
	}
	return true;
}

static bool
is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* ---- first look: bytes and depth ---- */

struct scan {
	bool in_string;
	bool escaped; /* the next byte of the string is */
	uint32_t depth;
	char last; /* outside strings, no space; 0 at first */
};

/* NULL, or what is wrong with this byte inside a string. */
static const char *
scan_string_byte(struct scan *scan, char byte)
{
	if ((unsigned char)byte < 0x20)
		return "control character in a string";
	if (!scan->escaped && byte == '"')
		scan->in_string = false;
	scan->escaped = !scan->escaped && byte == '\\';
	return NULL;
}

/* NULL, or what is wrong with this byte outside of strings. */
static const char *
scan_byte(struct scan *scan, char byte, uint32_t depth_max)
{
	if (is_space(byte))
		return NULL;
	switch (byte) {
	case '"':
		/* Elsewhere jsmn would not see a string begin. */
		if (scan->last != 0 && strchr("[{,:", scan->last) == NULL)
			return "unexpected string";
		scan->in_string = true;
		break;
	case '[':
	case '{':
		if (++scan->depth > depth_max)
			return "nested too deeply";
		break;
	case ']':
	case '}':
		if (scan->depth-- == 0)
			return "unexpected bracket";
		break;
	default:
		break;
	}
	scan->last = byte;
	return NULL;
}

static bool
scan(struct parse *parse)
{
	struct scan scan = {.in_string = false};
	const char *reason = NULL;
	size_t bytes;

	for (size_t at = 0; at < parse->bytes; at += bytes) {
		char byte = parse->text[at];

		bytes = utf8_bytes(parse->text + at, parse->bytes - at);
		if (bytes == 0)
			reason = "bad UTF-8";
		else if (byte == '\0')
			reason = "NUL byte";
		else if (scan.in_string)
			reason = scan_string_byte(&scan, byte);
		else
			reason =
			    scan_byte(&scan, byte, parse->limits.depth_max);
		if (reason != NULL)
			return parse_fail(parse, reason, at);
	}
	if (scan.last == 0)
		return parse_fail(parse, "empty text", parse->bytes);
	return true;
}

/* ---- second look: tokens ---- */

/* jsmn's two errors, said as well as it tells them. */
static bool
tokens_fail(struct parse *parse, int code, size_t offset)
{
	char byte = offset < parse->bytes ? parse->text[offset] : ' ';

	if (code == JSMN_ERROR_PART)
		return parse_fail(parse, "unexpected end", parse->bytes);
	assert(code == JSMN_ERROR_INVAL);
	if (byte == '"')
		return parse_fail(parse, "bad escape", offset);
	if (byte == ']' || byte == '}')
		return parse_fail(parse, "unexpected bracket", offset);
	return parse_fail(parse, "bad literal", offset);
}

static bool
tokens_read(struct parse *parse)
{
	jsmn_parser jsmn;
	int count;

	jsmn_init(&jsmn);
	count = jsmn_parse(&jsmn, parse->text, parse->bytes, NULL, 0);
	if (count < 0)
		return tokens_fail(parse, count, jsmn.pos);
	/* Every value may have a key. */
	parse->token_count = (size_t)count;
	if (parse->token_count / 2 > parse->limits.values_max)
		return parse_fail(parse, "too many values", 0);

	parse->tokens =
	    mem_resize(NULL, parse->token_count, sizeof(*parse->tokens));
	parse->keys =
	    mem_resize(NULL, parse->token_count, sizeof(*parse->keys));
	jsmn_init(&jsmn);
	count = jsmn_parse(&jsmn, parse->text, parse->bytes, parse->tokens,
	    (unsigned)parse->token_count);
	if (count < 0)
		return tokens_fail(parse, count, jsmn.pos);
	assert(jsmn.toknext == parse->token_count);
	return true;
}

/* ---- third look: grammar, and the tree ---- */

static void
parse_skip_space(struct parse *parse)
{
	while (parse->at < parse->bytes && is_space(parse->text[parse->at]))
		parse->at++;
}

/* Step over this byte if it comes next. */
static bool
parse_take(struct parse *parse, char byte)
{
	parse_skip_space(parse);
	if (parse->at == parse->bytes || parse->text[parse->at] != byte)
		return false;
	parse->at++;
	return true;
}

/* The next token, if that is what the text goes on with; NULL if not. */
static const jsmntok_t *
parse_token(struct parse *parse)
{
	const jsmntok_t *token;
	size_t start;

	parse_skip_space(parse);
	if (parse->token_next == parse->token_count)
		return NULL;
	token = &parse->tokens[parse->token_next];
	start = (size_t)token->start - (token->type == JSMN_STRING);
	if (start != parse->at)
		return NULL;
	parse->token_next++;
	return token;
}

/* The number of these hexadecimal digits; jsmn saw that they are. */
static uint32_t
hex4(const char *at)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char digit = (unsigned char)at[i];

		value = value << 4 | (digit <= '9' ? digit - '0'
						   : (digit | 0x20) - 'a' + 10);
	}
	return value & 0xffff;
}

/*
 * Write what \uXXXX (and its second half, if it has one) stands for; how
 * many bytes were read after the "\u", 0 if it stands for nothing.
 */
static size_t
unescape_code(const char *at, const char *end, char **out)
{
	uint32_t code, low;
	size_t bytes = 4;

	if (end - at < 4)
		return 0;
	code = hex4(at);
	if (code >= 0xd800 && code < 0xdc00) {
		if (end - at < 10 || at[4] != '\\' || at[5] != 'u')
			return 0;
		low = hex4(at + 6);
		if (low < 0xdc00 || low > 0xdfff)
			return 0;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		bytes = 10;
	} else if (code == 0 || (code >= 0xdc00 && code <= 0xdfff)) {
		return 0;
	}
	*out += utf8proc_encode_char(
	    (utf8proc_int32_t)code, (utf8proc_uint8_t *)*out);
	return bytes;
}

/* Unescape a string token into the arena, and step over it. */
static bool
parse_string(struct parse *parse, const jsmntok_t *token, const char **text,
    uint32_t *bytes)
{
	static const char names[] = "\"\\/bfnrt",
			  meanings[] = "\"\\/\b\f\n\r\t";
	const char *at = parse->text + token->start;
	const char *end = parse->text + token->end;
	char *first = arena_alloc(parse->arena, (size_t)(end - at) + 1);
	char *out = first;

	while (at < end) {
		const char *name;
		size_t read;

		if (*at != '\\') {
			*out++ = *at++;
			continue;
		}
		if (at[1] != 'u') {
			name = strchr(names, at[1]);
			assert(name != NULL);
			*out++ = meanings[name - names];
			at += 2;
			continue;
		}
		read = unescape_code(at + 2, end, &out);
		if (read == 0)
			return parse_fail(parse,
			    "escaped NUL or lone surrogate",
			    (size_t)(at - parse->text));
		at += 2 + read;
	}
	*text = first;
	*bytes = (uint32_t)(out - first);
	parse->at = (size_t)token->end + 1;
	return true;
}

static const char *
skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Is it a number as RFC 8259 writes them? */
static bool
number_valid(const char *at, const char *end)
{
	const char *digits;

	if (at < end && *at == '-')
		at++;
	digits = at;
	at = skip_digits(at, end);
	if (at == digits || (*digits == '0' && at - digits > 1))
		return false;
	if (at < end && *at == '.') {
		digits = ++at;
		at = skip_digits(at, end);
		if (at == digits)
			return false;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		digits = at;
		at = skip_digits(at, end);
		if (at == digits)
			return false;
	}
	return at == end;
}

static bool
parse_primitive(struct parse *parse, const jsmntok_t *token, struct json *value)
{
	static const struct {
		const char *text;
		enum json_type type;
	} literals[] = {
	    {"null", JSON_NULL}, {"false", JSON_FALSE}, {"true", JSON_TRUE}};
	const char *text = parse->text + token->start;
	size_t bytes = (size_t)(token->end - token->start);

	parse->at = (size_t)token->end;
	for (size_t i = 0; i < COUNT(literals); i++) {
		if (bytes == strlen(literals[i].text) &&
		    memcmp(text, literals[i].text, bytes) == 0) {
			value->type = literals[i].type;
			return true;
		}
	}
	if (!number_valid(text, text + bytes))
		return parse_fail(parse, "bad literal", (size_t)token->start);
	value->type = JSON_NUMBER;
	value->text = arena_text_n(parse->arena, text, bytes);
	value->bytes = (uint32_t)bytes;
	return true;
}

static bool
parse_key(struct parse *parse, struct json *member)
{
	const jsmntok_t *token = parse_token(parse);
	uint32_t bytes;
	struct key *key;

	if (token == NULL || token->type != JSMN_STRING)
		return parse_fail(parse, "key expected", parse->at);
	if (!parse_string(parse, token, &member->key, &bytes))
		return false;
	key = &parse->keys[parse->key_count++];
	key->text = member->key;
	key->offset = (size_t)token->start;
	if (!parse_take(parse, ':'))
		return parse_fail(parse, "colon expected", parse->at);
	return true;
}

/* By text, then by place, so that the later of two is the one to blame. */
static int
key_compare(const void *left, const void *right)
{
	const struct key *a = left, *b = right;
	int order = strcmp(a->text, b->text);

	return order != 0 ? order
			  : (a->offset > b->offset) - (a->offset < b->offset);
}

/* Take the keys of a finished object off the stack: all different? */
static bool
parse_keys_differ(struct parse *parse, size_t first)
{
	struct key *keys = parse->keys + first;
	size_t count = parse->key_count - first;

	parse->key_count = first;
	if (count < 2)
		return true;
	qsort(keys, count, sizeof(*keys), key_compare);
	for (size_t i = 1; i < count; i++)
		if (strcmp(keys[i - 1].text, keys[i].text) == 0)
			return parse_fail(
			    parse, "duplicate key", keys[i].offset);
	return true;
}

/* An array or an object, from its opening bracket to its closing one. */
static bool
parse_container(struct parse *parse, struct json *container)
{
	bool is_object = container->type == JSON_OBJECT;
	char close = is_object ? '}' : ']';
	const struct json **end = &container->child;
	size_t first_key = parse->key_count;

	parse->at++;
	if (parse_take(parse, close))
		return true;
	do {
		struct json *item = arena_alloc(parse->arena, sizeof(*item));

		if (is_object && !parse_key(parse, item))
			return false;
		if (!parse_value(parse, item))
			return false;
		*end = item;
		end = &item->next;
		container->count++;
	} while (parse_take(parse, ','));
	if (!parse_take(parse, close))
		return parse_fail(
		    parse, "comma or closing bracket expected", parse->at);
	return parse_keys_differ(parse, first_key);
}

static bool
parse_value(struct parse *parse, struct json *value)
{
	const jsmntok_t *token = parse_token(parse);

	if (token == NULL)
		return parse_fail(parse, "value expected", parse->at);
	if (++parse->values > parse->limits.values_max)
		return parse_fail(parse, "too many values", parse->at);
	switch (token->type) {
	case JSMN_OBJECT:
		value->type = JSON_OBJECT;
		return parse_container(parse, value);
	case JSMN_ARRAY:
		value->type = JSON_ARRAY;
		return parse_container(parse, value);
	case JSMN_STRING:
		value->type = JSON_STRING;
		return parse_string(parse, token, &value->text, &value->bytes);
	default:
		return parse_primitive(parse, token, value);
	}
}

static bool
parse_document(struct parse *parse, struct json *value)
{
	if (parse->bytes > parse->limits.bytes_max)
		return parse_fail(parse, "too long", 0);
	if (parse->bytes >= 3 && memcmp(parse->text, BYTE_ORDER_MARK, 3) == 0)
		return parse_fail(parse, "byte order mark", 0);
	if (!scan(parse) || !tokens_read(parse) || !parse_value(parse, value))
		return false;
	parse_skip_space(parse);
	if (parse->at < parse->bytes)
		return parse_fail(parse, "text after the value", parse->at);
	return true;
}

const struct json *
json_parse(const char *text, size_t bytes, const struct json_limits *limits,
    struct arena *arena, struct json_error *error)
{
	struct parse parse = {
	    .text = text, .bytes = bytes, .arena = arena, .error = error};
	struct json *value = arena_alloc(arena, sizeof(*value));
	bool ok;

	if (limits != NULL)
		parse.limits = *limits;
	if (parse.limits.bytes_max == 0)
		parse.limits.bytes_max = BYTES_MAX;
	if (parse.limits.depth_max == 0)
		parse.limits.depth_max = DEPTH_MAX;
	if (parse.limits.values_max == 0)
		parse.limits.values_max = VALUES_MAX;
	/* Tokens count bytes in an int. */
	assert(parse.limits.bytes_max < INT_MAX);
	assert(parse.limits.depth_max <= DEPTH_LIMIT);
	ok = parse_document(&parse, value);
	free(parse.keys);
	free(parse.tokens);
	return ok ? value : NULL;
}

/* ---- reading the tree ---- */

const struct json *
json_get(const struct json *object, const char *key)
{
	if (!json_is(object, JSON_OBJECT))
		return NULL;
	json_each (member, object)
		if (strcmp(member->key, key) == 0)
			return member;
	return NULL;
}

const struct json *
json_at(const struct json *array, uint32_t index)
{
	if (!json_is(array, JSON_ARRAY))
		return NULL;
	json_each (item, array)
		if (index-- == 0)
			return item;
	return NULL;
}

bool
json_is(const struct json *value, enum json_type type)
{
	return value != NULL && value->type == type;
}

const char *
json_text(const struct json *string)
{
	return json_is(string, JSON_STRING) ? string->text : NULL;
}

const char *
json_get_text(const struct json *object, const char *key)
{
	return json_text(json_get(object, key));
}

/* Give a magnitude its sign; false if it does not fit. */
static bool
signed_value(uint64_t magnitude, bool negative, int64_t *value)
{
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return false;
	*value = (int64_t)(negative ? 0 - magnitude : magnitude);
	return true;
}

/* value = value * 10 + digit; false if that does not fit. */
static bool
append_digit(uint64_t *value, char digit)
{
	return !__builtin_mul_overflow(*value, (uint64_t)10, value) &&
	       !__builtin_add_overflow(*value, (uint64_t)(digit - '0'), value);
}

bool
json_i64(const struct json *number, int64_t *value)
{
	uint64_t magnitude = 0;
	const char *at;
	bool negative;

	if (!json_is(number, JSON_NUMBER))
		return false;
	negative = number->text[0] == '-';
	for (at = number->text + negative; *at >= '0' && *at <= '9'; at++)
		if (!append_digit(&magnitude, *at))
			return false;
	return *at == '\0' && signed_value(magnitude, negative, value);
}

/* The exponent of a valid number from its 'e' on, or 0; bounded. */
static int64_t
exponent_of(const char *at)
{
	bool negative;
	int64_t exponent = 0;

	if (*at == '\0')
		return 0;
	negative = *++at == '-';
	if (*at == '-' || *at == '+')
		at++;
	for (; *at != '\0' && exponent < EXPONENT_LIMIT; at++)
		exponent = exponent * 10 + (*at - '0');
	return negative ? -exponent : exponent;
}

/*
 * Drop the zeros in front and at the end, so that what is left matters; then
 * only the place of the last digit decides whether the number is exact.
 */
bool
json_micro(const struct json *number, int64_t *value)
{
	uint64_t magnitude = 0;
	int64_t zeros = 0; /* seen since the last digit that matters */
	int64_t shift = MICRO_DIGITS; /* of that digit: value * 10^shift */
	bool fraction = false, negative;
	const char *at;

	if (!json_is(number, JSON_NUMBER))
		return false;
	negative = number->text[0] == '-';
	at = number->text + negative;
	for (; *at == '.' || (*at >= '0' && *at <= '9'); at++) {
		if (*at == '.') {
			fraction = true;
			continue;
		}
		shift -= fraction;
		zeros++;
		if (*at == '0')
			continue;
		for (; magnitude > 0 && zeros > 1; zeros--)
			if (!append_digit(&magnitude, '0'))
				return false;
		if (!append_digit(&magnitude, *at))
			return false;
		zeros = 0;
	}
	shift += zeros + exponent_of(at);
	if (magnitude == 0)
		shift = 0;
	if (shift < 0 || shift > INT64_DIGITS)
		return false;
	while (shift-- > 0)
		if (!append_digit(&magnitude, '0'))
			return false;
	return signed_value(magnitude, negative, value);
}

/* ---- writing ---- */

void
json_write_init(struct json_writer *writer, struct buf *buf)
{
	*writer = (struct json_writer){.buf = buf};
}

/* Put the comma that a value or key needs before it. */
static void
write_comma(struct json_writer *writer)
{
	if (writer->comma)
		buf_char(writer->buf, ',');
	writer->comma = true;
}

static void
write_open(struct json_writer *writer, char bracket)
{
	write_comma(writer);
	buf_char(writer->buf, bracket);
	writer->depth++;
	writer->comma = false;
}

static void
write_close(struct json_writer *writer, char bracket)
{
	assert(writer->depth > 0);
	writer->depth--;
	buf_char(writer->buf, bracket);
	writer->comma = true;
}

void
json_write_object(struct json_writer *writer)
{
	write_open(writer, '{');
}

void
json_write_array(struct json_writer *writer)
{
	write_open(writer, '[');
}

void
json_write_end_object(struct json_writer *writer)
{
	write_close(writer, '}');
}

void
json_write_end_array(struct json_writer *writer)
{
	write_close(writer, ']');
}

/* Bytes at the start of this text that stand for themselves in a string. */
static size_t
plain_bytes(const char *text, size_t left)
{
	size_t plain = 0, bytes;

	while (plain < left && text[plain] != '"' && text[plain] != '\\' &&
	       (unsigned char)text[plain] >= 0x20) {
		bytes = utf8_bytes(text + plain, left - plain);
		if (bytes == 0)
			break;
		plain += bytes;
	}
	return plain;
}

static void
write_escaped(struct buf *buf, char byte)
{
	static const char names[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t";
	const char *meaning = strchr(meanings, byte);

	if ((unsigned char)byte >= 0x80)
		buf_text(buf, REPLACEMENT);
	else if (meaning != NULL)
		buf_printf(buf, "\\%c", names[meaning - meanings]);
	else
		buf_printf(buf, "\\u%04x", (unsigned char)byte);
}

static void
write_string(struct buf *buf, const char *text)
{
	size_t left = strlen(text);

	buf_char(buf, '"');
	while (left > 0) {
		size_t plain = plain_bytes(text, left);

		buf_add(buf, text, plain);
		text += plain;
		left -= plain;
		if (left > 0) {
			write_escaped(buf, *text++);
			left--;
		}
	}
	buf_char(buf, '"');
}

void
json_write_key(struct json_writer *writer, const char *key)
{
	write_comma(writer);
	write_string(writer->buf, key);
	buf_char(writer->buf, ':');
	writer->comma = false;
}

void
json_write_text(struct json_writer *writer, const char *text)
{
	if (text == NULL) {
		json_write_null(writer);
		return;
	}
	write_comma(writer);
	write_string(writer->buf, text);
}

void
json_write_i64(struct json_writer *writer, int64_t value)
{
	write_comma(writer);
	buf_printf(writer->buf, "%" PRId64, value);
}

void
json_write_bool(struct json_writer *writer, bool value)
{
	json_write_raw(writer, value ? "true" : "false");
}

void
json_write_null(struct json_writer *writer)
{
	json_write_raw(writer, "null");
}

void
json_write_raw(struct json_writer *writer, const char *json)
{
	write_comma(writer);
	buf_text(writer->buf, json);
}

void
json_write_member(struct json_writer *writer, const char *key, const char *text)
{
	json_write_key(writer, key);
	json_write_text(writer, text);
}

void
json_write_tree(struct json_writer *writer, const struct json *value)
{
	switch (value->type) {
	case JSON_NULL:
		json_write_null(writer);
		return;
	case JSON_FALSE:
	case JSON_TRUE:
		json_write_bool(writer, value->type == JSON_TRUE);
		return;
	case JSON_NUMBER:
		json_write_raw(writer, value->text);
		return;
	case JSON_STRING:
		json_write_text(writer, value->text);
		return;
	case JSON_ARRAY:
		json_write_array(writer);
		json_each (item, value)
			json_write_tree(writer, item);
		json_write_end_array(writer);
		return;
	case JSON_OBJECT:
		json_write_object(writer);
		json_each (member, value) {
			json_write_key(writer, member->key);
			json_write_tree(writer, member);
		}
		json_write_end_object(writer);
		return;
	}
}
