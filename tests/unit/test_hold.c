/*
 * What is held leaves in the order of its instants, none before its own,
 * and what is taken out leaves never.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow/hold.h"

#define COUNT_HELD 300
#define SPAN_US 60000

struct seen {
	const struct clock *clock;
	size_t count;
	int64_t last_at;
	bool early, disordered, done;
	size_t wanted;
};

static void
on_released(struct delivery *first, void *arg)
{
	struct seen *seen = arg;

	for (; first != NULL; first = first->next) {
		seen->early |= clock_unmoved(seen->clock) < first->not_before;
		seen->disordered |= first->not_before < seen->last_at;
		seen->last_at = first->not_before;
		seen->count++;
	}
	seen->done = seen->count >= seen->wanted;
}

static bool
is_odd(const struct delivery *delivery, const void *arg)
{
	(void)arg;
	return delivery->key.patient_id % 2 == 1;
}

/* In chains of three sizes, at instants in no order, some of them equal. */
static void
fill(struct hold *hold, struct delivery *deliveries, int64_t now)
{
	size_t next = 0;

	for (size_t size = 1; next < COUNT_HELD; size = size * 7 % 100 + 1) {
		struct delivery *chain = NULL;

		for (size_t i = 0; i < size && next < COUNT_HELD; i++) {
			struct delivery *delivery = &deliveries[next];

			delivery->key.patient_id = (int64_t)next++;
			delivery->not_before =
			    now + (int64_t)(next * 7919 % SPAN_US / 100 * 100);
			delivery->next = chain;
			chain = delivery;
		}
		hold_add(hold, chain);
	}
}

static void
each_leaves_at_its_instant(void **state)
{
	struct clock clock = {.synced = true};
	struct loop *loop = loop_create();
	struct seen seen = {.clock = &clock, .wanted = COUNT_HELD / 2};
	struct hold *hold = hold_create(loop, &clock, on_released, &seen);
	struct delivery *deliveries = calloc(COUNT_HELD, sizeof(*deliveries));
	size_t taken = 0;

	(void)state;
	clock.boot_at = clock_boot();
	clock.database_at = INT64_C(1772416800) * SECOND_US;
	assert_true(hold_empty(hold));
	fill(hold, deliveries, clock_unmoved(&clock) + SPAN_US / 2);
	for (struct delivery *d = hold_take(hold, is_odd, NULL); d != NULL;
	     d = d->next)
		taken += d->key.patient_id % 2 == 1;
	assert_int_equal(taken, COUNT_HELD / 2);
	loop_run_until(loop, &seen.done);
	assert_true(hold_empty(hold));
	assert_int_equal(seen.count, COUNT_HELD / 2);
	assert_false(seen.early);
	assert_false(seen.disordered);
	hold_free(hold);
	free(deliveries);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_leaves_at_its_instant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
