/*
 * The natural key's reference and the table of states.  The references were
 * computed by tests/sim/ledger_check.py, which decodes them by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flow/delivery.h"

static const struct {
	struct delivery_key key;
	const char *reference;
} witnessed[] = {
    {{7, 1, 20000, KIND_REFILL, 1, 4, CHANNEL_SMS}, "aedqdqfyaibacbae"},
    {{1023, INT64_C(9007199254740993), 20521, KIND_DOSE, 300, 82800,
	 CHANNEL_WECHAT_MINI},
	"ah7qpamaqcaibaeacdjmaaqbvqbpbbqfae"},
    {{5, 12, -3, KIND_FOLLOW_UP, 2, STAGE_MISSED, CHANNEL_PUSH},
	"aecqybieaifqg"},
};

static void
reference_agrees_with_the_checker(void **state)
{
	char reference[DELIVERY_REFERENCE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(witnessed); i++) {
		delivery_reference(&witnessed[i].key, reference);
		assert_string_equal(reference, witnessed[i].reference);
	}
}

static void
reference_comes_back_as_the_same_key(void **state)
{
	static const struct delivery_key keys[] = {
	    {0, 0, 0, KIND_DOSE, 0, 0, CHANNEL_NONE},
	    {1023, INT64_MAX, 84006, KIND_ANSWER, INT32_MAX, INT32_MAX,
		CHANNEL_SMS},
	    {512, 77, -1, KIND_RENEWAL, 3, 2, CHANNEL_PUSH},
	    {512, 77, -25567, KIND_FOLLOW_UP, 3, 86399, CHANNEL_SMS},
	};
	char reference[DELIVERY_REFERENCE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct delivery_key back;

		delivery_reference(&keys[i], reference);
		assert_true(delivery_reference_read(reference, &back));
		assert_int_equal(delivery_key_compare(&keys[i], &back), 0);
	}
}

static void
reference_of_somebody_else_is_refused(void **state)
{
	static const char *const bad[] = {"", "a", "rem-000123",
	    "AEDQDQFYAIBACBAE",   /* ours are lower case */
	    "aedqdqfyaibacb",     /* cut */
	    "aedqdqfyaibacbaeaa", /* longer */
	    "aidqdqfyaibacbae",   /* version 2 */
	    ("aeaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "aaaaaaaaaaaaaaaaaaaa"),
	    "aedqdqfyaibacba="};
	struct delivery_key key;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(delivery_reference_read(bad[i], &key));
}

/* a date that the database would refuse stops more than its own event */
static void
reference_with_an_impossible_date_is_refused(void **state)
{
	static const int32_t dates[] = {
	    INT32_MIN, -3000000, -25568, 84007, 6000000, INT32_MAX};
	char reference[DELIVERY_REFERENCE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(dates); i++) {
		struct delivery_key key = {
		    1, 1, dates[i], KIND_DOSE, 1, 1, CHANNEL_SMS};

		delivery_reference(&key, reference);
		assert_false(delivery_reference_read(reference, &key));
	}
}

/* design.md 3, the table, written down again as its reader reads it */
static void
states_change_by_the_table_and_no_other_way(void **state)
{
	static const char *const allowed[] = {"new>sending", "new>held",
	    "sending>accepted", "sending>rejected", "sending>retry",
	    "sending>unknown", "retry>sending", "retry>expired", "retry>held",
	    "unknown>accepted", "unknown>delivered", "unknown>undelivered",
	    "unknown>rejected", "unknown>sending", "unknown>expired",
	    "accepted>delivered", "accepted>undelivered",
	    "accepted>unconfirmed"};
	int count = 0;

	(void)state;
	for (int from = 0; from < DELIVERY_STATE_COUNT; from++)
		for (int to = 0; to < DELIVERY_STATE_COUNT; to++) {
			char pair[64];
			bool listed = false;

			(void)snprintf(pair, sizeof(pair), "%s>%s",
			    from == 0 ? "new"
				      : delivery_state_word(
					    (enum delivery_state)from),
			    to == 0
				? "new"
				: delivery_state_word((enum delivery_state)to));
			for (size_t i = 0; i < COUNT(allowed); i++)
				listed |= strcmp(pair, allowed[i]) == 0;
			if (delivery_may_become((enum delivery_state)from,
				(enum delivery_state)to) != listed)
				fail_msg("%s", pair);
			count += listed;
		}
	assert_int_equal(count, COUNT(allowed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reference_agrees_with_the_checker),
	    cmocka_unit_test(reference_comes_back_as_the_same_key),
	    cmocka_unit_test(reference_of_somebody_else_is_refused),
	    cmocka_unit_test(reference_with_an_impossible_date_is_refused),
	    cmocka_unit_test(states_change_by_the_table_and_no_other_way),
	};

	return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
