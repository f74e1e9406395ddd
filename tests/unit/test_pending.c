/*
 * Fallback to the next channel: looks of the daemon one after another, with
 * a small table of deliveries between them that loads what the daemon would.
 */
#include "plan_world.h"

#define DELIVERIES_MAX 16

static struct open_delivery table[DELIVERIES_MAX], loaded[DELIVERIES_MAX];
static uint32_t table_count;
static bool touched; /* as by a receipt that says undelivered */
static struct plan plan;
static int looks;

static struct open_delivery *
row(enum channel channel)
{
	for (uint32_t i = table_count; i > 0; i--)
		if (table[i - 1].channel == channel)
			return &table[i - 1];
	return NULL;
}

/* What delivery_recent.sql loads, by what was said. */
static uint32_t
load(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w.d.said_count; i++) {
		const struct said *s = &w.d.said[i];

		for (uint32_t k = 0; k < table_count; k++)
			if (said_may_be_open(s) &&
			    table[k].channel == s->channel &&
			    table[k].kind == s->kind &&
			    table[k].source == s->source &&
			    table[k].occurrence_on == s->occurrence_on &&
			    table[k].slot == s->slot &&
			    table[k].state != DELIVERY_SENDING &&
			    table[k].state != DELIVERY_HELD &&
			    table[k].state != DELIVERY_EXPIRED)
				loaded[count++] = table[k];
	}
	return count;
}

static void
write_step(const struct plan_step *step)
{
	struct open_delivery *r = row(step->channel);

	if (step->action != PLAN_SEND)
		return;
	if (!step->attempt_again) {
		/* the natural key: each channel once */
		for (uint32_t i = 0; i < table_count; i++)
			assert_false(table[i].channel == step->channel &&
				     table[i].kind == step->kind &&
				     table[i].source == step->source &&
				     table[i].slot == step->slot);
		assert_true(table_count < DELIVERIES_MAX);
		r = &table[table_count++];
		*r = (struct open_delivery){.kind = step->kind,
		    .channel = step->channel,
		    .source = step->source,
		    .occurrence_on = step->occurrence_on,
		    .slot = step->slot,
		    .due_at = step->due_at,
		    .valid_until = step->valid_until};
	}
	r->attempts++;
	r->asked = 0;
	r->repeated |= step->repeat;
	r->planned_at = r->sent_at = step->at;
	r->state = DELIVERY_SENDING;
}

static void
look_at(const char *when)
{
	w.d.open = loaded;
	w.d.open_count = plan.attention || touched ? load() : 0;
	touched = false;
	daemon_look(when, &plan);
	for (uint32_t i = 0; i < plan.close_count; i++) {
		const struct open_delivery *o = plan.closes[i].delivery;
		struct open_delivery *r = row(o->channel);

		/* unknown for good: settled, and not loaded again */
		r->state = plan.closes[i].state == DELIVERY_UNKNOWN
			       ? DELIVERY_EXPIRED
			       : plan.closes[i].state;
	}
	for (uint32_t i = 0; i < plan.step_count; i++)
		write_step(&plan.steps[i]);
	looks++;
}

/* An outcome or receipt; whether it wakes the person. */
static void
becomes(enum channel channel, enum delivery_state state)
{
	row(channel)->state = state;
	touched = state != DELIVERY_ACCEPTED && state != DELIVERY_DELIVERED;
}

#define assert_sent(channel_) \
	do { \
		assert_int_equal(plan.step_count, 1); \
		assert_int_equal(plan.steps[0].action, PLAN_SEND); \
		assert_int_equal(plan.steps[0].channel, channel_); \
	} while (0)
#define assert_nothing() \
	do { \
		assert_int_equal(plan.step_count, 0); \
		assert_int_equal(plan.close_count, 0); \
	} while (0)

/* Three channels with receipts, a refill due 03-03 10:00, -7d of 03-10. */
static void
three_channels(void)
{
	world_empty();
	contact(CHANNEL_WECHAT_MINI);
	contact(CHANNEL_PUSH);
	contact(CHANNEL_SMS);
	consent(NULL, true, TOPIC_ALL, CHANNEL_ALL);
	for (enum channel ch = CHANNEL_WECHAT_MINI; ch < CHANNEL_COUNT; ch++)
		w.gateways.channels[ch].receipts = true;
	table_count = 0;
	plan = (struct plan){0};
	touched = false;
	looks = 0;
}

static void
refill_sent(void)
{
	three_channels();
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	assert_sent(CHANNEL_WECHAT_MINI);
	assert_true(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-03 14:00"));
}

/* "undelivered": at once, and on to the last channel, each once */
static void
undelivered_goes_to_the_next_channel(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:01");
	assert_sent(CHANNEL_PUSH);
	assert_false(plan.steps[0].attempt_again);
	assert_int_equal(plan.steps[0].kind, KIND_REFILL);
	assert_int_equal(plan.steps[0].slot, STAGE_M7);
	assert_int_equal(plan.steps[0].due_at, at("2026-03-03 10:00"));
	assert_int_equal(plan.steps[0].valid_until, at("2026-03-07 10:00"));
	assert_int_equal(plan.steps[0].not_after, at("2026-03-03 21:00"));
	becomes(CHANNEL_PUSH, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:05");
	assert_sent(CHANNEL_SMS);
	assert_false(plan.attention);
	becomes(CHANNEL_SMS, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:09");
	assert_nothing();
	assert_false(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-07 10:00"));
}

/* a refusal is no delivery */
static void
rejected_goes_to_the_next_channel(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_REJECTED);
	look_at("2026-03-03 10:01");
	assert_sent(CHANNEL_PUSH);
}

/* a restored database: what was due before then counts as sent */
static void
what_an_operator_assumes_sent_is_not_said_again(void **state)
{
	static const enum delivery_state states[] = {DELIVERY_RETRY,
	    DELIVERY_UNKNOWN, DELIVERY_ACCEPTED, DELIVERY_REJECTED,
	    DELIVERY_UNDELIVERED};

	(void)state;
	for (unsigned i = 0; i < COUNT(states); i++) {
		refill_sent();
		becomes(CHANNEL_WECHAT_MINI, states[i]);
		row(CHANNEL_WECHAT_MINI)->retry_at = at("2026-03-03 10:05");
		w.rules.handled_before = at("2026-03-03 10:30");
		look_at("2026-03-03 10:40");
		assert_int_equal(plan.step_count, 0);
		assert_int_equal(plan.close_count, states[i] == DELIVERY_RETRY);
		look_at("2026-03-03 14:30");
		assert_int_equal(plan.step_count, 0);
		look_at("2026-03-06 10:00");
		assert_int_equal(plan.step_count, 0);
		/* the next stage is news */
		w.d.open_count = 0;
		plan.attention = false;
		look_at("2026-03-07 10:00");
		assert_sent(CHANNEL_WECHAT_MINI);
		assert_int_equal(plan.steps[0].stage, STAGE_M3);
	}
}

/* "no receipt in 4 h where receipts exist" */
static void
missing_receipt_goes_to_the_next_channel(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_ACCEPTED);
	look_at("2026-03-03 13:59");
	assert_nothing();
	assert_true(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-03 14:00"));
	look_at("2026-03-03 14:00");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.next_at, at("2026-03-03 18:00"));
}

static void
follow_up_waits_two_hours(void **state)
{
	(void)state;
	three_channels();
	visit("v", "2026-03-06 15:00");
	look_at("2026-03-03 10:00");
	assert_int_equal(plan.next_at, at("2026-03-03 12:00"));
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_ACCEPTED);
	look_at("2026-03-03 12:00");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.steps[0].kind, KIND_FOLLOW_UP);
}

/* dose: "fallback: none" */
static void
dose_has_no_fallback(void **state)
{
	(void)state;
	three_channels();
	daily("a", "08:00:00");
	look_at("2026-03-01 08:00");
	assert_sent(CHANNEL_WECHAT_MINI);
	assert_false(plan.attention);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-01 08:01");
	assert_nothing();
	assert_false(plan.attention);
	/* not even of one that never left */
	three_channels();
	daily("a", "08:00:00");
	look_at("2026-03-01 08:00");
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_RETRY);
	w.gateways.channels[CHANNEL_WECHAT_MINI].exists = false;
	row(CHANNEL_WECHAT_MINI)->retry_at = at("2026-03-01 08:01");
	look_at("2026-03-01 08:01");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].reason, REASON_NO_CHANNEL);
}

/* a receipt in time: the second look finds nothing to do, and is the last */
static void
delivered_in_time_ends_it(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_DELIVERED);
	look_at("2026-03-03 14:00");
	assert_nothing();
	assert_false(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-07 10:00"));
	assert_int_equal(looks, 2);
}

/* "unconfirmed … never triggers a fallback"; one look for one channel */
static void
nobody_waits_for_receipts_that_lead_nowhere(void **state)
{
	(void)state;
	three_channels();
	w.gateways.channels[CHANNEL_WECHAT_MINI].receipts = false;
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	assert_false(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-07 10:00"));
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNCONFIRMED);
	touched = true;
	look_at("2026-03-03 14:00");
	assert_nothing();
	three_channels();
	w.d.contact_count = 1;
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	assert_sent(CHANNEL_WECHAT_MINI);
	assert_false(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-07 10:00"));
}

/* "A late receipt settles it": after the fallback it leads nowhere */
static void
late_receipt_leads_to_no_second_message(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_ACCEPTED);
	look_at("2026-03-03 14:00");
	assert_sent(CHANNEL_PUSH);
	becomes(CHANNEL_PUSH, DELIVERY_ACCEPTED);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 14:10");
	assert_nothing();
	assert_int_equal(plan.next_at, at("2026-03-03 18:00"));
	becomes(CHANNEL_PUSH, DELIVERY_DELIVERED);
	look_at("2026-03-03 18:00");
	assert_nothing();
	assert_false(plan.attention);
}

/* … unless the later channel fails too; but not where the first arrived */
static void
late_delivery_ends_the_chain(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_ACCEPTED);
	look_at("2026-03-03 14:00");
	assert_sent(CHANNEL_PUSH);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_DELIVERED);
	becomes(CHANNEL_PUSH, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 14:10");
	assert_nothing();
	assert_false(plan.attention);
	/* nor is the later one tried again */
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_ACCEPTED);
	look_at("2026-03-03 14:00");
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_DELIVERED);
	becomes(CHANNEL_PUSH, DELIVERY_RETRY);
	row(CHANNEL_PUSH)->retry_at = at("2026-03-03 14:01");
	look_at("2026-03-03 14:01");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].reason, REASON_ALREADY_DONE);
}

/* "already done", and withdrawn since: judged anew */
static void
fallback_is_judged_anew(void **state)
{
	(void)state;
	refill_sent();
	fill(&w.prescriptions[0], "2026-03-03 10:30", 28);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 11:00");
	assert_nothing();
	assert_false(plan.attention);
	refill_sent();
	consent(
	    "2026-03-03 10:30", false, TOPIC_REFILL, CHANNEL_BIT(CHANNEL_PUSH));
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 11:00");
	assert_sent(CHANNEL_SMS);
	refill_sent();
	w.d.deceased_at = at("2026-03-03 10:30");
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 11:00");
	assert_int_equal(table_count, 1);
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-07 10:00"); /* the next stage has the word */
	assert_sent(CHANNEL_WECHAT_MINI);
	assert_int_equal(plan.steps[0].slot, STAGE_M3);
}

/* a run-out that moved by a day is told as it is now */
static void
fallback_tells_the_run_out_of_today(void **state)
{
	(void)state;
	refill_sent();
	assert_int_equal(plan.steps[0].items[0].run_out_on, on("2026-03-10"));
	w.fills[0].days_supply = 30;
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 11:00");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.steps[0].occurrence_on, on("2026-03-10"));
	assert_int_equal(plan.steps[0].items[0].run_out_on, on("2026-03-12"));
}

/* whoever is on hold for a while hears of it afterwards, while valid */
static void
fallback_waits_for_the_end_of_a_pause(void **state)
{
	(void)state;
	refill_sent();
	w.d.safety_hold = true;
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 11:00");
	assert_nothing();
	assert_true(plan.attention);
	w.d.safety_hold = false;
	look_at("2026-03-03 12:00");
	assert_sent(CHANNEL_PUSH);
}

/* "allowed hours": it waits for the opening */
static void
fallback_waits_for_the_morning(void **state)
{
	(void)state;
	refill_sent();
	row(CHANNEL_WECHAT_MINI)->planned_at = at("2026-03-03 19:00");
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_ACCEPTED);
	look_at("2026-03-03 20:00");
	assert_nothing();
	assert_int_equal(plan.next_at, at("2026-03-04 08:00"));
	look_at("2026-03-03 23:00");
	assert_nothing();
	assert_true(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-04 08:00"));
	look_at("2026-03-04 08:00");
	assert_sent(CHANNEL_PUSH);
	/* not where it would be too late by then */
	three_channels();
	visit("v", "2026-03-04 07:00");
	look_at("2026-03-03 20:00");
	assert_sent(CHANNEL_WECHAT_MINI);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 21:30");
	assert_nothing();
	assert_false(plan.attention);
}

/* at least 2 minutes on the channel that it goes to */
static void
fallback_keeps_the_gap(void **state)
{
	(void)state;
	three_channels();
	w.gateways.channels[CHANNEL_WECHAT_MINI]
	    .approved[KIND_FOLLOW_UP][STAGE_M3] = false;
	fill(rx("r"), "2026-02-10", 28);
	visit("v", "2026-03-06 15:00");
	look_at("2026-03-03 10:00"); /* the visit first, by push */
	assert_sent(CHANNEL_PUSH);
	look_at("2026-03-03 10:02");
	assert_sent(CHANNEL_WECHAT_MINI);
	w.gateways.channels[CHANNEL_PUSH].exists = false;
	becomes(CHANNEL_PUSH, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:03");
	assert_sent(CHANNEL_SMS);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:04");
	assert_nothing();
	assert_true(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-03 10:05"));
	look_at("2026-03-03 10:05");
	assert_sent(CHANNEL_SMS);
}

/* a fallback counts on its channel; where that is full, a later one */
static void
fallback_counts_for_the_cap(void **state)
{
	(void)state;
	refill_sent();
	w.rules.caps.other_day = 0;
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:10");
	assert_sent(CHANNEL_SMS);
	w.rules.caps.sms_day = 1;
	visit("v", "2026-03-06 15:00");
	look_at("2026-03-03 10:20");
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].action, PLAN_HOLD);
	refill_sent();
	w.rules.caps = (struct program_caps){0, 0, 0};
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:10");
	assert_nothing();
	assert_false(plan.attention);
}

/* a digest goes as a whole, less what is done by then */
static void
merged_message_falls_back_as_a_whole(void **state)
{
	struct prescription *p;

	(void)state;
	three_channels();
	p = rx("a");
	fill(p, "2026-02-10", 28);
	fill(rx("b"), "2026-02-11", 28);
	fill(rx("c"), "2026-02-12", 28);
	look_at("2026-03-03 10:00");
	assert_int_equal(plan.steps[0].item_count, 3);
	fill(p, "2026-03-03 10:30", 28);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 11:00");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.steps[0].item_count, 2);
	assert_int_equal(plan.steps[0].items[0].no, 2);
	/* the occurrence keeps its name, though its first item is done */
	assert_int_equal(plan.steps[0].source, 1);
	assert_int_equal(plan.steps[0].occurrence_on, on("2026-03-10"));
	becomes(CHANNEL_PUSH, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 12:00");
	assert_sent(CHANNEL_SMS);
	assert_int_equal(plan.steps[0].item_count, 2);
}

/* Of two products in one message one is stopped; then that does not arrive. */
static void
stopped_when_undelivered(const struct stops *stops)
{
	three_channels();
	fill(rx("a"), "2026-02-10", 28);
	fill(rx("b"), "2026-02-11", 28);
	look_at("2026-03-03 10:00");
	assert_int_equal(plan.steps[0].item_count, 2);
	w.rules.stops = stops;
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 11:00");
}

static void
item_that_is_stopped_meanwhile_comes_by_itself(void **state)
{
	struct stop stop = {.drug = "b"};
	struct stops stops = {&stop, 1};

	(void)state;
	stopped_when_undelivered(&stops);
	assert_int_equal(plan.step_count, 2);
	assert_int_equal(plan.steps[0].channel, CHANNEL_PUSH);
	assert_int_equal(plan.steps[0].item_count, 1);
	assert_int_equal(plan.steps[1].action, PLAN_HOLD);
	assert_int_equal(plan.steps[1].reason, REASON_STOPPED_BY_OPERATOR);
	assert_int_equal(plan.steps[1].source, 2);
	becomes(CHANNEL_PUSH, DELIVERY_DELIVERED);
	w.rules.stops = NULL;
	touched = true;
	/* by a channel that did not have it yet */
	look_at("2026-03-03 12:00");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.steps[0].source, 2);
	assert_int_equal(plan.steps[0].item_count, 1);
	row(CHANNEL_PUSH)->state = DELIVERY_UNDELIVERED;
	touched = true;
	look_at("2026-03-03 12:10");
	assert_sent(CHANNEL_SMS);
	assert_int_equal(plan.steps[0].source, 2);
}

static void
first_item_that_is_stopped_meanwhile_waits_alone(void **state)
{
	struct stop stop = {.drug = "a"};
	struct stops stops = {&stop, 1};

	(void)state;
	stopped_when_undelivered(&stops);
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.steps[0].source, 2);
	assert_int_equal(plan.steps[0].item_count, 1);
	assert_true(plan.stopped);
	becomes(CHANNEL_PUSH, DELIVERY_DELIVERED);
	w.rules.stops = NULL;
	touched = true;
	look_at("2026-03-03 12:00");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.steps[0].source, 1);
	assert_int_equal(plan.steps[0].item_count, 1);
}

/* nobody could carry it on; then somebody can */
static void
channel_that_turns_up_later_carries_it(void **state)
{
	uint32_t count;

	(void)state;
	three_channels();
	count = w.d.contact_count;
	w.d.contact_count = 1;
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	assert_sent(CHANNEL_WECHAT_MINI);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 11:00");
	assert_nothing();
	w.d.contact_count = count;
	touched = true;
	look_at("2026-03-05 11:00");
	assert_sent(CHANNEL_PUSH);
	becomes(CHANNEL_PUSH, DELIVERY_ACCEPTED);
	/* and where a receipt is missing, though its gateway is gone */
	w.gateways.channels[CHANNEL_PUSH].exists = false;
	look_at("2026-03-05 15:00");
	assert_sent(CHANNEL_SMS);
}

/* each channel once, in whatever order they stand by now */
static void
order_that_changed_still_leaves_a_channel(void **state)
{
	struct program *program = &w.rules.kinds[KIND_REFILL];

	(void)state;
	refill_sent();
	program->channels[0] = CHANNEL_SMS;
	program->channels[1] = CHANNEL_WECHAT_MINI;
	program->channel_count = 2;
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:01");
	assert_sent(CHANNEL_SMS);
	becomes(CHANNEL_SMS, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:05");
	assert_nothing();
}

/* "After unknown: one repeat, after the fallback time", then the next */
static void
repeat_comes_before_the_next_channel(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNKNOWN);
	row(CHANNEL_WECHAT_MINI)->attempts = 9;
	look_at("2026-03-03 13:59");
	assert_int_equal(plan.step_count, 0);
	look_at("2026-03-03 14:00");
	assert_sent(CHANNEL_WECHAT_MINI);
	assert_true(plan.steps[0].repeat);
	assert_true(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-03 18:00"));
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_ACCEPTED);
	look_at("2026-03-03 18:00");
	assert_sent(CHANNEL_PUSH);
	assert_false(plan.steps[0].repeat);
}

static void
repeat_that_is_unknown_too_goes_on(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNKNOWN);
	look_at("2026-03-03 14:00");
	assert_true(plan.steps[0].repeat);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNKNOWN);
	look_at("2026-03-03 17:59");
	assert_int_equal(plan.step_count, 0);
	look_at("2026-03-03 18:00");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_UNKNOWN);
	/* the provider has nothing: no need to wait */
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNKNOWN);
	look_at("2026-03-03 14:00");
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNKNOWN);
	row(CHANNEL_WECHAT_MINI)->asked = 2;
	look_at("2026-03-03 14:10");
	assert_sent(CHANNEL_PUSH);
}

/* the channel of the repeat is paused: the next one need not wait for it */
static void
repeat_that_cannot_leave_goes_on(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNKNOWN);
	w.gateways.channels[CHANNEL_WECHAT_MINI].paused = true;
	look_at("2026-03-03 14:00");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_UNKNOWN);
}

/* without receipts nobody can tell: it rests */
static void
unknown_without_receipts_rests(void **state)
{
	(void)state;
	refill_sent();
	w.gateways.channels[CHANNEL_WECHAT_MINI].receipts = false;
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNKNOWN);
	look_at("2026-03-03 14:00");
	assert_true(plan.steps[0].repeat);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNKNOWN);
	look_at("2026-03-03 18:00");
	assert_int_equal(plan.step_count, 0);
	look_at("2026-03-04 14:00");
	assert_int_equal(plan.step_count, 0);
	assert_int_equal(plan.close_count, 1);
}

/* a gateway that is gone, and then the next: on to whoever is left */
static void
unplugged_gateways_are_passed(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_RETRY);
	row(CHANNEL_WECHAT_MINI)->retry_at = at("2026-03-03 10:01");
	w.gateways.channels[CHANNEL_WECHAT_MINI].exists = false;
	look_at("2026-03-03 10:01");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.close_count, 1);
	assert_int_equal(plan.closes[0].state, DELIVERY_HELD);
	assert_int_equal(plan.closes[0].reason, REASON_NO_CHANNEL);
	becomes(CHANNEL_PUSH, DELIVERY_RETRY);
	row(CHANNEL_PUSH)->retry_at = at("2026-03-03 10:03");
	w.gateways.channels[CHANNEL_PUSH].exists = false;
	look_at("2026-03-03 10:03");
	assert_sent(CHANNEL_SMS);
}

/* one that is paused has its four hours, then the next channel is asked */
static void
paused_gateway_is_passed_after_the_fallback_time(void **state)
{
	(void)state;
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_RETRY);
	row(CHANNEL_WECHAT_MINI)->retry_at = at("2026-03-03 10:01");
	w.gateways.channels[CHANNEL_WECHAT_MINI].paused = true;
	look_at("2026-03-03 13:59");
	assert_nothing();
	assert_true(plan.attention);
	look_at("2026-03-03 14:00");
	assert_sent(CHANNEL_PUSH);
	assert_int_equal(plan.closes[0].reason, REASON_GATEWAY_PAUSED);
	/* one that refuses each time too, as does one nobody answers for */
	refill_sent();
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_RETRY);
	row(CHANNEL_WECHAT_MINI)->retry_at = at("2026-03-03 13:50");
	look_at("2026-03-03 14:00");
	assert_sent(CHANNEL_WECHAT_MINI);
	assert_true(plan.steps[0].attempt_again);
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_RETRY);
	row(CHANNEL_WECHAT_MINI)->attempts = 4;
	row(CHANNEL_WECHAT_MINI)->retry_at = at("2026-03-03 15:00");
	look_at("2026-03-03 15:00");
	assert_sent(CHANNEL_PUSH);
}

/* the next gateway is paused: waited for, not passed by */
static void
fallback_waits_for_a_paused_gateway(void **state)
{
	(void)state;
	refill_sent();
	w.d.contact_count = 2;
	w.gateways.channels[CHANNEL_PUSH].paused = true;
	becomes(CHANNEL_WECHAT_MINI, DELIVERY_UNDELIVERED);
	look_at("2026-03-03 10:01");
	assert_nothing();
	assert_true(plan.attention);
	assert_int_equal(plan.next_at, at("2026-03-03 10:11"));
	w.gateways.channels[CHANNEL_PUSH].paused = false;
	look_at("2026-03-03 10:11");
	assert_sent(CHANNEL_PUSH);
}

/* "Gateways that carry data abroad are refused unless … consent allow[s]" */
static void
data_goes_abroad_by_consent_alone(void **state)
{
	(void)state;
	three_channels();
	w.gateways.channels[CHANNEL_WECHAT_MINI].abroad = true;
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	assert_sent(CHANNEL_PUSH);
	three_channels();
	w.gateways.channels[CHANNEL_WECHAT_MINI].abroad = true;
	consent("2026-01-02", true, TOPIC_REFILL | TOPIC_ABROAD,
	    CHANNEL_BIT(CHANNEL_WECHAT_MINI));
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	assert_sent(CHANNEL_WECHAT_MINI);
	/* a newer Consent of the topic that does not say so takes it back */
	three_channels();
	w.gateways.channels[CHANNEL_WECHAT_MINI].abroad = true;
	consent("2026-01-02", true, TOPIC_REFILL | TOPIC_ABROAD, CHANNEL_ALL);
	consent("2026-01-03", true, TOPIC_REFILL, CHANNEL_ALL);
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	assert_sent(CHANNEL_PUSH);
}

/* "Under 14" in the patient's zone, of somebody known by the year alone */
static void
fourteenth_birthday_changes_the_addresses(void **state)
{
	(void)state;
	three_channels();
	contact(CHANNEL_SMS)->owner = OWNER_GUARDIAN;
	consent("2026-01-02", true, TOPIC_ALL, CHANNEL_ALL)->actor =
	    OWNER_GUARDIAN;
	w.d.birth_on = on("2012-03-04"); /* the youngest reading */
	fill(rx("r"), "2026-02-10", 28);
	look_at("2026-03-03 10:00");
	assert_sent(CHANNEL_SMS);
	assert_int_equal(plan.steps[0].contact_no, 4);
	assert_int_equal(plan.next_at, at("2026-03-04 00:00"));
	becomes(CHANNEL_SMS, DELIVERY_DELIVERED);
	look_at("2026-03-07 10:00");
	assert_sent(CHANNEL_WECHAT_MINI);
	assert_int_equal(plan.steps[0].contact_no, 1);
}

/* a caregiver's address is nobody's reminder, whatever was consented */
static void
caregiver_gets_no_reminder(void **state)
{
	(void)state;
	world_empty();
	contact(CHANNEL_SMS)->owner = OWNER_CAREGIVER;
	consent("2026-01-01", true, TOPIC_ALL, CHANNEL_ALL);
	consent("2026-01-02", true, TOPIC_ALL, CHANNEL_ALL)->actor =
	    OWNER_CAREGIVER;
	fill(rx("r"), "2026-02-10", 28);
	plan = (struct plan){0};
	look_at("2026-03-03 10:00");
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].action, PLAN_HOLD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(undelivered_goes_to_the_next_channel),
	    cmocka_unit_test(rejected_goes_to_the_next_channel),
	    cmocka_unit_test(what_an_operator_assumes_sent_is_not_said_again),
	    cmocka_unit_test(missing_receipt_goes_to_the_next_channel),
	    cmocka_unit_test(follow_up_waits_two_hours),
	    cmocka_unit_test(dose_has_no_fallback),
	    cmocka_unit_test(delivered_in_time_ends_it),
	    cmocka_unit_test(nobody_waits_for_receipts_that_lead_nowhere),
	    cmocka_unit_test(late_receipt_leads_to_no_second_message),
	    cmocka_unit_test(late_delivery_ends_the_chain),
	    cmocka_unit_test(fallback_is_judged_anew),
	    cmocka_unit_test(fallback_tells_the_run_out_of_today),
	    cmocka_unit_test(fallback_waits_for_the_end_of_a_pause),
	    cmocka_unit_test(fallback_waits_for_the_morning),
	    cmocka_unit_test(fallback_keeps_the_gap),
	    cmocka_unit_test(fallback_counts_for_the_cap),
	    cmocka_unit_test(merged_message_falls_back_as_a_whole),
	    cmocka_unit_test(item_that_is_stopped_meanwhile_comes_by_itself),
	    cmocka_unit_test(first_item_that_is_stopped_meanwhile_waits_alone),
	    cmocka_unit_test(channel_that_turns_up_later_carries_it),
	    cmocka_unit_test(order_that_changed_still_leaves_a_channel),
	    cmocka_unit_test(repeat_comes_before_the_next_channel),
	    cmocka_unit_test(repeat_that_is_unknown_too_goes_on),
	    cmocka_unit_test(repeat_that_cannot_leave_goes_on),
	    cmocka_unit_test(unknown_without_receipts_rests),
	    cmocka_unit_test(unplugged_gateways_are_passed),
	    cmocka_unit_test(paused_gateway_is_passed_after_the_fallback_time),
	    cmocka_unit_test(fallback_waits_for_a_paused_gateway),
	    cmocka_unit_test(data_goes_abroad_by_consent_alone),
	    cmocka_unit_test(fourteenth_birthday_changes_the_addresses),
	    cmocka_unit_test(caregiver_gets_no_reminder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
