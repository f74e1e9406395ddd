/*
 * The decision: everything about a person that is due is judged in the
 * order of program.md 2, put in line, and becomes a message, a hold with
 * its reason, or a task.  Owns the order of judging and the queue; what is
 * due and what stands against it come from the other files of this folder.
 */
#include "care/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "care/answer.h"
#include "care/dose.h"
#include "care/fallback.h"
#include "care/follow_up.h"
#include "care/ladder.h"
#include "care/look.h"
#include "care/pending.h"
#include "care/policy.h"

#define BLOCKED_US (10 * MINUTE_US) /* a paused gateway is tried again */

/* What holds everything of one kind, until somebody changes it. */
static enum reason
kind_standing(const struct look *look, enum kind kind)
{
	enum reason reason;
	struct choice choice;
	bool final;

	reason = policy_item_obstacle(
	    look, kind, STAGE_NONE, NULL, look->now, &final);
	if (reason != REASON_NONE)
		return reason;
	policy_choose(look, kind, STAGE_DUE, false, true, &choice);
	return choice.standing ? choice.reason : REASON_NONE;
}

/*
 * A standing obstacle that is on record lets its kind sleep; one that is
 * over is forgotten.
 */
static void
find_standing(struct look *look)
{
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++) {
		enum reason reason;

		if (look->rules->each_hold ||
		    said_standing(look, kind) == REASON_NONE)
			continue;
		reason = kind_standing(look, kind);
		if (reason == REASON_NONE)
			said_set_standing(look, kind, REASON_NONE);
		else
			look->asleep[kind] = true;
		look->stopped |= reason == REASON_STOPPED_BY_OPERATOR;
	}
}

/* The obstacle in force for the person as a whole. */
static enum reason
person_standing(const struct look *look)
{
	enum reason person = policy_person_obstacle(look), least = REASON_COUNT;

	/* nothing is due to the care team but what it is owed */
	if (look->dossier->care_role > 0)
		return REASON_NONE;
	if (person != REASON_NONE)
		return person;
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++) {
		enum reason reason = kind_standing(look, kind);

		if (reason == REASON_NONE)
			return REASON_NONE;
		if (reason < least)
			least = reason;
	}
	return least;
}

static int
compare_items(const void *left, const void *right)
{
	const struct plan_item *a = left, *b = right;

	int order = look_compare_id(a->reference, a->no, b->reference, b->no);

	return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

/* Two kinds at one instant: follow_up, refill, renewal, dose. */
static int
kind_rank(enum kind kind)
{
	static const int ranks[KIND_ANSWER + 1] = {
	    [KIND_FOLLOW_UP] = 1,
	    [KIND_REFILL] = 2,
	    [KIND_RENEWAL] = 3,
	    [KIND_DOSE] = 4,
	};

	return ranks[kind];
}

/*
 * When what it is about is: the first visit of a day, or the first dose.  A
 * task about visits follows what it hands over.
 */
static int64_t
happens_at(const struct candidate *c)
{
	int64_t first_at = c->items[0].at;

	if (c->kind != KIND_FOLLOW_UP)
		return c->due_at;
	if (c->task)
		return AT_NEVER;
	for (uint32_t i = 1; i < c->item_count; i++)
		if (c->items[i].at < first_at)
			first_at = c->items[i].at;
	return first_at;
}

/* Earlier first; at one instant by kind, run-out or visit, then id. */
static int
compare_candidates(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	int64_t order[][2] = {
	    {a->turn_at, b->turn_at},
	    {kind_rank(a->kind), kind_rank(b->kind)},
	    {a->anchor_on, b->anchor_on},
	    {happens_at(a), happens_at(b)},
	};
	int ids;

	for (unsigned i = 0; i < COUNT(order); i++)
		if (order[i][0] != order[i][1])
			return order[i][0] < order[i][1] ? -1 : 1;
	ids = compare_items(&a->items[0], &b->items[0]);
	if (ids != 0)
		return ids;
	/* what is said later in a cycle follows; a task comes last */
	if (a->task != b->task)
		return a->task ? 1 : -1;
	if (a->due_at != b->due_at)
		return a->due_at < b->due_at ? -1 : 1;
	if (a->stage != b->stage)
		return a->stage < b->stage ? -1 : 1;
	return (a->reason > b->reason) - (a->reason < b->reason);
}

/* A product with two doses in one message is named once. */
static const struct plan_item *
named_items(struct look *look, const struct candidate *c, uint32_t *count)
{
	struct plan_item *items =
	    arena_array(look->arena, c->item_count, sizeof(*items));

	*count = 0;
	for (uint32_t i = 0; i < c->item_count; i++)
		if (*count == 0 || items[*count - 1].no != c->items[i].no)
			items[(*count)++] = c->items[i];
	return items;
}

static struct plan_step *
add_step(struct look *look, const struct candidate *c, enum plan_action action)
{
	struct plan_step *step = list_add(&look->steps);

	assert(c->item_count > 0);
	*step = (struct plan_step){
	    .action = action,
	    .kind = c->kind,
	    .stage = c->stage,
	    .source = c->items[0].no,
	    .occurrence_on = c->items[0].occurrence_on,
	    .slot = c->items[0].slot,
	    .program_version = c->program->version,
	    .due_at = c->due_at,
	    .at = look->now,
	    .not_after = c->valid_until,
	    .valid_until = c->valid_until,
	};
	step->items = named_items(look, c, &step->item_count);
	return step;
}

/* The first of its entries, until the next one is added. */
static struct said *
remember(struct look *look, const struct candidate *c,
    enum delivery_state state, enum channel channel, enum reason reason)
{
	for (uint32_t i = 0; i < c->item_count; i++) {
		struct said *s = said_add(look, c->kind, c->items[i].no,
		    c->items[i].occurrence_on, c->items[i].slot);

		s->state = state;
		s->channel = channel;
		s->reason = reason;
		s->task = c->task;
		s->leads = i == 0;
	}
	return (struct said *)look->said.data + look->said.count -
	       c->item_count;
}

static void
trace_candidate(struct look *look, const struct candidate *c, const char *what,
    const char *why)
{
	char due[32];

	if (!look->want_trace)
		return;
	zone_format(look->dossier->zone, c->due_at, due, sizeof(due));
	look_trace(look, "%s %s of %s%s, due %s: %s%s%s", kind_word(c->kind),
	    stage_word(c->stage), c->items[0].reference,
	    c->item_count > 1 ? " and others" : "", due, what,
	    why == NULL ? "" : " ", why == NULL ? "" : why);
}

/* A ladder came to its end: what it asked was not answered. */
static bool
is_silence(const struct candidate *c)
{
	return c->kind != KIND_DOSE && c->stage != STAGE_SUPPLY &&
	       c->reason == REASON_NONE;
}

/* The caregiver has a day before the care team hears. */
static void
give_task(struct look *look, const struct candidate *c)
{
	size_t task = look->steps.count;
	struct plan_step *step = add_step(look, c, PLAN_TASK);

	step->reason = c->reason;
	step->team_at = c->due_at;
	if (is_silence(c) && !look->rules->each_hold &&
	    answer_tell_silence(look, c->items[0].no))
		((struct plan_step *)look->steps.data)[task].team_at =
		    look->now + DAY_US;
	(void)remember(look, c, DELIVERY_DELIVERED, CHANNEL_NONE, c->reason);
	trace_candidate(look, c, "a task for people", reason_word(c->reason));
}

/* The same, less what is on record as held: that needs no second line. */
static struct candidate
not_held_yet(const struct look *look, const struct candidate *c)
{
	struct candidate fresh = *c;

	fresh.items =
	    arena_array(look->arena, c->item_count, sizeof(*fresh.items));
	fresh.item_count = 0;
	for (uint32_t i = 0; i < c->item_count; i++)
		if (!c->items[i].held)
			fresh.items[fresh.item_count++] = c->items[i];
	return fresh;
}

/*
 * Hold it.  `closing` is what closes the occurrence, where it is not the
 * reason that people are told; REASON_NONE leaves it open while valid.
 */
static void
hold(struct look *look, const struct candidate *c, enum reason reason,
    enum reason closing, bool standing)
{
	struct candidate fresh = not_held_yet(look, c);
	bool silent = fresh.item_count == 0;
	struct plan_step *step;

	trace_candidate(look, c, "held,", reason_word(reason));
	look->stopped |= reason == REASON_STOPPED_BY_OPERATOR;
	if (standing && !look->rules->each_hold) {
		silent = said_standing(look, c->kind) == reason;
		said_set_standing(look, c->kind, reason);
		look->asleep[c->kind] = true;
		fresh = *c;
	}
	if (closing != REASON_NONE)
		(void)remember(look, c, DELIVERY_HELD, CHANNEL_NONE, closing);
	else if (!silent && (!standing || look->rules->each_hold))
		(void)remember(
		    look, &fresh, DELIVERY_HELD, CHANNEL_NONE, reason);
	if (silent)
		return;
	step = add_step(look, &fresh, PLAN_HOLD);
	step->reason = reason;
	step->final = closing != REASON_NONE;
	step->standing = standing;
	/*
	 * A line is not dated before what made it became known: whatever is
	 * known is judged when it is ready, but waits in line for a cap.
	 */
	if (look->rules->each_hold && closing != REASON_CAP &&
	    look->now > c->ready_at)
		step->due_at = look->now;
}

static void
send(struct look *look, const struct candidate *c, const struct choice *choice)
{
	struct plan_step *step = add_step(look, c, PLAN_SEND);
	int64_t hours_end = c->any_hour
				? AT_NEVER
				: policy_hours_end(look, c->program, look->now);

	step->channel = choice->channel;
	step->contact_no = choice->contact_no;
	if (hours_end < step->not_after)
		step->not_after = hours_end;
	for (uint32_t i = 0; i < c->item_count; i++) {
		const struct prescription *p =
		    c->kind == KIND_FOLLOW_UP
			? NULL
			: dossier_prescription(look->dossier, c->items[i].no);

		step->sensitive |= p != NULL && p->sensitive;
	}
	remember(look, c, DELIVERY_SENDING, choice->channel, REASON_NONE)
	    ->contact_no = choice->contact_no;
	fallback_watch(look, c->program, c->stage, choice->channel, c->tried,
	    c->valid_until);
	trace_candidate(look, c, "sent by", channel_word(choice->channel));
}

/* No channel can take it. */
static void
hold_without_channel(
    struct look *look, const struct candidate *c, const struct choice *choice)
{
	hold(look, c, choice->reason, choice->capped ? REASON_CAP : REASON_NONE,
	    choice->standing);
	/* neither a pause nor a missing approval tells this person its end */
	if (choice->later && !choice->capped)
		look_wake(look, look->now + BLOCKED_US);
	if (choice->later && choice->lane > 0)
		look->park_lane = choice->lane;
}

/* The line of those who wait for their two minutes. */
struct queue {
	int64_t turn_at;   /* of the last that waits; AT_UNKNOWN: none */
	int64_t leaves_at; /* when that one may go at the earliest */
};

/* Outside its hours: shifted to the next, but never past its time. */
static void
wait_for_hours(
    struct look *look, const struct candidate *c, const struct choice *choice)
{
	int64_t opens = policy_next_hours(look, c->program, look->now);

	if (opens >= c->valid_until) {
		hold(look, c, REASON_QUIET_HOURS, REASON_QUIET_HOURS, false);
		return;
	}
	/* what nobody agreed to hear has no better hour */
	if (choice->channel == CHANNEL_NONE && choice->standing) {
		hold_without_channel(look, c, choice);
		return;
	}
	look_wake_kind(look, c->kind, opens);
	trace_candidate(look, c, "waits for its hours", NULL);
}

/* Judge one message; those before it in line are judged already. */
static void
judge(struct look *look, const struct candidate *c, struct queue *queue)
{
	struct choice choice;
	int64_t leaves_at;
	bool final;

	if (c->reason != REASON_NONE) {
		/*
		 * What stands holds the kind as a whole: not a hospital stay
		 * that is over, nor the stop of one drug or stage.
		 */
		bool stands = policy_item_obstacle(look, c->kind, STAGE_NONE,
				  NULL, look->now, &final) == c->reason;

		hold(look, c, c->reason, c->final ? c->reason : REASON_NONE,
		    policy_reason_stands(c->reason) && stands);
		return;
	}
	if (c->valid_until <= look->now) {
		hold(look, c, REASON_EXPIRED, REASON_EXPIRED, false);
		return;
	}
	policy_choose_except(look, c->kind, c->stage, c->any_hour, c->past_caps,
	    c->tried, &choice);
	if (!c->any_hour && !policy_in_hours(look, c->program, look->now)) {
		wait_for_hours(look, c, &choice);
		return;
	}
	if (choice.channel == CHANNEL_NONE) {
		hold_without_channel(look, c, &choice);
		return;
	}
	if (choice.full) {
		look->park_lane = choice.lane;
		look_wake(look, c->valid_until);
		trace_candidate(look, c, "waits for a slot of",
		    channel_word(choice.channel));
		return;
	}
	leaves_at = policy_gap_end(look, choice.channel, c->ready_at, NULL);
	/* nobody overtakes who was ready at the same instant */
	if (queue->turn_at == c->turn_at &&
	    leaves_at < queue->leaves_at + look->rules->gap_us)
		leaves_at = queue->leaves_at + look->rules->gap_us;
	if (leaves_at > look->now) {
		*queue = (struct queue){c->turn_at, leaves_at};
		if (c->kind != KIND_DOSE)
			look->reserved[choice.channel]++;
		look_wake(look, leaves_at);
		trace_candidate(look, c, "waits its turn", NULL);
		return;
	}
	send(look, c, &choice);
}

/*
 * Since when messages go out two minutes apart, up to now: whoever was ready
 * before that waited for something else, and stands in line from then on.
 */
static int64_t
line_began(const struct look *look)
{
	const struct said *said = look->said.data;
	int64_t began = look->now;

	for (size_t i = look->said.count; i > 0; i--)
		if (said_was_sent(&said[i - 1]) && said[i - 1].at < began &&
		    said[i - 1].at + look->rules->gap_us >= began)
			began = said[i - 1].at;
	return began;
}

static void
judge_all(struct look *look)
{
	struct candidate *list = look->candidates.data;
	struct queue queue = {.turn_at = AT_UNKNOWN};
	size_t count = look->candidates.count;
	int64_t began = count > 1 ? line_began(look) : look->now;

	for (size_t i = 0; i < count; i++) {
		qsort(list[i].items, list[i].item_count, sizeof(*list[i].items),
		    compare_items);
		list[i].turn_at =
		    list[i].ready_at > began ? list[i].ready_at : began;
	}
	if (count > 1)
		qsort(list, count, sizeof(*list), compare_candidates);
	for (size_t i = 0; i < count; i++) {
		if (list[i].task)
			give_task(look, &list[i]);
		else
			judge(look, &list[i], &queue);
	}
}

static void
hand_over(struct look *look, struct plan *plan)
{
	*plan = (struct plan){
	    .steps = look->steps.data,
	    .step_count = (uint32_t)look->steps.count,
	    .closes = look->closes.data,
	    .close_count = (uint32_t)look->closes.count,
	    .asks = look->asks.data,
	    .ask_count = (uint32_t)look->asks.count,
	    .next_at = look->next_at,
	    .attention = look->attention,
	    .park_lane = look->park_lane,
	    .standing = person_standing(look),
	    .stopped = look->stopped,
	    .said = look->said.data,
	    .said_count = (uint32_t)look->said.count,
	    .trace = look->want_trace ? look->traces.data : NULL,
	    .trace_count = (uint32_t)look->traces.count,
	};
	assert(plan->next_at > look->now &&
	       plan->next_at <= look->now + look->rules->look_max_us);
	assert(plan->said_count <= SAID_ENTRIES_MAX);
}

void
plan_person(const struct dossier *dossier, const struct rules *rules,
    const struct gateways_view *gateways, int64_t planned_through, int64_t now,
    bool want_trace, struct arena *arena, struct plan *plan)
{
	struct look look;

	look_init(&look, dossier, rules, gateways, planned_through, now,
	    want_trace, arena);
	look_wake(&look, policy_facts_next_at(&look));
	find_standing(&look);
	pending_collect(&look);
	answer_collect(&look);
	follow_up_collect(&look);
	ladder_collect(&look);
	dose_collect(&look);
	judge_all(&look);
	said_prune(&look);
	hand_over(&look, plan);
}
