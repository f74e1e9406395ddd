#ifndef ADHERD_TESTS_FUZZ_WECHAT_ACCOUNT_H
#define ADHERD_TESTS_FUZZ_WECHAT_ACCOUNT_H

/*
 * Accounts of WeChat, the one that ACCOUNT names: answers to messages and to
 * askings for a token, plain pushes, what an envelope holds, and envelopes
 * themselves.  Whatever comes in, an outcome is whole, only an errcode of 0 is
 * taken for acceptance, nothing unsigned makes an event, an event names its
 * sender, and a request is JSON of one line without escaped characters.
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

extern const struct gw_api ACCOUNT;

static const struct gw_api *const api = &ACCOUNT;
static struct gw_pair settings[] = {{"appid", APPID}, {"app-secret", "s"},
    {"endpoint", "https://api.weixin.qq.com"}, {"callback-mode", "compatible"},
    {"callback-token", TOKEN}, {"callback-aes-key", AES_KEY},
    {"page", "pages/today"}, {"state", "formal"}, {"ask-below", "3"}};

static void
fuzz_sent(struct gw_call *call, int status, const char *text, size_t bytes)
{
	const struct gw_response response = {
	    .status = status, .body = text, .body_bytes = bytes};
	struct gw_message message = {.reference = "ma"};
	const char *token = NULL, *error = NULL;
	int32_t lifetime_s = 0;

	for (int i = 0; i < 4; i++) {
		struct gw_outcome o = {0};

		message.template_code = i & 1 ? "T" : NULL;
		message.repeated = i & 2;
		api->sent(call, &message, 1, &response, &o);
		must(o.verdict >= GW_ACCEPTED && o.verdict <= GW_UNKNOWN);
		must(o.scope >= GW_SCOPE_RECIPIENT &&
		     o.scope <= GW_SCOPE_GATEWAY);
		must(o.code != NULL && strlen(o.code) <= 64);
		must(o.retry_after_s >= 0 && o.retry_after_s <= 86400);
		must(o.verdict != GW_ACCEPTED ||
		     (status == 200 && strstr(text, "errcode") != NULL));
		must(o.verdict != GW_ACCEPTED || o.provider_id != NULL ||
		     o.no_receipt);
		must(!o.token_refused || o.verdict == GW_RETRY);
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
	switch (event->type) {
	case GW_EVENT_RECEIPT:
		must(event->provider_id != NULL && event->code != NULL);
		must(event->delivered == (strcmp(event->code, "success") == 0));
		break;
	case GW_EVENT_REPLY:
		must(event->text != NULL && event->text[0] != '\0');
		must(strlen(event->text) <= 8192);
		break;
	case GW_EVENT_ADDRESS:
		must(event->opted_out == event->address_bad);
		break;
	case GW_EVENT_CREDIT:
		must(event->code != NULL && event->code[0] != '\0');
		must(event->credits == 0 || event->credits == 1);
		break;
	default:
		must(false);
	}
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
	must(count <= 16);
	for (int i = 0; i < count; i++)
		check_event(&events[i]);
	return count;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The query of a push, signed; sealed NULL: it is plain. */
static const char *
sign(const char *sealed, struct arena *arena)
{
	const char *parts[] = {TOKEN, NOW_S, "77", sealed};
	size_t count = sealed == NULL ? 3 : 4;
	struct buf all = BUF_INIT(0);
	uint8_t digest[20];
	char hex[41];

	qsort(parts, count, sizeof(*parts), compare);
	for (size_t i = 0; i < count; i++)
		buf_text(&all, parts[i]);
	crypto_sha1(all.data, all.bytes, digest);
	buf_free(&all);
	crypto_hex(digest, sizeof(digest), hex);
	return arena_printf(arena, "timestamp=" NOW_S "&nonce=77&%s=%s%s",
	    sealed == NULL ? "signature" : "msg_signature", hex,
	    sealed == NULL ? "" : "&encrypt_type=aes");
}

/* Signed: whatever is wrong now is in the XML; and not signed. */
static void
fuzz_plain(
    struct gw_call *call, struct arena *arena, const char *text, size_t bytes)
{
	(void)receive(call, "POST", sign(NULL, arena), text, bytes);
	must(receive(call, "POST", text, text, bytes) < 0);
	(void)receive(call, "GET", text, "", 0);
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
	struct gw_pair parameters[] = {
	    {"thing1", text}, {"number2", text}, {text, text}};
	struct gw_message message = {.reference = text,
	    .address = "oAbCdEf",
	    .text = text,
	    .parameters = parameters,
	    .link = text};

	for (size_t i = 0; i < 4; i++) {
		struct gw_outcome outcome = {0};
		struct gw_request request = {0};

		message.template_code = i == 0 ? NULL : text;
		message.parameter_count = i;
		if (i == 3)
			message.address = text;
		if (api->send(call, &message, 1, &request, &outcome) != 0) {
			must(outcome.verdict == GW_REJECTED &&
			     outcome.code != NULL);
			continue;
		}
		must(call->host->json_parse(
			 call, request.body, request.body_bytes) != NULL);
		must(request.url[strcspn(request.url, " \r\n")] == '\0');
	}
}

#include "tests/fuzz/wechat_entry.h"

#endif
