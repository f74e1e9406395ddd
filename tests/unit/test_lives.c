/*
 * Many random lives: LIVES of them (2,000), from LIVES_SEED (1).  A life
 * that breaks a promise prints its number of this run; LIVES_FIRST begins
 * with that one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "care/plan.h"
#include "tests/life/life.h"

#define BYTES 1024

static struct life_tally tally;

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* SplitMix64 (Steele, Lea, Flood 2014): the state may be any number. */
static uint64_t
draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void
live_one(uint64_t seed, uint64_t number)
{
	uint64_t state = seed * 0x100000001b3u + number, bytes[BYTES / 8];

	for (size_t i = 0; i < BYTES / 8; i++)
		bytes[i] = draw(&state);
	life_live((const uint8_t *)bytes, BYTES, &tally);
}

static void
every_life_keeps_what_plan_promises(void **state)
{
	uint64_t lives = setting("LIVES", 2000),
		 seed = setting("LIVES_SEED", 1);
	uint64_t first = setting("LIVES_FIRST", 0);

	(void)state;
	for (uint64_t i = first; i < first + lives; i++)
		live_one(seed, i);
	assert_int_equal(tally.lives, lives);
}

/* Each broke a promise once, in a run of its seed. */
static void
lives_that_were_mended_stay_so(void **state)
{
	static const struct {
		uint64_t seed, number;
	} mended[] = {
	    /* moved after a reminder that only counted as told */
	    {203675565, 175863},
	};
	uint64_t before = tally.lives;

	(void)state;
	for (size_t i = 0; i < COUNT(mended); i++)
		live_one(mended[i].seed, mended[i].number);
	assert_int_equal(tally.lives, before + COUNT(mended));
}

/* A promise about what never happened proves nothing. */
static void
every_action_and_reason_was_reached(void **state)
{
	(void)state;
	assert_true(tally.actions[PLAN_SEND] > 0);
	assert_true(tally.actions[PLAN_HOLD] > 0);
	assert_true(tally.actions[PLAN_TASK] > 0);
	for (enum reason r = REASON_NONE; r < REASON_COUNT; r++)
		if (tally.reasons[r] == 0 && r != REASON_ALREADY_DONE &&
		    r != REASON_NO_CREDIT)
			fail_msg("never reached: %s", reason_word(r));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_life_keeps_what_plan_promises),
	    cmocka_unit_test(lives_that_were_mended_stay_so),
	    cmocka_unit_test(every_action_and_reason_was_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
