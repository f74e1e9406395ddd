/*
 * Answers are no reminders: nothing decides whether they are due, and one
 * that cannot leave within the hour is worth no message any more.
 */
#include "care/answer.h"

#include <string.h>

#include "care/again.h"
#include "care/policy.h"

#define BLOCKED_US (10 * MINUTE_US) /* a paused gateway is tried again */
#define SILENCE_US (7 * DAY_US)     /* between two words about it */

struct said
answer_owe(int32_t reply_no, enum stage stage, int32_t contact_no, int64_t at)
{
	return (struct said){
	    .kind = KIND_ANSWER,
	    .state = DELIVERY_HELD,
	    .source = reply_no,
	    .occurrence_on = (int32_t)(at / DAY_US),
	    .slot = stage,
	    .at = at,
	    .leads = true,
	    .contact_no = contact_no,
	};
}

const struct said *
answer_owing(const struct said *said, uint32_t *count, struct said owed,
    struct arena *arena)
{
	uint32_t kept =
	    *count < SAID_ENTRIES_MAX ? *count : SAID_ENTRIES_MAX - 1;
	struct said *list = arena_array(arena, kept + 1, sizeof(*list));

	if (kept > 0)
		memcpy(list, said + (*count - kept), kept * sizeof(*list));
	list[kept] = owed;
	*count = kept + 1;
	return list;
}

static bool
is_harm(int32_t stage)
{
	return stage == STAGE_EMERGENCY || stage == STAGE_ADVERSE_EVENT ||
	       stage == STAGE_CAREGIVER || stage == STAGE_TEAM_EMERGENCY ||
	       stage == STAGE_TEAM_ADVERSE_EVENT;
}

/* What tells of harm is counted apart, each by itself. */
static int32_t
sort_of(int32_t stage)
{
	return is_harm(stage) ? stage : STAGE_NONE;
}

bool
answer_counts(const struct said *said, enum stage stage, int64_t at)
{
	return said->kind == KIND_ANSWER && !said->task &&
	       said->state != DELIVERY_REJECTED &&
	       sort_of(said->slot) == sort_of((int32_t)stage) &&
	       said->at > at - DAY_US;
}

static bool
is_owed(const struct said *said)
{
	return said->kind == KIND_ANSWER && said->state == DELIVERY_HELD &&
	       said->reason == REASON_NONE && !said->task && said->source > 0;
}

static const struct contact *
find_contact(const struct look *look, int32_t no)
{
	const struct dossier *d = look->dossier;

	for (uint32_t i = 0; i < d->contact_count; i++)
		if (d->contacts[i].no == no)
			return &d->contacts[i];
	return NULL;
}

/* What keeps it from leaving by that channel now, or NONE. */
static enum reason
obstacle(const struct look *look, enum channel channel, enum stage stage)
{
	const struct gateway_view *view = &look->gateways->channels[channel];

	if (stops_find(look->rules->stops, look->dossier->tenant_id,
		KIND_ANSWER, stage, NULL) != NULL)
		return REASON_STOPPED_BY_OPERATOR;
	if (!view->exists)
		return REASON_NO_CHANNEL;
	if (!view->approved[KIND_ANSWER][stage])
		return REASON_TEMPLATE_UNAPPROVED;
	return view->paused ? REASON_GATEWAY_PAUSED : REASON_NONE;
}

static struct plan_step *
add_step(struct look *look, enum plan_action action, int32_t reply_no,
    int32_t occurrence_on, int32_t slot, int64_t due_at)
{
	struct plan_step *step = list_add(&look->steps);
	struct plan_item *item = arena_alloc(look->arena, sizeof(*item));

	*item = (struct plan_item){
	    .no = reply_no,
	    .reference = look_reference(look, KIND_ANSWER, reply_no),
	    .occurrence_on = occurrence_on,
	    .slot = slot,
	    .run_out_on = ON_UNKNOWN,
	    .at = due_at,
	};
	*step = (struct plan_step){
	    .action = action,
	    .kind = KIND_ANSWER,
	    .stage = (enum stage)slot,
	    .source = reply_no,
	    .occurrence_on = occurrence_on,
	    .slot = slot,
	    .items = item,
	    .item_count = 1,
	    .due_at = due_at,
	    .at = look->now,
	    .not_after = due_at + ANSWER_VALID_US,
	    .valid_until = due_at + ANSWER_VALID_US,
	};
	return step;
}

/* It waits for the gateway, as long as it is worth anything. */
static void
wait(struct look *look, enum channel channel, enum reason reason)
{
	look->stopped |= reason == REASON_STOPPED_BY_OPERATOR;
	if (channel != CHANNEL_NONE)
		look->park_lane = look->gateways->channels[channel].lane;
	look_wake(look, look->now + BLOCKED_US);
}

static void
end(struct look *look, struct said *owed, enum reason reason)
{
	struct plan_step *step = add_step(look, PLAN_HOLD, owed->source,
	    owed->occurrence_on, owed->slot, owed->at);

	step->reason = reason;
	step->final = true;
	owed->reason = reason;
	look_trace(look, "answer %s to Reply/%d: given up, %s",
	    stage_word((enum stage)owed->slot), (int)owed->source,
	    reason_word(reason));
}

static void
settle(struct look *look, struct said *owed)
{
	const struct contact *contact = find_contact(look, owed->contact_no);
	enum channel channel =
	    contact == NULL ? CHANNEL_NONE : contact->channel;
	enum stage stage = (enum stage)owed->slot;
	struct plan_step *step;
	enum reason reason;

	if (owed->at < look->rules->handled_before) {
		owed->state = DELIVERY_UNCONFIRMED;
		return;
	}
	reason = contact == NULL ? REASON_NO_CHANNEL
				 : obstacle(look, channel, stage);
	if (owed->at + ANSWER_VALID_US <= look->now) {
		end(look, owed,
		    reason == REASON_NONE ? REASON_EXPIRED : reason);
		return;
	}
	if (owed->at > look->now) {
		look_wake(look, owed->at);
		return;
	}
	look_wake(look, owed->at + ANSWER_VALID_US);
	if (reason != REASON_NONE || look->gateways->channels[channel].full) {
		look_trace(look, "answer %s to Reply/%d: waits, %s",
		    stage_word(stage), (int)owed->source,
		    reason == REASON_NONE ? "for a slot" : reason_word(reason));
		wait(look, channel, reason);
		return;
	}
	step = add_step(look, PLAN_SEND, owed->source, owed->occurrence_on,
	    owed->slot, owed->at);
	step->channel = channel;
	step->contact_no = owed->contact_no;
	owed->state = DELIVERY_SENDING;
	owed->channel = channel;
	owed->at = look->now;
	look_trace(look, "answer %s to Reply/%d: sent by %s", stage_word(stage),
	    (int)owed->source, channel_word(channel));
}

/* ---- the caregiver ---- */

/* One whom the patient wants to hear of it; not the one who wrote. */
static const struct contact *
find_caregiver(const struct look *look, enum stage stage, int32_t writer_no)
{
	const struct dossier *d = look->dossier;
	const struct contact *best = NULL;

	for (uint32_t i = 0; i < d->contact_count; i++) {
		const struct contact *c = &d->contacts[i];

		if (c->owner != OWNER_CAREGIVER || !c->usable ||
		    c->from_at > look->now || c->until_at <= look->now ||
		    !look->gateways->channels[c->channel]
			 .approved[KIND_ANSWER][stage] ||
		    !policy_consented(look, TOPIC_CAREGIVER, c->channel))
			continue;
		if (c->no == writer_no)
			return NULL;
		if (best == NULL || c->channel < best->channel ||
		    (c->channel == best->channel && c->rank < best->rank))
			best = c;
	}
	return best;
}

static bool
told_caregiver(const struct look *look, int32_t reply_no)
{
	const struct said *said = look->said.data;

	for (size_t i = 0; i < look->said.count; i++)
		if (said[i].kind == KIND_ANSWER && said[i].source == reply_no &&
		    said[i].slot == STAGE_CAREGIVER)
			return true;
	return false;
}

static void
owe_caregiver(struct look *look, const struct said *owed)
{
	const struct contact *caregiver;
	struct said entry;

	if (owed->slot != STAGE_EMERGENCY || told_caregiver(look, owed->source))
		return;
	caregiver = find_caregiver(look, STAGE_CAREGIVER, owed->contact_no);
	if (caregiver == NULL)
		return;
	entry =
	    answer_owe(owed->source, STAGE_CAREGIVER, caregiver->no, owed->at);
	*(struct said *)list_add(&look->said) = entry;
}

void
answer_collect(struct look *look)
{
	/* those that are added are settled, too; the list may move */
	for (size_t i = 0; i < look->said.count; i++) {
		struct said owed = ((struct said *)look->said.data)[i];

		if (!is_owed(&owed))
			continue;
		owe_caregiver(look, &owed);
		settle(look, (struct said *)look->said.data + i);
	}
}

static bool
told_silence(const struct look *look)
{
	const struct said *said = look->said.data;

	for (size_t i = 0; i < look->said.count; i++)
		if (said[i].kind == KIND_ANSWER &&
		    said[i].slot == STAGE_CAREGIVER_SILENCE &&
		    said[i].at > look->now - SILENCE_US)
			return true;
	return false;
}

bool
answer_tell_silence(struct look *look, int32_t source)
{
	const struct contact *caregiver =
	    find_caregiver(look, STAGE_CAREGIVER_SILENCE, 0);
	struct said *entry;

	if (caregiver == NULL || told_silence(look))
		return false;
	entry = list_add(&look->said);
	*entry = answer_owe(
	    source, STAGE_CAREGIVER_SILENCE, caregiver->no, look->now);
	settle(look, entry);
	return true;
}

bool
answer_again(struct look *look, const struct open_delivery *open,
    enum delivery_state *state)
{
	struct message message = again_message(look, open);
	enum reason reason =
	    obstacle(look, open->channel, (enum stage)open->slot);
	bool unknown = open->state == DELIVERY_UNKNOWN;
	struct plan_step *step;

	*state = unknown ? DELIVERY_UNKNOWN : DELIVERY_EXPIRED;
	/* what may have arrived is not said twice, but for danger, once */
	if ((unknown && (open->repeated || !is_harm(open->slot))) ||
	    message.leader == NULL || open->valid_until <= look->now)
		return false;
	look_wake(look, open->valid_until);
	if (!unknown && open->retry_at > look->now) {
		look_wake(look, open->retry_at);
		return true;
	}
	if (reason != REASON_NONE ||
	    look->gateways->channels[open->channel].full) {
		wait(look, open->channel, reason);
		return true;
	}
	step = add_step(look, PLAN_SEND, open->source, open->occurrence_on,
	    open->slot, open->due_at);
	step->channel = open->channel;
	step->contact_no = message.leader->contact_no;
	step->attempt_again = true;
	step->repeat = unknown;
	again_note(look, open, DELIVERY_SENDING);
	return true;
}
