/*
 * The registry of metrics: what is counted is told, in text format 0.0.4,
 * and nothing makes it grow without bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/metric.h"

static struct buf text = BUF_INIT(1 << 20);

static const char *
expose(void)
{
	buf_clear(&text);
	metric_expose(&text);
	assert_false(text.overflow);
	return buf_string(&text);
}

static void
assert_told(const char *line)
{
	if (strstr(expose(), line) == NULL)
		fail_msg("not told: %s", line);
}

static void
test_counters_add_up_by_their_labels(void **state)
{
	(void)state;
	metric_add(METRIC_MESSAGES, "sms", "accepted", 2);
	metric_add(METRIC_MESSAGES, "sms", "unknown", 1);
	metric_add(METRIC_MESSAGES, "sms", "accepted", 3);
	assert_told("# TYPE adherd_messages_total counter\n");
	assert_told("adherd_messages_total{gateway=\"sms\",outcome="
		    "\"accepted\"} 5\n");
	assert_told("adherd_messages_total{gateway=\"sms\",outcome="
		    "\"unknown\"} 1\n");
	assert_true(metric_value(METRIC_MESSAGES, "sms", "accepted") == 5);
	assert_true(metric_value(METRIC_MESSAGES, "sms", "rejected") == 0);
}

static void
test_a_counter_is_told_before_its_first_step(void **state)
{
	(void)state;
	assert_told("\nadherd_batches_taken_over_total 0\n");
	metric_add(METRIC_BATCHES_TAKEN_OVER, NULL, NULL, 1);
	assert_told("\nadherd_batches_taken_over_total 1\n");
}

static void
test_a_cleared_gauge_is_not_told(void **state)
{
	(void)state;
	metric_set(METRIC_AGENDA_LATE, "timed", NULL, 12.5);
	assert_told("adherd_agenda_late_seconds{class=\"timed\"} 12.5\n");
	metric_clear(METRIC_AGENDA_LATE);
	assert_null(strstr(expose(), "\nadherd_agenda_late_seconds{"));
	assert_told("# HELP adherd_agenda_late_seconds ");
	metric_set(METRIC_AGENDA_LATE, "timed", NULL, 0);
	assert_told("adherd_agenda_late_seconds{class=\"timed\"} 0\n");
}

static void
test_a_histogram_counts_up_to_each_bound(void **state)
{
	(void)state;
	metric_observe(METRIC_SEND_TIME, "sms", 0.004);
	metric_observe(METRIC_SEND_TIME, "sms", 0.005);
	metric_observe(METRIC_SEND_TIME, "sms", 3600);
	assert_told(
	    "adherd_send_seconds_bucket{gateway=\"sms\",le=\"0.0025\"} 0\n");
	assert_told(
	    "adherd_send_seconds_bucket{gateway=\"sms\",le=\"0.005\"} 2\n");
	assert_told(
	    "adherd_send_seconds_bucket{gateway=\"sms\",le=\"20\"} 2\n");
	assert_told(
	    "adherd_send_seconds_bucket{gateway=\"sms\",le=\"+Inf\"} 3\n");
	assert_told("adherd_send_seconds_sum{gateway=\"sms\"} 3600.009\n");
	assert_told("adherd_send_seconds_count{gateway=\"sms\"} 3\n");
	assert_true(metric_value(METRIC_SEND_TIME, "sms", NULL) == 3);
}

static void
test_label_values_are_quoted(void **state)
{
	(void)state;
	metric_set(METRIC_GATEWAY_WINDOW, "a\"b\\c\nd", NULL, 1);
	assert_told("adherd_gateway_window{gateway=\"a\\\"b\\\\c\\nd\"} 1\n");
}

static void
test_label_sets_are_bounded(void **state)
{
	size_t lines = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		char name[100];

		snprintf(name, sizeof(name), "gateway-%d%80s", i, "");
		metric_add(METRIC_CALLBACKS, name, "stored", 1);
	}
	for (const char *at = expose(); (at = strstr(at, "\nadherd_callbacks"));
	     at++)
		lines++;
	assert_int_equal(lines, 256);
	assert_true(metric_value(METRIC_CALLBACKS, "other", "other") == 9745);
	assert_true(metric_value(METRIC_CALLBACKS, "gateway-254", "x") == 0);
}

static void
test_every_metric_has_a_heading(void **state)
{
	size_t help = 0, type = 0;

	(void)state;
	for (const char *at = expose(); (at = strstr(at, "# HELP adherd_"));
	     at++)
		help++;
	for (const char *at = expose(); (at = strstr(at, "# TYPE adherd_"));
	     at++)
		type++;
	assert_int_equal(help, METRIC_COUNT);
	assert_int_equal(type, METRIC_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counters_add_up_by_their_labels),
	    cmocka_unit_test(test_a_counter_is_told_before_its_first_step),
	    cmocka_unit_test(test_a_cleared_gauge_is_not_told),
	    cmocka_unit_test(test_a_histogram_counts_up_to_each_bound),
	    cmocka_unit_test(test_label_values_are_quoted),
	    cmocka_unit_test(test_label_sets_are_bounded),
	    cmocka_unit_test(test_every_metric_has_a_heading),
	};
	int status = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&text);
	return status;
}
