/*
 * The cap on doses: a schedule with which some day would have more messages
 * than the cap is refused whole, of several the one written last.  Doses are
 * counted as messages are made of them.  Pure.
 */
#include "care/dose_cap.h"

#include <stdlib.h>

#include "care/timing.h"

#define CAP_DAYS 8         /* a week and the day of enrolment */
#define CAP_BEGIN_DAYS 366 /* … and a week from what begins until then */
#define CAP_WEEKS_MAX 32

static const struct program *
program_of(const struct look *look, const struct prescription *p)
{
	return program_for(look->rules, KIND_DOSE, p->product_class);
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

bool
dose_same_message(
    const struct look *look, const struct dose *first, const struct dose *dose)
{
	const struct program *program = program_of(look, first->prescription);

	return dose->at - first->at <= program->merge_s * SECOND_US &&
	       program_of(look, dose->prescription) == program;
}

/* Is there a message that takes this dose in?  In order of time. */
static bool
joins_message(const struct look *look, const struct dose *doses,
    const bool *leads, uint32_t index)
{
	int64_t merge_us =
	    program_of(look, doses[index].prescription)->merge_s * SECOND_US;

	for (uint32_t i = index; i > 0; i--) {
		if (doses[index].at - doses[i - 1].at > merge_us)
			break;
		if (leads[i - 1] &&
		    dose_same_message(look, &doses[i - 1], &doses[index]))
			return true;
	}
	return false;
}

/* The most messages that these doses make on one local day. */
static int32_t
most_on_a_day(const struct look *look, struct dose *doses, uint32_t count)
{
	bool *leads = arena_array(look->arena, count + 1, sizeof(*leads));
	int32_t day_on = ON_UNKNOWN, messages = 0, most = 0;

	qsort(doses, count, sizeof(*doses), dose_compare);
	for (uint32_t i = 0; i < count; i++) {
		leads[i] = !joins_message(look, doses, leads, i);
		if (!leads[i])
			continue;
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
 * Where to count: the coming week, and the first one of every dosage that
 * begins later, or began before the first look of a run.  Midnights.
 */
static uint32_t
find_weeks(const struct look *look, const struct prescription *const *list,
    uint32_t count, int64_t weeks[CAP_WEEKS_MAX])
{
	int64_t today = look_instant(look, look_date(look, look->now), 0);
	/* nobody recorded what was refused before a run begins */
	int64_t since = look->now == look->rules->handled_before
			    ? today - CAP_BEGIN_DAYS * DAY_US
			    : today + DAY_US;
	uint32_t week_count = 1;

	weeks[0] = today;
	for (uint32_t i = 0; i < count; i++) {
		int64_t begins[CAP_WEEKS_MAX];
		uint32_t found = dose_schedule_begins(look->dossier, list[i],
		    since, today + CAP_BEGIN_DAYS * DAY_US, begins,
		    CAP_WEEKS_MAX - week_count);

		for (uint32_t k = 0; k < found; k++)
			weeks[week_count++] =
			    look_instant(look, look_date(look, begins[k]), 0);
	}
	return week_count;
}

/* Add the schedule's doses of those weeks; how many. */
static uint32_t
add_doses(const struct look *look, const struct prescription *p,
    const int64_t *weeks, uint32_t week_count, struct list *taken)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < week_count; i++) {
		const struct dose *doses;
		uint32_t found = dose_expand(look->dossier, p, weeks[i],
		    weeks[i] + CAP_DAYS * DAY_US, look->arena, &doses);

		for (uint32_t k = 0; k < found; k++)
			*(struct dose *)list_add(taken) = doses[k];
		count += found;
	}
	return count;
}

void
dose_refuse_over_cap(const struct look *look, const struct prescription **list,
    uint32_t count, bool *refused)
{
	int64_t weeks[CAP_WEEKS_MAX];
	uint32_t week_count = 0;
	bool counting;
	struct list taken;

	qsort(list, count, sizeof(*list), compare_authored);
	counting = cap_in_reach(look, list, count);
	if (counting)
		week_count = find_weeks(look, list, count, weeks);
	list_init(&taken, look->arena, sizeof(struct dose));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t dose_count;
		size_t before = taken.count;

		refused[i] = said_schedule_task(look, list[i]->no, REASON_CAP);
		if (refused[i] || !counting)
			continue;
		dose_count =
		    add_doses(look, list[i], weeks, week_count, &taken);
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
