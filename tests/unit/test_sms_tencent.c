/*
 * sms_tencent against its golden files, and from within: the published
 * signature, for an action that the plug-in never sends; the two of SendSms;
 * and that no rule of its tables goes untried in tests/gateways/sms_tencent.
 */
#include "gateway_bench.h"

#define adherd_gateway sms_tencent_included
#include "gateways/sms_tencent.c"
#undef adherd_gateway

#define VECTORS "tests/vectors/vectors-sms.json"
#define RESPONSES "tests/gateways/sms_tencent/responses.json"
#define HEADERS_MAX 4

static const struct gw_pair given[] = {
    {"secret-id", "testSecretId"},
    {"secret-key", "testSecretKey"},
    {"sdk-app-id", "1400006666"},
    {0},
};

static const struct subject tencent = {.api = &sms_tencent_included,
    .given = given,
    .stored = "{\"result\":0,\"errmsg\":\"OK\"}",
    .acceptance = "\"Ok\""};

/* What a vector is computed with. */
struct vector {
	const struct json *item;
	const struct json *inputs;
	struct gw_pair settings[6];
	struct gw_call call;
};

static const char *
input(const struct vector *vector, const char *key)
{
	return json_get_text(vector->inputs, key);
}

static void
vector_init(struct vector *vector, struct arena *arena, const struct json *item)
{
	int64_t second;

	vector->item = item;
	vector->inputs = json_get(item, "inputs");
	assert_true(json_i64(json_get(vector->inputs, "timestamp"), &second));
	vector->settings[0] =
	    (struct gw_pair){"secret-id", input(vector, "secret_id")};
	vector->settings[1] =
	    (struct gw_pair){"secret-key", input(vector, "secret_key")};
	vector->settings[2] = (struct gw_pair){"sdk-app-id", "1400006666"};
	vector->settings[3] = (struct gw_pair){"region", "ap-guangzhou"};
	vector->settings[4] =
	    (struct gw_pair){"endpoint", "https://sms.tencentcloudapi.com"};
	gateway_call_init(&vector->call, arena, "test", vector->settings, 5,
	    second * SECOND_US, NULL);
}

/* The canonical request of a vector's parts. */
static const char *
canonical_of(struct vector *vector, const char **names)
{
	struct gw_pair headers[HEADERS_MAX];
	size_t count = 0;

	json_each (item, json_get(vector->inputs, "headers")) {
		assert_true(count < HEADERS_MAX);
		headers[count++] = (struct gw_pair){
		    item->key, lower(&vector->call, json_text(item))};
	}
	*names = signed_names(&vector->call, headers, count);
	return canonical_request(&vector->call, input(vector, "query"), headers,
	    count, input(vector, "payload"));
}

static void
tc3_vectors_come_out_byte_for_byte(void **state)
{
	struct arena *arena = arena_create();
	int checked = 0;

	(void)state;
	json_each (item, read_json(VECTORS, arena)) {
		struct vector vector;
		const char *names, *canonical;

		if (strcmp(json_get_text(item, "scheme"), "TC3-HMAC-SHA256") !=
		    0)
			continue;
		vector_init(&vector, arena, item);
		canonical = canonical_of(&vector, &names);
		assert_string_equal(
		    canonical, json_get_text(item, "canonical"));
		assert_string_equal(
		    authorization(&vector.call, input(&vector, "service"),
			canonical, names),
		    input(&vector, "expected_authorization"));
		checked++;
	}
	assert_int_equal(checked, 3);
	arena_free(arena);
}

static const char *
header_of(const struct gw_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return NULL;
}

/* The vector that signs what we sign is what we send. */
static void
the_vector_of_send_sms_is_what_leaves(void **state)
{
	static const struct gw_pair parameters[] = {
	    {"name", "张三"}, {"drug", "二甲双胍"}, {"time", "08:00"}};
	const struct gw_message message = {.reference = "rem-000123",
	    .address = "+8613800000000",
	    .template_code = "1234567",
	    .signature = "示例医院",
	    .parameters = parameters,
	    .parameter_count = COUNT(parameters)};
	struct arena *arena = arena_create();
	bool found = false;

	(void)state;
	json_each (item, read_json(VECTORS, arena)) {
		struct gw_outcome outcome = {0};
		struct gw_request request = {0};
		struct vector vector;

		if (strstr(json_get_text(item, "description"),
			"SendSms, signed headers content-type;host;x-tc-") ==
		    NULL)
			continue;
		vector_init(&vector, arena, item);
		assert_int_equal(
		    send(&vector.call, &message, 1, &request, &outcome), 0);
		assert_string_equal(request.body, input(&vector, "payload"));
		assert_string_equal(header_of(&request, "authorization"),
		    input(&vector, "expected_authorization"));
		assert_string_equal(
		    header_of(&request, "x-tc-timestamp"), "1767573000");
		found = true;
	}
	assert_true(found);
	arena_free(arena);
}

static bool
has_case(const struct json *cases, const char *name)
{
	json_each (item, cases)
		if (strcmp(json_get_text(item, "name"), name) == 0)
			return true;
	return false;
}

static void
every_rule_is_in_order_and_tried(void **state)
{
	static const char *const after[] = {
	    "", ", of the request", ", of a batch"};
	struct arena *arena = arena_create();
	const struct json *cases = read_json(RESPONSES, arena);

	(void)state;
	for (size_t i = 0; i < COUNT(rules); i++) {
		if (i > 0)
			assert_true(
			    strcmp(rules[i - 1].code, rules[i].code) < 0);
		for (size_t j = 0; j < COUNT(after); j++) {
			const char *name = arena_printf(
			    arena, "%s%s", rules[i].code, after[j]);

			if (!has_case(cases, name))
				fail_msg("%s: no case", name);
		}
	}
	for (size_t i = 0; i < COUNT(windows); i++)
		assert_non_null(rule_of(rules, COUNT(rules), windows[i].code));
	arena_free(arena);
}

/* A family's rule holds below it, and is not looked for dot by dot. */
static void
a_code_of_many_dots_costs_little(void **state)
{
	struct arena *arena = arena_create();
	struct buf code = BUF_INIT(0);
	struct gw_call call;

	(void)state;
	gateway_call_init(&call, arena, "test", NULL, 0, 0, NULL);
	assert_ptr_equal(find_rule(&call, "RequestLimitExceeded.Uin.A"),
	    find_rule(&call, "RequestLimitExceeded"));
	assert_null(find_rule(&call, "FailedOperation.ContainSensitiveWord.A"));
	buf_text(&code, "Unheard");
	for (int i = 0; i < 10000; i++)
		buf_text(&code, ".A");
	assert_null(find_rule(&call, buf_string(&code)));
	assert_true(arena_bytes(arena) < 10 * code.bytes);
	buf_free(&code);
	arena_free(arena);
}

/* An answer of so many statuses, the last of which is ours. */
static enum gw_verdict
verdict_among(size_t count)
{
	static const struct gw_message message = {
	    .reference = "ma", .address = "+8613900000000"};
	struct arena *arena = arena_create();
	struct buf body = BUF_INIT(0);
	struct gw_response response = {.status = 200};
	struct gw_outcome outcome = {0};
	struct gw_call call;

	gateway_call_init(&call, arena, "test", NULL, 0, 0, NULL);
	buf_text(&body, "{\"Response\":{\"SendStatusSet\":[");
	for (size_t i = 1; i < count; i++)
		buf_printf(&body,
		    "{\"PhoneNumber\":\"+861380000%04zu\",\"Code\":\"Ok\"},",
		    i);
	buf_text(
	    &body, "{\"PhoneNumber\":\"+8613900000000\",\"Code\":\"Ok\"}]}}");
	response.body = buf_string(&body);
	response.body_bytes = body.bytes;
	sent(&call, &message, 1, &response, &outcome);
	buf_free(&body);
	arena_free(arena);
	return outcome.verdict;
}

static void
statuses_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(verdict_among(BATCH_MAX), GW_ACCEPTED);
	assert_int_equal(verdict_among(BATCH_MAX + 1), GW_UNKNOWN);
}

/* What is found in so many rows, all ours. */
static enum gw_found
found_among(size_t count)
{
	const struct gw_query question = {
	    .reference = "ma", .address = "+8613900000000"};
	struct arena *arena = arena_create();
	struct buf body = BUF_INIT(0);
	struct gw_response response = {.status = 200};
	struct gw_query_result result = {0};
	struct gw_call call;

	gateway_call_init(&call, arena, "test", NULL, 0, 0, NULL);
	buf_text(&body, "{\"Response\":{\"PullSmsSendStatusSet\":[");
	for (size_t i = 0; i < count; i++)
		buf_printf(&body,
		    "%s{\"SessionContext\":\"ma\","
		    "\"ReportStatus\":\"SUCCESS\"}",
		    i > 0 ? "," : "");
	buf_text(&body, "]}}");
	response.body = buf_string(&body);
	response.body_bytes = body.bytes;
	queried(&call, &question, &response, &result);
	buf_free(&body);
	arena_free(arena);
	return result.found;
}

static void
rows_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(found_among(PULL_ROWS), GW_FOUND_DELIVERED);
	assert_int_equal(found_among(PULL_ROWS + 1), GW_FOUND_UNSURE);
}

static void
tencent_requests_are_signed_and_escaped(void **state)
{
	(void)state;
	run_cases(&tencent, "requests", case_request);
}

static void
tencent_codes_become_verdicts_and_scopes(void **state)
{
	(void)state;
	run_cases(&tencent, "responses", case_response);
}

static void
tencent_pushes_become_receipts_and_replies(void **state)
{
	(void)state;
	run_cases(&tencent, "callbacks", case_callback);
}

static void
tencent_is_asked_about_the_unknown(void **state)
{
	(void)state;
	run_cases(&tencent, "queries", case_query);
}

static void
tencent_bent_bodies_are_survived(void **state)
{
	(void)state;
	run_cases(&tencent, "responses", bend_response);
	run_cases(&tencent, "callbacks", bend_callback);
	run_cases(&tencent, "queries", bend_query);
}

static void
tencent_settings_are_checked(void **state)
{
	(void)state;
	endpoints_are_checked(&tencent);
	assert_null(check_setting(&tencent, "region", "ap-beijing"));
	assert_non_null(check_setting(&tencent, "region", ""));
	assert_non_null(check_setting(&tencent, "region", "AP Beijing"));
	assert_non_null(check_setting(&tencent, "secret-id", ""));
	assert_non_null(check_setting(&tencent, "secret-key", ""));
	assert_non_null(check_setting(&tencent, "sdk-app-id", ""));
	assert_non_null(check_setting(&tencent, "sdk-app-id", "14000a"));
}

static void
tencent_pushes_are_bounded(void **state)
{
	static const char status[] =
	    "{\"report_status\":\"FAIL\",\"sid\":\"1\","
	    "\"nationcode\":\"86\",\"mobile\":\"13800000000\"}";

	(void)state;
	assert_int_equal(push_of(&tencent, status, 1000), 1000);
	assert_int_equal(push_of(&tencent, status, 1001), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tencent_requests_are_signed_and_escaped),
	    cmocka_unit_test(tencent_codes_become_verdicts_and_scopes),
	    cmocka_unit_test(tencent_pushes_become_receipts_and_replies),
	    cmocka_unit_test(tencent_is_asked_about_the_unknown),
	    cmocka_unit_test(tencent_bent_bodies_are_survived),
	    cmocka_unit_test(tencent_settings_are_checked),
	    cmocka_unit_test(tencent_pushes_are_bounded),
	    cmocka_unit_test(tc3_vectors_come_out_byte_for_byte),
	    cmocka_unit_test(the_vector_of_send_sms_is_what_leaves),
	    cmocka_unit_test(every_rule_is_in_order_and_tried),
	    cmocka_unit_test(a_code_of_many_dots_costs_little),
	    cmocka_unit_test(statuses_are_bounded),
	    cmocka_unit_test(rows_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
