/*
 * One look at one person: the memory of what was said before, the instants
 * at which to look again, the list of what is due.  Owns no rules: what an
 * entry means for a stage is decided by those who ask.
 */
#include "care/look.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* How long an entry can matter: a dose until no change of zone brings its
 * date back, a stage until its cycle is over by every reading. */
#define DOSE_KEPT_US (3 * DAY_US)
#define STAGE_KEPT_US (60 * DAY_US)
#define TASK_KEPT_US (120 * DAY_US) /* … or told of anew, and later */

void
look_init(struct look *look, const struct dossier *dossier,
    const struct rules *rules, const struct gateways_view *gateways,
    int64_t planned_through, int64_t now, bool want_trace, struct arena *arena)
{
	*look = (struct look){
	    .dossier = dossier,
	    .rules = rules,
	    .gateways = gateways,
	    /* nobody looked before: what is over is not ours to mention */
	    .planned_through =
		planned_through == AT_UNKNOWN ? now : planned_through,
	    .now = now,
	    .arena = arena,
	    .want_trace = want_trace,
	    .next_at = now + rules->look_max_us,
	};
	assert(dossier->zone != NULL && rules->look_max_us > 0);
	list_init(&look->said, arena, sizeof(struct said));
	list_init(&look->candidates, arena, sizeof(struct candidate));
	list_init(&look->steps, arena, sizeof(struct plan_step));
	list_init(&look->closes, arena, sizeof(struct plan_close));
	list_init(&look->asks, arena, sizeof(struct plan_ask));
	list_init(&look->traces, arena, sizeof(const char *));
	for (uint32_t i = 0; i < dossier->said_count; i++)
		*(struct said *)list_add(&look->said) = dossier->said[i];
}

void
look_wake(struct look *look, int64_t at)
{
	if (at > look->now && at < look->next_at)
		look->next_at = at;
}

void
look_wake_kind(struct look *look, enum kind kind, int64_t at)
{
	if (!look->asleep[kind])
		look_wake(look, at);
}

struct candidate *
look_add(struct look *look, enum kind kind, enum stage stage, int64_t due_at,
    uint32_t items_max)
{
	struct candidate *c = list_add(&look->candidates);

	assert(items_max > 0 && items_max <= CANDIDATE_ITEMS_MAX);
	/* merging takes candidates back: a place may have been used */
	*c = (struct candidate){
	    .kind = kind,
	    .program = &look->rules->kinds[kind],
	    .stage = stage,
	    .due_at = due_at,
	    .ready_at = due_at,
	    .valid_until = AT_NEVER,
	    .items = arena_array(look->arena, items_max, sizeof(*c->items)),
	};
	return c;
}

void
look_trace(struct look *look, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!look->want_trace)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	*(const char **)list_add(&look->traces) = arena_text(look->arena, text);
}

enum stage
look_slot_stage(int32_t slot)
{
	return (enum stage)(slot % SLOT_AGAIN);
}

int64_t
look_instant(const struct look *look, int32_t date_on, int32_t time_s)
{
	return zone_instant(look->dossier->zone, date_on, time_s);
}

int32_t
look_date(const struct look *look, int64_t at)
{
	return zone_local(look->dossier->zone, at, NULL);
}

const struct program *
look_program(const struct look *look, enum kind kind, int32_t prescription_no)
{
	const struct prescription *p =
	    dossier_prescription(look->dossier, prescription_no);

	return program_for(
	    look->rules, kind, p == NULL ? NULL : p->product_class);
}

int64_t
look_stage_at(
    const struct look *look, const struct program *program, int32_t date_on)
{
	const struct rules *rules = look->rules;
	int64_t at = look_instant(look, date_on, program->stage_time_s);

	if (rules->spread_min > 0) {
		/* a multiplicative hash: neighbours land far apart */
		uint64_t spread = (uint64_t)look->dossier->patient_id *
				  UINT64_C(0x9e3779b97f4a7c15);

		at += (int64_t)((spread >> 32) %
				(uint64_t)(rules->spread_min * 60)) *
		      SECOND_US;
	}
	return at;
}

bool
look_task_is_stale(const struct look *look, int64_t due_at)
{
	/* where it is told what is history, only what is forgotten is too */
	if (look->rules->handled_before != AT_UNKNOWN)
		return due_at + TASK_KEPT_US / 2 <= look->now;
	return due_at + 30 * DAY_US <= look->now ||
	       (due_at <= look->planned_through &&
		   due_at + 7 * DAY_US <= look->now);
}

const struct said *
said_find(const struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on, int32_t slot, bool task)
{
	const struct said *said = look->said.data;
	struct said key = {
	    .kind = kind,
	    .source = source,
	    .occurrence_on = occurrence_on,
	    .slot = slot,
	    .task = task,
	};

	/* newest first: a reopened hold is followed by its message */
	for (size_t i = look->said.count; i > 0; i--) {
		const struct said *s = &said[i - 1];

		if (said_same(s, &key))
			return s;
	}
	return NULL;
}

bool
said_same(const struct said *a, const struct said *b)
{
	return a->kind == b->kind && a->source == b->source &&
	       a->occurrence_on == b->occurrence_on && a->slot == b->slot &&
	       a->task == b->task;
}

uint32_t
said_tried(const struct look *look, const struct said *item)
{
	const struct said *said = look->said.data;
	uint32_t tried = 0;

	for (size_t i = 0; i < look->said.count; i++)
		if (said[i].channel != CHANNEL_NONE &&
		    said_same(&said[i], item))
			tried |= CHANNEL_BIT(said[i].channel);
	return tried;
}

bool
said_is_open_hold(const struct said *said)
{
	if (said->task || said->state != DELIVERY_HELD)
		return false;
	switch (said->reason) {
	case REASON_EXPIRED:
	case REASON_QUIET_HOURS:
	case REASON_CAP:
	case REASON_ALREADY_DONE:
	case REASON_PATIENT_IN_HOSPITAL:
	case REASON_NONE:
		return false;
	default:
		return true;
	}
}

bool
said_went_out(const struct said *said)
{
	return !said->task && said->state != DELIVERY_HELD &&
	       said->state != DELIVERY_EXPIRED &&
	       said->state != DELIVERY_REJECTED;
}

bool
said_was_sent(const struct said *said)
{
	return said->channel != CHANNEL_NONE && said_went_out(said);
}

struct said *
said_add(struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on, int32_t slot)
{
	struct said *s = list_add(&look->said);

	s->kind = kind;
	s->source = source;
	s->occurrence_on = occurrence_on;
	s->slot = slot;
	s->state = DELIVERY_HELD;
	s->at = look->now;
	return s;
}

void
said_mark_told(struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on, int32_t slot, int64_t due_at)
{
	struct said *s;

	if (said_find(look, kind, source, occurrence_on, slot, false) != NULL)
		return;
	s = said_add(look, kind, source, occurrence_on, slot);
	s->state = DELIVERY_UNCONFIRMED;
	s->at = due_at;
}

void
said_mark_over(struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on, int32_t slot, bool task)
{
	struct said *s;

	if (said_find(look, kind, source, occurrence_on, slot, task) != NULL)
		return;
	s = said_add(look, kind, source, occurrence_on, slot);
	s->state = DELIVERY_EXPIRED;
	s->task = task;
}

bool
said_ladder_task(const struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on)
{
	const struct said *said = look->said.data;

	for (size_t i = look->said.count; i > 0; i--) {
		const struct said *s = &said[i - 1];

		if (s->task && s->kind == kind && s->source == source &&
		    s->occurrence_on == occurrence_on &&
		    look_slot_stage(s->slot) != STAGE_SUPPLY)
			return true;
	}
	return false;
}

bool
said_schedule_task(const struct look *look, int32_t source, enum reason reason)
{
	const struct said *said = look->said.data;

	for (size_t i = 0; i < look->said.count; i++)
		if (said[i].task && said[i].kind == KIND_DOSE &&
		    said[i].source == source && said[i].reason == reason)
			return true;
	return false;
}

/* The place of a kind's standing obstacle: no source, no date. */
static struct said *
standing_entry(const struct look *look, enum kind kind)
{
	struct said *said = look->said.data;

	for (size_t i = 0; i < look->said.count; i++)
		if (said[i].source == 0 && said[i].kind == kind &&
		    said[i].occurrence_on == 0 && said[i].slot == 0)
			return &said[i];
	return NULL;
}

enum reason
said_standing(const struct look *look, enum kind kind)
{
	const struct said *s = standing_entry(look, kind);

	return s == NULL ? REASON_NONE : s->reason;
}

void
said_set_standing(struct look *look, enum kind kind, enum reason reason)
{
	struct said *s = standing_entry(look, kind);

	if (s == NULL && reason == REASON_NONE)
		return;
	if (s == NULL)
		s = said_add(look, kind, 0, 0, 0);
	s->reason = reason;
}

/* Can this entry still change a decision? */
static bool
entry_matters(const struct look *look, const struct said *s)
{
	if (s->source == 0)
		return s->reason != REASON_NONE;
	if (s->kind == KIND_DOSE && s->task)
		return dossier_prescription(look->dossier, s->source) != NULL;
	for (uint32_t i = 0; i < look->dossier->open_count; i++) {
		const struct open_delivery *open = &look->dossier->open[i];

		if (open->kind == s->kind && open->source == s->source)
			return true;
	}
	return s->at > look->now - (s->task                   ? TASK_KEPT_US
				       : s->kind == KIND_DOSE ? DOSE_KEPT_US
							      : STAGE_KEPT_US);
}

void
said_prune(struct look *look)
{
	struct said *said = look->said.data;
	size_t kept = 0;

	for (size_t i = 0; i < look->said.count; i++)
		if (entry_matters(look, &said[i]))
			said[kept++] = said[i];
	if (kept > SAID_ENTRIES_MAX) {
		size_t extra = kept - SAID_ENTRIES_MAX;

		memmove(said, said + extra, SAID_ENTRIES_MAX * sizeof(*said));
		kept = SAID_ENTRIES_MAX;
	}
	look->said.count = kept;
}

const char *
look_reference(const struct look *look, enum kind kind, int32_t no)
{
	return dossier_reference(look->dossier, kind, no, look->arena);
}

int
look_compare_id(const char *a, int32_t a_no, const char *b, int32_t b_no)
{
	int order = 0;

	if (a != NULL && b != NULL)
		order = strcmp(a, b);
	else if (a != NULL || b != NULL)
		order = a == NULL ? -1 : 1;
	return order != 0 ? order : (a_no > b_no) - (a_no < b_no);
}

int
look_compare_authored(
    const struct prescription *a, const struct prescription *b)
{
	if (a->authored_at != b->authored_at)
		return a->authored_at < b->authored_at ? -1 : 1;
	return look_compare_id(a->id, a->no, b->id, b->no);
}

bool
look_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}
