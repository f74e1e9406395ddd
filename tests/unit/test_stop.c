/*
 * Operators' stops: what they match, and what plan makes of them, look by
 * look, as the daemon uses it.
 */
#include "plan_world.h"

static struct open_delivery open_one;
static struct stop stop;
static struct stops stops = {&stop, 1};
static struct plan plan;

static void
look_at(const char *when)
{
	daemon_look(when, &plan);
}

static void
begin(struct stop what)
{
	stop = what;
	w.rules.stops = &stops;
}

/* Two products that run out on 9 March, each with its fill. */
static void
two_products(void)
{
	world();
	fill(rx("a"), "2026-02-09", 28);
	fill(rx("b"), "2026-02-09", 28);
	look_at("2026-03-01 09:00");
	assert_int_equal(plan.step_count, 0);
}

#define assert_step(index, action_, stage_, reason_, item_) \
	do { \
		assert_true((index) < plan.step_count); \
		assert_int_equal(plan.steps[index].action, action_); \
		assert_int_equal(plan.steps[index].stage, stage_); \
		assert_int_equal(plan.steps[index].reason, reason_); \
		assert_int_equal(plan.steps[index].item_count, 1); \
		assert_int_equal(plan.steps[index].items[0].no, item_); \
	} while (0)

static void
stop_holds_what_matches_all_that_it_names(void **state)
{
	static const char amlodipine[] = "http://www.whocc.no/atc|C08CA01";

	(void)state;
	begin((struct stop){.tenant_id = 2,
	    .kind = KIND_REFILL,
	    .stage = STAGE_M7,
	    .drug = amlodipine});
	assert_non_null(
	    stops_find(&stops, 2, KIND_REFILL, STAGE_M7, amlodipine));
	assert_null(stops_find(&stops, 1, KIND_REFILL, STAGE_M7, amlodipine));
	assert_null(stops_find(&stops, 2, KIND_DOSE, STAGE_M7, amlodipine));
	assert_null(stops_find(&stops, 2, KIND_REFILL, STAGE_M3, amlodipine));
	assert_null(stops_find(&stops, 2, KIND_REFILL, STAGE_M7, "b"));
	assert_null(stops_find(&stops, 2, KIND_REFILL, STAGE_M7, NULL));
	assert_null(stops_find(NULL, 2, KIND_REFILL, STAGE_M7, amlodipine));
	begin((struct stop){.drug = "C08CA01"});
	assert_non_null(
	    stops_find(&stops, 1, KIND_DOSE, STAGE_DUE, amlodipine));
	assert_null(stops_find(&stops, 1, KIND_DOSE, STAGE_DUE, "x|C08CA011"));
	assert_null(stops_find(&stops, 1, KIND_FOLLOW_UP, STAGE_M3, NULL));
	begin((struct stop){0});
	assert_non_null(stops_find(&stops, 1, KIND_FOLLOW_UP, STAGE_M3, NULL));
	assert_non_null(stops_find(&stops, 1, 0, STAGE_NONE, NULL));
	/* who writes is answered, unless a stop says so by name */
	assert_null(stops_find(&stops, 1, KIND_ANSWER, STAGE_NOTED, NULL));
	begin((struct stop){.kind = KIND_ANSWER});
	assert_non_null(stops_find(&stops, 1, KIND_ANSWER, STAGE_NOTED, NULL));
}

/* each stage of the stopped product has its line, the other goes on, and
 * what is still valid when it ends leaves, once */
static void
stopped_product_is_held_alone_and_leaves_when_resumed(void **state)
{
	(void)state;
	two_products();
	begin((struct stop){.drug = "b"});
	look_at("2026-03-02 10:00");
	assert_int_equal(plan.step_count, 2);
	assert_step(0, PLAN_SEND, STAGE_M7, REASON_NONE, 1);
	assert_step(1, PLAN_HOLD, STAGE_M7, REASON_STOPPED_BY_OPERATOR, 2);
	assert_false(plan.steps[1].standing);
	assert_int_equal(plan.standing, REASON_NONE);
	assert_true(plan.stopped);
	look_at("2026-03-02 10:05");
	assert_int_equal(plan.step_count, 0);
	assert_true(plan.stopped);
	assert_int_equal(plan.next_at, at("2026-03-06 10:00"));
	look_at("2026-03-06 10:00");
	assert_int_equal(plan.step_count, 2);
	assert_step(1, PLAN_HOLD, STAGE_M3, REASON_STOPPED_BY_OPERATOR, 2);
	w.rules.stops = NULL;
	/* -7d is over: it keeps its line, and there is no second one */
	look_at("2026-03-06 15:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, STAGE_M3, REASON_NONE, 2);
	assert_false(plan.stopped);
	look_at("2026-03-06 15:05");
	assert_int_equal(plan.step_count, 0);
}

/* one product of a kind that is stopped must not put the kind to sleep */
static void
stopped_product_lets_the_others_wake(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	daily("b", "08:20:00");
	begin((struct stop){.drug = "a"});
	look_at("2026-03-01 08:00");
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.next_at, at("2026-03-01 08:20"));
}

/* "such a person sleeps until touched": the kind does, the others go on */
static void
stopped_kind_sleeps_until_it_is_resumed(void **state)
{
	(void)state;
	world();
	daily("a", "20:00:00");
	fill(&w.prescriptions[0], "2026-02-09", 28);
	look_at("2026-03-01 21:30");
	begin((struct stop){.kind = KIND_REFILL});
	look_at("2026-03-02 10:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_HOLD, STAGE_M7, REASON_STOPPED_BY_OPERATOR, 1);
	assert_true(plan.steps[0].standing);
	assert_int_equal(plan.standing, REASON_NONE);
	assert_int_equal(plan.next_at, at("2026-03-02 20:00"));
	look_at("2026-03-02 20:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, STAGE_DUE, REASON_NONE, 1);
	assert_true(plan.stopped);
	w.rules.stops = NULL;
	look_at("2026-03-03 12:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, STAGE_M7, REASON_NONE, 1);
	assert_false(plan.stopped);
}

static void
stop_of_everything_stands_against_the_person(void **state)
{
	(void)state;
	two_products();
	begin((struct stop){0});
	look_at("2026-03-02 10:00");
	assert_int_equal(plan.standing, REASON_STOPPED_BY_OPERATOR);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].item_count, 2);
	assert_true(plan.stopped);
	/* the status comes first, the safety hold after it */
	w.d.safety_hold = true;
	look_at("2026-03-02 10:01");
	assert_int_equal(plan.standing, REASON_STOPPED_BY_OPERATOR);
	w.d.active = false;
	look_at("2026-03-02 10:02");
	assert_int_equal(plan.standing, REASON_PATIENT_INACTIVE);
}

static void
stopped_template_holds_its_stage_alone(void **state)
{
	(void)state;
	two_products();
	begin((struct stop){.kind = KIND_REFILL, .stage = STAGE_M7});
	look_at("2026-03-02 10:00");
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].action, PLAN_HOLD);
	assert_int_equal(plan.steps[0].reason, REASON_STOPPED_BY_OPERATOR);
	look_at("2026-03-06 10:00");
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].action, PLAN_SEND);
	assert_int_equal(plan.steps[0].stage, STAGE_M3);
	assert_int_equal(plan.steps[0].item_count, 2);
}

/* A merged message that did not leave: the provider was out of reach, or
 * dispatch gave it back. */
static void
give_back(void)
{
	two_products();
	look_at("2026-03-02 10:00");
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].item_count, 2);
	open_one = (struct open_delivery){
	    .kind = KIND_REFILL,
	    .channel = CHANNEL_SMS,
	    .state = DELIVERY_RETRY,
	    .source = plan.steps[0].source,
	    .occurrence_on = plan.steps[0].occurrence_on,
	    .slot = plan.steps[0].slot,
	    .attempts = 1,
	    .due_at = plan.steps[0].due_at,
	    .planned_at = plan.steps[0].at,
	    .sent_at = plan.steps[0].at,
	    .retry_at = plan.steps[0].at,
	    .valid_until = plan.steps[0].valid_until,
	};
	w.d.open = &open_one;
	w.d.open_count = 1;
}

/* it keeps its natural key, so it waits instead of being closed */
static void
retry_waits_for_the_end_of_the_stop(void **state)
{
	(void)state;
	give_back();
	begin((struct stop){.kind = KIND_REFILL});
	look_at("2026-03-02 10:10");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.close_count, 0);
	assert_true(plan.stopped);
	w.rules.stops = NULL;
	look_at("2026-03-02 11:00");
	assert_int_equal(plan.step_count, 1);
	assert_true(plan.steps[0].attempt_again);
	assert_int_equal(plan.steps[0].item_count, 2);
}

static void
retry_that_outlives_the_stop_says_so(void **state)
{
	(void)state;
	give_back();
	begin((struct stop){.kind = KIND_REFILL});
	look_at("2026-03-06 10:00");
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_EXPIRED);
	assert_int_equal(plan.closes[0].reason, REASON_STOPPED_BY_OPERATOR);
}

/* the first of the message is stopped: the second leaves by itself */
static void
retry_parts_when_its_first_is_stopped(void **state)
{
	(void)state;
	give_back();
	begin((struct stop){.drug = "a"});
	look_at("2026-03-02 10:10");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, STAGE_M7, REASON_NONE, 2);
	assert_false(plan.steps[0].attempt_again);
	assert_int_equal(plan.close_count, 0);
	w.rules.stops = NULL;
	look_at("2026-03-02 11:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, STAGE_M7, REASON_NONE, 1);
	assert_true(plan.steps[0].attempt_again);
}

/* another is stopped: it is held by itself, and the message goes on */
static void
retry_parts_when_another_is_stopped(void **state)
{
	(void)state;
	give_back();
	begin((struct stop){.drug = "b"});
	look_at("2026-03-02 10:10");
	assert_int_equal(plan.step_count, 2);
	assert_step(0, PLAN_SEND, STAGE_M7, REASON_NONE, 1);
	assert_true(plan.steps[0].attempt_again);
	assert_step(1, PLAN_HOLD, STAGE_M7, REASON_STOPPED_BY_OPERATOR, 2);
	w.d.open_count = 0;
	w.rules.stops = NULL;
	look_at("2026-03-02 11:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, STAGE_M7, REASON_NONE, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stop_holds_what_matches_all_that_it_names),
	    cmocka_unit_test(
		stopped_product_is_held_alone_and_leaves_when_resumed),
	    cmocka_unit_test(stopped_product_lets_the_others_wake),
	    cmocka_unit_test(stopped_kind_sleeps_until_it_is_resumed),
	    cmocka_unit_test(stop_of_everything_stands_against_the_person),
	    cmocka_unit_test(stopped_template_holds_its_stage_alone),
	    cmocka_unit_test(retry_waits_for_the_end_of_the_stop),
	    cmocka_unit_test(retry_that_outlives_the_stop_says_so),
	    cmocka_unit_test(retry_parts_when_its_first_is_stopped),
	    cmocka_unit_test(retry_parts_when_another_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
