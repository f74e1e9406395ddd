/*
 * wecom against its golden files, and from within: the vendor's own examples
 * of pushes, the token, what may be repeated, and that no rule goes untried.
 */
#include "gateway_bench.h"

#define adherd_gateway wecom_included
#include "gateways/wecom.c"
#undef adherd_gateway

#define VECTORS "tests/vectors/vectors-wechat-push.json"
#define RESPONSES "tests/gateways/wecom/responses.json"

static const struct gw_pair given[] = {
    {"corpid", "wx5823bf96d3bd56c7"},
    {"corpsecret", "corp/Secret"},
    {"agentid", "1000002"},
    {"callback-token", "QDG6eK"},
    {"callback-aes-key", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"},
    {0},
};

static const struct gw_pair given_robot[] = {
    {"robot-key", "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"},
    {0},
};

static const struct subject application = {.api = &wecom_included,
    .given = given,
    .stored = "success",
    .acceptance = "\"errcode\": 0",
    .token = "A_token-1/2+"};

static const struct subject robot = {.api = &wecom_included,
    .given = given_robot,
    .stored = "success",
    .acceptance = "\"errcode\": 0"};

static const struct subject *const subject = &application;

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

/* A vector's secrets, as a case has them. */
static const struct json *
settings_of(const struct json *item, struct arena *arena)
{
	const char *text = arena_printf(arena,
	    "{\"settings\":{\"corpid\":\"%s\",\"callback-token\":\"%s\","
	    "\"callback-aes-key\":\"%s\"}}",
	    input(item, "receive_id"), input(item, "token"),
	    input(item, "encoding_aes_key"));
	struct json_error error;

	return json_parse(text, strlen(text), NULL, arena, &error);
}

/* What receive() makes of a vector, pushed or, by GET, asked. */
static int
push_vector(const struct json *item, const char *method, struct arena *arena,
    const struct gw_event **events, struct gw_answer *reply)
{
	const char *signature = expected(item, "msg_signature");
	const char *escaped = input(item, "echostr_urlencoded");
	struct bench bench;
	const char *query, *body;
	struct gw_callback callback = {.method = method, .path = ""};

	bench_init(&bench, subject, arena, settings_of(item, arena));
	if (escaped == NULL)
		escaped = bench.call.host->percent(
		    &bench.call, input(item, "encrypt"));
	query = arena_printf(arena,
	    "msg_signature=%s&timestamp=%s&nonce=%s&echostr=%s",
	    signature != NULL ? signature : input(item, "msg_signature"),
	    input(item, "timestamp"), input(item, "nonce"), escaped);
	body =
	    arena_printf(arena, "<xml><Encrypt><![CDATA[%s]]></Encrypt></xml>",
		input(item, "encrypt"));
	callback.query = query;
	callback.body = body;
	callback.body_bytes = strlen(body);
	bench.call.now_us =
	    strtoll(input(item, "timestamp"), NULL, 10) * SECOND_US;
	return bench.api->receive(&bench.call, &callback, events, reply);
}

static void
addresses_of_the_vendor_are_verified(void **state)
{
	struct arena *arena = arena_create();
	int checked = 0;

	(void)state;
	json_each (item, read_json(VECTORS, arena)) {
		const struct gw_event *events = NULL;
		struct gw_answer reply = {0};

		if (!is_of(item, "wxbizmsgcrypt-verifyurl"))
			continue;
		assert_int_equal(
		    push_vector(item, "GET", arena, &events, &reply), 0);
		assert_int_equal(reply.status, 200);
		assert_int_equal(
		    reply.body_bytes, strlen(expected(item, "msg")));
		assert_memory_equal(
		    reply.body, expected(item, "msg"), reply.body_bytes);
		checked++;
	}
	assert_int_equal(checked, 2);
	arena_free(arena);
}

static void
pushes_of_the_vendor_are_read(void **state)
{
	struct arena *arena = arena_create();
	int checked = 0, replies = 0;

	(void)state;
	json_each (item, read_json(VECTORS, arena)) {
		const struct gw_event *events = NULL;
		struct gw_answer reply = {0};
		int count;

		if (!is_of(item, "wxbizmsgcrypt-decrypt") ||
		    strncmp(expected(item, "msg"), "<xml>", 5) != 0)
			continue;
		count = push_vector(item, "POST", arena, &events, &reply);
		assert_in_range(count, 0, 1);
		assert_int_equal(reply.status, 200);
		assert_string_equal(reply.body, "success");
		checked++;
		if (count == 0)
			continue;
		assert_int_equal(events->type, GW_EVENT_REPLY);
		assert_non_null(strstr(expected(item, "msg"), events->text));
		assert_non_null(strstr(expected(item, "msg"), events->address));
		replies++;
	}
	assert_true(checked >= 3);
	assert_true(replies >= 2);
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
		struct gw_answer reply = {0};

		if (!is_of(item, "wxbizmsgcrypt-reject"))
			continue;
		assert_int_equal(
		    push_vector(item, "POST", arena, &events, &reply), -1);
		assert_int_equal(reply.status / 100, 4);
		checked++;
	}
	assert_int_equal(checked, 2);
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
	assert_string_equal(request.method, "GET");
	assert_string_equal(request.url,
	    "https://qyapi.weixin.qq.com/cgi-bin/gettoken"
	    "?corpid=wx5823bf96d3bd56c7&corpsecret=corp%2FSecret");
	assert_int_equal(request.body_bytes, 0);
	arena_free(arena);
}

static void
a_robot_alone_needs_no_token(void **state)
{
	struct arena *arena = arena_create();
	struct gw_request request = {0};
	struct bench bench;

	(void)state;
	bench_init(&bench, &robot, arena, NULL);
	assert_null(bench.api->check(&bench.call));
	bench.api->auth(&bench.call, &request);
	assert_null(request.url);
	arena_free(arena);
}

/* ---- the rest ---- */

static void
every_rule_is_tried_and_stands_once(void **state)
{
	struct arena *arena = arena_create();
	const struct json *cases = read_json(RESPONSES, arena);

	(void)state;
	for (size_t i = 0; i < COUNT(rules); i++) {
		bool found = false;

		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(rules[i].code, rules[j].code);
		json_each (item, cases)
			found = found || strcmp(json_get_text(item, "name"),
					     rules[i].code) == 0;
		if (!found)
			fail_msg("%s: no case", rules[i].code);
	}
	arena_free(arena);
}

/* The same bytes go out again: by them the provider knows it. */
static void
an_application_may_repeat_a_robot_may_not(void **state)
{
	struct arena *arena = arena_create();
	struct gw_request first = {0}, again = {0}, group = {0};
	struct gw_message message = {
	    .reference = "ma", .address = "ZhangSan", .text = "1"};
	struct gw_outcome outcome;
	struct bench bench;

	(void)state;
	bench_init(&bench, subject, arena, NULL);
	assert_int_equal(
	    bench.api->send(&bench.call, &message, 1, &first, &outcome), 0);
	message.repeated = true;
	assert_int_equal(
	    bench.api->send(&bench.call, &message, 1, &again, &outcome), 0);
	assert_true(first.repeatable && again.repeatable);
	assert_string_equal(first.body, again.body);
	bench_init(&bench, &robot, arena, NULL);
	message.address = "robot:";
	assert_int_equal(
	    bench.api->send(&bench.call, &message, 1, &group, &outcome), 0);
	assert_false(group.repeatable);
	arena_free(arena);
}

static void
a_thousand_members_are_one_request(void **state)
{
	struct arena *arena = arena_create();
	struct gw_message *messages =
	    arena_array(arena, BATCH_MAX, sizeof(*messages));
	struct gw_outcome *outcomes =
	    arena_array(arena, BATCH_MAX, sizeof(*outcomes));
	struct gw_request request = {0};
	struct bench bench;
	size_t bars = 0;

	(void)state;
	assert_int_equal(wecom_included.batch_max, 1000);
	for (size_t i = 0; i < BATCH_MAX; i++)
		messages[i] = (struct gw_message){.reference = "ma",
		    .address = arena_printf(arena, "member%zu", i),
		    .text = "1"};
	bench_init(&bench, subject, arena, NULL);
	assert_int_equal(bench.api->send(&bench.call, messages, BATCH_MAX,
			     &request, outcomes),
	    0);
	for (const char *at = request.body; *at != '\0'; at++)
		bars += *at == '|';
	assert_int_equal(bars, BATCH_MAX - 1);
	arena_free(arena);
}

static void
settings_are_checked(void **state)
{
	static const struct {
		const char *name, *value;
	} bad[] = {{"corpid", ""}, {"corpid", "ww b"}, {"corpid", NULL},
	    {"corpsecret", ""}, {"corpsecret", NULL}, {"agentid", NULL},
	    {"agentid", "1a"}, {"agentid", "-1"}, {"agentid", "01"},
	    {"agentid", "12345678901"}, {"callback-token", ""},
	    {"callback-aes-key", "short"}, {"callback-aes-key", NULL},
	    {"robot-format", "html"}, {"endpoint", "https://a.b/x"},
	    {"endpoint", "a.b"}};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (check_setting(subject, bad[i].name, bad[i].value) == NULL)
			fail_msg("%s: %s", bad[i].name, bad[i].value);
	assert_null(check_setting(subject, "endpoint", "https://a.b:8443/"));
	assert_null(check_setting(&robot, "robot-format", "markdown"));
	assert_non_null(check_setting(&robot, "robot-key", "a&b"));
	assert_non_null(check_setting(&robot, "robot-key", ""));
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
	run_cases(&robot, "robot", case_response);
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
	run_cases(subject, "callbacks", bend_callback);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_written_as_the_vendor_takes_them),
	    cmocka_unit_test(codes_become_verdicts_and_scopes),
	    cmocka_unit_test(pushes_become_events),
	    cmocka_unit_test(bent_bodies_are_survived),
	    cmocka_unit_test(addresses_of_the_vendor_are_verified),
	    cmocka_unit_test(pushes_of_the_vendor_are_read),
	    cmocka_unit_test(vectors_to_refuse_are_refused),
	    cmocka_unit_test(the_token_is_asked_for_as_the_vendor_says),
	    cmocka_unit_test(a_robot_alone_needs_no_token),
	    cmocka_unit_test(every_rule_is_tried_and_stands_once),
	    cmocka_unit_test(an_application_may_repeat_a_robot_may_not),
	    cmocka_unit_test(a_thousand_members_are_one_request),
	    cmocka_unit_test(settings_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
