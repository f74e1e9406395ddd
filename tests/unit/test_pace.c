/*
 * The window and breaker of a gateway, and rates, on a virtual clock.
 * Witnesses: RFC 5681 3.1 (slow start below the threshold, then one segment
 * a window, half on loss, one halving for a window's losses) and ITU-T
 * I.371's promise that no interval has more than its share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "flow/pace.h"

#define NO_JITTER 1000 /* in the middle of its range */

static int64_t now = INT64_C(1772416800) * SECOND_US;

/* One after another, each when the one before is answered. */
static int64_t
note(struct pace *pace, enum pace_sign sign, int64_t told_us)
{
	int64_t started_at = now;

	now += 1000;
	return pace_note(pace, sign, started_at, now, true, told_us, NO_JITTER);
}

static void
notes(struct pace *pace, enum pace_sign sign, int count)
{
	for (int i = 0; i < count; i++)
		(void)note(pace, sign, 0);
}

static void
window_grows_with_each_good_answer_up_to_its_most(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 100, MINUTE_US);
	assert_int_equal(pace.window, 64);
	notes(&pace, PACE_GOOD, 20);
	assert_int_equal(pace.window, 84);
	notes(&pace, PACE_GOOD, 100);
	assert_int_equal(pace.window, 100);
}

static void
window_that_nobody_needs_does_not_grow(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 1000, MINUTE_US);
	for (int i = 0; i < 100; i++)
		(void)pace_note(
		    &pace, PACE_GOOD, now, now, false, 0, NO_JITTER);
	assert_int_equal(pace.window, 64);
}

static void
slower_halves_once_a_window_and_creeps_up_after(void **state)
{
	struct pace pace;
	int64_t started_at = now;

	(void)state;
	pace_init(&pace, 1000, MINUTE_US);
	now += 1000;
	/* all 64 that were under way are refused */
	for (int i = 0; i < 64; i++)
		assert_int_equal(pace_note(&pace, PACE_SLOWER, started_at, now,
				     true, 2 * SECOND_US, NO_JITTER),
		    2 * SECOND_US);
	assert_int_equal(pace.window, 32);
	notes(&pace, PACE_GOOD, 31);
	assert_int_equal(pace.window, 32);
	notes(&pace, PACE_GOOD, 1);
	assert_int_equal(pace.window, 33);
	notes(&pace, PACE_GOOD, 33);
	assert_int_equal(pace.window, 34);
	/* and again, down to one */
	for (int i = 0; i < 10; i++)
		(void)note(&pace, PACE_SLOWER, SECOND_US);
	assert_int_equal(pace.window, 1);
}

static void
waits_as_told_and_never_beyond_an_hour(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 10, MINUTE_US);
	assert_int_equal(
	    note(&pace, PACE_SLOWER, 43 * SECOND_US), 43 * SECOND_US);
	assert_int_equal(note(&pace, PACE_SLOWER, 10 * 365 * DAY_US), HOUR_US);
	notes(&pace, PACE_GOOD, 1);
	/* nothing told: a second, then twice that, up to the probe */
	assert_int_equal(note(&pace, PACE_SLOWER, 0), SECOND_US);
	assert_int_equal(note(&pace, PACE_SLOWER, 0), 2 * SECOND_US);
	assert_int_equal(note(&pace, PACE_SLOWER, 0), 4 * SECOND_US);
	notes(&pace, PACE_SLOWER, 20);
	assert_int_equal(note(&pace, PACE_SLOWER, 0), MINUTE_US);
}

static void
breaker_opens_at_ten_failures_in_a_row(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 100, MINUTE_US);
	for (int i = 1; i < PACE_FAILURES_MAX; i++)
		assert_int_equal(note(&pace, PACE_FAILED, 0), 0);
	notes(&pace, PACE_GOOD, 1);
	for (int i = 1; i < PACE_FAILURES_MAX; i++)
		assert_int_equal(note(&pace, PACE_FAILED, 0), 0);
	assert_false(pace.probing);
	assert_int_equal(note(&pace, PACE_FAILED, 0), 5 * SECOND_US);
	assert_true(pace.probing);
	assert_int_equal(pace.window, 1);
}

static void
open_breaker_probes_one_by_one_and_later_each_time(void **state)
{
	struct pace pace;
	int64_t before = now;

	(void)state;
	pace_init(&pace, 100, MINUTE_US);
	notes(&pace, PACE_FAILED, PACE_FAILURES_MAX);
	/* what was under way when it opened does not open it again */
	assert_int_equal(
	    pace_note(&pace, PACE_FAILED, before, now, true, 0, NO_JITTER), 0);
	/* nor does an answer from before close it */
	(void)pace_note(&pace, PACE_GOOD, before, now, true, 0, NO_JITTER);
	assert_true(pace.probing);
	assert_int_equal(note(&pace, PACE_FAILED, 0), 10 * SECOND_US);
	assert_int_equal(note(&pace, PACE_FAILED, 0), 20 * SECOND_US);
	assert_int_equal(note(&pace, PACE_FAILED, 0), 40 * SECOND_US);
	assert_int_equal(note(&pace, PACE_FAILED, 0), MINUTE_US);
	assert_int_equal(note(&pace, PACE_FAILED, 0), MINUTE_US);
	assert_int_equal(pace.window, 1);
	/* one good answer, and it grows again: quickly up to half */
	notes(&pace, PACE_GOOD, 1);
	assert_false(pace.probing);
	assert_int_equal(pace.window, 2);
	notes(&pace, PACE_GOOD, 30);
	assert_int_equal(pace.window, 32);
	notes(&pace, PACE_GOOD, 31);
	assert_int_equal(pace.window, 32);
}

static void
refused_account_is_probed_each_minute(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 100, MINUTE_US);
	assert_int_equal(note(&pace, PACE_REFUSED, 0), MINUTE_US);
	assert_true(pace.probing);
	assert_int_equal(pace.window, 1);
	assert_int_equal(note(&pace, PACE_REFUSED, 0), MINUTE_US);
	notes(&pace, PACE_GOOD, 1);
	assert_false(pace.probing);
}

static void
window_stays_in_bounds_whatever_happens(void **state)
{
	unsigned seed = 20260302;
	struct pace pace;

	(void)state;
	pace_init(&pace, 37, MINUTE_US);
	for (int i = 0; i < 200000; i++) {
		enum pace_sign sign = (enum pace_sign)(rand_r(&seed) % 4);
		int64_t ago = rand_r(&seed) % 5000;
		int64_t pause;

		now += rand_r(&seed) % 3000;
		pause = pace_note(&pace, sign, now - ago, now,
		    rand_r(&seed) % 2 == 0,
		    rand_r(&seed) % 3 == 0 ? rand_r(&seed) * INT64_C(1000) : 0,
		    (uint32_t)rand_r(&seed));
		assert_in_range(pace.window, 1, 37);
		assert_true(pause >= 0 && pause <= HOUR_US);
		assert_true(pace.window == 1 || !pace.probing);
		if (rand_r(&seed) % 1000 == 0)
			pace_set(&pace, 37, MINUTE_US);
	}
}

/* ---- rates ---- */

#define SENT_MAX 100000

/* As many as it lets go, with waits as it says, for some seconds. */
static int
send_all(struct rate *rate, int64_t *sent, int64_t until)
{
	int count = 0;

	while (now < until && count < SENT_MAX) {
		uint32_t may = rate_free(rate, now);
		int64_t ready;

		for (uint32_t i = 0; i < may && count < SENT_MAX; i++)
			sent[count++] = now;
		rate_take(rate, may, now);
		ready = rate_ready_at(rate, now);
		assert_true(ready > now || may == 0);
		now = ready > now ? ready : now + 1;
	}
	return count;
}

/* The most in any second, by two fingers. */
static int
most_in_a_second(const int64_t *sent, int count)
{
	int most = 0, from = 0;

	for (int i = 0; i < count; i++) {
		while (sent[i] - sent[from] >= SECOND_US)
			from++;
		if (i - from + 1 > most)
			most = i - from + 1;
	}
	return most;
}

static void
no_second_has_more_than_its_share(void **state)
{
	static const int64_t rates[] = {1, 2, 3, 7, 10, 25, 99, 100, 500, 3000};
	int64_t *sent = malloc(SENT_MAX * sizeof(*sent));

	(void)state;
	for (unsigned i = 0; i < COUNT(rates); i++)
		for (int64_t copies = 1; copies <= 4; copies++) {
			struct rate rate = {0};
			int64_t share = rates[i] / copies;
			int count;

			rate_set(&rate, rates[i], copies);
			count = send_all(&rate, sent, now + 20 * SECOND_US);
			/* less than one a second: one now and then */
			assert_true(most_in_a_second(sent, count) <=
				    (share < 1 ? 1 : share));
			/* and it is used, a sixth aside */
			assert_true(count >= 16 * share);
			assert_true(count >= 16 * rates[i] / copies / 2);
		}
	free(sent);
}

static void
no_rate_is_no_limit(void **state)
{
	struct rate rate = {0};

	(void)state;
	rate_set(&rate, 0, 3);
	assert_int_equal(rate_free(&rate, now), UINT32_MAX);
	rate_take(&rate, 100000, now);
	assert_int_equal(rate_free(&rate, now), UINT32_MAX);
	assert_int_equal(rate_ready_at(&rate, now), now);
}

static void
changed_share_keeps_what_was_sent(void **state)
{
	struct rate rate = {0};

	(void)state;
	rate_set(&rate, 100, 1);
	rate_take(&rate, rate_free(&rate, now), now);
	assert_int_equal(rate_free(&rate, now), 0);
	rate_set(&rate, 100, 2);
	assert_int_equal(rate_free(&rate, now), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(window_grows_with_each_good_answer_up_to_its_most),
	    cmocka_unit_test(window_that_nobody_needs_does_not_grow),
	    cmocka_unit_test(slower_halves_once_a_window_and_creeps_up_after),
	    cmocka_unit_test(waits_as_told_and_never_beyond_an_hour),
	    cmocka_unit_test(breaker_opens_at_ten_failures_in_a_row),
	    cmocka_unit_test(
		open_breaker_probes_one_by_one_and_later_each_time),
	    cmocka_unit_test(refused_account_is_probed_each_minute),
	    cmocka_unit_test(window_stays_in_bounds_whatever_happens),
	    cmocka_unit_test(no_second_has_more_than_its_share),
	    cmocka_unit_test(no_rate_is_no_limit),
	    cmocka_unit_test(changed_share_keeps_what_was_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
