/*
 * wechat_oa against its golden files, and from within: the vendor's own
 * examples of signatures and envelopes, what seals them again, the token, and
 * that no rule goes untried.
 */
#include "gateway_bench.h"

#include "base/crypto.h"

#define adherd_gateway wechat_oa_included
#include "gateways/wechat_oa.c"
#undef adherd_gateway

#define VECTORS "tests/vectors/vectors-wechat-push.json"
#define RESPONSES "tests/gateways/wechat_oa/responses.json"
#define APPID "wxb11529c136998cb6"
#define AES_KEY "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"

static const struct gw_pair given[] = {
    {"appid", APPID},
    {"app-secret", "appSecret"},
    {"callback-token", "spamtest"},
    {"callback-aes-key", AES_KEY},
    {0},
};

static const struct subject wechat = {.api = &wechat_oa_included,
    .given = given,
    .stored = "success",
    .acceptance = "\"errcode\":0",
    .token = "A_token-1/2+"};

static const struct subject *const subject = &wechat;

/* ---- vectors ---- */

static const char *
input(const struct json *item, const char *key)
{
	return json_get_text(json_get(item, "inputs"), key);
}

static const char *
expected(const struct json *item, const char *key)
{
	return json_get_text(json_get(item, "expected"), key);
}

static bool
is_of(const struct json *item, const char *scheme)
{
	return strcmp(json_get_text(item, "scheme"), scheme) == 0;
}

static const char *
signature_of_vector(struct gw_call *call, const struct json *item)
{
	const char *const parts[] = {input(item, "token"),
	    input(item, "timestamp"), input(item, "nonce"),
	    input(item, "encrypt")};

	return wechat_signature(call, parts, parts[3] == NULL ? 3 : 4);
}

static void
url_signatures_are_those_of_the_vendor(void **state)
{
	struct arena *arena = arena_create();
	struct gw_call call;
	int checked = 0;

	(void)state;
	gateway_call_init(&call, arena, "test", NULL, 0, 0, NULL);
	json_each (item, read_json(VECTORS, arena)) {
		if (!is_of(item, "wechat-url-signature"))
			continue;
		assert_string_equal(signature_of_vector(&call, item),
		    expected(item, "signature"));
		checked++;
	}
	assert_int_equal(checked, 2);
	arena_free(arena);
}

static void
envelopes_of_the_vendor_are_opened(void **state)
{
	struct arena *arena = arena_create();
	struct gw_call call;
	int checked = 0;

	(void)state;
	gateway_call_init(&call, arena, "test", NULL, 0, 0, NULL);
	json_each (item, read_json(VECTORS, arena)) {
		size_t bytes = 0;
		const char *message;

		if (!is_of(item, "wxbizmsgcrypt-decrypt") &&
		    !is_of(item, "wxbizmsgcrypt-verifyurl"))
			continue;
		assert_string_equal(signature_of_vector(&call, item),
		    expected(item, "msg_signature"));
		message = wechat_open(&call, input(item, "encoding_aes_key"),
		    input(item, "receive_id"), input(item, "encrypt"), &bytes);
		assert_non_null(message);
		assert_string_equal(message, expected(item, "msg"));
		assert_int_equal(bytes, strlen(message));
		/* not for somebody else */
		assert_null(wechat_open(&call, input(item, "encoding_aes_key"),
		    arena_printf(arena, "%s0", input(item, "receive_id")),
		    input(item, "encrypt"), &bytes));
		checked++;
	}
	assert_int_equal(checked, 7);
	arena_free(arena);
}

static void
what_the_vendor_encrypted_for_an_answer_is_opened(void **state)
{
	struct arena *arena = arena_create();
	struct gw_call call;
	int checked = 0;

	(void)state;
	gateway_call_init(&call, arena, "test", NULL, 0, 0, NULL);
	json_each (item, read_json(VECTORS, arena)) {
		size_t bytes = 0;

		if (!is_of(item, "wxbizmsgcrypt-encrypt"))
			continue;
		assert_string_equal(
		    wechat_open(&call, input(item, "encoding_aes_key"),
			input(item, "receive_id"), expected(item, "encrypt"),
			&bytes),
		    input(item, "msg"));
		checked++;
	}
	assert_int_equal(checked, 3);
	arena_free(arena);
}

/* ---- pushes ---- */

/* What receive() makes of it; the status of the answer is in *status. */
static int
push(const struct json *settings, const char *now, const char *query,
    const char *body, struct arena *arena, const struct gw_event **events,
    int *status)
{
	struct gw_callback callback = {.method = "POST",
	    .path = "",
	    .query = query,
	    .body = body,
	    .body_bytes = strlen(body)};
	struct gw_answer reply = {0};
	struct bench bench;
	int count;

	bench_init(&bench, subject, arena, settings);
	bench.call.now_us = strtoll(now, NULL, 10) * SECOND_US;
	count = bench.api->receive(&bench.call, &callback, events, &reply);
	*status = reply.status;
	return count;
}

/* A vector's settings, as a case has them. */
static const struct json *
settings_of(const struct json *item, struct arena *arena)
{
	const char *text = arena_printf(arena,
	    "{\"settings\":{\"appid\":\"%s\",\"callback-token\":\"%s\","
	    "\"callback-aes-key\":\"%s\"}}",
	    input(item, "receive_id"), input(item, "token"),
	    input(item, "encoding_aes_key"));
	struct json_error error;

	return json_parse(text, strlen(text), NULL, arena, &error);
}

static int
push_vector(const struct json *item, struct arena *arena,
    const struct gw_event **events, int *status)
{
	const char *signature = expected(item, "msg_signature");

	return push(settings_of(item, arena), input(item, "timestamp"),
	    arena_printf(arena,
		"signature=x&timestamp=%s&nonce=%s&encrypt_type=aes&"
		"msg_signature=%s",
		input(item, "timestamp"), input(item, "nonce"),
		signature != NULL ? signature : input(item, "msg_signature")),
	    arena_printf(arena, "<xml><Encrypt><![CDATA[%s]]></Encrypt></xml>",
		input(item, "encrypt")),
	    arena, events, status);
}

static void
encrypted_pushes_become_replies_and_receipts(void **state)
{
	struct arena *arena = arena_create();
	int replies = 0, receipts = 0;

	(void)state;
	json_each (item, read_json(VECTORS, arena)) {
		const struct gw_event *events = NULL;
		int status, count;

		if (!is_of(item, "wxbizmsgcrypt-decrypt") ||
		    strncmp(expected(item, "msg"), "<xml>", 5) != 0)
			continue;
		count = push_vector(item, arena, &events, &status);
		assert_int_equal(status, 200);
		if (count == 0)
			continue;
		if (events->type == GW_EVENT_REPLY) {
			assert_non_null(
			    strstr(expected(item, "msg"), events->text));
			replies++;
		} else {
			assert_int_equal(events->type, GW_EVENT_RECEIPT);
			assert_false(events->delivered);
			assert_true(events->opted_out);
			assert_string_equal(events->code, "user_block");
			receipts++;
		}
		assert_non_null(strstr(expected(item, "msg"), events->address));
	}
	assert_true(replies >= 2);
	assert_int_equal(receipts, 1);
	arena_free(arena);
}

static void
vectors_to_refuse_are_refused(void **state)
{
	struct arena *arena = arena_create();
	int checked = 0;

	(void)state;
	json_each (item, read_json(VECTORS, arena)) {
		const struct gw_event *events = NULL;
		int status;

		if (!is_of(item, "wxbizmsgcrypt-reject"))
			continue;
		assert_int_equal(
		    push_vector(item, arena, &events, &status), -1);
		assert_int_equal(status / 100, 4);
		checked++;
	}
	assert_int_equal(checked, 2);
	arena_free(arena);
}

/* As the vendor seals it, with what is wrong about it. */
struct sealing {
	const char *key, *appid;
	uint32_t length_more; /* than there is */
	size_t pad_more;      /* blocks of 32, beyond the one that fits */
	bool pad_bent;
};

static const char *
seal(struct arena *arena, const char *message, const struct sealing *sealing)
{
	struct buf plain = BUF_INIT(0), text = BUF_INIT(0);
	uint8_t key[36], sealed[8192];
	size_t pad;

	assert_int_equal(
	    crypto_base64_decode(
		arena_printf(arena, "%s=", sealing->key), 44, key, sizeof(key)),
	    32);
	buf_text(&plain, "0123456789abcdef");
	buf_u32(&plain, (uint32_t)strlen(message) + sealing->length_more);
	buf_text(&plain, message);
	buf_text(&plain, sealing->appid);
	pad = 32 - plain.bytes % 32 + 32 * sealing->pad_more;
	for (size_t i = 0; i < pad; i++)
		buf_char(&plain, (char)(sealing->pad_bent && i == 0 ? 0 : pad));
	assert_true(plain.bytes <= sizeof(sealed));
	assert_true(
	    crypto_aes_cbc_encrypt(key, key, plain.data, plain.bytes, sealed));
	crypto_base64(sealed, plain.bytes, &text);
	message = arena_text(arena, buf_string(&text));
	buf_free(&plain);
	buf_free(&text);
	return message;
}

static const char *
open_sealed(const char *message, const struct sealing *sealing)
{
	struct arena *arena = arena_create();
	struct gw_call call;
	size_t bytes = 0;
	const char *found;

	gateway_call_init(&call, arena, "test", NULL, 0, 0, NULL);
	found = wechat_open(
	    &call, AES_KEY, APPID, seal(arena, message, sealing), &bytes);
	if (found != NULL) {
		assert_string_equal(found, message);
		assert_int_equal(bytes, strlen(message));
	}
	arena_free(arena);
	return found;
}

static void
envelopes_are_opened_only_as_they_should_be(void **state)
{
	static const char other_key[] =
	    "bbcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
	char message[65] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(message) - 1; i++) {
		message[i] = 'x';
		assert_non_null(open_sealed(
		    message, &(struct sealing){AES_KEY, APPID, 0, 0, false}));
		assert_null(open_sealed(
		    message, &(struct sealing){AES_KEY, APPID, 1, 0, false}));
		assert_null(open_sealed(message,
		    &(struct sealing){AES_KEY, APPID, UINT32_MAX, 0, false}));
		assert_null(open_sealed(
		    message, &(struct sealing){AES_KEY, APPID, 0, 1, false}));
		assert_null(open_sealed(
		    message, &(struct sealing){other_key, APPID, 0, 0, false}));
		assert_null(open_sealed(
		    message, &(struct sealing){
				 AES_KEY, "wx0000000000000000", 0, 0, false}));
		/* a pad of one has nothing before it that could be bent */
		if ((20 + strlen(message) + strlen(APPID)) % 32 != 31)
			assert_null(open_sealed(message,
			    &(struct sealing){AES_KEY, APPID, 0, 0, true}));
	}
}

/* Signed and sealed, with the key and the token before. */
static void
the_old_key_and_token_still_open(void **state)
{
	static const char old_key[] =
	    "bbcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
	static const char body[] =
	    "<xml><FromUserName>oA</FromUserName><CreateTime>1767573000"
	    "</CreateTime><MsgType>text</MsgType><Content>1</Content>"
	    "<MsgId>5</MsgId></xml>";
	struct arena *arena = arena_create();
	const char *sealed =
	    seal(arena, body, &(struct sealing){old_key, APPID, 0, 0, false});
	const char *parts[] = {"oldtoken", "1767573000", "7", sealed};
	static const char text[] =
	    "{\"settings\":{\"callback-old-token\":\"oldtoken\","
	    "\"callback-old-aes-key\":"
	    "\"bbcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\"}}";
	const struct gw_event *events = NULL;
	struct json_error error;
	struct gw_call call;
	const char *query;
	int status;

	(void)state;
	gateway_call_init(&call, arena, "test", NULL, 0, 0, NULL);
	query = arena_printf(arena,
	    "timestamp=1767573000&nonce=7&encrypt_type=aes&msg_signature=%s",
	    wechat_signature(&call, parts, 4));
	sealed =
	    arena_printf(arena, "<xml><Encrypt>%s</Encrypt></xml>", sealed);
	assert_int_equal(
	    push(json_parse(text, strlen(text), NULL, arena, &error),
		"1767573000", query, sealed, arena, &events, &status),
	    1);
	assert_string_equal(events->text, "1");
	assert_int_equal(
	    push(NULL, "1767573000", query, sealed, arena, &events, &status),
	    -1);
	assert_int_equal(status, 403);
	arena_free(arena);
}

/* ---- the token ---- */

static void
the_token_is_asked_for_as_the_vendor_says(void **state)
{
	struct arena *arena = arena_create();
	struct gw_request request = {0};
	struct bench bench;

	(void)state;
	bench_init(&bench, subject, arena, NULL);
	bench.api->auth(&bench.call, &request);
	assert_string_equal(request.method, "POST");
	assert_string_equal(
	    request.url, "https://api.weixin.qq.com/cgi-bin/stable_token");
	assert_string_equal(request.body,
	    "{\"grant_type\":\"client_credential\","
	    "\"appid\":\"" APPID "\",\"secret\":\"appSecret\"}");
	arena_free(arena);
}

static const char *
token_line(struct arena *arena, int status, const char *body)
{
	const struct gw_response response = {
	    .status = status, .body = body, .body_bytes = strlen(body)};
	const char *token = NULL, *error = NULL;
	int32_t lifetime_s = 0;
	struct bench bench;

	bench_init(&bench, subject, arena, NULL);
	if (bench.api->authed(
		&bench.call, &response, &token, &lifetime_s, &error) != 0)
		return error;
	return arena_printf(arena, "%s for %d", token, lifetime_s);
}

static void
tokens_and_refusals_are_told_apart(void **state)
{
	static const struct {
		int status;
		const char *body, *line;
	} cases[] = {
	    {200, "{\"access_token\":\"T\",\"expires_in\":7200}", "T for 7200"},
	    {200, "{\"errcode\":0,\"access_token\":\"T\",\"expires_in\":300}",
		"T for 300"},
	    {200,
		"{\"access_token\":\"T\",\"expires_in\":99999999999999999999}",
		"T for 86400"},
	    {200, "{\"errcode\":40125,\"errmsg\":\"invalid appsecret\"}",
		"40125"},
	    {200, "{\"errcode\":-1,\"access_token\":\"T\",\"expires_in\":1}",
		"-1"},
	    {200, "{\"access_token\":\"\",\"expires_in\":7200}", "unreadable"},
	    {200, "{\"access_token\":\"T\"}", "unreadable"},
	    {200, "{\"access_token\":\"T\",\"expires_in\":-7200}",
		"unreadable"},
	    {200, "", "unreadable"},
	    {503, "{\"access_token\":\"T\",\"expires_in\":7200}", "HTTP 503"},
	};
	struct arena *arena = arena_create();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(
		    token_line(arena, cases[i].status, cases[i].body),
		    cases[i].line);
	arena_free(arena);
}

/* ---- the rest ---- */

static void
every_rule_is_tried_and_stands_once(void **state)
{
	struct arena *arena = arena_create();
	const struct json *cases = read_json(RESPONSES, arena);

	(void)state;
	for (size_t i = 0; i < COUNT(wechat_rules); i++) {
		bool found = false;

		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(
			    wechat_rules[i].code, wechat_rules[j].code);
		json_each (item, cases)
			found = found || strcmp(json_get_text(item, "name"),
					     wechat_rules[i].code) == 0;
		if (!found)
			fail_msg("%s: no case", wechat_rules[i].code);
	}
	arena_free(arena);
}

static void
template_messages_alone_may_be_repeated(void **state)
{
	static const struct gw_message messages[] = {
	    {.reference = "ma", .address = "oA", .template_code = "T"},
	    {.reference = "mb", .address = "oA", .text = "1"}};
	struct arena *arena = arena_create();
	struct gw_outcome outcome;
	struct bench bench;

	(void)state;
	bench_init(&bench, subject, arena, NULL);
	for (size_t i = 0; i < COUNT(messages); i++) {
		struct gw_request request = {0};

		assert_int_equal(bench.api->send(&bench.call, &messages[i], 1,
				     &request, &outcome),
		    0);
		assert_int_equal(request.repeatable, i == 0);
	}
	arena_free(arena);
}

static void
settings_are_checked(void **state)
{
	static const char *const bad_endpoints[] = {"", "api.weixin.qq.com",
	    "ftp://a.b", "https://", "https:///", "https://a.b/x",
	    "https://a.b//", "https://a.b?c", "https://a.b#c"};

	(void)state;
	assert_null(check_setting(subject, "endpoint", "https://a.b:8443/"));
	for (size_t i = 0; i < COUNT(bad_endpoints); i++)
		assert_non_null(
		    check_setting(subject, "endpoint", bad_endpoints[i]));
	assert_non_null(check_setting(subject, "appid", ""));
	assert_non_null(check_setting(subject, "appid", "wx b"));
	assert_non_null(check_setting(subject, "app-secret", ""));
	assert_non_null(check_setting(subject, "callback-token", ""));
	assert_null(check_setting(subject, "callback-mode", "compatible"));
	assert_non_null(check_setting(subject, "callback-mode", "secure"));
	assert_non_null(check_setting(subject, "callback-aes-key", "short"));
	assert_non_null(check_setting(subject, "callback-aes-key", NULL));
	assert_non_null(check_setting(subject, "callback-aes-key",
	    "abcdefghijklmnopqrstuvwxyz0123456789ABCDE!G"));
}

static void
requests_are_written_as_the_vendor_takes_them(void **state)
{
	(void)state;
	run_cases(subject, "requests", case_request);
}

static void
codes_become_verdicts_and_scopes(void **state)
{
	(void)state;
	run_cases(subject, "responses", case_response);
	run_cases(subject, "twins", case_response);
}

static void
pushes_become_events(void **state)
{
	(void)state;
	run_cases(subject, "callbacks", case_callback);
}

static void
bent_bodies_are_survived(void **state)
{
	(void)state;
	run_cases(subject, "responses", bend_response);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_written_as_the_vendor_takes_them),
	    cmocka_unit_test(codes_become_verdicts_and_scopes),
	    cmocka_unit_test(pushes_become_events),
	    cmocka_unit_test(bent_bodies_are_survived),
	    cmocka_unit_test(url_signatures_are_those_of_the_vendor),
	    cmocka_unit_test(envelopes_of_the_vendor_are_opened),
	    cmocka_unit_test(what_the_vendor_encrypted_for_an_answer_is_opened),
	    cmocka_unit_test(encrypted_pushes_become_replies_and_receipts),
	    cmocka_unit_test(vectors_to_refuse_are_refused),
	    cmocka_unit_test(envelopes_are_opened_only_as_they_should_be),
	    cmocka_unit_test(the_old_key_and_token_still_open),
	    cmocka_unit_test(the_token_is_asked_for_as_the_vendor_says),
	    cmocka_unit_test(tokens_and_refusals_are_told_apart),
	    cmocka_unit_test(every_rule_is_tried_and_stands_once),
	    cmocka_unit_test(template_messages_alone_may_be_repeated),
	    cmocka_unit_test(settings_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
