#ifndef ADHERD_TESTS_GATEWAY_BENCH_H
#define ADHERD_TESTS_GATEWAY_BENCH_H

/*
 * Golden files for a gateway: tests/gateways/NAME/requests, responses,
 * callbacks and queries.json.  What a plug-in makes of a case is printed as a
 * line ("retry recipient CODE wait=43") and compared.  A body can also be cut
 * and bent at each byte, and must never pass for more than it says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/zone.h"
#include "flow/gateway_call.h"
#include "read_json.h"

#define MESSAGES_MAX 8
#define SETTINGS_MAX 16
#define NOW "2026-01-05T00:30:00Z"
#define NONCE "0f8fad5bd9cb469fa16570867728950e"

struct bench;

struct subject { /* a plug-in, and what its tests have to know */
	const struct gw_api *api;
	const struct gw_pair *given; /* settings, ended by a NULL name */
	const char *stored;          /* says that events are; "" by 204 */
	const char *acceptance;      /* no body without this word accepts any */
	bool silence_accepts;        /* but an empty one does */
	const char *token;           /* of auth(), or NULL */
	/* sign what was bent, as the provider would; or NULL */
	void (*sign)(struct bench *bench, struct gw_callback *callback);
};

/* One call of one case. */
struct bench {
	const struct subject *subject;
	const struct gw_api *api;
	struct arena *arena;
	const struct json *item; /* the case */
	struct gw_pair settings[SETTINGS_MAX];
	struct gw_call call;
};

static const char *nonce_hex = NONCE;
static struct gw_host bench_host;

/* ---- the bench ---- */

/* Not random at all: the bytes of nonce_hex. */
static inline void
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

static inline int64_t
instant_of(const char *text)
{
	int64_t at;

	assert_true(instant_parse(text, &at));
	return at;
}

static inline const char *
setting_value(const struct bench *bench, const struct gw_option *option)
{
	const char *value =
	    json_get_text(json_get(bench->item, "settings"), option->name);
	const struct gw_pair *given = bench->subject->given;

	for (; given->name != NULL && value == NULL; given++)
		if (strcmp(given->name, option->name) == 0)
			value = given->value;
	return value != NULL ? value : option->standard;
}

/* Prepare the call of a case; an option without a value is not set. */
static inline void
bench_init(struct bench *bench, const struct subject *subject,
    struct arena *arena, const struct json *item)
{
	const struct gw_api *api = subject->api;
	const char *now = json_get_text(item, "now");
	size_t count = 0;

	*bench = (struct bench){
	    .subject = subject, .api = api, .arena = arena, .item = item};
	for (size_t i = 0; i < api->option_count; i++) {
		const char *value = setting_value(bench, &api->options[i]);

		if (value != NULL)
			bench->settings[count++] =
			    (struct gw_pair){api->options[i].name, value};
	}
	gateway_call_init(&bench->call, arena, "test", bench->settings, count,
	    instant_of(now != NULL ? now : NOW), subject->token);
	bench_host = gateway_call_host;
	bench_host.random = bench_random;
	bench->call.host = &bench_host;
	bench->call.channel = "sms";
}

typedef void run_case(struct bench *bench);

/* Run each case of tests/gateways/NAME/FILE.json. */
static inline void
run_cases(const struct subject *subject, const char *file, run_case *run)
{
	struct arena *arena = arena_create();
	const struct json *cases =
	    read_json(arena_printf(arena, "tests/gateways/%s/%s.json",
			  subject->api->name, file),
		arena);

	assert_true(json_is(cases, JSON_ARRAY) && cases->count > 0);
	json_each (item, cases) {
		struct arena *case_arena = arena_create();
		struct bench bench;

		bench_init(&bench, subject, case_arena, item);
		run(&bench);
		arena_free(case_arena);
	}
	arena_free(arena);
}

static inline void
expect(const struct bench *bench, const char *what, const char *expected,
    const char *got)
{
	if (expected == NULL || got == NULL || strcmp(expected, got) != 0)
		fail_msg("%s, %s\nexpected: %s\ngot:      %s",
		    json_get_text(bench->item, "name"), what, expected, got);
}

/* ---- lines ---- */

static inline const char *
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
	return arena_printf(arena, "%s %s %s%s%s%s%s%s%s%s",
	    verdicts[outcome->verdict], scopes[outcome->scope], outcome->code,
	    outcome->provider_id != NULL ? " id=" : "",
	    outcome->provider_id != NULL ? outcome->provider_id : "", wait,
	    outcome->opted_out ? " opted_out" : "",
	    outcome->token_refused ? " token_refused" : "",
	    outcome->no_receipt ? " no_receipt" : "",
	    outcome->credits_gone ? " credits_gone" : "");
}

static inline const char *
field(struct arena *arena, const char *name, const char *value)
{
	if (value == NULL)
		return "";
	return arena_printf(arena, " %s=%s", name, value);
}

static inline const char *
at_field(struct arena *arena, int64_t at_us)
{
	char text[32];

	zone_format(zone_open("UTC"), at_us, text, sizeof(text));
	return arena_printf(arena, " at=%.19sZ", text);
}

static inline const char *
event_line(struct arena *arena, const struct gw_event *event)
{
	const char *kind =
	    event->delivered ? "receipt delivered" : "receipt undelivered";

	if (event->type == GW_EVENT_REPLY)
		kind = "reply";
	else if (event->type == GW_EVENT_CREDIT)
		kind = arena_printf(arena, "credit %d", event->credits);
	else if (event->type == GW_EVENT_ADDRESS)
		kind = event->address_bad ? "address bad" : "address good";
	else
		assert_int_equal(event->type, GW_EVENT_RECEIPT);
	return arena_printf(arena, "%s%s%s%s%s%s%s%s%s%s%s", kind,
	    field(arena, "id", event->id),
	    field(arena, "ref", event->reference),
	    field(arena, "provider", event->provider_id),
	    field(arena, "to", event->address),
	    field(arena, "ext", event->extension),
	    field(arena, "code", event->code), at_field(arena, event->at_us),
	    event->address_bad && event->type == GW_EVENT_RECEIPT
		? " address_bad"
		: "",
	    event->opted_out ? " opted_out" : "",
	    field(arena, "text", event->text));
}

static inline const char *
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

static inline void
read_message(
    struct arena *arena, const struct json *from, struct gw_message *message)
{
	const struct json *parameters = json_get(from, "parameters");
	size_t count = parameters != NULL ? parameters->count : 0;
	struct gw_pair *pairs = arena_array(arena, count, sizeof(*pairs));
	int64_t valid_s, credits_left;

	*message =
	    (struct gw_message){.reference = json_get_text(from, "reference"),
		.address = json_get_text(from, "address"),
		.appid = json_get_text(from, "appid"),
		.link = json_get_text(from, "link"),
		.text = json_get_text(from, "text"),
		.locale = "zh-CN",
		.template_code = json_get_text(from, "template_code"),
		.signature = json_get_text(from, "signature"),
		.parameters = pairs,
		.extension = json_get_text(from, "extension")};
	message->credits_left =
	    json_i64(json_get(from, "credits_left"), &credits_left)
		? (int32_t)credits_left
		: -1;
	if (json_get_text(from, "locale") != NULL)
		message->locale = json_get_text(from, "locale");
	if (json_i64(json_get(from, "valid_s"), &valid_s))
		message->valid_s = (int32_t)valid_s;
	json_each (item, parameters)
		pairs[message->parameter_count++] =
		    (struct gw_pair){item->key, json_text(item)};
}

static inline size_t
read_messages(const struct bench *bench, struct gw_message *messages)
{
	size_t count = 0;

	json_each (item, json_get(bench->item, "messages")) {
		assert_true(count < MESSAGES_MAX);
		read_message(bench->arena, item, &messages[count++]);
	}
	return count;
}

static inline void
check_headers(const struct bench *bench, const struct gw_request *request)
{
	const struct json *expected = json_get(bench->item, "headers");

	for (size_t i = 0; i < request->header_count; i++)
		expect(bench, request->headers[i].name,
		    json_get_text(expected, request->headers[i].name),
		    request->headers[i].value);
	assert_int_equal(request->header_count, expected->count);
}

static inline void
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
	expect(bench, "result", refused != NULL ? "-1" : "0",
	    result != 0 ? "-1" : "0");
	for (uint32_t i = 0; i < count && refused != NULL; i++)
		expect(bench, "outcome", json_text(json_at(refused, i)),
		    outcome_line(bench->arena, &outcomes[i]));
	if (refused != NULL)
		return;
	expect(bench, "method", "POST", request.method);
	expect(bench, "url", json_get_text(bench->item, "url"), request.url);
	expect(bench, "body", json_get_text(bench->item, "body"), request.body);
	assert_int_equal(request.body_bytes, strlen(request.body));
	check_headers(bench, &request);
}

/* ---- responses ---- */

static const struct gw_message numbered[] = {
    {.reference = "ma", .address = "+8613800000000"},
    {.reference = "mb", .address = "+8613800000001"},
    {.reference = "mc", .address = "+8613800000002"}};

static inline struct gw_response
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

static inline size_t
message_count(const struct bench *bench)
{
	int64_t count;

	if (!json_i64(json_get(bench->item, "count"), &count))
		return 1;
	assert_in_range(count, 1, COUNT(numbered));
	return (size_t)count;
}

/*
 * What was sent: a text, or a template where the case names one, to the
 * addresses of the case, or to numbers.
 */
static inline void
sent_messages(const struct bench *bench, struct gw_message *messages)
{
	const struct json *addresses = json_get(bench->item, "addresses");

	for (size_t i = 0; i < COUNT(numbered); i++) {
		messages[i] = numbered[i];
		if (json_at(addresses, (uint32_t)i) != NULL)
			messages[i].address =
			    json_text(json_at(addresses, (uint32_t)i));
		messages[i].template_code =
		    json_get_text(bench->item, "template_code");
		messages[i].repeated =
		    json_is(json_get(bench->item, "repeated"), JSON_TRUE);
	}
}

static inline void
case_response(struct bench *bench)
{
	struct gw_message messages[COUNT(numbered)];
	struct gw_response response = read_response(bench);
	struct gw_outcome outcomes[COUNT(numbered)] = {0};
	const char *all = json_get_text(bench->item, "outcome");
	const struct json *each = json_get(bench->item, "outcomes");
	size_t count = message_count(bench);

	sent_messages(bench, messages);
	bench->api->sent(&bench->call, messages, count, &response, outcomes);
	for (uint32_t i = 0; i < count; i++)
		expect(bench, "outcome",
		    all != NULL ? all : json_text(json_at(each, i)),
		    outcome_line(bench->arena, &outcomes[i]));
}

static inline void
case_balance(struct bench *bench)
{
	struct gw_response response = read_response(bench);
	int64_t left;

	expect(bench, "outcome", json_get_text(bench->item, "outcome"),
	    bench->api->balanced(&bench->call, &response, &left) == 0
		? arena_printf(bench->arena, "%lld", (long long)left)
		: "unsaid");
}

/* ---- callbacks ---- */

static inline struct gw_callback
read_callback(const struct bench *bench)
{
	const char *method = json_get_text(bench->item, "method");
	const char *query = json_get_text(bench->item, "query");
	const struct json *body = json_get(bench->item, "body");
	const struct json *headers = json_get(bench->item, "headers");
	struct gw_pair *pairs = arena_array(
	    bench->arena, headers != NULL ? headers->count : 0, sizeof(*pairs));
	struct gw_callback callback = {
	    .method = method != NULL ? method : "POST",
	    .path = "",
	    .query = query != NULL ? query : "",
	    .headers = pairs,
	    .body = body->text,
	    .body_bytes = body->bytes};

	json_each (item, headers)
		pairs[callback.header_count++] =
		    (struct gw_pair){item->key, json_text(item)};
	return callback;
}

static inline void
check_answer(const struct bench *bench, const struct gw_answer *answer)
{
	const char *own = json_get_text(bench->item, "answer_ok");
	const char *stored = own != NULL ? own : bench->subject->stored;

	assert_int_equal(answer->status, stored[0] != '\0' ? 200 : 204);
	expect(bench, "answer", stored, answer->body);
	assert_int_equal(answer->body_bytes, strlen(stored));
}

static inline void
case_callback(struct bench *bench)
{
	const struct gw_callback callback = read_callback(bench);
	const struct gw_event *events = NULL;
	struct gw_answer answer = {0};
	const struct json *expected = json_get(bench->item, "events");
	const char *refusal = json_get_text(bench->item, "answer");
	int count =
	    bench->api->receive(&bench->call, &callback, &events, &answer);
	int64_t refused = 0;

	expect(bench, "count",
	    arena_printf(bench->arena, "%d",
		expected != NULL ? (int)expected->count : -1),
	    arena_printf(bench->arena, "%d", count));
	for (int i = 0; i < count; i++)
		expect(bench, "event",
		    json_text(json_at(expected, (uint32_t)i)),
		    event_line(bench->arena, &events[i]));
	if (!json_i64(json_get(bench->item, "refused"), &refused)) {
		check_answer(bench, &answer);
		return;
	}
	assert_int_equal(answer.status, refused);
	if (refusal != NULL)
		expect(bench, "answer", refusal, answer.body);
}

/* ---- queries ---- */

static inline struct gw_query
read_query(const struct bench *bench)
{
	return (struct gw_query){
	    .reference = json_get_text(bench->item, "reference"),
	    .address = json_get_text(bench->item, "address"),
	    .provider_id = json_get_text(bench->item, "provider_id"),
	    .sent_at_us = instant_of(json_get_text(bench->item, "sent_at"))};
}

static inline void
case_query(struct bench *bench)
{
	const struct gw_query question = read_query(bench);
	const struct gw_response response = read_response(bench);
	const char *body = json_get_text(bench->item, "question");
	const char *authorization = json_get_text(bench->item, "authorization");
	struct gw_query_result result = {0};
	struct gw_request request = {0};

	bench->api->query(&bench->call, &question, &request);
	expect(bench, "url", json_get_text(bench->item, "url"), request.url);
	expect(bench, "question", body != NULL ? body : "", request.body);
	assert_int_equal(request.body_bytes, strlen(request.body));
	if (authorization != NULL)
		expect(bench, "authorization", authorization,
		    request.headers[request.header_count - 1].value);
	else /* it stands in the body */
		assert_non_null(strstr(request.body, "&Signature="));
	bench->api->queried(&bench->call, &question, &response, &result);
	expect(bench, "found", json_get_text(bench->item, "found"),
	    found_line(bench->arena, &result));
}

/* ---- bent bodies ---- */

typedef void run_body(struct bench *bench, const char *body, size_t bytes);

/* Run with every beginning of the body, and with each byte changed. */
static inline void
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

/* Is there anything in this answer that may pass for acceptance? */
static inline bool
may_accept(const struct bench *bench, const struct gw_response *response)
{
	const char *word = bench->subject->acceptance;

	if (response->status / 100 != 2)
		return false;
	return strstr(response->body, word) != NULL ||
	       (bench->subject->silence_accepts && response->body_bytes == 0);
}

static inline void
bent_response(struct bench *bench, const char *body, size_t bytes)
{
	struct gw_message messages[COUNT(numbered)];
	struct gw_response response = read_response(bench);
	struct gw_outcome outcomes[COUNT(numbered)] = {0};
	size_t count = message_count(bench);

	sent_messages(bench, messages);
	response.body = body;
	response.body_bytes = bytes;
	bench->api->sent(&bench->call, messages, count, &response, outcomes);
	for (size_t i = 0; i < count; i++) {
		(void)outcome_line(bench->call.host_data, &outcomes[i]);
		if (outcomes[i].verdict == GW_ACCEPTED)
			assert_true(may_accept(bench, &response));
	}
}

static inline void
bent_callback(struct bench *bench, const char *body, size_t bytes)
{
	struct gw_callback callback = read_callback(bench);
	const struct gw_event *events = NULL;
	struct gw_answer answer = {0};
	int count;

	callback.body = body;
	callback.body_bytes = bytes;
	if (bench->subject->sign != NULL)
		bench->subject->sign(bench, &callback);
	count = bench->api->receive(&bench->call, &callback, &events, &answer);
	/* some of it may be good, and the rest be asked for again */
	if (count <= 0)
		assert_int_equal(answer.status / 100 == 2, count == 0);
	assert_int_not_equal(answer.status, 401);
	for (int i = 0; i < count; i++)
		(void)event_line(bench->call.host_data, &events[i]);
}

static inline void
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

static inline void
bend_response(struct bench *bench)
{
	bend(bench, bent_response);
}

static inline void
bend_callback(struct bench *bench)
{
	bend(bench, bent_callback);
}

static inline void
bend_query(struct bench *bench)
{
	bend(bench, bent_query);
}

/* ---- bounds ---- */

static inline const char *
check_setting(
    const struct subject *subject, const char *name, const char *value)
{
	struct arena *arena = arena_create();
	struct bench bench;
	const char *problem;

	bench_init(&bench, subject, arena, NULL);
	for (size_t i = 0; i < bench.call.setting_count; i++)
		if (strcmp(bench.settings[i].name, name) == 0)
			bench.settings[i].value = value;
	problem = bench.api->check(&bench.call); /* a literal */
	arena_free(arena);
	return problem;
}

/* What both clouds take and refuse as an endpoint. */
static inline void
endpoints_are_checked(const struct subject *subject)
{
	static const char *const bad[] = {"", "dysmsapi.aliyuncs.com",
	    "ftp://dysmsapi.aliyuncs.com", "https://", "https:///",
	    "https://dysmsapi.aliyuncs.com/x", "https://a.b//",
	    "https://user@dysmsapi.aliyuncs.com", "https://a.b?c",
	    "https://a.b#c", "https://A.b", "https://a b"};

	assert_null(check_setting(subject, "endpoint", "https://a.b:8443/"));
	assert_null(check_setting(subject, "endpoint", "http://[::1]:80"));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_non_null(check_setting(subject, "endpoint", bad[i]));
}

/* What a push of so many items of this text gives. */
static inline int
push_of(const struct subject *subject, const char *item, size_t count)
{
	struct arena *arena = arena_create();
	struct gw_callback callback = {
	    .method = "POST", .path = "", .query = ""};
	const struct gw_event *events;
	struct gw_answer answer;
	struct bench bench;
	struct buf body = BUF_INIT(0);
	int result;

	bench_init(&bench, subject, arena, NULL);
	for (size_t i = 0; i < count; i++)
		buf_printf(&body, "%c%s", i > 0 ? ',' : '[', item);
	buf_char(&body, ']');
	callback.body = body.data;
	callback.body_bytes = body.bytes;
	if (subject->sign != NULL)
		subject->sign(&bench, &callback);
	result =
	    subject->api->receive(&bench.call, &callback, &events, &answer);
	buf_free(&body);
	arena_free(arena);
	return result;
}

#endif
