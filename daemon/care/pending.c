/*
 * Deliveries that are not over: a retry whose time has come is judged like
 * a new message, for the facts may have changed; an unknown one is asked
 * about, repeated once where its kind allows, and settled in the end.
 */
#include "care/pending.h"

#include <stdlib.h>

#include "care/dose_schedule.h"
#include "care/follow_up.h"
#include "care/ladder.h"
#include "care/policy.h"

#define ASKS_MAX 2
#define SETTLE_AFTER_US DAY_US      /* a spent repeat that nobody answers */
#define BLOCKED_US (10 * MINUTE_US) /* a paused gateway is tried again */

static struct said *
find_leader(const struct look *look, const struct open_delivery *open)
{
	/* the list is ours: only the look-up is const */
	struct said *said = look->said.data;

	for (size_t i = look->said.count; i > 0; i--) {
		struct said *s = &said[i - 1];

		if (s->kind == open->kind && s->source == open->source &&
		    s->occurrence_on == open->occurrence_on &&
		    s->slot == open->slot && s->channel == open->channel &&
		    !s->task)
			return s;
	}
	return NULL;
}

/* Entries of one message stand together, the first of them leads. */
static uint32_t
message_size(const struct look *look, const struct said *leader)
{
	const struct said *end =
	    (const struct said *)look->said.data + look->said.count;
	uint32_t count = 1;

	while (leader + count < end && count < CANDIDATE_ITEMS_MAX &&
	       !leader[count].leads && leader[count].kind == leader->kind &&
	       leader[count].channel == leader->channel)
		count++;
	return count;
}

static void
close_delivery(struct look *look, const struct open_delivery *open,
    enum delivery_state state, enum reason reason)
{
	struct said *leader = find_leader(look, open);
	struct plan_close *close = list_add(&look->closes);

	/* what may have gone out was not held: it rests as unknown */
	if (open->state == DELIVERY_UNKNOWN && state == DELIVERY_HELD)
		state = DELIVERY_UNKNOWN;
	close->delivery = open;
	close->state = state;
	close->reason = reason;
	look_trace(look, "%s of %s: closed as %s", kind_word(open->kind),
	    look_reference(look, open->kind, open->source),
	    delivery_state_word(state));
	if (leader == NULL)
		return;
	for (uint32_t i = message_size(look, leader); i > 0; i--)
		/* over: it must not be taken for a hold that may reopen */
		leader[i - 1].state =
		    state == DELIVERY_HELD ? DELIVERY_EXPIRED : state;
}

/* Is there still a reason to speak of this occurrence? */
static bool
still_wanted(struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on, int32_t slot)
{
	const struct prescription *p;

	if (kind == KIND_FOLLOW_UP)
		return follow_up_is_open(look, source, occurrence_on, slot);
	if (kind == KIND_REFILL || kind == KIND_RENEWAL)
		return ladder_is_open(look, kind, source, occurrence_on);
	p = dossier_prescription(look->dossier, source);
	return p != NULL && dose_prescription_active(p, look->now);
}

static const char *
drug_of(const struct look *look, enum kind kind, int32_t source)
{
	const struct prescription *p =
	    kind == KIND_FOLLOW_UP
		? NULL
		: dossier_prescription(look->dossier, source);

	return p == NULL ? NULL : p->drug;
}

static void
add_again_item(struct look *look, struct plan_item *items, uint32_t *count,
    const struct open_delivery *open, const struct said *s)
{
	bool dose = open->kind == KIND_DOSE;

	items[(*count)++] = (struct plan_item){
	    .no = s->source,
	    .reference = look_reference(look, open->kind, s->source),
	    .occurrence_on = s->occurrence_on,
	    .slot = s->slot,
	    .run_out_on =
		open->kind == KIND_REFILL || open->kind == KIND_RENEWAL
		    ? s->occurrence_on
		    : ON_UNKNOWN,
	    .at = dose ? look_instant(look, s->occurrence_on, s->slot)
		  : open->kind == KIND_FOLLOW_UP
		      ? dossier_visit(look->dossier, s->source)->start_at
		      : open->due_at,
	};
}

/* Its items as first said, less those that are done by now. */
static uint32_t
items_again(struct look *look, const struct open_delivery *open,
    struct said *leader, struct plan_item **items)
{
	struct said single = {
	    .source = open->source,
	    .occurrence_on = open->occurrence_on,
	    .slot = open->slot,
	};
	uint32_t size = leader == NULL ? 1 : message_size(look, leader);
	uint32_t count = 0;

	*items = arena_array(look->arena, size, sizeof(**items));
	for (uint32_t i = 0; i < size; i++) {
		const struct said *s = leader == NULL ? &single : &leader[i];
		bool final;

		if (still_wanted(look, open->kind, s->source, s->occurrence_on,
			s->slot) &&
		    policy_item_obstacle(look, open->kind,
			drug_of(look, open->kind, s->source), look->now,
			&final) == REASON_NONE)
			add_again_item(look, *items, &count, open, s);
	}
	return count;
}

static enum stage
stage_of(const struct open_delivery *open)
{
	return open->kind == KIND_DOSE ? STAGE_DUE : (enum stage)open->slot;
}

static void
send_again(struct look *look, const struct open_delivery *open,
    struct said *leader, bool repeat, int32_t contact_no, int64_t not_after,
    const struct plan_item *items, uint32_t item_count)
{
	struct plan_step *step = list_add(&look->steps);

	*step = (struct plan_step){
	    .action = PLAN_SEND,
	    .kind = open->kind,
	    .stage = stage_of(open),
	    .channel = open->channel,
	    .source = open->source,
	    .occurrence_on = open->occurrence_on,
	    .slot = open->slot,
	    .items = items,
	    .item_count = item_count,
	    .contact_no = contact_no,
	    .due_at = open->due_at,
	    .at = look->now,
	    .not_after = not_after,
	    .valid_until = open->valid_until,
	    .attempt_again = true,
	    .repeat = repeat,
	};
	for (uint32_t i = 0; i < item_count; i++) {
		const struct prescription *p =
		    open->kind == KIND_FOLLOW_UP
			? NULL
			: dossier_prescription(look->dossier, items[i].no);

		step->sensitive |= p != NULL && p->sensitive;
	}
	if (leader == NULL)
		return;
	for (uint32_t i = message_size(look, leader); i > 0; i--) {
		leader[i - 1].at = look->now;
		leader[i - 1].state = DELIVERY_SENDING;
	}
}

/* Judge it anew and send, wait, or close. */
static void
attempt(struct look *look, const struct open_delivery *open, bool repeat)
{
	struct said *leader = find_leader(look, open);
	bool outside = !policy_in_hours(look, open->kind, look->now);
	bool any_hour = open->kind == KIND_DOSE && outside, final;
	int64_t opens, not_after = open->valid_until;
	struct plan_item *items;
	int32_t contact_no = 0;
	enum reason reason;
	uint32_t count;

	reason = policy_item_obstacle(look, open->kind,
	    drug_of(look, open->kind, open->source), look->now, &final);
	count = items_again(look, open, leader, &items);
	if (reason == REASON_NONE && count == 0)
		reason = REASON_ALREADY_DONE;
	if (reason == REASON_NONE && any_hour && !policy_any_hour(look))
		reason = REASON_QUIET_HOURS;
	if (reason != REASON_NONE) {
		close_delivery(look, open, DELIVERY_HELD, reason);
		return;
	}
	if (outside && !any_hour) {
		opens = policy_next_hours(look, open->kind, look->now);
		if (opens >= open->valid_until)
			close_delivery(
			    look, open, DELIVERY_EXPIRED, REASON_QUIET_HOURS);
		else
			look_wake(look, opens);
		return;
	}
	reason = policy_channel_obstacle(look, open->kind, stage_of(open),
	    open->channel, any_hour, true, &contact_no);
	if (policy_reason_stands(reason)) {
		close_delivery(look, open, DELIVERY_HELD, reason);
		return;
	}
	if (reason != REASON_NONE ||
	    look->gateways->channels[open->channel].full) {
		look->park_lane = look->gateways->channels[open->channel].lane;
		look_wake(look, look->now + BLOCKED_US);
		look_wake(look, open->valid_until);
		return;
	}
	opens = policy_gap_end(look, open->channel, look->now + 1, leader);
	if (opens > look->now) {
		look_wake(look, opens);
		return;
	}
	if (!any_hour &&
	    policy_hours_end(look, open->kind, look->now) < not_after)
		not_after = policy_hours_end(look, open->kind, look->now);
	send_again(
	    look, open, leader, repeat, contact_no, not_after, items, count);
}

static void
collect_retry(struct look *look, const struct open_delivery *open)
{
	if (open->valid_until <= look->now) {
		close_delivery(look, open, DELIVERY_EXPIRED, REASON_EXPIRED);
		return;
	}
	look_wake(look, open->valid_until);
	if (open->retry_at > look->now)
		look_wake(look, open->retry_at);
	else
		attempt(look, open, false);
}

/*
 * Nobody knows whether it went out: ask twice, then one repeat where the
 * kind allows, then let it rest.
 */
static void
collect_unknown(struct look *look, const struct open_delivery *open)
{
	const struct program *program = &look->rules->kinds[open->kind];
	bool may_repeat = program->repeat_after_unknown && !open->repeated;
	int64_t ask_at =
	    open->sent_at + (int64_t)(open->asked + 1) * look->rules->ask_after_us;
	int64_t repeat_at = open->asked >= ASKS_MAX
				? look->now
				: open->sent_at + program->fallback_us;

	if (open->valid_until <= look->now ||
	    (open->repeated && open->sent_at + SETTLE_AFTER_US <= look->now)) {
		close_delivery(look, open, DELIVERY_UNKNOWN, REASON_NONE);
		return;
	}
	look_wake(look, open->valid_until);
	if (open->repeated)
		look_wake(look, open->sent_at + SETTLE_AFTER_US);
	if (may_repeat && repeat_at <= look->now) {
		attempt(look, open, true);
		return;
	}
	if (may_repeat)
		look_wake(look, repeat_at);
	if (open->asked >= ASKS_MAX)
		return;
	if (ask_at <= look->now)
		((struct plan_ask *)list_add(&look->asks))->delivery = open;
	else
		look_wake(look, ask_at);
	/* the answer touches the person; without one, ask again */
	look_wake(look, look->now + look->rules->ask_after_us);
}

static int
compare_open(const void *left, const void *right)
{
	const struct open_delivery *a =
	    *(const struct open_delivery *const *)left;
	const struct open_delivery *b =
	    *(const struct open_delivery *const *)right;
	int64_t order[][2] = {
	    {a->due_at, b->due_at},
	    {a->kind, b->kind},
	    {a->source, b->source},
	    {a->occurrence_on, b->occurrence_on},
	    {a->slot, b->slot},
	    {a->channel, b->channel},
	};

	for (unsigned i = 0; i < COUNT(order); i++)
		if (order[i][0] != order[i][1])
			return order[i][0] < order[i][1] ? -1 : 1;
	return 0;
}

void
pending_collect(struct look *look)
{
	const struct dossier *d = look->dossier;
	const struct open_delivery **list =
	    arena_array(look->arena, d->open_count + 1, sizeof(*list));

	for (uint32_t i = 0; i < d->open_count; i++)
		list[i] = &d->open[i];
	qsort(list, d->open_count, sizeof(*list), compare_open);
	for (uint32_t i = 0; i < d->open_count; i++) {
		if (list[i]->state == DELIVERY_RETRY)
			collect_retry(look, list[i]);
		else if (list[i]->state == DELIVERY_UNKNOWN)
			collect_unknown(look, list[i]);
	}
}
