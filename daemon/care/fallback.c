/*
 * Fallback: a message that did not reach the patient by one channel goes to
 * the next.
 *
 * - rejected, undelivered: at once.
 * - accepted, but no receipt for the fallback time: then, where the gateway
 *   has receipts.
 * - unknown: its one repeat comes first (pending.c).  When that is spent and
 *   unknown too: as accepted, or once the provider says it has nothing.
 * - retry: when its channel is gone, or cannot take it until the fallback
 *   time since it was due is over; for it surely did not leave.
 *
 * The next channel gets a second delivery of the same occurrence: the natural
 * key has the channel, so each channel once, of those left the most preferred
 * one that can.  Where none can, whatever changes that touches the person,
 * and a touched person's deliveries are read.  It is judged anew in full: a
 * message that is done, stopped, past its hours or over a cap waits or ends
 * like any other.  Its items go along as a whole, less what is done by then.
 *
 * `said` has the chain, one entry a channel, the newest last.  Only the last
 * one speaks: what a receipt says of a channel that was left does not lead to
 * another message, and one that says delivered ends the chain for good.  So a
 * late receipt settles the books and nothing else.
 *
 * Costs: whoever has one channel, or a gateway without receipts, keeps one
 * look a message.  Others get a second one at the fallback time, which mostly
 * finds the receipt and is over; clearing the wake when the receipt comes
 * would cost an agenda update a receipt, and only a look knows the next
 * instant.  An undelivered receipt, a refusal and a retry wake by themselves.
 */
#include "care/fallback.h"

#include "care/policy.h"

#define BLOCKED_US (10 * MINUTE_US) /* a paused gateway is tried again */

static bool
same_occurrence(const struct said *s, const struct open_delivery *open)
{
	return s->kind == open->kind && s->source == open->source &&
	       s->occurrence_on == open->occurrence_on &&
	       s->slot == open->slot && !s->task && s->channel != CHANNEL_NONE;
}

uint32_t
fallback_tried(const struct look *look, const struct open_delivery *open)
{
	const struct said *said = look->said.data;
	uint32_t tried = CHANNEL_BIT(open->channel);

	for (size_t i = 0; i < look->said.count; i++)
		if (same_occurrence(&said[i], open))
			tried |= CHANNEL_BIT(said[i].channel);
	return tried;
}

bool
fallback_reached(const struct look *look, const struct open_delivery *open)
{
	const struct said *said = look->said.data;

	for (size_t i = 0; i < look->said.count; i++)
		if (same_occurrence(&said[i], open) &&
		    said[i].channel != open->channel &&
		    said[i].state == DELIVERY_DELIVERED)
			return true;
	return false;
}

/* Too late, or it arrived, or another channel has it by now. */
static bool
is_over(const struct look *look, const struct open_delivery *open)
{
	const struct said *said = look->said.data;
	enum channel last = open->channel;

	for (size_t i = 0; i < look->said.count; i++)
		if (same_occurrence(&said[i], open))
			last = said[i].channel;
	return open->valid_until <= look->now || last != open->channel ||
	       fallback_reached(look, open);
}

/* Could another channel carry it at all, whatever stands in its way now? */
static bool
has_next(
    const struct look *look, enum kind kind, enum stage stage, uint32_t tried)
{
	struct choice choice;

	policy_choose_except(look, kind, stage, false, true, tried, &choice);
	return !choice.standing;
}

bool
fallback_has_next(const struct look *look, const struct open_delivery *open)
{
	return has_next(
	    look, open->kind, again_stage(open), fallback_tried(look, open));
}

void
fallback_watch(struct look *look, const struct program *program,
    enum stage stage, enum channel channel, uint32_t tried, int64_t valid_until)
{
	int64_t at =
	    policy_next_hours(look, program, look->now + program->fallback_us);

	if (program->fallback_us == 0 ||
	    !look->gateways->channels[channel].receipts || at >= valid_until)
		return;
	if (!has_next(look, program->kind, stage, tried | CHANNEL_BIT(channel)))
		return;
	look->attention = true;
	look_wake(look, at);
}

int64_t
fallback_at(const struct look *look, const struct open_delivery *open)
{
	const struct program *program = again_program(look, open);
	const struct gateway_view *view =
	    &look->gateways->channels[open->channel];

	/* an unplugged gateway had receipts, or it would be unconfirmed */
	if (program->fallback_us == 0 || (view->exists && !view->receipts) ||
	    is_over(look, open))
		return AT_NEVER;
	return open->planned_at + program->fallback_us;
}

/* The message's items, said once more: on another channel. */
static void
say(struct look *look, const struct open_delivery *open,
    const struct choice *choice)
{
	struct message message = again_message(look, open);
	size_t first =
	    message.leader == NULL
		? 0
		: (size_t)(message.leader - (struct said *)look->said.data);

	for (uint32_t i = 0; i < message.count || i == 0; i++) {
		struct said *s = said_add(look, open->kind, open->source,
		    open->occurrence_on, open->slot);
		const struct said *old =
		    (const struct said *)look->said.data + first + i;

		if (message.leader != NULL) {
			s->source = old->source;
			s->occurrence_on = old->occurrence_on;
			s->slot = old->slot;
		}
		s->state = DELIVERY_SENDING;
		s->channel = choice->channel;
		s->contact_no = choice->contact_no;
		s->leads = i == 0;
	}
}

enum fallback
fallback_send(struct look *look, const struct again *again)
{
	const struct open_delivery *open = again->open;
	enum stage stage = again_stage(open);
	struct choice choice;
	int64_t leaves_at;

	if (again->program->fallback_us == 0 || is_over(look, open))
		return FALLBACK_NONE;
	policy_choose_except(look, open->kind, stage, again->any_hour,
	    stage == STAGE_MOVED, fallback_tried(look, open), &choice);
	if (choice.channel == CHANNEL_NONE && (!choice.later || choice.capped))
		return FALLBACK_NONE;
	if (choice.channel == CHANNEL_NONE || choice.full) {
		look->park_lane = choice.lane;
		look_wake(look, look->now + BLOCKED_US);
		return FALLBACK_WAITS;
	}
	leaves_at = policy_gap_end(look, choice.channel, look->now + 1, NULL);
	if (leaves_at > look->now) {
		look->reserved[choice.channel]++;
		look_wake(look, leaves_at);
		return FALLBACK_WAITS;
	}
	(void)again_send(look, again, choice.channel, choice.contact_no);
	look_trace(look, "%s %s of %s: not by %s, sent by %s",
	    kind_word(open->kind), stage_word(stage),
	    look_reference(look, open->kind, open->source),
	    channel_word(open->channel), channel_word(choice.channel));
	say(look, open, &choice);
	fallback_watch(look, again->program, stage, choice.channel,
	    fallback_tried(look, open), open->valid_until);
	return FALLBACK_SENT;
}

enum fallback
fallback_begin(struct look *look, const struct open_delivery *open)
{
	struct again again;

	if (again_program(look, open)->fallback_us == 0 || is_over(look, open))
		return FALLBACK_NONE;
	if (!fallback_has_next(look, open))
		return FALLBACK_NOWHERE;
	again_part(look, open);
	again_judge(look, open, &again);
	if (again.reason == REASON_ALREADY_DONE ||
	    again.opens_at >= open->valid_until)
		return FALLBACK_NONE;
	if (again.reason != REASON_NONE) {
		/* whoever lifts it touches the person */
		look->stopped |= again.reason == REASON_STOPPED_BY_OPERATOR;
		return FALLBACK_WAITS;
	}
	if (again.opens_at > look->now) {
		look_wake(look, again.opens_at);
		return FALLBACK_WAITS;
	}
	return fallback_send(look, &again);
}

void
fallback_learn(struct look *look)
{
	const struct dossier *d = look->dossier;

	for (uint32_t i = 0; i < d->open_count; i++)
		if (d->open[i].state == DELIVERY_DELIVERED)
			again_note(look, &d->open[i], DELIVERY_DELIVERED);
}
