/*
 * What was said before and may have to be said again.  Its items are those
 * first said, less what is done by now; its natural key stays that of the
 * first item, done or not, so that one occurrence has one delivery a
 * channel.
 */
#include "care/again.h"

#include "care/dose_schedule.h"
#include "care/follow_up.h"
#include "care/ladder.h"
#include "care/policy.h"

struct message
again_message(const struct look *look, const struct open_delivery *open)
{
	/* the list is ours: only the look-up is const */
	struct said *said = look->said.data, *end = said + look->said.count;
	struct message message = {NULL, 0};

	for (struct said *s = end; s > said && message.leader == NULL; s--)
		if (s[-1].kind == open->kind && s[-1].source == open->source &&
		    s[-1].occurrence_on == open->occurrence_on &&
		    s[-1].slot == open->slot &&
		    s[-1].channel == open->channel && !s[-1].task)
			message.leader = s - 1;
	if (message.leader == NULL)
		return message;
	message.count = 1;
	for (struct said *s = message.leader + 1;
	     s < end && !s->leads && s->kind == open->kind &&
	     s->channel == open->channel && message.count < CANDIDATE_ITEMS_MAX;
	     s++)
		message.count++;
	return message;
}

void
again_note(const struct look *look, const struct open_delivery *open,
    enum delivery_state state)
{
	struct message message = again_message(look, open);

	for (uint32_t i = 0; i < message.count; i++) {
		message.leader[i].state = state;
		if (state == DELIVERY_SENDING)
			message.leader[i].at = look->now;
	}
}

const struct program *
again_program(const struct look *look, const struct open_delivery *open)
{
	return look_program(
	    look, open->kind, open->kind == KIND_FOLLOW_UP ? 0 : open->source);
}

enum stage
again_stage(const struct open_delivery *open)
{
	return open->kind == KIND_DOSE ? STAGE_DUE
				       : look_slot_stage(open->slot);
}

/*
 * Is there still a reason to speak of this occurrence?  Refills and renewals
 * name the run-out as it is known by now.
 */
static bool
still_wanted(struct look *look, enum kind kind, const struct said *s,
    int32_t *run_out_on)
{
	const struct prescription *p;

	*run_out_on = ON_UNKNOWN;
	if (kind == KIND_FOLLOW_UP)
		return follow_up_is_open(
		    look, s->source, s->occurrence_on, s->slot);
	if (kind == KIND_REFILL || kind == KIND_RENEWAL) {
		*run_out_on =
		    ladder_run_out_on(look, kind, s->source, s->occurrence_on);
		return *run_out_on != ON_UNKNOWN;
	}
	p = dossier_prescription(look->dossier, s->source);
	return p != NULL && dose_prescription_active(p, look->now);
}

static const struct prescription *
prescription_of(const struct look *look, enum kind kind, int32_t source)
{
	return kind == KIND_FOLLOW_UP
		   ? NULL
		   : dossier_prescription(look->dossier, source);
}

static const char *
drug_of(const struct look *look, enum kind kind, int32_t source)
{
	const struct prescription *p = prescription_of(look, kind, source);

	return p == NULL ? NULL : p->drug;
}

static bool
is_stopped(
    const struct look *look, const struct open_delivery *open, int32_t source)
{
	return stops_find(look->rules->stops, look->dossier->tenant_id,
		   open->kind, again_stage(open),
		   drug_of(look, open->kind, source)) != NULL;
}

/* Status, operator's stop, safety hold. */
static enum reason
item_obstacle(
    const struct look *look, const struct open_delivery *open, int32_t source)
{
	bool final;

	return policy_item_obstacle(look, open->kind, again_stage(open),
	    drug_of(look, open->kind, source), look->now, &final);
}

bool
again_is_stopped(const struct look *look, const struct open_delivery *open)
{
	return is_stopped(look, open, open->source);
}

/*
 * Take it out of the messages of others.  Where those left it is remembered
 * as held, once a channel: each channel has it once.
 */
static void
part(struct look *look, const struct open_delivery *open, struct said item)
{
	uint32_t tried = said_tried(look, &item);
	struct said *said = look->said.data;
	size_t kept = 0;

	for (size_t i = 0; i < look->said.count; i++)
		if (!said_same(&said[i], &item) || said[i].leads ||
		    said[i].channel == CHANNEL_NONE)
			said[kept++] = said[i];
	look->said.count = kept;
	for (enum channel ch = CHANNEL_NONE + 1;
	     ch < CHANNEL_COUNT && open->state != DELIVERY_RETRY; ch++) {
		struct said *s;

		if ((tried & CHANNEL_BIT(ch)) == 0)
			continue;
		s = said_add(look, item.kind, item.source, item.occurrence_on,
		    item.slot);
		s->channel = ch;
		s->reason = REASON_STOPPED_BY_OPERATOR;
		s->leads = true;
	}
}

void
again_part(struct look *look, const struct open_delivery *open)
{
	struct message message = again_message(look, open);
	bool stopped = is_stopped(look, open, open->source);

	for (uint32_t i = message.count; i > 1; i--) {
		const struct said *s = &message.leader[i - 1];

		if (is_stopped(look, open, s->source) == stopped)
			continue;
		part(look, open, *s);
		message = again_message(look, open);
	}
}

static int64_t
item_at(const struct look *look, const struct open_delivery *open,
    const struct said *s)
{
	if (open->kind == KIND_DOSE)
		return look_instant(look, s->occurrence_on, s->slot);
	if (open->kind == KIND_FOLLOW_UP)
		return dossier_visit(look->dossier, s->source)->start_at;
	return open->due_at;
}

/* Its items as first said, less those that are done or stopped by now. */
static void
find_items(
    struct look *look, const struct open_delivery *open, struct again *again)
{
	struct message message = again_message(look, open);
	struct said single = {
	    .source = open->source,
	    .occurrence_on = open->occurrence_on,
	    .slot = open->slot,
	};
	uint32_t count = message.leader == NULL ? 1 : message.count;
	const struct said *said =
	    message.leader == NULL ? &single : message.leader;
	struct plan_item *items =
	    arena_array(look->arena, count, sizeof(*items));

	for (uint32_t i = 0; i < count; i++) {
		const struct said *s = &said[i];
		int32_t run_out_on;

		if (!still_wanted(look, open->kind, s, &run_out_on) ||
		    item_obstacle(look, open, s->source) != REASON_NONE)
			continue;
		items[again->item_count++] = (struct plan_item){
		    .no = s->source,
		    .reference = look_reference(look, open->kind, s->source),
		    .occurrence_on = s->occurrence_on,
		    .slot = s->slot,
		    .run_out_on = run_out_on,
		    .at = item_at(look, open, s),
		};
	}
	again->items = items;
}

void
again_judge(
    struct look *look, const struct open_delivery *open, struct again *again)
{
	const struct program *program = again_program(look, open);
	bool outside = !policy_in_hours(look, program, look->now);

	*again = (struct again){
	    .open = open,
	    .program = program,
	    .any_hour = open->kind == KIND_DOSE && outside,
	    .opens_at = look->now,
	};
	find_items(look, open, again);
	if (again->item_count == 0) {
		again->reason = item_obstacle(look, open, open->source);
		if (again->reason == REASON_NONE)
			again->reason = REASON_ALREADY_DONE;
	} else if (again->any_hour && !policy_any_hour(look))
		again->reason = REASON_QUIET_HOURS;
	else if (outside && !again->any_hour)
		again->opens_at = policy_next_hours(look, program, look->now);
}

struct plan_step *
again_send(struct look *look, const struct again *again, enum channel channel,
    int32_t contact_no)
{
	const struct open_delivery *open = again->open;
	struct plan_step *step = list_add(&look->steps);
	int64_t hours_end =
	    again->any_hour ? AT_NEVER
			    : policy_hours_end(look, again->program, look->now);

	*step = (struct plan_step){
	    .action = PLAN_SEND,
	    .kind = open->kind,
	    .stage = again_stage(open),
	    .channel = channel,
	    .source = open->source,
	    .occurrence_on = open->occurrence_on,
	    .slot = open->slot,
	    .items = again->items,
	    .item_count = again->item_count,
	    .contact_no = contact_no,
	    .due_at = open->due_at,
	    .at = look->now,
	    .not_after = open->valid_until,
	    .valid_until = open->valid_until,
	    .program_version = again->program->version,
	};
	if (hours_end < step->not_after)
		step->not_after = hours_end;
	for (uint32_t i = 0; i < again->item_count; i++) {
		const struct prescription *p =
		    prescription_of(look, open->kind, again->items[i].no);

		step->sensitive |= p != NULL && p->sensitive;
	}
	return step;
}
