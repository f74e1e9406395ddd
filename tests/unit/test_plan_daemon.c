/*
 * The decision as the daemon uses it: one look at a time, with outages,
 * standing obstacles, full gateways and open deliveries.
 */
#include "plan_world.h"

static struct open_delivery open_one;
static struct plan plan;

static void
look_at(const char *when)
{
	daemon_look(when, &plan);
}

static void
open_delivery(enum kind kind, enum delivery_state state, const char *date,
    int32_t slot, const char *sent, const char *until)
{
	open_one = (struct open_delivery){
	    .kind = kind,
	    .channel = CHANNEL_SMS,
	    .state = state,
	    .source = 1,
	    .occurrence_on = on(date),
	    .slot = slot,
	    .attempts = 1,
	    .due_at = at(sent),
	    .planned_at = at(sent),
	    .sent_at = at(sent),
	    .retry_at = at(sent) + MINUTE_US,
	    .valid_until = at(until),
	};
	w.d.open = &open_one;
	w.d.open_count = 1;
}

#define assert_step(index, action_, kind_, stage_, reason_) \
	do { \
		assert_true((index) < plan.step_count); \
		assert_int_equal(plan.steps[index].action, action_); \
		assert_int_equal(plan.steps[index].kind, kind_); \
		assert_int_equal(plan.steps[index].stage, stage_); \
		assert_int_equal(plan.steps[index].reason, reason_); \
	} while (0)

/* "valid 60 min": a late dose still goes out, a dead one is expired and
 * has its reason */
static void
late_dose_goes_out_within_its_hour(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	look_at("2026-03-01 07:00");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.next_at, at("2026-03-01 08:00"));
	look_at("2026-03-01 08:59");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, KIND_DOSE, STAGE_DUE, REASON_NONE);
	look_at("2026-03-02 09:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_HOLD, KIND_DOSE, STAGE_DUE, REASON_EXPIRED);
	assert_true(plan.steps[0].final);
	assert_int_equal(plan.next_at, at("2026-03-03 08:00"));
	look_at("2026-03-02 09:01");
	assert_int_equal(plan.step_count, 0);
}

/* "valid … until the product's next dose" */
static void
next_dose_ends_the_one_before(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00\",\"08:30:00");
	look_at("2026-03-01 07:00");
	look_at("2026-03-01 08:30");
	assert_int_equal(plan.step_count, 2);
	assert_step(0, PLAN_HOLD, KIND_DOSE, STAGE_DUE, REASON_EXPIRED);
	assert_step(1, PLAN_SEND, KIND_DOSE, STAGE_DUE, REASON_NONE);
	assert_int_equal(plan.steps[1].slot, 8 * 3600 + 1800);
}

/* fault 39, "Eight hours down": "dead ones expired, refills collapse to
 * one" */
static void
outage_does_not_flood(void **state)
{
	int sends = 0, expired = 0;

	(void)state;
	world();
	daily("a", "08:00:00\",\"12:00:00\",\"16:00:00");
	fill(rx("r"), "2026-02-10", 28); /* 03-10 */
	look_at("2026-03-03 07:00");
	/* five days later: -7d and -3d have passed, -3d is valid */
	look_at("2026-03-08 08:30");
	for (uint32_t i = 0; i < plan.step_count; i++) {
		sends += plan.steps[i].action == PLAN_SEND;
		expired += plan.steps[i].reason == REASON_EXPIRED;
	}
	/* the refill first, the dose waits its two minutes */
	assert_int_equal(sends, 1);
	assert_true(expired >= 4);
	assert_int_equal(plan.next_at, at("2026-03-08 08:32"));
	look_at("2026-03-08 08:32");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, KIND_DOSE, STAGE_DUE, REASON_NONE);
}

/* the same for visits: the later reminder goes out, the other is recorded */
static void
outage_leaves_one_reminder_of_a_visit(void **state)
{
	(void)state;
	world();
	visit("v", "2026-03-10 09:00");
	look_at("2026-03-06 10:00");
	look_at("2026-03-09 12:00");
	assert_int_equal(plan.step_count, 2);
	assert_step(0, PLAN_HOLD, KIND_FOLLOW_UP, STAGE_M3, REASON_EXPIRED);
	assert_step(1, PLAN_SEND, KIND_FOLLOW_UP, STAGE_M1, REASON_NONE);
	look_at("2026-03-10 12:00");
	assert_int_equal(plan.step_count, 0);
}

/* a correction that could not leave is not owed any more once a reminder
 * has told of the new day */
static void
reminder_of_the_new_day_settles_the_correction(void **state)
{
	struct visit *v;

	(void)state;
	world();
	v = visit("v", "2026-03-10 09:00");
	look_at("2026-03-07 10:00");
	v->previous_start_at = v->start_at;
	v->start_at = at("2026-03-12 09:00");
	v->moved_at = at("2026-03-08 12:00");
	w.gateways.channels[CHANNEL_SMS].approved[KIND_FOLLOW_UP][STAGE_MOVED] =
	    false;
	look_at("2026-03-08 12:00");
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].stage, STAGE_MOVED);
	assert_int_equal(plan.steps[0].action, PLAN_HOLD);
	look_at("2026-03-09 10:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, KIND_FOLLOW_UP, STAGE_M3, REASON_NONE);
	w.gateways.channels[CHANNEL_SMS].approved[KIND_FOLLOW_UP][STAGE_MOVED] =
	    true;
	look_at("2026-03-09 10:10");
	assert_int_equal(plan.step_count, 0);
}

/* "a stage that falls in [hospital] is … not sent later", though nobody
 * looked while it lasted */
static void
hospital_stage_is_not_sent_after_an_outage(void **state)
{
	(void)state;
	world();
	visit("v", "2026-03-10 09:00");
	stay("2026-03-07 08:00", "2026-03-07 18:00");
	look_at("2026-03-06 10:00");
	look_at("2026-03-07 19:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(
	    0, PLAN_HOLD, KIND_FOLLOW_UP, STAGE_M3, REASON_PATIENT_IN_HOSPITAL);
	assert_false(plan.steps[0].standing);
	look_at("2026-03-07 19:01");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.next_at, at("2026-03-09 10:00"));
}

/* "Standing obstacles are written once when they begin …; such a person
 * sleeps until touched" */
static void
standing_obstacle_is_written_once(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	w.d.active = false;
	look_at("2026-03-01 08:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(
	    0, PLAN_HOLD, KIND_DOSE, STAGE_DUE, REASON_PATIENT_INACTIVE);
	assert_true(plan.steps[0].standing);
	assert_int_equal(plan.standing, REASON_PATIENT_INACTIVE);
	look_at("2026-03-01 08:01");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.next_at, at("2026-03-08 08:01"));
	/* touched: it is over */
	w.d.active = true;
	look_at("2026-03-01 08:30");
	assert_int_equal(plan.standing, REASON_NONE);
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, KIND_DOSE, STAGE_DUE, REASON_NONE);
	w.d.active = false;
	look_at("2026-03-02 08:00");
	assert_int_equal(plan.step_count, 1);
}

/* a topic without consent sleeps by itself, the others go on */
static void
refused_topic_does_not_wake_anybody(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS);
	consent("2026-01-01", true, TOPIC_FOLLOW_UP, CHANNEL_ALL);
	daily("a", "08:00:00");
	visit("v", "2026-03-06 09:00");
	look_at("2026-03-01 08:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_HOLD, KIND_DOSE, STAGE_DUE, REASON_NO_CONSENT);
	assert_int_equal(plan.standing, REASON_NONE);
	look_at("2026-03-01 08:01");
	assert_int_equal(plan.next_at, at("2026-03-03 10:00"));
}

/* "a slow provider holds up its own lane only": parked, nothing said */
static void
full_gateway_parks(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	w.gateways.channels[CHANNEL_SMS].full = true;
	w.gateways.channels[CHANNEL_SMS].lane = 4;
	look_at("2026-03-01 08:00");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.park_lane, 4);
	w.gateways.channels[CHANNEL_SMS].full = false;
	look_at("2026-03-01 08:10");
	assert_step(0, PLAN_SEND, KIND_DOSE, STAGE_DUE, REASON_NONE);
}

/* "gateway_paused", "template_unapproved": recorded once, tried again */
static void
paused_gateway_is_tried_again(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_WECHAT_MINI);
	consent(NULL, true, TOPIC_ALL, CHANNEL_ALL);
	daily("a", "08:00:00");
	w.gateways.channels[CHANNEL_WECHAT_MINI].paused = true;
	look_at("2026-03-01 08:00");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_HOLD, KIND_DOSE, STAGE_DUE, REASON_GATEWAY_PAUSED);
	assert_false(plan.steps[0].final);
	w.gateways.channels[CHANNEL_WECHAT_MINI].paused = false;
	w.gateways.channels[CHANNEL_WECHAT_MINI]
	    .approved[KIND_DOSE][STAGE_DUE] = false;
	look_at("2026-03-01 08:10");
	assert_int_equal(plan.step_count, 0);
	w.gateways.channels[CHANNEL_WECHAT_MINI]
	    .approved[KIND_DOSE][STAGE_DUE] = true;
	look_at("2026-03-01 08:20");
	assert_step(0, PLAN_SEND, KIND_DOSE, STAGE_DUE, REASON_NONE);
}

/* a retry is judged anew and keeps its occurrence, items and channel */
static void
retry_goes_out_again(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	daily("b", "08:05:00");
	look_at("2026-03-01 08:00");
	assert_int_equal(plan.step_count, 1);
	open_delivery(KIND_DOSE, DELIVERY_RETRY, "2026-03-01", 8 * 3600,
	    "2026-03-01 08:00", "2026-03-01 09:00");
	look_at("2026-03-01 08:00");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.next_at, at("2026-03-01 08:01"));
	look_at("2026-03-01 08:01");
	assert_int_equal(plan.step_count, 1);
	assert_step(0, PLAN_SEND, KIND_DOSE, STAGE_DUE, REASON_NONE);
	assert_true(plan.steps[0].attempt_again);
	assert_false(plan.steps[0].repeat);
	assert_int_equal(plan.steps[0].item_count, 2);
	assert_int_equal(plan.steps[0].slot, 8 * 3600);
}

/* "Retries … while valid"; "a message goes to someone who withdrew …"
 * must never happen */
static void
retry_ends_with_its_reason(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	look_at("2026-03-01 08:00");
	open_delivery(KIND_DOSE, DELIVERY_RETRY, "2026-03-01", 8 * 3600,
	    "2026-03-01 08:00", "2026-03-01 09:00");
	look_at("2026-03-01 09:00");
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_EXPIRED);
	w.d.deceased_at = at("2026-03-01 08:01");
	look_at("2026-03-01 08:30");
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_HELD);
	assert_int_equal(plan.closes[0].reason, REASON_PATIENT_DECEASED);
	w.d.deceased_at = AT_NEVER;
	w.d.consent_count = 0;
	look_at("2026-03-01 08:30");
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].reason, REASON_NO_CONSENT);
	w.prescriptions[0].status = PRESCRIPTION_STOPPED;
	look_at("2026-03-01 08:30");
	assert_int_equal(plan.closes[0].reason, REASON_ALREADY_DONE);
}

/* dose: "after unknown: no repeat"; the provider is asked all the same,
 * "5 minutes after sending, asked twice" */
static void
unknown_dose_is_asked_about_not_repeated(void **state)
{
	(void)state;
	world();
	daily("a", "08:00:00");
	look_at("2026-03-01 08:00");
	open_delivery(KIND_DOSE, DELIVERY_UNKNOWN, "2026-03-01", 8 * 3600,
	    "2026-03-01 08:00", "2026-03-01 09:00");
	look_at("2026-03-01 08:01");
	assert_int_equal(plan.ask_count, 0);
	assert_int_equal(plan.next_at, at("2026-03-01 08:05"));
	look_at("2026-03-01 08:05");
	assert_int_equal(plan.ask_count, 1);
	open_one.asked = 1;
	look_at("2026-03-01 08:06");
	assert_int_equal(plan.ask_count, 0);
	assert_int_equal(plan.next_at, at("2026-03-01 08:10"));
	look_at("2026-03-01 08:10");
	assert_int_equal(plan.ask_count, 1);
	open_one.asked = 2;
	look_at("2026-03-01 08:15");
	assert_int_equal(plan.ask_count, 0);
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.next_at, at("2026-03-01 09:00"));
	look_at("2026-03-01 09:00");
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_UNKNOWN);
}

/* "one repeat, after the fallback time or when the provider says it has
 * nothing" */
static void
unknown_refill_is_repeated_once(void **state)
{
	(void)state;
	world();
	fill(rx("r"), "2026-02-10", 28); /* 03-10 */
	look_at("2026-03-03 10:00");
	assert_int_equal(plan.step_count, 1);
	open_delivery(KIND_REFILL, DELIVERY_UNKNOWN, "2026-03-10", STAGE_M7,
	    "2026-03-03 10:00", "2026-03-07 10:00");
	open_one.asked = 1;
	look_at("2026-03-03 13:59");
	assert_int_equal(plan.step_count, 0);
	look_at("2026-03-03 14:00"); /* 4 h */
	assert_int_equal(plan.step_count, 1);
	assert_true(plan.steps[0].attempt_again && plan.steps[0].repeat);
	open_one.repeated = true;
	open_one.planned_at = open_one.sent_at = at("2026-03-03 14:00");
	look_at("2026-03-03 18:00");
	assert_int_equal(plan.step_count, 0);
	look_at("2026-03-04 14:00");
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_UNKNOWN);
}

static void
provider_without_it_allows_the_repeat(void **state)
{
	(void)state;
	world();
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	open_delivery(KIND_REFILL, DELIVERY_UNKNOWN, "2026-03-10", STAGE_M7,
	    "2026-03-03 10:00", "2026-03-07 10:00");
	open_one.asked = 2;
	look_at("2026-03-03 10:10");
	assert_int_equal(plan.step_count, 1);
	assert_true(plan.steps[0].repeat);
	/* not after the fill */
	fill(&w.prescriptions[0], "2026-03-03 10:05", 28);
	look_at("2026-03-03 10:20");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].reason, REASON_ALREADY_DONE);
	/* it may have gone out: "held" would be a lie */
	assert_int_equal(plan.closes[0].state, DELIVERY_UNKNOWN);
}

/* a repeat keeps its hours, too */
static void
repeat_waits_for_the_morning(void **state)
{
	(void)state;
	world();
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	open_delivery(KIND_REFILL, DELIVERY_UNKNOWN, "2026-03-10", STAGE_M7,
	    "2026-03-03 19:00", "2026-03-07 10:00");
	open_one.asked = 1;
	look_at("2026-03-03 23:00");
	assert_int_equal(plan.step_count, 0);
	look_at("2026-03-04 08:00");
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].not_after, at("2026-03-04 21:00"));
}

/* what the daemon sent stays said, however often it looks */
static void
nothing_is_said_twice(void **state)
{
	int sends = 0;

	(void)state;
	world();
	daily("a", "08:00:00\",\"20:00:00");
	fill(rx("r"), "2026-02-10", 28);
	visit("v", "2026-03-06 09:00");
	look_at("2026-03-03 00:00");
	for (int minute = 0; minute < 24 * 60; minute += 1) {
		char when[32];

		snprintf(when, sizeof(when), "2026-03-03 %02d:%02d",
		    minute / 60, minute % 60);
		look_at(when);
		for (uint32_t i = 0; i < plan.step_count; i++)
			sends += plan.steps[i].action == PLAN_SEND;
		if (minute % 60 == 0) {
			struct said *kept = arena_copy(w.arena, plan.said,
			    plan.said_count * sizeof(*kept));

			w.d.said = kept;
		}
	}
	/* two doses, -7d of the refill, -3d of the visit */
	assert_int_equal(sends, 4);
}

/* "spread_min (default 0) spreads the 10:00 herd by patient" */
static void
spread_moves_the_stage_by_patient(void **state)
{
	int64_t first, second;

	(void)state;
	world();
	fill(rx("r"), "2026-02-10", 28);
	w.rules.spread_min = 30;
	look_at("2026-03-03 09:00");
	first = plan.next_at;
	w.d.patient_id = 8;
	look_at("2026-03-03 09:00");
	second = plan.next_at;
	assert_true(first >= at("2026-03-03 10:00"));
	assert_true(first < at("2026-03-03 10:30"));
	assert_true(second >= at("2026-03-03 10:00"));
	assert_true(second < at("2026-03-03 10:30"));
	assert_int_not_equal(first, second);
}

/* "next_at is never more than 7 days away, so that a lost touch heals" */
static void
nobody_sleeps_longer_than_a_week(void **state)
{
	(void)state;
	world();
	look_at("2026-03-01 08:00");
	assert_int_equal(plan.next_at, at("2026-03-08 08:00"));
}

/* what a stay without an end pauses is known day by day */
static void
open_stay_is_looked_at_each_midnight(void **state)
{
	(void)state;
	world();
	fill(rx("r"), "2026-02-28", 28);
	look_at("2026-03-03 10:00");
	assert_true(plan.next_at > at("2026-03-04 00:00"));
	world();
	fill(rx("r"), "2026-02-28", 28);
	stay("2026-03-02 09:00", "2026-03-08 12:00");
	w.stays[0].until_at = AT_NEVER;
	look_at("2026-03-03 10:00");
	assert_int_equal(plan.next_at, at("2026-03-04 00:00"));
	world();
	fill(rx("r"), "2026-02-28", 28);
	stay("2026-03-02 09:00", "2026-03-08 12:00");
	look_at("2026-03-03 10:00");
	assert_int_equal(plan.next_at, at("2026-03-08 12:00"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(late_dose_goes_out_within_its_hour),
	    cmocka_unit_test(next_dose_ends_the_one_before),
	    cmocka_unit_test(outage_does_not_flood),
	    cmocka_unit_test(outage_leaves_one_reminder_of_a_visit),
	    cmocka_unit_test(reminder_of_the_new_day_settles_the_correction),
	    cmocka_unit_test(hospital_stage_is_not_sent_after_an_outage),
	    cmocka_unit_test(standing_obstacle_is_written_once),
	    cmocka_unit_test(refused_topic_does_not_wake_anybody),
	    cmocka_unit_test(full_gateway_parks),
	    cmocka_unit_test(paused_gateway_is_tried_again),
	    cmocka_unit_test(retry_goes_out_again),
	    cmocka_unit_test(retry_ends_with_its_reason),
	    cmocka_unit_test(unknown_dose_is_asked_about_not_repeated),
	    cmocka_unit_test(unknown_refill_is_repeated_once),
	    cmocka_unit_test(provider_without_it_allows_the_repeat),
	    cmocka_unit_test(repeat_waits_for_the_morning),
	    cmocka_unit_test(nothing_is_said_twice),
	    cmocka_unit_test(spread_moves_the_stage_by_patient),
	    cmocka_unit_test(nobody_sleeps_longer_than_a_week),
	    cmocka_unit_test(open_stay_is_looked_at_each_midnight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
