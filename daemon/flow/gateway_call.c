/*
 * The host functions of the gateway interface.  Owns nothing: every piece
 * comes from the call's arena.  A buffer that outgrows its bound, or a format
 * that cannot be printed, is a plug-in's mistake and ends the process.
 */
#include "flow/gateway_call.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"

#define BUF_BYTES_MAX (64u << 20)
#define BUF_BYTES_MIN 256
#define TIME_BYTES_MAX 128

struct gw_buf {
	struct arena *arena;
	char *data; /* NUL-terminated */
	size_t bytes;
	size_t capacity; /* the NUL's byte not counted */
};

static struct arena *
arena_of(struct gw_call *call)
{
	return call->host_data;
}

static void *
host_alloc(struct gw_call *call, size_t bytes)
{
	return arena_alloc(arena_of(call), bytes);
}

__attribute__((format(printf, 2, 3))) static char *
host_format(struct gw_call *call, const char *format, ...)
{
	va_list args, again;
	char *text;
	int bytes;

	va_start(args, format);
	va_copy(again, args);
	bytes = vsnprintf(NULL, 0, format, args);
	assert(bytes >= 0);
	text = arena_alloc(arena_of(call), (size_t)bytes + 1);
	(void)vsnprintf(text, (size_t)bytes + 1, format, again);
	va_end(again);
	va_end(args);
	return text;
}

/* ---- randomness, digests ---- */

static void
host_random(struct gw_call *call, void *out, size_t bytes)
{
	(void)call;
	crypto_random(out, bytes);
}

static void
host_sha256(
    struct gw_call *call, const void *data, size_t bytes, uint8_t out[32])
{
	(void)call;
	crypto_sha256(data, bytes, out);
}

static void
host_hmac_sha256(struct gw_call *call, const void *key, size_t key_bytes,
    const void *data, size_t bytes, uint8_t out[32])
{
	(void)call;
	crypto_hmac_sha256(key, key_bytes, data, bytes, out);
}

static void
host_hmac_sha1(struct gw_call *call, const void *key, size_t key_bytes,
    const void *data, size_t bytes, uint8_t out[20])
{
	(void)call;
	crypto_hmac_sha1(key, key_bytes, data, bytes, out);
}

static void
host_sha1(struct gw_call *call, const void *data, size_t bytes, uint8_t out[20])
{
	(void)call;
	crypto_sha1(data, bytes, out);
}

static void
host_md5(struct gw_call *call, const void *data, size_t bytes, uint8_t out[16])
{
	(void)call;
	crypto_md5(data, bytes, out);
}

static bool
host_equal(struct gw_call *call, const void *a, const void *b, size_t bytes)
{
	(void)call;
	return crypto_equal(a, b, bytes);
}

static bool
host_aes_cbc_decrypt(struct gw_call *call, const uint8_t key[32],
    const uint8_t iv[16], const void *data, size_t bytes, uint8_t *out)
{
	(void)call;
	return crypto_aes_cbc_decrypt(key, iv, data, bytes, out);
}

/* ---- encodings ---- */

/* The buffer's text in the arena; frees the buffer. */
static char *
take_text(struct gw_call *call, struct buf *buf)
{
	char *text;

	assert(!buf->overflow);
	text = arena_text_n(arena_of(call), buf_string(buf), buf->bytes);
	buf_free(buf);
	return text;
}

static char *
host_hex(struct gw_call *call, const void *data, size_t bytes)
{
	char *text = arena_alloc(arena_of(call), 2 * bytes + 1);

	crypto_hex(data, bytes, text);
	return text;
}

static char *
host_base64(struct gw_call *call, const void *data, size_t bytes)
{
	struct buf text = BUF_INIT(BUF_BYTES_MAX);

	crypto_base64(data, bytes, &text);
	return take_text(call, &text);
}

static char *
host_percent(struct gw_call *call, const char *text)
{
	struct buf encoded = BUF_INIT(BUF_BYTES_MAX);

	crypto_percent(text, strlen(text), &encoded);
	return take_text(call, &encoded);
}

static long
host_base64_decode(struct gw_call *call, const char *text, uint8_t **out)
{
	size_t bytes = strlen(text);
	size_t bytes_max = bytes / 4 * 3 + 3;

	*out = arena_alloc(arena_of(call), bytes_max);
	return crypto_base64_decode(text, bytes, *out, bytes_max);
}

/* ---- time ---- */

/* Whole seconds, rounded down also before 1970. */
static time_t
seconds_of(int64_t at_us)
{
	return (time_t)(at_us / SECOND_US - (at_us % SECOND_US < 0));
}

/* The format is the plug-in's; strftime reads nothing but the tm by it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static char *
host_time_text(struct gw_call *call, int64_t at_us, int32_t offset_s,
    const char *strftime_format)
{
	time_t seconds = seconds_of(at_us) + offset_s;
	char *text = arena_alloc(arena_of(call), TIME_BYTES_MAX);
	struct tm when;

	if (gmtime_r(&seconds, &when) != NULL)
		(void)strftime(text, TIME_BYTES_MAX, strftime_format, &when);
	return text;
}
#pragma GCC diagnostic pop

/* Is this "dddd-dd-dd dd:dd:dd", nothing before or after? */
static bool
time_shape_good(const char *text)
{
	static const char shape[] = "0000-00-00 00:00:00";

	for (size_t i = 0; i < sizeof(shape); i++)
		if (shape[i] == '0' ? !isdigit((unsigned char)text[i])
				    : text[i] != shape[i])
			return false;
	return true;
}

static bool
host_time_parse(
    struct gw_call *call, const char *text, int32_t offset_s, int64_t *at_us)
{
	struct tm when = {0}, given;
	time_t seconds;

	(void)call;
	if (text == NULL || !time_shape_good(text) ||
	    strptime(text, "%Y-%m-%d %H:%M:%S", &when) == NULL)
		return false;
	given = when;
	seconds = timegm(&when);
	/* timegm() makes 1 March of 30 February: that was no date */
	if (when.tm_mday != given.tm_mday || when.tm_sec != given.tm_sec)
		return false;
	*at_us = ((int64_t)seconds - offset_s) * SECOND_US;
	return true;
}

/* ---- JSON ---- */

static const struct json *
json_of(const struct gw_json *value)
{
	return (const struct json *)value;
}

static const struct gw_json *
shown(const struct json *value)
{
	return (const struct gw_json *)value;
}

static const struct gw_json *
host_json_parse(struct gw_call *call, const char *text, size_t bytes)
{
	struct json_error error;

	return shown(json_parse(text, bytes, NULL, arena_of(call), &error));
}

static enum gw_json_type
host_json_type(const struct gw_json *value)
{
	static const enum gw_json_type types[] = {
	    [JSON_NULL] = GW_JSON_NULL,
	    [JSON_FALSE] = GW_JSON_BOOLEAN,
	    [JSON_TRUE] = GW_JSON_BOOLEAN,
	    [JSON_NUMBER] = GW_JSON_NUMBER,
	    [JSON_STRING] = GW_JSON_STRING,
	    [JSON_ARRAY] = GW_JSON_ARRAY,
	    [JSON_OBJECT] = GW_JSON_OBJECT,
	};

	return value != NULL ? types[json_of(value)->type] : GW_JSON_NONE;
}

static const struct gw_json *
host_json_get(const struct gw_json *object, const char *key)
{
	return shown(json_get(json_of(object), key));
}

static const struct gw_json *
host_json_at(const struct gw_json *array, size_t index)
{
	if (index > UINT32_MAX)
		return NULL;
	return shown(json_at(json_of(array), (uint32_t)index));
}

static size_t
host_json_count(const struct gw_json *container)
{
	const struct json *value = json_of(container);

	if (!json_is(value, JSON_ARRAY) && !json_is(value, JSON_OBJECT))
		return 0;
	return value->count;
}

static const char *
host_json_text(const struct gw_json *shown_value)
{
	const struct json *value = json_of(shown_value);

	if (value == NULL)
		return NULL;
	switch (value->type) {
	case JSON_STRING:
	case JSON_NUMBER:
		return value->text;
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	return NULL;
}

/* ---- buffers ---- */

static struct gw_buf *
host_buf(struct gw_call *call)
{
	struct gw_buf *buf = arena_alloc(arena_of(call), sizeof(*buf));

	buf->arena = arena_of(call);
	buf->capacity = BUF_BYTES_MIN;
	buf->data = arena_alloc(buf->arena, buf->capacity + 1);
	return buf;
}

static void
host_buf_add(struct gw_buf *buf, const void *data, size_t bytes)
{
	assert(bytes <= BUF_BYTES_MAX - buf->bytes);
	if (buf->bytes + bytes > buf->capacity) {
		char *old = buf->data;

		while (buf->bytes + bytes > buf->capacity)
			buf->capacity *= 2;
		buf->data = arena_alloc(buf->arena, buf->capacity + 1);
		memcpy(buf->data, old, buf->bytes);
	}
	if (bytes > 0)
		memcpy(buf->data + buf->bytes, data, bytes);
	buf->bytes += bytes;
	buf->data[buf->bytes] = '\0';
}

static void
host_buf_text(struct gw_buf *buf, const char *text)
{
	host_buf_add(buf, text, strlen(text));
}

static void
host_buf_json(struct gw_buf *buf, const char *text)
{
	struct buf quoted = BUF_INIT(BUF_BYTES_MAX);
	struct json_writer writer;

	json_write_init(&writer, &quoted);
	json_write_text(&writer, text);
	assert(!quoted.overflow);
	host_buf_add(buf, quoted.data, quoted.bytes);
	buf_free(&quoted);
}

static const char *
host_buf_string(struct gw_buf *buf)
{
	return buf->data;
}

static size_t
host_buf_bytes(const struct gw_buf *buf)
{
	return buf->bytes;
}

/* ---- the call ---- */

const struct gw_host gateway_call_host = {
    .size = sizeof(struct gw_host),
    .alloc = host_alloc,
    .format = host_format,
    .random = host_random,
    .sha256 = host_sha256,
    .hmac_sha256 = host_hmac_sha256,
    .hmac_sha1 = host_hmac_sha1,
    .sha1 = host_sha1,
    .md5 = host_md5,
    .equal = host_equal,
    .hex = host_hex,
    .base64 = host_base64,
    .percent = host_percent,
    .base64_decode = host_base64_decode,
    .time_text = host_time_text,
    .time_parse = host_time_parse,
    .json_parse = host_json_parse,
    .json_type = host_json_type,
    .json_get = host_json_get,
    .json_at = host_json_at,
    .json_count = host_json_count,
    .json_text = host_json_text,
    .buf = host_buf,
    .buf_text = host_buf_text,
    .buf_add = host_buf_add,
    .buf_json = host_buf_json,
    .buf_string = host_buf_string,
    .buf_bytes = host_buf_bytes,
    .aes_cbc_decrypt = host_aes_cbc_decrypt,
};

void
gateway_call_init(struct gw_call *call, struct arena *arena,
    const char *gateway, const struct gw_pair *settings, size_t count,
    int64_t now_us, const char *token)
{
	*call = (struct gw_call){.host = &gateway_call_host,
	    .now_us = now_us,
	    .settings = settings,
	    .setting_count = count,
	    .token = token,
	    .gateway = gateway,
	    .host_data = arena};
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" in seconds since 1970, or -1. */
static int64_t
http_date(const char *text)
{
	struct tm when = {0};
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &when);

	return end != NULL && *end == '\0' ? (int64_t)timegm(&when) : -1;
}

int32_t
gateway_call_retry_after_s(const struct gw_response *response, int64_t now_us)
{
	const char *value = NULL;
	int64_t wait_s;

	for (size_t i = 0; i < response->header_count; i++)
		if (strcmp(response->headers[i].name, "retry-after") == 0)
			value = response->headers[i].value;
	if (value == NULL)
		return 0;
	if (value[0] != '\0' && value[strspn(value, "0123456789")] == '\0')
		wait_s = strtoll(value, NULL, 10); /* too large: LLONG_MAX */
	else
		wait_s = http_date(value) - (int64_t)seconds_of(now_us);
	if (wait_s < 0)
		return 0;
	return wait_s > GATEWAY_RETRY_AFTER_S_MAX ? GATEWAY_RETRY_AFTER_S_MAX
						  : (int32_t)wait_s;
}
