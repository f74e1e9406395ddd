/*
 * The ladder of tasks: who hears on which rung, at what hour, and what goes
 * together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "care/answer.h"
#include "care/escalation.h"
#include "care/reply_label.h"

#define TEAM (CARE_ROLE_BIT(CARE_NURSE) | CARE_ROLE_BIT(CARE_PHARMACIST))
#define DOCTOR CARE_ROLE_BIT(CARE_DOCTOR)

static int64_t
at(const char *text) /* "2026-03-02T10:00:00+08:00" */
{
	int64_t instant;

	assert_true(instant_parse(text, &instant));
	return instant;
}

static struct escalation
rung(enum kind kind, int32_t slot, int32_t number)
{
	struct escalation e;

	escalation_rung(kind, slot, number, &e);
	return e;
}

static void
emergency_climbs_each_quarter_of_an_hour(void **state)
{
	struct escalation e = rung(KIND_ANSWER, REPLY_EMERGENCY, 0);

	(void)state;
	assert_int_equal(e.roles, TEAM);
	assert_int_equal(e.stage, STAGE_TEAM_EMERGENCY);
	assert_true(e.at_once);
	assert_int_equal(e.wait_us, 15 * MINUTE_US);
	e = rung(KIND_ANSWER, REPLY_EMERGENCY, 1);
	assert_int_equal(e.roles, DOCTOR);
	assert_true(e.at_once);
	for (int i = 2; i <= 5; i++) {
		e = rung(KIND_ANSWER, REPLY_EMERGENCY, i);
		assert_int_equal(e.roles, TEAM | DOCTOR);
		assert_true(e.at_once);
	}
	assert_true(e.wait_us == AT_NEVER);
	assert_int_equal(rung(KIND_ANSWER, REPLY_EMERGENCY, 6).roles, 0);
	assert_int_equal(rung(KIND_ANSWER, REPLY_EMERGENCY, -1).roles, 0);
}

static void
harm_is_told_at_once_and_the_rest_by_digest(void **state)
{
	struct escalation e = rung(KIND_ANSWER, REPLY_ADVERSE_EVENT, 0);

	(void)state;
	assert_int_equal(e.stage, STAGE_TEAM_ADVERSE_EVENT);
	assert_true(e.at_once);
	assert_false(rung(KIND_ANSWER, REPLY_ADVERSE_EVENT, 1).at_once);
	assert_int_equal(
	    rung(KIND_ANSWER, REPLY_ADVERSE_EVENT, 1).roles, DOCTOR);
	e = rung(KIND_ANSWER, REPLY_QUESTION, 0);
	assert_int_equal(e.stage, STAGE_TEAM_TASKS);
	assert_int_equal(e.roles, TEAM);
	assert_false(e.at_once);
	/* slot 0 of a refill's task is no emergency */
	e = rung(KIND_REFILL, 0, 0);
	assert_int_equal(e.stage, STAGE_TEAM_TASKS);
	assert_int_equal(rung(KIND_REFILL, 0, 1).roles, DOCTOR);
	assert_true(rung(KIND_REFILL, 0, 7).wait_us == AT_NEVER);
	assert_int_equal(rung(KIND_REFILL, 0, 8).roles, 0);
}

static int64_t
owed(struct escalation e, const struct said *said, uint32_t count,
    const char *now)
{
	struct care_member member = {
	    .zone = zone_open("Asia/Shanghai"),
	    .contact_no = 1,
	    .said = said,
	    .said_count = count,
	};
	int64_t instant;

	return escalation_owe(&member, &e, at(now), &instant) ? instant : -1;
}

static void
hours_of_work_are_kept_but_for_urgent_ones(void **state)
{
	struct escalation urgent = rung(KIND_ANSWER, REPLY_EMERGENCY, 0);
	struct escalation task = rung(KIND_ANSWER, REPLY_QUESTION, 0);
	struct escalation digest = rung(KIND_ANSWER, REPLY_QUESTION, 1);

	(void)state;
	assert_int_equal(owed(urgent, NULL, 0, "2026-03-02T03:00:00+08:00"),
	    at("2026-03-02T03:00:00+08:00"));
	assert_int_equal(owed(task, NULL, 0, "2026-03-02T03:00:00+08:00"),
	    at("2026-03-02T08:00:00+08:00"));
	assert_int_equal(owed(task, NULL, 0, "2026-03-02T08:00:00+08:00"),
	    at("2026-03-02T08:00:00+08:00"));
	assert_int_equal(owed(task, NULL, 0, "2026-03-02T19:59:59+08:00"),
	    at("2026-03-02T19:59:59+08:00"));
	assert_int_equal(owed(task, NULL, 0, "2026-03-02T20:00:00+08:00"),
	    at("2026-03-03T08:00:00+08:00"));
	assert_int_equal(owed(digest, NULL, 0, "2026-03-02T08:29:00+08:00"),
	    at("2026-03-02T08:30:00+08:00"));
	assert_int_equal(owed(digest, NULL, 0, "2026-03-02T10:00:00+08:00"),
	    at("2026-03-03T08:30:00+08:00"));
}

static void
what_comes_close_together_is_one_message(void **state)
{
	struct escalation urgent = rung(KIND_ANSWER, REPLY_EMERGENCY, 0);
	struct escalation task = rung(KIND_ANSWER, REPLY_QUESTION, 0);
	struct said said[2] = {
	    answer_owe(
		1, STAGE_TEAM_EMERGENCY, 1, at("2026-03-02T10:00:00+08:00")),
	    answer_owe(2, STAGE_TEAM_TASKS, 1, at("2026-03-02T10:00:00+08:00")),
	};

	(void)state;
	/* not sent yet: it says this, too */
	assert_int_equal(
	    owed(urgent, said, 2, "2026-03-02T10:00:10+08:00"), -1);
	/* sent: the next one waits, and covers those behind it */
	said[0].state = DELIVERY_SENDING;
	assert_int_equal(owed(urgent, said, 2, "2026-03-02T10:00:10+08:00"),
	    at("2026-03-02T10:01:00+08:00"));
	assert_int_equal(owed(urgent, said, 2, "2026-03-02T10:07:00+08:00"),
	    at("2026-03-02T10:07:00+08:00"));
	said[1].state = DELIVERY_DELIVERED;
	assert_int_equal(owed(task, said, 2, "2026-03-02T10:20:00+08:00"),
	    at("2026-03-02T11:00:00+08:00"));
	/* refused, or given up: it told nobody */
	said[0].state = DELIVERY_REJECTED;
	assert_int_equal(owed(urgent, said, 2, "2026-03-02T10:00:10+08:00"),
	    at("2026-03-02T10:00:10+08:00"));
	said[0].state = DELIVERY_HELD;
	said[0].reason = REASON_EXPIRED;
	assert_int_equal(owed(urgent, said, 2, "2026-03-02T10:00:10+08:00"),
	    at("2026-03-02T10:00:10+08:00"));
	/* another address of the member's */
	said[0].reason = REASON_NONE;
	said[0].contact_no = 2;
	assert_int_equal(owed(urgent, said, 2, "2026-03-02T10:00:10+08:00"),
	    at("2026-03-02T10:00:10+08:00"));
}

/* Whoever answers that message takes all that it told of. */
static void
what_a_message_covers_is_told_by_it(void **state)
{
	struct escalation task = rung(KIND_ANSWER, REPLY_QUESTION, 0);
	struct said said =
	    answer_owe(1, STAGE_TEAM_TASKS, 1, at("2026-03-03T08:00:00+08:00"));
	struct care_member member = {.zone = zone_open("Asia/Shanghai"),
	    .contact_no = 1,
	    .said = &said,
	    .said_count = 1};
	int64_t instant;

	(void)state;
	assert_false(escalation_owe(
	    &member, &task, at("2026-03-02T23:00:00+08:00"), &instant));
	assert_int_equal(instant, at("2026-03-03T08:00:00+08:00"));
	/* late, and still that message: it is known by when it was owed */
	assert_false(escalation_owe(
	    &member, &task, at("2026-03-03T08:10:00+08:00"), &instant));
	assert_int_equal(instant, at("2026-03-03T08:00:00+08:00"));
	/* given up in this very minute: it says nothing any more */
	assert_true(escalation_owe(
	    &member, &task, at("2026-03-03T09:00:00+08:00"), &instant));
}

static void
roles_have_words(void **state)
{
	(void)state;
	assert_string_equal(care_role_word(CARE_PHARMACIST), "pharmacist");
	assert_null(care_role_word(0));
	assert_null(care_role_word(CARE_DOCTOR + 1));
	assert_int_equal(care_role_from_word("doctor"), CARE_DOCTOR);
	assert_int_equal(care_role_from_word("porter"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(emergency_climbs_each_quarter_of_an_hour),
	    cmocka_unit_test(harm_is_told_at_once_and_the_rest_by_digest),
	    cmocka_unit_test(hours_of_work_are_kept_but_for_urgent_ones),
	    cmocka_unit_test(what_comes_close_together_is_one_message),
	    cmocka_unit_test(what_a_message_covers_is_told_by_it),
	    cmocka_unit_test(roles_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
