/*
 * webhook against its golden files and the vectors of Standard Webhooks: what
 * leaves is signed, and of what comes in only the genuine makes events.
 */
#include "gateway_bench.h"

#include <stdlib.h>

#include "base/crypto.h"

extern const struct gw_api adherd_gateway_webhook;

static void sign_callback(struct bench *bench, struct gw_callback *callback);

static const struct gw_pair given[] = {
    {"url", "https://gateway.example/adherd"},
    {"signing-secret", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="},
    {"verify-secret", "whsec_MzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVI="},
    {0},
};

static const struct subject webhook = {.api = &adherd_gateway_webhook,
    .given = given,
    .stored = "",
    .acceptance = "\"accepted\"",
    .silence_accepts = true,
    .sign = sign_callback};

/* As a hospital does it: what was bent is signed all the same. */
static void
sign_callback(struct bench *bench, struct gw_callback *callback)
{
	const char *secret = strchr(given[2].value, '_') + 1;
	struct buf content = BUF_INIT(0), signature = BUF_INIT(64);
	struct gw_pair *headers =
	    arena_array(bench->call.host_data, 3, sizeof(*headers));
	uint8_t key[48], digest[32];
	long key_bytes =
	    crypto_base64_decode(secret, strlen(secret), key, sizeof(key));

	assert_int_equal(key_bytes, 32);
	buf_printf(&content, "evt_1.%lld.",
	    (long long)(bench->call.now_us / SECOND_US));
	headers[0] = (struct gw_pair){"webhook-id", "evt_1"};
	headers[1] = (struct gw_pair){"webhook-timestamp",
	    arena_printf(bench->call.host_data, "%lld",
		(long long)(bench->call.now_us / SECOND_US))};
	buf_add(&content, callback->body, callback->body_bytes);
	crypto_hmac_sha256(
	    key, (size_t)key_bytes, content.data, content.bytes, digest);
	buf_text(&signature, "v1,");
	crypto_base64(digest, sizeof(digest), &signature);
	headers[2] = (struct gw_pair){"webhook-signature",
	    arena_text(bench->call.host_data, buf_string(&signature))};
	callback->headers = headers;
	callback->header_count = 3;
	buf_free(&content);
	buf_free(&signature);
}

static void
bend_good_callback(struct bench *bench)
{
	if (json_get(bench->item, "events") != NULL)
		bend(bench, bent_callback);
}

/* ---- vectors of Standard Webhooks ---- */

/* 401 for one that is forged; else the body is none of ours: 400. */
static int
verify_vector(struct bench *bench, const char *secret, int64_t now_s,
    const struct gw_callback *callback)
{
	const struct gw_event *events;
	struct gw_answer answer = {0};

	for (size_t i = 0; i < bench->call.setting_count; i++)
		if (strcmp(bench->settings[i].name, "verify-secret") == 0)
			bench->settings[i].value = secret;
	bench->call.now_us = now_s * SECOND_US;
	assert_int_equal(
	    bench->api->receive(&bench->call, callback, &events, &answer), -1);
	return answer.status;
}

/* A signed example: genuine as it is, not with one byte of it changed. */
static void
check_signed(struct bench *bench)
{
	const struct json *body = json_get(bench->item, "body");
	const char *secret = json_get_text(bench->item, "secret");
	char *changed = arena_text_n(bench->arena, body->text, body->bytes);
	const struct gw_pair headers[] = {
	    {"webhook-id", json_get_text(bench->item, "msg_id")},
	    {"webhook-timestamp", json_get(bench->item, "timestamp")->text},
	    {"webhook-signature", json_get_text(bench->item, "signature")},
	};
	struct gw_callback callback = {.method = "POST",
	    .headers = headers,
	    .header_count = COUNT(headers),
	    .body = body->text,
	    .body_bytes = body->bytes};
	int64_t now_s = strtoll(headers[1].value, NULL, 10);

	assert_int_equal(verify_vector(bench, secret, now_s, &callback), 400);
	callback.body = changed;
	for (uint32_t i = 0; i < body->bytes; i++) {
		changed[i] ^= 1;
		assert_int_equal(
		    verify_vector(bench, secret, now_s, &callback), 401);
		changed[i] ^= 1;
	}
}

static void
check_verified(struct bench *bench)
{
	const struct gw_callback callback = read_callback(bench);
	bool valid = json_is(json_get(bench->item, "valid"), JSON_TRUE);
	int64_t now_s;

	assert_true(json_i64(json_get(bench->item, "now"), &now_s));
	expect(bench, json_get_text(bench->item, "title"),
	    valid ? "400" : "401",
	    arena_printf(bench->arena, "%d",
		verify_vector(bench, json_get_text(bench->item, "secret"),
		    now_s, &callback)));
}

/* Run over a list of vectors-webhooks.json; how many there were. */
static int
run_vectors(const char *list, run_case *run)
{
	struct arena *arena = arena_create();
	int count = 0;

	json_each (item, json_get(read_json("tests/vectors/vectors-webhooks."
					    "json",
				      arena),
			     list)) {
		struct bench bench;

		bench_init(&bench, &webhook, arena, NULL);
		bench.item = item;
		run(&bench);
		count++;
	}
	arena_free(arena);
	return count;
}

static void
webhook_vectors_are_told_from_forgeries(void **state)
{
	(void)state;
	assert_int_equal(run_vectors("sign", check_signed), 6);
	assert_int_equal(run_vectors("verify", check_verified), 20);
}

/* ---- tests ---- */

static void
webhook_requests_are_signed(void **state)
{
	(void)state;
	run_cases(&webhook, "requests", case_request);
}

static void
webhook_answers_become_outcomes(void **state)
{
	(void)state;
	run_cases(&webhook, "responses", case_response);
	run_cases(&webhook, "responses", bend_response);
}

static void
webhook_callbacks_become_events_if_they_are_genuine(void **state)
{
	(void)state;
	run_cases(&webhook, "callbacks", case_callback);
	run_cases(&webhook, "callbacks", bend_good_callback);
}

/* An option that is not given is no setting: give it by way of a case. */
static const char *
check_webhook(const char *settings)
{
	static char text[256];
	struct arena *arena = arena_create();
	struct json_error error;
	struct bench bench;
	const char *problem;

	bench_init(&bench, &webhook, arena,
	    json_parse(settings, strlen(settings), NULL, arena, &error));
	problem = bench.api->check(&bench.call);
	(void)snprintf(text, sizeof(text), "%s", problem ? problem : "");
	arena_free(arena);
	return text;
}

static void
webhook_secrets_are_checked(void **state)
{
#define OURS "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define SHORT "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhc=" /* 23 bytes */
#define LONG "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=="
#define TWICE "whsec_whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define OTHER "whsec_ZWZnaGlqa2xtbm9wcXJzdHV2d3h5ent8"
	static const char *const bad[] = {
	    "", "whsec_", SHORT, "whsec_!", LONG, TWICE};
	static const char old[] =
	    "{\"settings\":{\"verify-old-secret\":\"" OTHER "\"}}";
	struct arena *arena = arena_create();
	struct json_error error;
	struct bench bench;

	(void)state;
	assert_string_equal(check_webhook("{}"), "");
	assert_string_equal(
	    check_webhook("{\"settings\":{\"url\":\"ftp://a\"}}"),
	    "url: http:// or https://");
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_string_equal(
		    check_webhook(arena_printf(arena,
			"{\"settings\":{\"signing-secret\":\"%s\"}}", bad[i])),
		    "signing-secret-file: whsec_ and base64 of 24 to 64 "
		    "bytes");
	assert_string_equal(
	    check_webhook("{\"settings\":{\"signing-old-secret\":\"" OTHER
			  "\",\"verify-old-secret\":\"" OTHER "\"}}"),
	    "verify-old-secret-file: the same secret as "
	    "signing-old-secret-file");
	assert_string_equal(
	    check_webhook("{\"settings\":{\"verify-secret\":\"" OURS "\"}}"),
	    "verify-secret-file: the same secret as signing-secret-file");
	bench_init(&bench, &webhook, arena,
	    json_parse(old, sizeof(old) - 1, NULL, arena, &error));
	assert_null(bench.api->check(&bench.call));
	for (size_t i = 0; i < bench.call.setting_count; i++)
		if (strcmp(bench.settings[i].name, "verify-secret") == 0)
			bench.settings[i].name = "not-set";
	assert_string_equal(bench.api->check(&bench.call),
	    "verify-old-secret-file: without verify-secret-file");
	arena_free(arena);
#undef OURS
#undef SHORT
#undef LONG
#undef TWICE
#undef OTHER
}

static void
webhook_callbacks_are_bounded(void **state)
{
	static const char event[] = "{\"type\":\"message.delivered\","
				    "\"timestamp\":\"2026-01-05T00:30:00Z\","
				    "\"data\":{\"reference\":\"a\"}}";

	(void)state;
	assert_int_equal(push_of(&webhook, event, 1000), 1000);
	assert_int_equal(push_of(&webhook, event, 1001), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(webhook_vectors_are_told_from_forgeries),
	    cmocka_unit_test(webhook_requests_are_signed),
	    cmocka_unit_test(webhook_answers_become_outcomes),
	    cmocka_unit_test(
		webhook_callbacks_become_events_if_they_are_genuine),
	    cmocka_unit_test(webhook_callbacks_are_bounded),
	    cmocka_unit_test(webhook_secrets_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
