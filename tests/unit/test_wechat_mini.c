/*
 * wechat_mini against its golden files, and from within: that nothing is
 * repeated, that no rule goes untried, and its settings.
 */
#include "gateway_bench.h"

#define adherd_gateway wechat_mini_included
#include "gateways/wechat_mini.c"
#undef adherd_gateway

#define RESPONSES "tests/gateways/wechat_mini/responses.json"

static const struct gw_pair given[] = {
    {"appid", "wxb11529c136998cb6"},
    {"app-secret", "appSecret"},
    {"callback-token", "spamtest"},
    {"callback-aes-key", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"},
    {0},
};

static const struct subject mini = {.api = &wechat_mini_included,
    .given = given,
    .stored = "success",
    .acceptance = "\"errcode\":0",
    .token = "A_token-1/2+"};

static const struct subject *const subject = &mini;

static const struct gw_pair given_page[] = {
    {"appid", "wxb11529c136998cb6"},
    {"app-secret", "appSecret"},
    {"page", "pages/today"},
    {0},
};

static const struct subject with_page = {
    .api = &wechat_mini_included, .given = given_page};

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

static void
every_rule_is_tried(void **state)
{
	struct arena *arena = arena_create();
	const struct json *cases = read_json(RESPONSES, arena);

	(void)state;
	for (size_t i = 0; i < COUNT(wechat_rules); i++) {
		bool found = false;

		json_each (item, cases)
			found = found || strcmp(json_get_text(item, "name"),
					     wechat_rules[i].code) == 0;
		if (!found)
			fail_msg("%s: no case", wechat_rules[i].code);
	}
	arena_free(arena);
}

static void
nothing_may_be_repeated(void **state)
{
	static const struct gw_message messages[] = {
	    {.reference = "ma", .address = "oA", .template_code = "T"},
	    {.reference = "mb", .address = "oA", .text = "1"}};
	struct arena *arena = arena_create();
	struct gw_outcome outcome;
	struct bench bench;

	(void)state;
	bench_init(&bench, subject, arena, NULL);
	assert_int_equal(bench.api->flags & GW_DEDUPLICATES, 0);
	for (size_t i = 0; i < COUNT(messages); i++) {
		struct gw_request request = {0};

		assert_int_equal(bench.api->send(&bench.call, &messages[i], 1,
				     &request, &outcome),
		    0);
		assert_false(request.repeatable);
	}
	arena_free(arena);
}

static void
settings_are_checked(void **state)
{
	(void)state;
	assert_null(check_setting(&with_page, "page", "pages/a?b=c"));
	assert_non_null(check_setting(&with_page, "page", "/pages/a"));
	assert_non_null(check_setting(&with_page, "page", ""));
	assert_non_null(check_setting(&with_page, "page", "a#b"));
	assert_null(check_setting(subject, "state", "developer"));
	assert_non_null(check_setting(subject, "state", "live"));
	assert_null(check_setting(subject, "ask-below", "0"));
	assert_non_null(check_setting(subject, "ask-below", "-1"));
	assert_non_null(check_setting(subject, "ask-below", "1000"));
	/* and what every account has */
	assert_non_null(check_setting(subject, "appid", "wx b"));
	assert_non_null(check_setting(subject, "callback-aes-key", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_written_as_the_vendor_takes_them),
	    cmocka_unit_test(codes_become_verdicts_and_scopes),
	    cmocka_unit_test(pushes_become_events),
	    cmocka_unit_test(bent_bodies_are_survived),
	    cmocka_unit_test(every_rule_is_tried),
	    cmocka_unit_test(nothing_may_be_repeated),
	    cmocka_unit_test(settings_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
