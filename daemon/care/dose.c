/*
 * Doses: when each is due, which of them make one message, which schedules
 * cannot be kept (outside the allowed hours; over the cap: dose_cap).  A dose
 * is never shifted, for another hour is another meaning, and never depends
 * on stock.
 */
#include "care/dose.h"

#include <stdlib.h>

#include "care/dose_cap.h"
#include "care/dose_schedule.h"
#include "care/policy.h"

#define NEAR_US (25 * HOUR_US)   /* where the next dose mostly is */
#define PAST_DAYS_MAX 366        /* looked back for a schedule's first dose */
#define HANDLED_US (2 * HOUR_US) /* … for the message that a dose was in */

static const struct program *
program_of(const struct look *look, const struct prescription *p)
{
	return program_for(look->rules, KIND_DOSE, p->product_class);
}

/* How long a dose may matter after its time, and before: of any program. */
static void
longest(const struct look *look, int64_t *valid_us, int32_t *merge_s)
{
	const struct rules *rules = look->rules;

	*valid_us = rules->kinds[KIND_DOSE].valid_us;
	*merge_s = rules->kinds[KIND_DOSE].merge_s;
	for (uint32_t i = 0; i < rules->class_count; i++) {
		const struct program *program = &rules->classes[i];

		if (program->kind != KIND_DOSE)
			continue;
		if (program->valid_us > *valid_us)
			*valid_us = program->valid_us;
		if (program->merge_s > *merge_s)
			*merge_s = program->merge_s;
	}
}

/*
 * Where this look begins: what may still be sent, and, for the record, what
 * was lost since the last look (two days at most: the rest is history).
 */
static int64_t
window_start(const struct look *look)
{
	const struct rules *rules = look->rules;
	int64_t from, valid_us;
	int32_t merge_s;

	longest(look, &valid_us, &merge_s);
	from = look->now - valid_us;

	if (!rules->each_hold && look->planned_through < from)
		from = look->planned_through > look->now - 2 * DAY_US
			   ? look->planned_through
			   : look->now - 2 * DAY_US;
	return from > rules->handled_before
		   ? from
		   : rules->handled_before - HANDLED_US;
}

/*
 * Each dosage ends or begins anew: the next dose may be days away.  Whoever
 * sleeps looks ahead to the end, for the next dose wakes nobody.
 */
static uint32_t
expand_near(const struct look *look, const struct prescription *p,
    const struct dose **doses)
{
	int64_t from = window_start(look);
	uint32_t count = dose_expand(
	    look->dossier, p, from, look->now + NEAR_US, look->arena, doses);

	if (!look->asleep[KIND_DOSE] && count > 0 &&
	    (*doses)[count - 1].at >
		look->now + program_of(look, p)->merge_s * SECOND_US)
		return count;
	return dose_expand(look->dossier, p, from,
	    look->now + look->rules->look_max_us + HOUR_US, look->arena, doses);
}

/*
 * Did the schedule have such a dose before what counts as handled?  With
 * outside: one outside the allowed hours.
 */
static bool
began_before(
    const struct look *look, const struct prescription *p, bool outside)
{
	int64_t before = look->rules->handled_before;
	const struct dose *doses;
	uint32_t count;

	if (before == AT_UNKNOWN)
		return false;
	count = dose_expand(look->dossier, p, before - PAST_DAYS_MAX * DAY_US,
	    before, look->arena, &doses);
	for (uint32_t i = 0; i < count; i++)
		if (!outside ||
		    !policy_in_hours(look, program_of(look, p), doses[i].at))
			return true;
	return false;
}

static void
set_item(struct look *look, struct plan_item *item, const struct dose *dose)
{
	*item = (struct plan_item){
	    .no = dose->prescription->no,
	    .reference =
		look_reference(look, KIND_DOSE, dose->prescription->no),
	    .occurrence_on = dose->date_on,
	    .slot = dose->time_s,
	    .run_out_on = ON_UNKNOWN,
	    .at = dose->at,
	    .held = said_find(look, KIND_DOSE, dose->prescription->no,
			dose->date_on, dose->time_s, false) != NULL,
	};
}

/* The task about a schedule needs no line: it is handled, or nobody's. */
static void
mark_schedule(
    struct look *look, const struct prescription *p, enum reason reason)
{
	struct said *s =
	    said_add(look, KIND_DOSE, p->no, look_date(look, look->now), 0);

	s->task = true;
	s->reason = reason;
	s->state = DELIVERY_EXPIRED;
}

/* One task for a whole schedule, at its first dose that cannot be kept. */
static void
add_schedule_task(
    struct look *look, const struct dose *dose, enum reason reason)
{
	const struct prescription *p = dose->prescription;
	struct candidate *c;

	if (said_schedule_task(look, p->no, reason))
		return;
	if (began_before(look, p, reason == REASON_QUIET_HOURS)) {
		mark_schedule(look, p, reason);
		return;
	}
	if (!policy_tasks_allowed(look)) {
		mark_schedule(look, p, reason);
		return;
	}
	c = look_add(look, KIND_DOSE, STAGE_DUE, dose->at, 1);
	c->program = program_of(look, p);
	c->task = true;
	c->reason = reason;
	c->anchor_on = dose->date_on;
	c->item_count = 1;
	set_item(look, c->items, dose);
}

/* A hold of one dose, judged before merging. */
static void
add_hold(struct look *look, const struct dose *dose, enum reason reason,
    bool final, int64_t valid_until)
{
	struct candidate *c = look_add(look, KIND_DOSE, STAGE_DUE, dose->at, 1);

	c->program = program_of(look, dose->prescription);
	c->reason = reason;
	c->final = final;
	c->anchor_on = dose->date_on;
	c->valid_until = valid_until;
	c->item_count = 1;
	set_item(look, c->items, dose);
}

static int64_t
dose_valid_until(const struct look *look, const struct dose *dose)
{
	int64_t until =
	    dose->at + program_of(look, dose->prescription)->valid_us;

	return dose->next_at < until ? dose->next_at : until;
}

/*
 * What stands against a dose by itself; NONE if it may be merged.  Hours
 * are those of the dose and, where it comes late, of the moment.
 */
static enum reason
dose_obstacle(const struct look *look, const struct dose *dose, bool any_hour,
    bool *final)
{
	const struct program *program = program_of(look, dose->prescription);
	int64_t late_at = look->now > dose->at ? look->now : dose->at;
	enum reason reason = policy_item_obstacle(look, KIND_DOSE, STAGE_DUE,
	    dose->prescription->drug, dose->at, final);

	if (reason != REASON_NONE)
		return reason;
	*final = true;
	if (dose_valid_until(look, dose) <= look->now)
		return REASON_EXPIRED;
	if (!any_hour && (!policy_in_hours(look, program, dose->at) ||
			     !policy_in_hours(look, program, late_at)))
		return REASON_QUIET_HOURS;
	return REASON_NONE;
}

/* An expired dose: recorded after an outage, unless it was long ago. */
static void
dose_expired(struct look *look, const struct dose *dose)
{
	if (look->rules->each_hold || look->asleep[KIND_DOSE] ||
	    said_standing(look, KIND_DOSE) != REASON_NONE ||
	    dose->at <= look->planned_through ||
	    said_find(look, KIND_DOSE, dose->prescription->no, dose->date_on,
		dose->time_s, false) != NULL)
		return;
	add_hold(look, dose, REASON_EXPIRED, true, look->now);
}

static bool
is_handled(const struct look *look, const struct dose *dose)
{
	return dose->at < look->rules->handled_before;
}

/* Within its hours by its own time, or at any where the consent says so. */
static bool
may_be_told(const struct look *look, const struct dose *dose, bool any_hour)
{
	return any_hour || policy_in_hours(look,
			       program_of(look, dose->prescription), dose->at);
}

/* The doses that may be merged, from what is due or soon will be. */
static uint32_t
judge_doses(struct look *look, const struct dose *doses, uint32_t count,
    struct dose *open)
{
	bool any_hour = policy_any_hour(look);
	int64_t valid_us;
	int32_t merge_s;
	uint32_t open_count = 0;

	longest(look, &valid_us, &merge_s);
	for (uint32_t i = 0;
	     i < count && doses[i].at <= look->now + merge_s * SECOND_US; i++) {
		const struct dose *dose = &doses[i];
		const struct said *said = said_find(look, KIND_DOSE,
		    dose->prescription->no, dose->date_on, dose->time_s, false);
		bool due = dose->at <= look->now, final;
		enum reason reason;

		if (said != NULL && !said_is_open_hold(said))
			continue;
		if (is_handled(look, dose)) {
			/* later ones may have been in its message */
			if (may_be_told(look, dose, any_hour))
				open[open_count++] = *dose;
			continue;
		}
		reason = dose_obstacle(look, dose, any_hour, &final);
		/* whoever is asleep is only told of once; expiry ends it */
		if (due && dose_valid_until(look, dose) <= look->now)
			dose_expired(look, dose);
		else if (reason == REASON_NONE)
			open[open_count++] = *dose;
		else if (due)
			add_hold(look, dose, reason, final,
			    dose_valid_until(look, dose));
		if (due && !may_be_told(look, dose, any_hour) &&
		    look->now < dose_valid_until(look, dose))
			add_schedule_task(look, dose, REASON_QUIET_HOURS);
	}
	return open_count;
}

/* One message for doses within 15 minutes of the first, 15 included. */
static void
add_message(struct look *look, const struct dose *open, uint32_t count)
{
	struct candidate *c =
	    look_add(look, KIND_DOSE, STAGE_DUE, open[0].at, count);

	c->program = program_of(look, open[0].prescription);
	c->anchor_on = open[0].date_on;
	for (uint32_t i = 0; i < count; i++) {
		int64_t until = dose_valid_until(look, &open[i]);

		if (until < c->valid_until)
			c->valid_until = until;
		set_item(look, &c->items[c->item_count++], &open[i]);
		if (!policy_in_hours(look, c->program, open[i].at) ||
		    !policy_in_hours(look, c->program, look->now))
			c->any_hour = true;
	}
}

/* What was in a message that counts as handled counts so itself. */
static void
mark_handled(struct look *look, const struct dose *members, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!is_handled(look, &members[i]))
			said_mark_told(look, KIND_DOSE,
			    members[i].prescription->no, members[i].date_on,
			    members[i].time_s, members[i].at);
}

static void
merge_doses(struct look *look, struct dose *open, uint32_t count)
{
	while (count > 0 && open[0].at <= look->now) {
		struct dose *members =
		    arena_array(look->arena, count, sizeof(*members));
		uint32_t member_count = 0, left = 0;

		members[member_count++] = open[0];
		for (uint32_t i = 1; i < count; i++)
			if (member_count < CANDIDATE_ITEMS_MAX &&
			    dose_same_message(look, &members[0], &open[i]))
				members[member_count++] = open[i];
			else
				open[left++] = open[i];
		count = left;
		if (is_handled(look, &members[0]))
			mark_handled(look, members, member_count);
		else
			add_message(look, members, member_count);
	}
}

/* A refused schedule says one thing, once, at its first dose. */
static void
collect_refused(struct look *look, const struct prescription *p,
    const struct dose *doses, uint32_t count)
{
	if (look->now == look->rules->handled_before &&
	    began_before(look, p, false)) {
		mark_schedule(look, p, REASON_CAP);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (said_schedule_task(
			look, doses[i].prescription->no, REASON_CAP))
			return;
		if (doses[i].at > look->now) {
			look_wake(look, doses[i].at);
			return;
		}
		if (i + 1 == count || doses[i + 1].at > look->now)
			add_schedule_task(look, &doses[i], REASON_CAP);
	}
}

/* Whoever sleeps is still waked for the task about a schedule. */
static void
wake_for(struct look *look, const struct dose *dose)
{
	const struct prescription *p = dose->prescription;

	look_wake_kind(look, KIND_DOSE, dose->at);
	if (look->asleep[KIND_DOSE] && dose->at > look->now &&
	    !policy_in_hours(look, program_of(look, p), dose->at) &&
	    !said_schedule_task(look, p->no, REASON_QUIET_HOURS) &&
	    policy_tasks_allowed(look) && !policy_any_hour(look))
		look_wake(look, dose->at);
}

void
dose_collect(struct look *look)
{
	const struct dossier *d = look->dossier;
	const struct prescription **list =
	    arena_array(look->arena, d->prescription_count + 1, sizeof(*list));
	bool *refused = arena_array(look->arena, d->prescription_count + 1, 1);
	uint32_t count = 0;
	struct list all;
	struct dose *open;

	/* all doses that are handled need no look */
	if (look->now < look->rules->handled_before) {
		look_wake(look, look->rules->handled_before);
		return;
	}

	for (uint32_t i = 0; i < d->prescription_count; i++)
		if (dose_prescription_active(&d->prescriptions[i], look->now))
			list[count++] = &d->prescriptions[i];
	dose_refuse_over_cap(look, list, count, refused);
	list_init(&all, look->arena, sizeof(struct dose));
	for (uint32_t i = 0; i < count; i++) {
		const struct dose *doses;
		uint32_t dose_count = expand_near(look, list[i], &doses);

		if (refused[i]) {
			collect_refused(look, list[i], doses, dose_count);
			continue;
		}
		for (uint32_t k = 0; k < dose_count; k++) {
			*(struct dose *)list_add(&all) = doses[k];
			wake_for(look, &doses[k]);
		}
	}
	if (all.count == 0)
		return;
	qsort(all.data, all.count, sizeof(struct dose), dose_compare);
	open = arena_array(look->arena, all.count, sizeof(*open));
	merge_doses(
	    look, open, judge_doses(look, all.data, (uint32_t)all.count, open));
}
