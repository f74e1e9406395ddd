/*
 * sms_aliyun and loopback against their golden files.  sms_aliyun is
 * included, for the published vectors of its signatures want actions that it
 * never sends.
 */
#include "gateway_bench.h"

#define adherd_gateway sms_aliyun_included
#include "gateways/sms_aliyun.c"
#undef adherd_gateway

extern const struct gw_api adherd_gateway_loopback;

static const struct gw_pair given[] = {
    {"access-key-id", "testAccessKeyId"},
    {"access-key-secret", "testAccessKeySecret"},
    {"url", "http://127.0.0.1:8080/loopback"},
    {0},
};

static const struct subject aliyun = {.api = &sms_aliyun_included,
    .given = given,
    .stored = "{\"code\":0,\"msg\":\"接收成功\"}",
    .acceptance = "\"OK\""};
static const struct subject loopback = {.api = &adherd_gateway_loopback,
    .given = given,
    .stored = "{}",
    .acceptance = "\"OK\""};

/* ---- published vectors ---- */

/* The vector's parameters, which stand in the order of their names or not. */
static size_t
sorted_parameters(const struct json *query, struct gw_pair *pairs)
{
	size_t count = 0;

	json_each (item, query) {
		size_t at = count++;

		assert_true(count <= MESSAGES_MAX);
		for (; at > 0 && strcmp(pairs[at - 1].name, item->key) > 0;
		     at--)
			pairs[at] = pairs[at - 1];
		pairs[at] = (struct gw_pair){item->key, json_text(item)};
	}
	return count;
}

/* The signature of a request that the vector gives in parts. */
static void
check_vector(struct bench *bench)
{
	const struct json *inputs = json_get(bench->item, "inputs");
	const struct json *headers = json_get(inputs, "headers");
	struct gw_pair pairs[MESSAGES_MAX], signed_pairs[MESSAGES_MAX];
	struct action action = {.name = json_get_text(headers, "x-acs-action"),
	    .version = json_get_text(headers, "x-acs-version"),
	    .parameters = pairs};
	struct gw_request request;
	const char *query;

	action.parameter_count =
	    sorted_parameters(json_get(inputs, "query"), pairs);
	bench->settings[0].value = json_get_text(inputs, "access_key_id");
	bench->settings[1].value = json_get_text(inputs, "access_key_secret");
	bench->settings[2].value = arena_printf(
	    bench->arena, "https://%s", json_get_text(headers, "host"));
	nonce_hex = json_get_text(headers, "x-acs-signature-nonce");
	bench->call.now_us = instant_of(json_get_text(headers, "x-acs-date"));
	sign(&bench->call, &action, &request);
	query = strchr(request.url, '?') + 1;
	expect(bench, "canonical", json_get_text(bench->item, "canonical"),
	    canonical_request(&bench->call, query, signed_pairs,
		sorted_parameters(headers, signed_pairs), ""));
	expect(bench, "authorization",
	    json_get_text(inputs, "expected_authorization"),
	    request.headers[request.header_count - 1].value);
	nonce_hex = NONCE;
}

static void
acs3_vectors_come_out_byte_for_byte(void **state)
{
	struct arena *arena = arena_create();
	int checked = 0;

	(void)state;
	json_each (item, read_json("tests/vectors/vectors-sms.json", arena)) {
		const struct json *inputs = json_get(item, "inputs");
		struct bench bench;

		if (strcmp(json_get_text(item, "scheme"), "ACS3-HMAC-SHA256") !=
		    0)
			continue;
		bench_init(&bench, &aliyun, arena, item);
		bench.settings[0].value =
		    json_get_text(inputs, "access_key_id");
		bench.settings[1].value =
		    json_get_text(inputs, "access_key_secret");
		expect(&bench, "signature", json_get_text(item, "signature"),
		    strstr(authorization(&bench.call,
			       json_get_text(item, "canonical"), ""),
			"Signature=") +
			10);
		if (json_get(inputs, "headers") != NULL)
			check_vector(&bench);
		checked++;
	}
	assert_int_equal(checked, 3);
	arena_free(arena);
}

static void
rpc_vectors_come_out_byte_for_byte(void **state)
{
	struct arena *arena = arena_create();
	int checked = 0;

	(void)state;
	json_each (item, read_json("tests/vectors/vectors-sms.json", arena)) {
		const struct json *inputs = json_get(item, "inputs");
		struct gw_pair pairs[PARAMETERS_MAX];
		struct action action = {.parameters = pairs};
		struct bench bench;

		if (strcmp(json_get_text(item, "scheme"),
			"Aliyun-RPC-HMAC-SHA1") != 0)
			continue;
		bench_init(&bench, &aliyun, arena, item);
		bench.settings[1].value =
		    json_get_text(inputs, "access_key_secret");
		json_each (member, json_get(inputs, "params"))
			insert_parameter(pairs, &action.parameter_count,
			    (struct gw_pair){member->key, json_text(member)});
		expect(&bench, "canonical", json_get_text(item, "canonical"),
		    encode_parameters(&bench.call, &action));
		expect(&bench, "signature", json_get_text(item, "signature"),
		    rpc_signature(&bench.call, json_get_text(inputs, "method"),
			json_get_text(item, "canonical")));
		checked++;
	}
	assert_int_equal(checked, 3);
	arena_free(arena);
}

/* ---- tests ---- */

static void
aliyun_requests_are_signed_and_escaped(void **state)
{
	(void)state;
	run_cases(&aliyun, "requests", case_request);
}

static void
aliyun_codes_become_verdicts_and_scopes(void **state)
{
	(void)state;
	run_cases(&aliyun, "responses", case_response);
}

static void
aliyun_pushes_become_receipts_and_replies(void **state)
{
	(void)state;
	run_cases(&aliyun, "callbacks", case_callback);
}

static void
aliyun_is_asked_about_the_unknown(void **state)
{
	(void)state;
	run_cases(&aliyun, "queries", case_query);
}

static void
aliyun_bent_bodies_are_survived(void **state)
{
	(void)state;
	run_cases(&aliyun, "responses", bend_response);
	run_cases(&aliyun, "callbacks", bend_callback);
	run_cases(&aliyun, "queries", bend_query);
}

static void
aliyun_every_rule_is_in_order_and_tried(void **state)
{
	struct arena *arena = arena_create();
	const struct json *cases =
	    read_json("tests/gateways/sms_aliyun/responses.json", arena);

	(void)state;
	for (size_t i = 0; i < COUNT(rules); i++) {
		bool tried = false;

		if (i > 0)
			assert_true(
			    strcmp(rules[i - 1].code, rules[i].code) < 0);
		json_each (item, cases)
			tried = tried || strcmp(json_get_text(item, "name"),
					     rules[i].code) == 0;
		if (!tried)
			fail_msg("%s: no case", rules[i].code);
	}
	arena_free(arena);
}

static void
aliyun_settings_are_checked(void **state)
{
	(void)state;
	endpoints_are_checked(&aliyun);
	assert_null(check_setting(&aliyun, "signature", "rpc"));
	assert_non_null(check_setting(&aliyun, "signature", "hmac"));
	assert_non_null(check_setting(&aliyun, "access-key-id", ""));
	assert_non_null(check_setting(&aliyun, "access-key-secret", ""));
}

static void
pushes_are_bounded(void **state)
{
	static const char receipt[] = "{\"success\":true,\"out_id\":\"a\","
				      "\"phone_number\":\"13800000000\"}";
	static const char loop[] = "{\"reference\":\"a\",\"delivered\":true}";

	(void)state;
	assert_int_equal(push_of(&aliyun, receipt, 1000), 1000);
	assert_int_equal(push_of(&aliyun, receipt, 1001), -1);
	assert_int_equal(push_of(&loopback, loop, 1000), 1000);
	assert_int_equal(push_of(&loopback, loop, 1001), -1);
}

static void
nonces_differ(void **state)
{
	struct arena *arena = arena_create();
	struct bench bench;

	(void)state;
	bench_init(&bench, &aliyun, arena, NULL);
	bench.call.host = &gateway_call_host;
	assert_string_not_equal(nonce(&bench.call), nonce(&bench.call));
	arena_free(arena);
}

static void
loopback_requests_are_what_its_provider_takes(void **state)
{
	(void)state;
	run_cases(&loopback, "requests", case_request);
}

static void
loopback_answers_become_outcomes(void **state)
{
	(void)state;
	run_cases(&loopback, "responses", case_response);
	run_cases(&loopback, "responses", bend_response);
}

static void
loopback_tells_what_is_left(void **state)
{
	struct arena *arena = arena_create();
	struct gw_request request;
	struct bench bench;

	(void)state;
	bench_init(&bench, &loopback, arena, NULL);
	bench.api->balance(&bench.call, &request);
	assert_string_equal(request.method, "GET");
	assert_string_equal(
	    request.url, "http://127.0.0.1:8080/loopback/balance");
	arena_free(arena);
	run_cases(&loopback, "balances", case_balance);
}

static void
loopback_receipts_become_events(void **state)
{
	(void)state;
	run_cases(&loopback, "callbacks", case_callback);
	run_cases(&loopback, "callbacks", bend_callback);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(acs3_vectors_come_out_byte_for_byte),
	    cmocka_unit_test(rpc_vectors_come_out_byte_for_byte),
	    cmocka_unit_test(aliyun_requests_are_signed_and_escaped),
	    cmocka_unit_test(aliyun_codes_become_verdicts_and_scopes),
	    cmocka_unit_test(aliyun_pushes_become_receipts_and_replies),
	    cmocka_unit_test(aliyun_is_asked_about_the_unknown),
	    cmocka_unit_test(aliyun_bent_bodies_are_survived),
	    cmocka_unit_test(aliyun_every_rule_is_in_order_and_tried),
	    cmocka_unit_test(aliyun_settings_are_checked),
	    cmocka_unit_test(pushes_are_bounded),
	    cmocka_unit_test(nonces_differ),
	    cmocka_unit_test(loopback_requests_are_what_its_provider_takes),
	    cmocka_unit_test(loopback_answers_become_outcomes),
	    cmocka_unit_test(loopback_tells_what_is_left),
	    cmocka_unit_test(loopback_receipts_become_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
