/*
 * Answers: what a reply is owed leaves at once and past all that holds a
 * reminder, look by look as the daemon does it; and the table of effects.
 */
#include "plan_world.h"

#include "care/answer.h"
#include "care/reply_effect.h"

static struct plan plan;

static void
owe(int32_t reply_no, enum stage stage, int32_t contact_no, const char *when)
{
	struct said *said =
	    arena_array(w.arena, w.d.said_count + 1, sizeof(*said));

	if (w.d.said_count > 0)
		memcpy(said, w.d.said, w.d.said_count * sizeof(*said));
	said[w.d.said_count] =
	    answer_owe(reply_no, stage, contact_no, at(when));
	w.d.said = said;
	w.d.said_count++;
}

#define assert_sent(contact_, channel_, stage_) \
	do { \
		assert_int_equal(plan.step_count, 1); \
		assert_int_equal(plan.steps[0].action, PLAN_SEND); \
		assert_int_equal(plan.steps[0].kind, KIND_ANSWER); \
		assert_int_equal(plan.steps[0].stage, stage_); \
		assert_int_equal(plan.steps[0].contact_no, contact_); \
		assert_int_equal(plan.steps[0].channel, channel_); \
	} while (0)

static void
answer_leaves_at_night_without_consent_and_on_hold(void **state)
{
	(void)state;
	world();
	w.d.safety_hold = true;
	w.d.paused_until = AT_NEVER;
	w.d.consent_count = 0;
	owe(9, STAGE_EMERGENCY, 1, "2026-03-02 03:00");
	daemon_look("2026-03-02 03:00", &plan);
	assert_sent(1, w.contacts[0].channel, STAGE_EMERGENCY);
	assert_int_equal(plan.steps[0].source, 9);
	assert_int_equal(plan.steps[0].slot, STAGE_EMERGENCY);
	assert_int_equal(plan.steps[0].valid_until, at("2026-03-02 04:00"));
	assert_string_equal(plan.steps[0].items[0].reference, "Reply/9");
	/* once */
	daemon_look("2026-03-02 03:01", &plan);
	assert_int_equal(plan.step_count, 0);
}

static void
answer_goes_where_the_reply_came_from(void **state)
{
	struct contact *second;

	(void)state;
	world();
	second = contact(CHANNEL_WECHAT_MINI);
	second->usable = false;
	owe(9, STAGE_SORRY, second->no, "2026-03-02 10:00");
	daemon_look("2026-03-02 10:00", &plan);
	assert_sent(second->no, CHANNEL_WECHAT_MINI, STAGE_SORRY);
}

static void
answer_waits_for_its_gateway_an_hour(void **state)
{
	struct gateway_view *view;

	(void)state;
	world();
	view = &w.gateways.channels[w.contacts[0].channel];
	view->paused = true;
	view->lane = 3;
	owe(9, STAGE_NOTED, 1, "2026-03-02 10:00");
	daemon_look("2026-03-02 10:00", &plan);
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.park_lane, 3);
	view->paused = false;
	view->full = true;
	daemon_look("2026-03-02 10:10", &plan);
	assert_int_equal(plan.step_count, 0);
	view->full = false;
	view->approved[KIND_ANSWER][STAGE_NOTED] = false;
	daemon_look("2026-03-02 10:20", &plan);
	assert_int_equal(plan.step_count, 0);
	view->approved[KIND_ANSWER][STAGE_NOTED] = true;
	daemon_look("2026-03-02 10:59", &plan);
	assert_sent(1, w.contacts[0].channel, STAGE_NOTED);

	owe(10, STAGE_NOTED, 1, "2026-03-02 10:00");
	daemon_look("2026-03-02 11:00", &plan);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].action, PLAN_HOLD);
	assert_int_equal(plan.steps[0].reason, REASON_EXPIRED);
	assert_true(plan.steps[0].final);
	daemon_look("2026-03-02 11:01", &plan);
	assert_int_equal(plan.step_count, 0);
}

static void
answer_to_an_address_that_is_gone_ends(void **state)
{
	(void)state;
	world();
	owe(9, STAGE_NOTED, 77, "2026-03-02 10:00");
	daemon_look("2026-03-02 11:00", &plan);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].reason, REASON_NO_CHANNEL);
}

static void
answer_is_attempted_again_and_repeated_only_for_danger(void **state)
{
	struct open_delivery open;

	(void)state;
	world();
	owe(9, STAGE_NOTED, 1, "2026-03-02 10:00");
	daemon_look("2026-03-02 10:00", &plan);
	assert_sent(1, w.contacts[0].channel, STAGE_NOTED);
	open = (struct open_delivery){
	    .kind = KIND_ANSWER,
	    .channel = w.contacts[0].channel,
	    .state = DELIVERY_RETRY,
	    .source = 9,
	    .occurrence_on = plan.steps[0].occurrence_on,
	    .slot = STAGE_NOTED,
	    .attempts = 1,
	    .due_at = at("2026-03-02 10:00"),
	    .retry_at = at("2026-03-02 10:02"),
	    .valid_until = at("2026-03-02 11:00"),
	    .planned_at = at("2026-03-02 10:00"),
	};
	w.d.open = &open;
	w.d.open_count = 1;
	daemon_look("2026-03-02 10:01", &plan);
	assert_int_equal(plan.step_count, 0);
	assert_true(plan.attention);
	daemon_look("2026-03-02 10:02", &plan);
	assert_sent(1, w.contacts[0].channel, STAGE_NOTED);
	assert_true(plan.steps[0].attempt_again);
	open.state = DELIVERY_UNKNOWN;
	daemon_look("2026-03-02 10:03", &plan);
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_UNKNOWN);
	/* but for danger, once */
	open.slot = STAGE_EMERGENCY;
	((struct said *)w.d.said)[w.d.said_count - 1].slot = STAGE_EMERGENCY;
	daemon_look("2026-03-02 10:04", &plan);
	assert_sent(1, w.contacts[0].channel, STAGE_EMERGENCY);
	assert_true(plan.steps[0].repeat);
	open.repeated = true;
	daemon_look("2026-03-02 10:05", &plan);
	assert_int_equal(plan.step_count, 0);
	open.state = DELIVERY_RETRY;
	daemon_look("2026-03-02 11:00", &plan);
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_EXPIRED);
}

static void
answer_waits_for_its_instant(void **state)
{
	(void)state;
	world();
	owe(9, STAGE_TEAM_TASKS, 1, "2026-03-02 10:00");
	daemon_look("2026-03-02 09:00", &plan);
	assert_int_equal(plan.step_count, 0);
	assert_true(plan.next_at <= at("2026-03-02 10:00"));
	daemon_look("2026-03-02 10:00", &plan);
	assert_sent(1, w.contacts[0].channel, STAGE_TEAM_TASKS);
}

/* A caregiver's address, and what the patient says about it. */
static struct contact *
caregiver(bool permitted)
{
	struct contact *c = contact(CHANNEL_SMS);

	c->owner = OWNER_CAREGIVER;
	consent("2026-01-01", permitted, TOPIC_CAREGIVER, CHANNEL_ALL);
	return c;
}

static void
caregiver_hears_of_an_emergency_where_the_patient_wants_it(void **state)
{
	struct contact *c;

	(void)state;
	world();
	c = caregiver(true);
	owe(9, STAGE_EMERGENCY, 1, "2026-03-02 03:00");
	daemon_look("2026-03-02 03:00", &plan);
	assert_int_equal(plan.step_count, 2);
	assert_int_equal(plan.steps[0].stage, STAGE_EMERGENCY);
	assert_int_equal(plan.steps[1].stage, STAGE_CAREGIVER);
	assert_int_equal(plan.steps[1].contact_no, c->no);
	assert_int_equal(plan.steps[1].source, 9);
	daemon_look("2026-03-02 03:01", &plan);
	assert_int_equal(plan.step_count, 0);

	/* harm that is no emergency is not theirs to hear */
	world();
	(void)caregiver(true);
	owe(9, STAGE_ADVERSE_EVENT, 1, "2026-03-02 03:00");
	daemon_look("2026-03-02 03:00", &plan);
	assert_int_equal(plan.step_count, 1);

	world();
	(void)caregiver(false);
	owe(9, STAGE_EMERGENCY, 1, "2026-03-02 03:00");
	daemon_look("2026-03-02 03:00", &plan);
	assert_int_equal(plan.step_count, 1);

	/* where it may not be said another address is theirs */
	world();
	c = caregiver(true);
	contact(CHANNEL_WECHAT_OA)->owner = OWNER_CAREGIVER;
	w.gateways.channels[CHANNEL_WECHAT_OA]
	    .approved[KIND_ANSWER][STAGE_CAREGIVER] = false;
	owe(9, STAGE_EMERGENCY, 1, "2026-03-02 03:00");
	daemon_look("2026-03-02 03:00", &plan);
	assert_int_equal(plan.step_count, 2);
	assert_int_equal(plan.steps[1].contact_no, c->no);

	/* the one who wrote knows */
	world();
	c = caregiver(true);
	owe(9, STAGE_EMERGENCY, c->no, "2026-03-02 03:00");
	daemon_look("2026-03-02 03:00", &plan);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].stage, STAGE_EMERGENCY);
}

static void
three_answers_a_day_and_those_to_harm_apart(void **state)
{
	struct said said = answer_owe(9, STAGE_NOTED, 1, DAY_US);

	(void)state;
	assert_true(answer_counts(&said, STAGE_OPT_OUT, DAY_US));
	assert_true(answer_counts(&said, STAGE_NOTED, 2 * DAY_US - 1));
	assert_false(answer_counts(&said, STAGE_NOTED, 2 * DAY_US));
	assert_false(answer_counts(&said, STAGE_EMERGENCY, DAY_US));
	said.slot = STAGE_ADVERSE_EVENT;
	assert_true(answer_counts(&said, STAGE_ADVERSE_EVENT, DAY_US));
	assert_false(answer_counts(&said, STAGE_EMERGENCY, DAY_US));
	assert_false(answer_counts(&said, STAGE_NOTED, DAY_US));
	said.slot = STAGE_EMERGENCY;
	assert_true(answer_counts(&said, STAGE_EMERGENCY, DAY_US));
	said.kind = KIND_DOSE;
	assert_false(answer_counts(&said, STAGE_EMERGENCY, DAY_US));
}

/* ---- effects ---- */

static struct reply
reply_of(enum reply_label first, enum reply_label second)
{
	return (struct reply){
	    .primary = first,
	    .intents = {{.label = first, .rule = "a"},
		{.label = second, .rule = "b"}},
	    .intent_count = first == second ? 1 : 2,
	};
}

static void
every_label_has_an_effect_and_an_answer(void **state)
{
	(void)state;
	for (enum reply_label label = 0; label < REPLY_LABEL_COUNT; label++) {
		const struct reply_effect_row *row = reply_effect_row(label);

		assert_non_null(row->meaning);
		assert_true(stage_fits(KIND_ANSWER, row->answer));
		/* harm is never without a person, whoever is meant */
		if (reply_label_row(label)->harm)
			assert_int_equal(
			    row->effects & (REPLY_TASK | REPLY_OF_ALL),
			    REPLY_TASK | REPLY_OF_ALL);
	}
}

static void
manual_has_each_label_with_its_answer(void **state)
{
	static char text[65536];
	FILE *file = fopen("daemon/adherd.8", "r");
	size_t bytes;

	(void)state;
	assert_non_null(file);
	bytes = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[bytes] = '\0';
	for (enum reply_label label = 0; label < REPLY_LABEL_COUNT; label++) {
		char row[96];

		(void)snprintf(row, sizeof(row), ".It %s Ta %s Ta ",
		    reply_label_row(label)->name,
		    stage_word(reply_effect_row(label)->answer));
		if (strstr(text, row) == NULL)
			fail_msg("adherd.8 lacks \"%s\"", row);
	}
}

static void
effects_of_several_labels_come_together(void **state)
{
	struct reply reply = reply_of(REPLY_ADVERSE_EVENT, REPLY_OPT_OUT);
	struct reply_effects effects;

	(void)state;
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.effects,
	    REPLY_HOLDS_REFILLS | REPLY_TASK | REPLY_OF_ALL | REPLY_DENIES);
	assert_int_equal(effects.answer, STAGE_ADVERSE_EVENT);
	assert_int_equal(effects.task, REPLY_ADVERSE_EVENT);
	/* and a caregiver hears no more */
	assert_int_equal(effects.denied_topics, TOPIC_ALL | TOPIC_CAREGIVER);
	assert_int_equal(effects.denied_channels, CHANNEL_ALL);
}

static void
refusal_of_a_part_denies_that_part(void **state)
{
	struct reply reply = reply_of(REPLY_OPT_OUT_TOPIC, REPLY_OPT_OUT_TOPIC);
	struct reply_effects effects;

	(void)state;
	reply.slots.topic = "followup";
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.denied_topics, TOPIC_FOLLOW_UP);
	assert_int_equal(effects.denied_channels, CHANNEL_ALL);
	reply.slots.topic = NULL;
	reply.slots.channel = "sms";
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.denied_topics, TOPIC_ALL);
	assert_int_equal(effects.denied_channels, CHANNEL_BIT(CHANNEL_SMS));
}

/* Harm holds and a refusal is obeyed; all else a person decides. */
static void
what_is_only_likely_is_for_a_person(void **state)
{
	struct reply reply = reply_of(REPLY_DECEASED, REPLY_DECEASED);
	struct reply_effects effects;

	(void)state;
	reply.intents[0].likely = true;
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.effects, REPLY_TASK);
	assert_int_equal(effects.task, REPLY_DECEASED);
	assert_int_equal(effects.answer, STAGE_HANDED_OVER);
	reply = reply_of(REPLY_OPT_OUT, REPLY_OPT_OUT);
	reply.intents[0].likely = true;
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.effects, REPLY_DENIES | REPLY_OF_ALL);
	reply = reply_of(REPLY_EMERGENCY, REPLY_EMERGENCY);
	reply.intents[0].likely = true;
	reply_effects(&reply, true, &effects);
	assert_int_equal(
	    effects.effects, REPLY_HOLDS_ALL | REPLY_TASK | REPLY_OF_ALL);
}

static void
order_that_waits_is_cancelled_or_not_doubled(void **state)
{
	struct reply reply = reply_of(REPLY_REFILL_YES, REPLY_REFILL_YES);
	struct reply_effects effects;

	(void)state;
	reply_effects(&reply, true, &effects);
	assert_int_equal(
	    effects.effects, REPLY_TASK | REPLY_ORDERS | REPLY_ENDS_CYCLE);
	assert_int_equal(effects.answer, STAGE_ORDER);
	reply_effects_with_order(&reply, &effects);
	assert_int_equal(effects.effects, 0);
	reply = reply_of(REPLY_REFILL_NO, REPLY_REFILL_NO);
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.effects, 0);
	reply_effects_with_order(&reply, &effects);
	assert_int_equal(effects.effects, REPLY_CANCELS);
	assert_int_equal(effects.answer, STAGE_ORDER_CANCELLED);
	/* a guess cancels nothing */
	reply.intents[0].likely = true;
	reply_effects(&reply, true, &effects);
	reply_effects_with_order(&reply, &effects);
	assert_int_equal(effects.effects, REPLY_TASK);
	reply.intents[0].likely = false;
	/* declined for now, or bought: the tables say which */
	reply.intents[0].rule = "en-got-it-elsewhere";
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.effects, REPLY_ENDS_CYCLE);
	reply_effects(&reply, false, &effects);
	assert_int_equal(effects.effects, REPLY_TASK);
	/* asked beside an order that is on its way: the question stays */
	reply = reply_of(REPLY_REFILL_YES, REPLY_QUESTION);
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.task, REPLY_REFILL_YES);
	reply_effects_with_order(&reply, &effects);
	assert_int_equal(effects.effects, REPLY_TASK);
	assert_int_equal(effects.task, REPLY_QUESTION);
	/* so does what words alone say, unless it asks nothing */
	reply.intents[1].likely = true;
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.answer, STAGE_ORDER);
	reply_effects_with_order(&reply, &effects);
	assert_int_equal(effects.effects, REPLY_TASK);
	assert_int_equal(effects.task, REPLY_QUESTION);
	reply = reply_of(REPLY_REFILL_YES, REPLY_TAKEN);
	reply.intents[1].likely = true;
	reply_effects(&reply, true, &effects);
	reply_effects_with_order(&reply, &effects);
	assert_int_equal(effects.effects, 0);
	/* the task of something else stays */
	reply = reply_of(REPLY_ADVERSE_EVENT, REPLY_REFILL_YES);
	reply_effects(&reply, true, &effects);
	reply_effects_with_order(&reply, &effects);
	assert_true((effects.effects & REPLY_TASK) != 0);
	assert_int_equal(effects.task, REPLY_ADVERSE_EVENT);
	assert_int_equal(effects.effects & REPLY_ORDERS, 0);
}

static void
what_is_uncertain_touches_only_safety_and_refusals(void **state)
{
	struct reply reply = reply_of(REPLY_STOPPED, REPLY_TAKEN);
	struct reply_effects effects;

	(void)state;
	reply_effects(&reply, false, &effects);
	assert_int_equal(effects.effects, REPLY_TASK);
	reply = reply_of(REPLY_TAKEN, REPLY_TAKEN);
	reply_effects(&reply, true, &effects);
	assert_int_equal(effects.effects, 0);
	reply_effects(&reply, false, &effects);
	assert_int_equal(effects.effects, REPLY_TASK);
	reply = reply_of(REPLY_EMERGENCY, REPLY_ADVERSE_EVENT);
	reply_effects(&reply, false, &effects);
	assert_true((effects.effects & REPLY_HOLDS_ALL) != 0);
	assert_true((effects.effects & REPLY_HOLDS_REFILLS) != 0);
}

/* What words alone say beside what a rule found leaves the answer. */
static void
what_is_likely_beside_a_rule_leaves_its_answer(void **state)
{
	static const struct {
		enum reply_label found, likely;
		enum stage answer;
		uint32_t effects;
		enum reply_label task;
	} cases[] = {
	    {REPLY_EMERGENCY, REPLY_QUESTION, STAGE_EMERGENCY,
		REPLY_HOLDS_ALL | REPLY_TASK | REPLY_OF_ALL, REPLY_EMERGENCY},
	    {REPLY_OPT_OUT, REPLY_CAREGIVER, STAGE_OPT_OUT,
		REPLY_DENIES | REPLY_OF_ALL, REPLY_UNCLEAR},
	    {REPLY_TAKEN, REPLY_CAREGIVER, STAGE_NOTED, 0, REPLY_UNCLEAR},
	    {REPLY_TAKEN, REPLY_QUESTION, STAGE_HANDED_OVER, REPLY_TASK,
		REPLY_QUESTION},
	    {REPLY_TAKEN, REPLY_STOPPED, STAGE_HANDED_OVER, REPLY_TASK,
		REPLY_STOPPED},
	    {REPLY_REFILL_YES, REPLY_HAVE_SUPPLY, STAGE_ORDER,
		REPLY_TASK | REPLY_ORDERS | REPLY_ENDS_CYCLE, REPLY_REFILL_YES},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct reply reply = reply_of(cases[i].found, cases[i].likely);
		struct reply_effects effects;

		reply.primary = cases[i].found;
		reply.intents[1].likely = true;
		reply_effects(&reply, true, &effects);
		assert_int_equal(effects.answer, cases[i].answer);
		assert_int_equal(effects.effects, cases[i].effects);
		assert_int_equal(effects.task, cases[i].task);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		answer_leaves_at_night_without_consent_and_on_hold),
	    cmocka_unit_test(answer_goes_where_the_reply_came_from),
	    cmocka_unit_test(answer_waits_for_its_gateway_an_hour),
	    cmocka_unit_test(answer_to_an_address_that_is_gone_ends),
	    cmocka_unit_test(
		answer_is_attempted_again_and_repeated_only_for_danger),
	    cmocka_unit_test(answer_waits_for_its_instant),
	    cmocka_unit_test(
		caregiver_hears_of_an_emergency_where_the_patient_wants_it),
	    cmocka_unit_test(three_answers_a_day_and_those_to_harm_apart),
	    cmocka_unit_test(every_label_has_an_effect_and_an_answer),
	    cmocka_unit_test(manual_has_each_label_with_its_answer),
	    cmocka_unit_test(effects_of_several_labels_come_together),
	    cmocka_unit_test(refusal_of_a_part_denies_that_part),
	    cmocka_unit_test(what_is_only_likely_is_for_a_person),
	    cmocka_unit_test(what_is_likely_beside_a_rule_leaves_its_answer),
	    cmocka_unit_test(order_that_waits_is_cancelled_or_not_doubled),
	    cmocka_unit_test(
		what_is_uncertain_touches_only_safety_and_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
