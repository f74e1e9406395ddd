/*
 * The shipped gateways against golden files: tests/gateways/NAME/requests,
 * responses, callbacks and queries.json.  What a plug-in makes of a case is
 * printed as a line ("retry recipient CODE wait=43") and compared.  Every
 * body is also cut and bent at each byte, and must never pass for more than
 * it says.  sms_aliyun is included, for the published vectors of its
 * signature want actions that it never sends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define adherd_gateway sms_aliyun_included
#include "gateways/sms_aliyun.c"
#undef adherd_gateway

#include "base/json.h"
#include "base/zone.h"
#include "flow/gateway_call.h"
#include "read_json.h"

#define MESSAGES_MAX 8
#define SETTINGS_MAX 8
#define NOW "2026-01-05T00:30:00Z"
#define NONCE "0f8fad5bd9cb469fa16570867728950e"

extern const struct gw_api adherd_gateway_loopback;

/* One call of one case. */
struct bench {
	const struct gw_api *api;
	struct arena *arena;
	const struct json *item; /* the case */
	struct gw_pair settings[SETTINGS_MAX];
	struct gw_call call;
};

static const struct gw_pair given[] = {
    {"access-key-id", "testAccessKeyId"},
    {"access-key-secret", "testAccessKeySecret"},
    {"url", "http://127.0.0.1:8080/loopback"},
};

static const char *nonce_hex = NONCE;
static struct gw_host bench_host;

/* ---- the bench ---- */

/* Not random at all: the bytes of nonce_hex. */
static void
bench_random(struct gw_call *call, void *out, size_t bytes)
{
	uint8_t *to = out;

	(void)call;
	assert_int_equal(strlen(nonce_hex), 2 * bytes);
	for (size_t i = 0; i < bytes; i++) {
		unsigned byte;

		assert_int_equal(sscanf(nonce_hex + 2 * i, "%2x", &byte), 1);
		to[i] = (uint8_t)byte;
	}
}

static int64_t
instant_of(const char *text)
{
	int64_t at;

	assert_true(instant_parse(text, &at));
	return at;
}

static const char *
setting_value(const struct bench *bench, const struct gw_option *option)
{
	const char *value =
	    json_get_text(json_get(bench->item, "settings"), option->name);

	for (size_t i = 0; i < COUNT(given) && value == NULL; i++)
		if (strcmp(given[i].name, option->name) == 0)
			value = given[i].value;
	return value != NULL ? value : option->standard;
}

/* Prepare the call of a case; an option without a value is not set. */
static void
bench_init(struct bench *bench, const struct gw_api *api, struct arena *arena,
    const struct json *item)
{
	const char *now = json_get_text(item, "now");
	size_t count = 0;

	*bench = (struct bench){.api = api, .arena = arena, .item = item};
	for (size_t i = 0; i < api->option_count; i++) {
		const char *value = setting_value(bench, &api->options[i]);

		if (value != NULL)
			bench->settings[count++] =
			    (struct gw_pair){api->options[i].name, value};
	}
	gateway_call_init(&bench->call, arena, "test", bench->settings, count,
	    instant_of(now != NULL ? now : NOW), NULL);
	bench_host = gateway_call_host;
	bench_host.random = bench_random;
	bench->call.host = &bench_host;
}

typedef void run_case(struct bench *bench);

/* Run each case of tests/gateways/NAME/FILE.json. */
static void
run_cases(const struct gw_api *api, const char *file, run_case *run)
{
	struct arena *arena = arena_create();
	const struct json *cases = read_json(
	    arena_printf(arena, "tests/gateways/%s/%s.json", api->name, file),
	    arena);

	assert_true(json_is(cases, JSON_ARRAY) && cases->count > 0);
	json_each (item, cases) {
		struct arena *case_arena = arena_create();
		struct bench bench;

		bench_init(&bench, api, case_arena, item);
		run(&bench);
		arena_free(case_arena);
	}
	arena_free(arena);
}

static void
same(const struct bench *bench, const char *what, const char *expected,
    const char *got)
{
	if (expected == NULL || got == NULL || strcmp(expected, got) != 0)
		fail_msg("%s, %s\nexpected: %s\ngot:      %s",
		    json_get_text(bench->item, "name"), what, expected, got);
}

/* ---- lines ---- */

static const char *
outcome_line(struct arena *arena, const struct gw_outcome *outcome)
{
	static const char *const verdicts[] = {
	    "-", "accepted", "retry", "rejected", "unknown"};
	static const char *const scopes[] = {
	    "-", "recipient", "message", "template", "sender", "gateway"};
	const char *wait = "";

	assert_in_range(outcome->verdict, GW_ACCEPTED, GW_UNKNOWN);
	assert_in_range(outcome->scope, GW_SCOPE_RECIPIENT, GW_SCOPE_GATEWAY);
	assert_non_null(outcome->code);
	if (outcome->retry_after_s != 0)
		wait = arena_printf(arena, " wait=%d", outcome->retry_after_s);
	return arena_printf(arena, "%s %s %s%s%s%s%s",
	    verdicts[outcome->verdict], scopes[outcome->scope], outcome->code,
	    outcome->provider_id != NULL ? " id=" : "",
	    outcome->provider_id != NULL ? outcome->provider_id : "", wait,
	    outcome->opted_out ? " opted_out" : "");
}

static const char *
field(struct arena *arena, const char *name, const char *value)
{
	if (value == NULL)
		return "";
	return arena_printf(arena, " %s=%s", name, value);
}

static const char *
at_field(struct arena *arena, int64_t at_us)
{
	char text[32];

	zone_format(zone_open("UTC"), at_us, text, sizeof(text));
	return arena_printf(arena, " at=%.19sZ", text);
}

static const char *
event_line(struct arena *arena, const struct gw_event *event)
{
	const char *kind =
	    event->delivered ? "receipt delivered" : "receipt undelivered";

	if (event->type == GW_EVENT_REPLY)
		kind = "reply";
	else
		assert_int_equal(event->type, GW_EVENT_RECEIPT);
	return arena_printf(arena, "%s%s%s%s%s%s%s%s%s%s%s", kind,
	    field(arena, "id", event->id),
	    field(arena, "ref", event->reference),
	    field(arena, "provider", event->provider_id),
	    field(arena, "to", event->address),
	    field(arena, "ext", event->extension),
	    field(arena, "code", event->code), at_field(arena, event->at_us),
	    event->address_bad ? " address_bad" : "",
	    event->opted_out ? " opted_out" : "",
	    field(arena, "text", event->text));
}

static const char *
found_line(struct arena *arena, const struct gw_query_result *result)
{
	static const char *const found[] = {
	    "-", "nothing", "waiting", "delivered", "undelivered", "unsure"};

	assert_in_range(result->found, GW_FOUND_NOTHING, GW_FOUND_UNSURE);
	return arena_printf(arena, "%s%s%s", found[result->found],
	    field(arena, "code", result->code),
	    result->at_us != 0 ? at_field(arena, result->at_us) : "");
}

/* ---- requests ---- */

static void
read_message(
    struct arena *arena, const struct json *from, struct gw_message *message)
{
	const struct json *parameters = json_get(from, "parameters");
	size_t count = parameters != NULL ? parameters->count : 0;
	struct gw_pair *pairs = arena_array(arena, count, sizeof(*pairs));

	*message =
	    (struct gw_message){.reference = json_get_text(from, "reference"),
		.address = json_get_text(from, "address"),
		.text = json_get_text(from, "text"),
		.locale = "zh-CN",
		.template_code = json_get_text(from, "template_code"),
		.signature = json_get_text(from, "signature"),
		.parameters = pairs,
		.extension = json_get_text(from, "extension")};
	json_each (item, parameters)
		pairs[message->parameter_count++] =
		    (struct gw_pair){item->key, json_text(item)};
}

static size_t
read_messages(const struct bench *bench, struct gw_message *messages)
{
	size_t count = 0;

	json_each (item, json_get(bench->item, "messages")) {
		assert_true(count < MESSAGES_MAX);
		read_message(bench->arena, item, &messages[count++]);
	}
	return count;
}

static void
check_headers(const struct bench *bench, const struct gw_request *request)
{
	const struct json *expected = json_get(bench->item, "headers");

	for (size_t i = 0; i < request->header_count; i++)
		same(bench, request->headers[i].name,
		    json_get_text(expected, request->headers[i].name),
		    request->headers[i].value);
	assert_int_equal(request->header_count, expected->count);
}

static void
case_request(struct bench *bench)
{
	struct gw_message messages[MESSAGES_MAX];
	struct gw_outcome outcomes[MESSAGES_MAX] = {0};
	struct gw_request request = {0};
	const struct json *refused = json_get(bench->item, "outcomes");
	size_t count = read_messages(bench, messages);
	int result;

	assert_null(bench->api->check(&bench->call));
	result =
	    bench->api->send(&bench->call, messages, count, &request, outcomes);
	same(bench, "result", refused != NULL ? "-1" : "0",
	    result != 0 ? "-1" : "0");
	for (uint32_t i = 0; i < count && refused != NULL; i++)
		same(bench, "outcome", json_text(json_at(refused, i)),
		    outcome_line(bench->arena, &outcomes[i]));
	if (refused != NULL)
		return;
	same(bench, "method", "POST", request.method);
	same(bench, "url", json_get_text(bench->item, "url"), request.url);
	same(bench, "body", json_get_text(bench->item, "body"), request.body);
	assert_int_equal(request.body_bytes, strlen(request.body));
	check_headers(bench, &request);
}

/* ---- responses ---- */

static const struct gw_message numbered[] = {
    {.reference = "ma"}, {.reference = "mb"}, {.reference = "mc"}};

static struct gw_response
read_response(const struct bench *bench)
{
	const struct json *headers = json_get(bench->item, "headers");
	const struct json *body = json_get(bench->item, "body");
	struct gw_pair *pairs = arena_array(
	    bench->arena, headers != NULL ? headers->count : 0, sizeof(*pairs));
	struct gw_response response = {
	    .headers = pairs, .body = body->text, .body_bytes = body->bytes};
	int64_t status;

	assert_true(json_i64(json_get(bench->item, "status"), &status));
	response.status = (int)status;
	json_each (item, headers)
		pairs[response.header_count++] =
		    (struct gw_pair){item->key, json_text(item)};
	return response;
}

static size_t
message_count(const struct bench *bench)
{
	int64_t count;

	if (!json_i64(json_get(bench->item, "count"), &count))
		return 1;
	assert_in_range(count, 1, COUNT(numbered));
	return (size_t)count;
}

static void
case_response(struct bench *bench)
{
	struct gw_response response = read_response(bench);
	struct gw_outcome outcomes[COUNT(numbered)] = {0};
	const char *all = json_get_text(bench->item, "outcome");
	const struct json *each = json_get(bench->item, "outcomes");
	size_t count = message_count(bench);

	bench->api->sent(&bench->call, numbered, count, &response, outcomes);
	for (uint32_t i = 0; i < count; i++)
		same(bench, "outcome",
		    all != NULL ? all : json_text(json_at(each, i)),
		    outcome_line(bench->arena, &outcomes[i]));
}

static void
case_balance(struct bench *bench)
{
	struct gw_response response = read_response(bench);
	int64_t left;

	same(bench, "outcome", json_get_text(bench->item, "outcome"),
	    bench->api->balanced(&bench->call, &response, &left) == 0
		? arena_printf(bench->arena, "%lld", (long long)left)
		: "unsaid");
}

/* ---- callbacks ---- */

static struct gw_callback
read_callback(const struct bench *bench)
{
	const char *method = json_get_text(bench->item, "method");
	const struct json *body = json_get(bench->item, "body");

	return (struct gw_callback){.method = method != NULL ? method : "POST",
	    .path = "",
	    .query = "",
	    .body = body->text,
	    .body_bytes = body->bytes};
}

static void
check_answer(const struct bench *bench, const struct gw_answer *answer)
{
	const char *stored = "{}";

	if (bench->api == &sms_aliyun_included)
		stored = "{\"code\":0,\"msg\":\"接收成功\"}";
	assert_int_equal(answer->status, 200);
	same(bench, "answer", stored, answer->body);
	assert_int_equal(answer->body_bytes, strlen(stored));
}

static void
case_callback(struct bench *bench)
{
	const struct gw_callback callback = read_callback(bench);
	const struct gw_event *events = NULL;
	struct gw_answer answer = {0};
	const struct json *expected = json_get(bench->item, "events");
	int count =
	    bench->api->receive(&bench->call, &callback, &events, &answer);
	int64_t refused = 0;

	same(bench, "count",
	    arena_printf(bench->arena, "%d",
		expected != NULL ? (int)expected->count : -1),
	    arena_printf(bench->arena, "%d", count));
	for (int i = 0; i < count; i++)
		same(bench, "event", json_text(json_at(expected, (uint32_t)i)),
		    event_line(bench->arena, &events[i]));
	if (json_i64(json_get(bench->item, "refused"), &refused))
		assert_int_equal(answer.status, refused);
	else
		check_answer(bench, &answer);
}

/* ---- queries ---- */

static struct gw_query
read_query(const struct bench *bench)
{
	return (struct gw_query){
	    .reference = json_get_text(bench->item, "reference"),
	    .address = json_get_text(bench->item, "address"),
	    .provider_id = json_get_text(bench->item, "provider_id"),
	    .sent_at_us = instant_of(json_get_text(bench->item, "sent_at"))};
}

static void
case_query(struct bench *bench)
{
	const struct gw_query question = read_query(bench);
	const struct gw_response response = read_response(bench);
	struct gw_query_result result = {0};
	struct gw_request request = {0};

	bench->api->query(&bench->call, &question, &request);
	same(bench, "url", json_get_text(bench->item, "url"), request.url);
	assert_int_equal(request.body_bytes, 0);
	same(bench, "authorization",
	    json_get_text(bench->item, "authorization"),
	    request.headers[request.header_count - 1].value);
	bench->api->queried(&bench->call, &question, &response, &result);
	same(bench, "found", json_get_text(bench->item, "found"),
	    found_line(bench->arena, &result));
}

/* ---- bent bodies ---- */

typedef void run_body(struct bench *bench, const char *body, size_t bytes);

/* Run with every beginning of the body, and with each byte changed. */
static void
bend(struct bench *bench, run_body *run)
{
	static const char wrong[] = {'\0', '"', '}', '0', '\x80'};
	const struct json *body = json_get(bench->item, "body");
	struct arena *arena = arena_create();

	bench->call.host_data = arena;
	for (uint32_t at = 0; at < body->bytes; at++) {
		for (size_t i = 0; i <= COUNT(wrong); i++) {
			bool cut = i == COUNT(wrong);
			char *copy = arena_text_n(
			    arena, body->text, cut ? at : body->bytes);

			if (!cut)
				copy[at] = wrong[i];
			run(bench, copy, cut ? at : body->bytes);
			arena_reset(arena);
		}
	}
	arena_free(arena);
}

static void
bent_response(struct bench *bench, const char *body, size_t bytes)
{
	struct gw_response response = read_response(bench);
	struct gw_outcome outcomes[COUNT(numbered)] = {0};
	size_t count = message_count(bench);

	response.body = body;
	response.body_bytes = bytes;
	bench->api->sent(&bench->call, numbered, count, &response, outcomes);
	for (size_t i = 0; i < count; i++) {
		(void)outcome_line(bench->call.host_data, &outcomes[i]);
		if (outcomes[i].verdict == GW_ACCEPTED)
			assert_non_null(strstr(body, "\"OK\""));
	}
}

static void
bent_callback(struct bench *bench, const char *body, size_t bytes)
{
	struct gw_callback callback = read_callback(bench);
	const struct gw_event *events = NULL;
	struct gw_answer answer = {0};
	int count;

	callback.body = body;
	callback.body_bytes = bytes;
	count = bench->api->receive(&bench->call, &callback, &events, &answer);
	assert_int_equal(answer.status == 200, count >= 0);
	for (int i = 0; i < count; i++)
		(void)event_line(bench->call.host_data, &events[i]);
}

static void
bent_query(struct bench *bench, const char *body, size_t bytes)
{
	const struct gw_query question = read_query(bench);
	struct gw_response response = read_response(bench);
	struct gw_query_result result = {0};

	response.body = body;
	response.body_bytes = bytes;
	bench->api->queried(&bench->call, &question, &response, &result);
	(void)found_line(bench->call.host_data, &result);
}

static void
bend_response(struct bench *bench)
{
	bend(bench, bent_response);
}

static void
bend_callback(struct bench *bench)
{
	bend(bench, bent_callback);
}

static void
bend_query(struct bench *bench)
{
	bend(bench, bent_query);
}

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
	same(bench, "canonical", json_get_text(bench->item, "canonical"),
	    canonical_request(&bench->call, query, signed_pairs,
		sorted_parameters(headers, signed_pairs), ""));
	same(bench, "authorization",
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
		bench_init(&bench, &sms_aliyun_included, arena, item);
		bench.settings[0].value =
		    json_get_text(inputs, "access_key_id");
		bench.settings[1].value =
		    json_get_text(inputs, "access_key_secret");
		same(&bench, "signature", json_get_text(item, "signature"),
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

/* ---- tests ---- */

static void
aliyun_requests_are_signed_and_escaped(void **state)
{
	(void)state;
	run_cases(&sms_aliyun_included, "requests", case_request);
}

static void
aliyun_codes_become_verdicts_and_scopes(void **state)
{
	(void)state;
	run_cases(&sms_aliyun_included, "responses", case_response);
}

static void
aliyun_pushes_become_receipts_and_replies(void **state)
{
	(void)state;
	run_cases(&sms_aliyun_included, "callbacks", case_callback);
}

static void
aliyun_is_asked_about_the_unknown(void **state)
{
	(void)state;
	run_cases(&sms_aliyun_included, "queries", case_query);
}

static void
aliyun_bent_bodies_are_survived(void **state)
{
	(void)state;
	run_cases(&sms_aliyun_included, "responses", bend_response);
	run_cases(&sms_aliyun_included, "callbacks", bend_callback);
	run_cases(&sms_aliyun_included, "queries", bend_query);
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

static const char *
check_setting(const char *name, const char *value)
{
	struct arena *arena = arena_create();
	struct bench bench;
	const char *problem;

	bench_init(&bench, &sms_aliyun_included, arena, NULL);
	for (size_t i = 0; i < bench.call.setting_count; i++)
		if (strcmp(bench.settings[i].name, name) == 0)
			bench.settings[i].value = value;
	problem = bench.api->check(&bench.call); /* a literal */
	arena_free(arena);
	return problem;
}

static void
aliyun_settings_are_checked(void **state)
{
	static const char *const bad[] = {"", "dysmsapi.aliyuncs.com",
	    "ftp://dysmsapi.aliyuncs.com", "https://", "https:///",
	    "https://dysmsapi.aliyuncs.com/x", "https://a.b//",
	    "https://user@dysmsapi.aliyuncs.com", "https://a.b?c",
	    "https://a.b#c", "https://A.b", "https://a b"};

	(void)state;
	assert_null(check_setting("endpoint", "https://a.b:8443/"));
	assert_null(check_setting("endpoint", "http://[::1]:80"));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_non_null(check_setting("endpoint", bad[i]));
	assert_non_null(check_setting("access-key-id", ""));
	assert_non_null(check_setting("access-key-secret", ""));
}

/* What a push of so many items of this text gives. */
static int
push_of(const struct gw_api *api, const char *item, size_t count)
{
	struct arena *arena = arena_create();
	struct gw_callback callback = {
	    .method = "POST", .path = "", .query = ""};
	const struct gw_event *events;
	struct gw_answer answer;
	struct bench bench;
	struct buf body = BUF_INIT(0);
	int result;

	bench_init(&bench, api, arena, NULL);
	for (size_t i = 0; i < count; i++)
		buf_printf(&body, "%c%s", i > 0 ? ',' : '[', item);
	buf_char(&body, ']');
	callback.body = body.data;
	callback.body_bytes = body.bytes;
	result = api->receive(&bench.call, &callback, &events, &answer);
	buf_free(&body);
	arena_free(arena);
	return result;
}

static void
pushes_are_bounded(void **state)
{
	static const char receipt[] = "{\"success\":true,\"out_id\":\"a\","
				      "\"phone_number\":\"13800000000\"}";
	static const char loop[] = "{\"reference\":\"a\",\"delivered\":true}";

	(void)state;
	assert_int_equal(push_of(&sms_aliyun_included, receipt, 1000), 1000);
	assert_int_equal(push_of(&sms_aliyun_included, receipt, 1001), -1);
	assert_int_equal(push_of(&adherd_gateway_loopback, loop, 1000), 1000);
	assert_int_equal(push_of(&adherd_gateway_loopback, loop, 1001), -1);
}

static void
nonces_differ(void **state)
{
	struct arena *arena = arena_create();
	struct bench bench;

	(void)state;
	bench_init(&bench, &sms_aliyun_included, arena, NULL);
	bench.call.host = &gateway_call_host;
	assert_string_not_equal(nonce(&bench.call), nonce(&bench.call));
	arena_free(arena);
}

static void
loopback_requests_are_what_its_provider_takes(void **state)
{
	(void)state;
	run_cases(&adherd_gateway_loopback, "requests", case_request);
}

static void
loopback_answers_become_outcomes(void **state)
{
	(void)state;
	run_cases(&adherd_gateway_loopback, "responses", case_response);
	run_cases(&adherd_gateway_loopback, "responses", bend_response);
}

static void
loopback_tells_what_is_left(void **state)
{
	struct arena *arena = arena_create();
	struct gw_request request;
	struct bench bench;

	(void)state;
	bench_init(&bench, &adherd_gateway_loopback, arena, NULL);
	bench.api->balance(&bench.call, &request);
	assert_string_equal(request.method, "GET");
	assert_string_equal(
	    request.url, "http://127.0.0.1:8080/loopback/balance");
	arena_free(arena);
	run_cases(&adherd_gateway_loopback, "balances", case_balance);
}

static void
loopback_receipts_become_events(void **state)
{
	(void)state;
	run_cases(&adherd_gateway_loopback, "callbacks", case_callback);
	run_cases(&adherd_gateway_loopback, "callbacks", bend_callback);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(acs3_vectors_come_out_byte_for_byte),
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
