/*
 * Doses: when each is due, which of them make one message, which schedules
 * cannot be kept (outside the allowed hours, over the day's cap).  A dose
 * is never shifted, for another hour is another meaning, and never depends
 * on stock.
 */
#include "care/dose.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "care/dose_schedule.h"
#include "care/policy.h"
#include "care/timing.h"

#define NEAR_US (25 * HOUR_US) /* where the next dose mostly is */
#define CAP_DAYS 8             /* a week and the day of enrolment */
#define PAST_DAYS_MAX 366      /* looked back for a schedule's first dose */

/*
 * Where this look begins: what may still be sent, and, for the record, what
 * was lost since the last look (two days at most: the rest is history).
 */
static int64_t
window_start(const struct look *look)
{
	const struct rules *rules = look->rules;
	int64_t from = look->now - rules->kinds[KIND_DOSE].valid_us;

	if (!rules->each_hold && look->planned_through < from)
		from = look->planned_through > look->now - 2 * DAY_US
			   ? look->planned_through
			   : look->now - 2 * DAY_US;
	return from > rules->handled_before ? from : rules->handled_before;
}

/* Each dosage ends or begins anew: the next dose may be days away. */
static uint32_t
expand_near(const struct look *look, const struct prescription *p,
    const struct dose **doses)
{
	int64_t from = window_start(look);
	uint32_t count = dose_expand(
	    look->dossier, p, from, look->now + NEAR_US, look->arena, doses);

	if (count > 0 &&
	    (*doses)[count - 1].at >
		look->now + look->rules->kinds[KIND_DOSE].merge_s * SECOND_US)
		return count;
	return dose_expand(look->dossier, p, from,
	    look->now + look->rules->look_max_us + HOUR_US, look->arena, doses);
}

/* A bound on the doses a day; 0 where only counting tells. */
static int64_t
daily_bound(const struct look *look, const struct prescription *p)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < p->dosage_count; i++) {
		const struct dosage *dosage = &p->dosages[i];
		int64_t numerator, denominator;

		if (dosage->as_needed || dosage->timing == NULL)
			continue;
		if (!timing_daily(dosage->timing, &look->dossier->profile,
			&numerator, &denominator) ||
		    denominator < 1)
			return 0;
		sum += numerator;
	}
	return sum == 0 ? 1 : sum;
}

/* Could the schedules together exceed the cap on some day? */
static bool
cap_in_reach(const struct look *look, const struct prescription *const *list,
    uint32_t count)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		int64_t bound = daily_bound(look, list[i]);

		if (bound == 0)
			return true;
		sum += bound;
	}
	return sum > look->rules->kinds[KIND_DOSE].cap_day;
}

/* The most messages that these doses make on one local day. */
static int32_t
most_on_a_day(const struct look *look, struct dose *doses, uint32_t count)
{
	int64_t merge_us = look->rules->kinds[KIND_DOSE].merge_s * SECOND_US;
	int64_t first_at = 0;
	int32_t day_on = ON_UNKNOWN, messages = 0, most = 0;

	qsort(doses, count, sizeof(*doses), dose_compare);
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0 && doses[i].at - first_at <= merge_us)
			continue;
		first_at = doses[i].at;
		messages = doses[i].date_on == day_on ? messages + 1 : 1;
		day_on = doses[i].date_on;
		if (messages > most)
			most = messages;
	}
	return most;
}

static int
compare_authored(const void *left, const void *right)
{
	return look_compare_authored(*(const struct prescription *const *)left,
	    *(const struct prescription *const *)right);
}

/*
 * Sort by authoredOn and mark what is refused whole: each schedule with
 * which some day of the coming week would have more messages than the cap.
 */
static void
refuse_over_cap(const struct look *look, const struct prescription **list,
    uint32_t count, bool *refused)
{
	int64_t from = look_instant(look, look_date(look, look->now), 0);
	int64_t to = from + CAP_DAYS * DAY_US;
	bool counting;
	struct list taken;

	qsort(list, count, sizeof(*list), compare_authored);
	counting = cap_in_reach(look, list, count);
	list_init(&taken, look->arena, sizeof(struct dose));
	for (uint32_t i = 0; i < count; i++) {
		const struct dose *doses;
		uint32_t dose_count;
		size_t before = taken.count;

		refused[i] = said_schedule_task(look, list[i]->no, REASON_CAP);
		if (refused[i] || !counting)
			continue;
		dose_count = dose_expand(
		    look->dossier, list[i], from, to, look->arena, &doses);
		for (uint32_t k = 0; k < dose_count; k++)
			*(struct dose *)list_add(&taken) = doses[k];
		if (dose_count == 0 ||
		    most_on_a_day(look, taken.data, (uint32_t)taken.count) <=
			look->rules->kinds[KIND_DOSE].cap_day)
			continue;
		refused[i] = true;
		/* sorting has mixed them: take its doses out again */
		taken.count = 0;
		for (size_t k = 0; k < before + dose_count; k++) {
			struct dose *all = taken.data;

			if (all[k].prescription != list[i])
				all[taken.count++] = all[k];
		}
	}
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
		if (!outside || !policy_in_hours(look, KIND_DOSE, doses[i].at))
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
	};
}

/* One task for a whole schedule, at its first dose that cannot be kept. */
static void
add_schedule_task(
    struct look *look, const struct dose *dose, enum reason reason)
{
	const struct prescription *p = dose->prescription;
	struct candidate *c;

	if (said_schedule_task(look, p->no, reason) ||
	    !policy_tasks_allowed(look))
		return;
	if (began_before(look, p, reason == REASON_QUIET_HOURS)) {
		struct said *s = said_add(
		    look, KIND_DOSE, p->no, dose->date_on, dose->time_s);

		s->task = true;
		s->reason = reason;
		s->state = DELIVERY_EXPIRED;
		return;
	}
	c = look_add(look, KIND_DOSE, STAGE_DUE, dose->at, 1);
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

	c->reason = reason;
	c->final = final;
	c->anchor_on = dose->date_on;
	c->valid_until = valid_until;
	c->held_before = said_find(look, KIND_DOSE, dose->prescription->no,
			     dose->date_on, dose->time_s, false) != NULL;
	c->item_count = 1;
	set_item(look, c->items, dose);
}

static int64_t
dose_valid_until(const struct look *look, const struct dose *dose)
{
	int64_t until = dose->at + look->rules->kinds[KIND_DOSE].valid_us;

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
	int64_t late_at = look->now > dose->at ? look->now : dose->at;
	enum reason reason = policy_item_obstacle(
	    look, KIND_DOSE, dose->prescription->drug, dose->at, final);

	if (reason != REASON_NONE)
		return reason;
	*final = true;
	if (dose_valid_until(look, dose) <= look->now)
		return REASON_EXPIRED;
	if (!any_hour && (!policy_in_hours(look, KIND_DOSE, dose->at) ||
			     !policy_in_hours(look, KIND_DOSE, late_at)))
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

/* The doses that may be merged, from what is due or soon will be. */
static uint32_t
judge_doses(struct look *look, const struct dose *doses, uint32_t count,
    struct dose *open)
{
	bool any_hour = policy_any_hour(look);
	int64_t horizon =
	    look->now + look->rules->kinds[KIND_DOSE].merge_s * SECOND_US;
	uint32_t open_count = 0;

	for (uint32_t i = 0; i < count && doses[i].at <= horizon; i++) {
		const struct dose *dose = &doses[i];
		const struct said *said = said_find(look, KIND_DOSE,
		    dose->prescription->no, dose->date_on, dose->time_s, false);
		bool due = dose->at <= look->now, final;
		enum reason reason;

		if (said != NULL && !said_is_open_hold(said))
			continue;
		reason = dose_obstacle(look, dose, any_hour, &final);
		/* whoever is asleep is only told of once; expiry ends it */
		if (due && dose_valid_until(look, dose) <= look->now)
			dose_expired(look, dose);
		else if (reason == REASON_NONE)
			open[open_count++] = *dose;
		else if (due)
			add_hold(look, dose, reason, final,
			    dose_valid_until(look, dose));
		if (due && reason == REASON_QUIET_HOURS)
			add_schedule_task(look, dose, reason);
	}
	return open_count;
}

/* One message for doses within 15 minutes of the first, 15 included. */
static void
add_message(struct look *look, const struct dose *open, uint32_t count)
{
	struct candidate *c =
	    look_add(look, KIND_DOSE, STAGE_DUE, open[0].at, count);
	bool held = true;

	c->anchor_on = open[0].date_on;
	for (uint32_t i = 0; i < count; i++) {
		int64_t until = dose_valid_until(look, &open[i]);

		if (until < c->valid_until)
			c->valid_until = until;
		set_item(look, &c->items[c->item_count++], &open[i]);
		if (!policy_in_hours(look, KIND_DOSE, open[i].at) ||
		    !policy_in_hours(look, KIND_DOSE, look->now))
			c->any_hour = true;
		held =
		    held && said_find(look, KIND_DOSE, open[i].prescription->no,
				open[i].date_on, open[i].time_s, false) != NULL;
	}
	c->held_before = held;
}

static void
merge_doses(struct look *look, const struct dose *open, uint32_t count)
{
	int64_t merge_us = look->rules->kinds[KIND_DOSE].merge_s * SECOND_US;

	for (uint32_t i = 0, members; i < count; i += members) {
		if (open[i].at > look->now)
			break;
		members = 1;
		while (i + members < count && members < CANDIDATE_ITEMS_MAX &&
		       open[i + members].at - open[i].at <= merge_us)
			members++;
		add_message(look, &open[i], members);
	}
}

/* A refused schedule says one thing, once, at its first dose. */
static void
collect_refused(struct look *look, const struct dose *doses, uint32_t count)
{
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

	for (uint32_t i = 0; i < d->prescription_count; i++)
		if (dose_prescription_active(&d->prescriptions[i], look->now))
			list[count++] = &d->prescriptions[i];
	refuse_over_cap(look, list, count, refused);
	list_init(&all, look->arena, sizeof(struct dose));
	for (uint32_t i = 0; i < count; i++) {
		const struct dose *doses;
		uint32_t dose_count = expand_near(look, list[i], &doses);

		if (refused[i]) {
			collect_refused(look, doses, dose_count);
			continue;
		}
		for (uint32_t k = 0; k < dose_count; k++) {
			*(struct dose *)list_add(&all) = doses[k];
			look_wake_kind(look, KIND_DOSE, doses[k].at);
		}
	}
	if (all.count == 0)
		return;
	qsort(all.data, all.count, sizeof(struct dose), dose_compare);
	open = arena_array(look->arena, all.count, sizeof(*open));
	merge_doses(
	    look, open, judge_doses(look, all.data, (uint32_t)all.count, open));
}
