/*
 * Deliveries that are not over: a retry whose time has come is judged like
 * a new message, for the facts may have changed; an unknown one is asked
 * about, repeated once where its kind allows, and settled in the end.  What
 * ended without reaching the patient goes to fallback.c.
 */
#include "care/pending.h"

#include <stdlib.h>
#include <string.h>

#include "care/answer.h"
#include "care/fallback.h"
#include "care/policy.h"

#define ASKS_MAX 2
#define SETTLE_AFTER_US DAY_US      /* a spent repeat that nobody answers */
#define BLOCKED_US (10 * MINUTE_US) /* a paused gateway is tried again */

static void
close_delivery(struct look *look, const struct open_delivery *open,
    enum delivery_state state, enum reason reason)
{
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
	/* over: it must not be taken for a hold that may reopen */
	again_note(
	    look, open, state == DELIVERY_HELD ? DELIVERY_EXPIRED : state);
}

/*
 * Its own channel is gone, or cannot take it and has had its time: true if
 * nothing is left to be tried by its own channel at this look.
 */
static bool
left_to_another(
    struct look *look, const struct again *again, enum reason reason)
{
	const struct open_delivery *open = again->open;
	/* a credit may come, but nothing says that it will */
	bool standing =
	    policy_reason_stands(reason) || reason == REASON_NO_CREDIT;
	bool unknown = open->state == DELIVERY_UNKNOWN; /* a repeat is due */
	bool blocked = reason != REASON_NONE ||
		       (!unknown && open->attempts >=
					(int32_t)COUNT(look->rules->retry_us));
	bool overdue =
	    unknown || open->due_at + again->program->fallback_us <= look->now;
	enum fallback fallback;

	if (!standing && !(blocked && overdue))
		return false;
	fallback = fallback_send(look, again);
	if (fallback == FALLBACK_SENT ||
	    (standing && fallback == FALLBACK_NONE))
		close_delivery(look, open, DELIVERY_HELD,
		    reason == REASON_NONE ? REASON_GATEWAY_PAUSED : reason);
	return standing || fallback == FALLBACK_SENT;
}

/* By its own channel, if that can take it. */
static void
attempt_by_channel(struct look *look, const struct again *again, bool repeat)
{
	const struct open_delivery *open = again->open;
	const struct gateway_view *view =
	    &look->gateways->channels[open->channel];
	struct message message = again_message(look, open);
	struct plan_step *step;
	enum reason reason;
	int64_t leaves_at;
	int32_t contact_no;

	reason = policy_channel_obstacle(look, open->kind, again_stage(open),
	    open->channel, again->any_hour, true, &contact_no);
	if (left_to_another(look, again, reason))
		return;
	if (reason != REASON_NONE || view->full) {
		look->park_lane = view->lane;
		look_wake(look, look->now + BLOCKED_US);
		look_wake(look, open->valid_until);
		return;
	}
	leaves_at =
	    policy_gap_end(look, open->channel, look->now + 1, message.leader);
	if (leaves_at > look->now) {
		look_wake(look, leaves_at);
		return;
	}
	step = again_send(look, again, open->channel, contact_no);
	step->attempt_again = true;
	step->repeat = repeat;
	again_note(look, open, DELIVERY_SENDING);
	for (uint32_t i = 0; i < message.count; i++)
		message.leader[i].contact_no = contact_no;
	fallback_watch(look, again->program, again_stage(open), open->channel,
	    fallback_tried(look, open), open->valid_until);
}

/* Judge it anew and send, wait, or close. */
static void
attempt(struct look *look, const struct open_delivery *open, bool repeat)
{
	struct again again;

	/* the repeat of what may have arrived is not worth another message */
	if (!repeat)
		again_part(look, open);
	again_judge(look, open, &again);
	if (again.reason == REASON_STOPPED_BY_OPERATOR) {
		/* it waits while valid: what is resumed leaves */
		look->stopped = true;
		look_trace(look, "%s of %s: waits, %s", kind_word(open->kind),
		    look_reference(look, open->kind, open->source),
		    reason_word(again.reason));
	} else if (again.reason != REASON_NONE)
		close_delivery(look, open, DELIVERY_HELD, again.reason);
	else if (again.opens_at >= open->valid_until)
		close_delivery(
		    look, open, DELIVERY_EXPIRED, REASON_QUIET_HOURS);
	else if (again.opens_at > look->now)
		look_wake(look, again.opens_at);
	else
		attempt_by_channel(look, &again, repeat);
}

/*
 * An operator says that what was due then was sent, though this database
 * does not know: nothing follows that would say it again.
 */
static bool
is_assumed_sent(const struct look *look, const struct open_delivery *open)
{
	return open->due_at < look->rules->handled_before;
}

static void
collect_retry(struct look *look, const struct open_delivery *open)
{
	if (is_assumed_sent(look, open)) {
		close_delivery(look, open, DELIVERY_HELD, REASON_ALREADY_DONE);
		return;
	}
	if (open->valid_until <= look->now) {
		close_delivery(look, open, DELIVERY_EXPIRED,
		    again_is_stopped(look, open) ? REASON_STOPPED_BY_OPERATOR
						 : REASON_EXPIRED);
		return;
	}
	look_wake(look, open->valid_until);
	if (fallback_reached(look, open))
		close_delivery(look, open, DELIVERY_HELD, REASON_ALREADY_DONE);
	else if (open->retry_at > look->now)
		look_wake(look, open->retry_at);
	else
		attempt(look, open, false);
}

/* Its repeat is spent, or not allowed: the next channel has its turn. */
static bool
unknown_goes_on(struct look *look, const struct open_delivery *open)
{
	int64_t at =
	    open->asked >= ASKS_MAX ? look->now : fallback_at(look, open);
	enum fallback fallback = FALLBACK_NONE;

	if (at <= look->now)
		fallback = fallback_begin(look, open);
	else
		look_wake(look, at);
	if (fallback == FALLBACK_SENT)
		close_delivery(look, open, DELIVERY_UNKNOWN, REASON_NONE);
	return fallback == FALLBACK_SENT;
}

/* Ask in a while, and again; then nobody is asked any more. */
static void
ask(struct look *look, const struct open_delivery *open)
{
	int64_t ask_at = open->sent_at +
			 (int64_t)(open->asked + 1) * look->rules->ask_after_us;

	if (open->asked >= ASKS_MAX)
		return;
	if (ask_at <= look->now)
		((struct plan_ask *)list_add(&look->asks))->delivery = open;
	else
		look_wake(look, ask_at);
	/* the answer touches the person; without one, ask again */
	look_wake(look, look->now + look->rules->ask_after_us);
}

/*
 * Nobody knows whether it went out: ask twice, then one repeat where the
 * kind allows and it spends no credit, then let it rest.
 */
static void
collect_unknown(struct look *look, const struct open_delivery *open)
{
	const struct program *program = again_program(look, open);
	bool assumed = is_assumed_sent(look, open);
	bool may_repeat =
	    program->repeat_after_unknown && !open->repeated && !assumed &&
	    look->gateways->channels[open->channel].credits == NULL;
	int64_t repeat_at = open->asked >= ASKS_MAX
				? look->now
				: open->planned_at + program->fallback_us;

	if (open->valid_until <= look->now ||
	    (open->repeated &&
		open->planned_at + SETTLE_AFTER_US <= look->now)) {
		close_delivery(look, open, DELIVERY_UNKNOWN, REASON_NONE);
		return;
	}
	look_wake(look, open->valid_until);
	if (open->repeated)
		look_wake(look, open->planned_at + SETTLE_AFTER_US);
	if (may_repeat && repeat_at <= look->now) {
		attempt(look, open, true);
		return;
	}
	if (may_repeat)
		look_wake(look, repeat_at);
	else if (!assumed && unknown_goes_on(look, open))
		return;
	ask(look, open);
}

/* The provider has it: its receipt is awaited where that leads anywhere. */
static void
collect_accepted(struct look *look, const struct open_delivery *open)
{
	int64_t at = fallback_at(look, open);

	if (at == AT_NEVER || is_assumed_sent(look, open) ||
	    (at > look->now && !fallback_has_next(look, open)))
		return;
	if (at > look->now)
		look_wake(look,
		    policy_next_hours(look, again_program(look, open), at));
	else if (fallback_begin(look, open) != FALLBACK_WAITS)
		return;
	look->attention = true;
}

/* It surely did not arrive; that is on record once nothing follows. */
static void
collect_failed(struct look *look, const struct open_delivery *open)
{
	enum fallback fallback;

	if (is_assumed_sent(look, open))
		return;
	fallback = fallback_begin(look, open);
	if (fallback == FALLBACK_WAITS)
		look->attention = true;
	else if (fallback != FALLBACK_NOWHERE)
		again_note(look, open, open->state);
}

/* An answer is tried again while it is new; else it rests as it is. */
static void
collect_answer(struct look *look, const struct open_delivery *open)
{
	enum delivery_state state;

	if (open->state != DELIVERY_RETRY && open->state != DELIVERY_UNKNOWN)
		return;
	if (answer_again(look, open, &state))
		look->attention = true;
	else
		close_delivery(look, open, state, REASON_EXPIRED);
}

static void
collect(struct look *look, const struct open_delivery *open)
{
	size_t decided = look->steps.count + look->closes.count;

	if (open->kind == KIND_ANSWER) {
		collect_answer(look, open);
		return;
	}
	switch (open->state) {
	case DELIVERY_RETRY:
		collect_retry(look, open);
		break;
	case DELIVERY_UNKNOWN:
		collect_unknown(look, open);
		break;
	case DELIVERY_ACCEPTED:
		collect_accepted(look, open);
		return;
	case DELIVERY_REJECTED:
	case DELIVERY_UNDELIVERED:
		collect_failed(look, open);
		return;
	default:
		return;
	}
	/* undecided: it must be loaded again */
	if (look->steps.count + look->closes.count == decided)
		look->attention = true;
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
	fallback_learn(look);
	for (uint32_t i = 0; i < d->open_count; i++)
		collect(look, list[i]);
}
