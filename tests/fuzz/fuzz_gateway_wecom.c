/*
 * WeCom: answers to messages and to askings for a token, pushes, askings
 * whether an address is ours, what an envelope holds, and envelopes.  Whatever
 * comes in, an outcome is whole, only an errcode of 0 is taken for acceptance,
 * nothing unsigned makes an event or comes back, an event is a text of a
 * member, and a request is JSON whose text is within what they take.
 */
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "flow/gateway_call.h"
#include "fuzz.h"

#define NOW_S "1767573000" /* 2026-01-05 00:30 UTC */
#define NOW_US INT64_C(1767573000000000)
#define TOKEN "spamtest"
#define APPID "wxb11529c136998cb6"
#define AES_KEY "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
#define SEALED_MAX 65536

extern const struct gw_api adherd_gateway_wecom;

static const struct gw_api *const api = &adherd_gateway_wecom;
static struct gw_pair settings[] = {{"corpid", APPID}, {"corpsecret", "s"},
    {"agentid", "1000002"}, {"robot-key", "k"}, {"robot-format", "text"},
    {"endpoint", "https://qyapi.weixin.qq.com"}, {"callback-token", TOKEN},
    {"callback-aes-key", AES_KEY}};

static void
fuzz_sent(struct gw_call *call, int status, const char *text, size_t bytes)
{
	const struct gw_response response = {
	    .status = status, .body = text, .body_bytes = bytes};
	const struct gw_message messages[] = {
	    {.reference = "ma", .address = "ZhangSan"},
	    {.reference = "mb", .address = "li.si"},
	    {.reference = "mc", .address = "robot:"}};
	struct gw_outcome outcomes[COUNT(messages)] = {0};
	const char *token = NULL, *error = NULL;
	int32_t lifetime_s = 0;

	api->sent(call, messages, COUNT(messages), &response, outcomes);
	for (size_t i = 0; i < COUNT(messages); i++) {
		const struct gw_outcome *o = &outcomes[i];

		must(o->verdict >= GW_ACCEPTED && o->verdict <= GW_UNKNOWN);
		must(o->scope >= GW_SCOPE_RECIPIENT &&
		     o->scope <= GW_SCOPE_GATEWAY);
		must(o->code != NULL && strlen(o->code) <= 64);
		must(o->retry_after_s >= 0 && o->retry_after_s <= 86400);
		must(o->verdict != GW_ACCEPTED ||
		     (status == 200 && strstr(text, "errcode") != NULL));
		must(!o->token_refused || o->verdict == GW_RETRY);
	}
	if (api->authed(call, &response, &token, &lifetime_s, &error) == 0)
		must(token != NULL && token[0] != '\0' && lifetime_s >= 0 &&
		     lifetime_s <= 86400);
	else
		must(error != NULL);
}

static void
check_event(const struct gw_event *event)
{
	must(event->id != NULL && event->address != NULL);
	must(event->address[0] != '\0' && strlen(event->address) <= 64);
	must(event->at_us >= 0);
	must(event->type == GW_EVENT_REPLY);
	must(event->text != NULL && event->text[0] != '\0');
	must(strlen(event->text) <= 8192);
}

/* How many events it gave, or -1. */
static int
receive(struct gw_call *call, const char *method, const char *query,
    const char *body, size_t bytes)
{
	const struct gw_callback callback = {.method = method,
	    .path = "",
	    .query = query,
	    .body = body,
	    .body_bytes = bytes};
	const struct gw_event *events = NULL;
	struct gw_answer answer = {0};
	int count = api->receive(call, &callback, &events, &answer);

	must((count >= 0) == (answer.status == 200));
	must(count <= 1);
	for (int i = 0; i < count; i++)
		check_event(&events[i]);
	return count;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The query of a push, signed. */
static const char *
sign(const char *sealed, struct arena *arena)
{
	const char *parts[] = {TOKEN, NOW_S, "77", sealed};
	struct buf all = BUF_INIT(0);
	uint8_t digest[20];
	char hex[41];

	qsort(parts, COUNT(parts), sizeof(*parts), compare);
	for (size_t i = 0; i < COUNT(parts); i++)
		buf_text(&all, parts[i]);
	crypto_sha1(all.data, all.bytes, digest);
	buf_free(&all);
	crypto_hex(digest, sizeof(digest), hex);
	return arena_printf(
	    arena, "timestamp=" NOW_S "&nonce=77&msg_signature=%s", hex);
}

/* Not signed, and signed where the bytes themselves are what is sealed. */
static void
fuzz_plain(
    struct gw_call *call, struct arena *arena, const char *text, size_t bytes)
{
	must(receive(call, "POST", text, text, bytes) < 0);
	must(receive(call, "POST", sign("", arena), text, bytes) < 0);
	(void)receive(call, "POST", sign(text, arena),
	    arena_printf(arena, "<xml><Encrypt>%s</Encrypt></xml>", text),
	    strlen(text) + strlen("<xml><Encrypt></Encrypt></xml>"));
	must(receive(call, "GET", text, "", 0) < 0);
}

/* Sealed as it is: the bytes are what an envelope's ciphertext opens to. */
static void
fuzz_envelope(
    struct gw_call *call, struct arena *arena, const char *text, size_t bytes)
{
	static uint8_t sealed[SEALED_MAX];
	uint8_t key[36];
	struct buf base64 = BUF_INIT(0), body = BUF_INIT(0);

	bytes -= bytes % 16;
	if (bytes > SEALED_MAX)
		return;
	must(crypto_base64_decode(AES_KEY "=", 44, key, sizeof(key)) == 32);
	must(crypto_aes_cbc_encrypt(key, key, text, bytes, sealed));
	crypto_base64(sealed, bytes, &base64);
	buf_printf(
	    &body, "<xml><Encrypt>%s</Encrypt></xml>", buf_string(&base64));
	(void)receive(call, "POST", sign(buf_string(&base64), arena), body.data,
	    body.bytes);
	(void)receive(call, "GET",
	    arena_printf(arena, "%s&echostr=%s",
		sign(buf_string(&base64), arena),
		call->host->percent(call, buf_string(&base64))),
	    "", 0);
	buf_free(&base64);
	buf_free(&body);
}

/* A whole envelope around the bytes: they reach the XML. */
static void
fuzz_sealed(
    struct gw_call *call, struct arena *arena, const char *text, size_t bytes)
{
	struct buf plain = BUF_INIT(0);
	size_t pad;

	buf_text(&plain, "0123456789abcdef");
	buf_u32(&plain, (uint32_t)bytes);
	buf_add(&plain, text, bytes);
	buf_text(&plain, APPID);
	pad = 32 - plain.bytes % 32;
	for (size_t i = 0; i < pad; i++)
		buf_char(&plain, (char)pad);
	fuzz_envelope(call, arena, plain.data, plain.bytes);
	buf_free(&plain);
}

static void
fuzz_send(struct gw_call *call, char *text)
{
	const char *const addresses[] = {"ZhangSan", "robot:", text};
	struct gw_message messages[2] = {{.reference = "ma", .text = text},
	    {.reference = "mb", .address = "li.si", .text = text}};

	for (size_t i = 0; i < 2 * COUNT(addresses); i++) {
		struct gw_outcome outcomes[2] = {0};
		struct gw_request request = {0};
		const struct gw_json *body;

		messages[0].address = addresses[i / 2];
		messages[0].link = i % 2 == 0 ? NULL : text;
		if (api->send(call, messages, 1 + i % 2, &request, outcomes) !=
		    0) {
			must(outcomes[0].verdict == GW_REJECTED &&
			     outcomes[0].code != NULL);
			continue;
		}
		body = call->host->json_parse(
		    call, request.body, request.body_bytes);
		must(body != NULL);
		must(strlen(call->host->json_text(call->host->json_get(
			 call->host->json_get(body, "text"), "content"))) <=
		     2048);
		must(request.url[strcspn(request.url, " \r\n")] == '\0');
	}
}

#include "tests/fuzz/wechat_entry.h"
