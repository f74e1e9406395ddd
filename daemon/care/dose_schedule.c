/*
 * Schedules: a prescription's dosages as doses on the patient's calendar.
 * Dosages of one sequence number run together, rising ones one after
 * another; each local date and clock time happens once.
 */
#include "care/dose_schedule.h"

#include <stdlib.h>

#include "care/look.h"
#include "care/timing.h"

#define DOSAGES_MAX 64

bool
dose_prescription_active(const struct prescription *prescription, int64_t now)
{
	return (prescription->status == PRESCRIPTION_ACTIVE) ==
	       (prescription->status_at <= now);
}

static struct timing_start
first_start(const struct dossier *d, const struct prescription *p)
{
	if (p->authored_at != AT_UNKNOWN && p->authored_at != AT_NEVER)
		return (struct timing_start){
		    .at = p->authored_at,
		    .has_time = p->authored_has_time,
		};
	/* no date at all: a fixed Monday, so that every look counts alike */
	return (struct timing_start){
	    .at = zone_instant(d->zone,
		p->valid_from_on != ON_UNKNOWN && p->valid_from_on != ON_NEVER
		    ? p->valid_from_on
		    : civil_to_days((struct civil){2001, 1, 1}),
		0),
	};
}

static int64_t
dosage_end(const struct dossier *d, const struct dosage *dosage,
    struct timing_start start)
{
	if (dosage->timing == NULL)
		return AT_NEVER;
	return timing_end(dosage->timing, start, d->zone, &d->profile);
}

/*
 * The start of the dosages of one sequence number: equal numbers run
 * together, rising ones one after another.  AT_NEVER where an earlier one
 * has no end.
 */
static struct timing_start
sequence_start(
    const struct dossier *d, const struct prescription *p, int32_t sequence)
{
	struct timing_start start = first_start(d, p);

	for (int32_t done = INT32_MIN;;) {
		int32_t step = INT32_MAX;
		int64_t end = AT_UNKNOWN;
		int32_t time_s;

		for (uint32_t i = 0; i < p->dosage_count; i++)
			if (!p->dosages[i].as_needed &&
			    p->dosages[i].sequence > done &&
			    p->dosages[i].sequence < step)
				step = p->dosages[i].sequence;
		if (step >= sequence || start.at == AT_NEVER)
			return start;
		for (uint32_t i = 0; i < p->dosage_count; i++) {
			int64_t one;

			if (p->dosages[i].as_needed ||
			    p->dosages[i].sequence != step)
				continue;
			one = dosage_end(d, &p->dosages[i], start);
			if (one > end)
				end = one;
		}
		done = step;
		start.at = end;
		if (end != AT_NEVER) {
			(void)zone_local(d->zone, end, &time_s);
			start.has_time = time_s != 0;
		}
	}
}

int64_t
dose_schedule_end(const struct dossier *d, const struct prescription *p)
{
	int64_t end = AT_UNKNOWN;

	for (uint32_t i = 0; i < p->dosage_count; i++) {
		const struct dosage *dosage = &p->dosages[i];
		struct timing_start start =
		    sequence_start(d, p, dosage->sequence);
		int64_t one;

		one = start.at == AT_NEVER ? AT_NEVER
					   : dosage_end(d, dosage, start);
		if (one > end)
			end = one;
	}
	return end == AT_UNKNOWN ? AT_NEVER : end;
}

uint32_t
dose_schedule_begins(const struct dossier *d, const struct prescription *p,
    int64_t from, int64_t to, int64_t *begins, uint32_t max)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < p->dosage_count && count < max; i++) {
		const struct dosage *dosage = &p->dosages[i];
		struct timing_start start;
		int64_t at;

		if (dosage->as_needed || dosage->timing == NULL)
			continue;
		start = sequence_start(d, p, dosage->sequence);
		if (start.at == AT_NEVER)
			continue;
		at = timing_begin(dosage->timing, start, d->zone);
		if (from <= at && at < to)
			begins[count++] = at;
	}
	return count;
}

int
dose_compare(const void *left, const void *right)
{
	const struct dose *a = left, *b = right;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return look_compare_id(a->prescription->id, a->prescription->no,
	    b->prescription->id, b->prescription->no);
}

/* Drop doubles of one prescription and link each dose to its next one. */
static uint32_t
tidy_doses(struct dose *doses, uint32_t count)
{
	uint32_t kept = 0;

	qsort(doses, count, sizeof(*doses), dose_compare);
	for (uint32_t i = 0; i < count; i++) {
		/* a repeated hour shows one clock time twice */
		bool twice = false;

		for (uint32_t k = kept; k > 0 && !twice; k--) {
			if (doses[k - 1].at < doses[i].at - 3 * HOUR_US)
				break;
			twice = doses[k - 1].date_on == doses[i].date_on &&
				doses[k - 1].time_s == doses[i].time_s;
		}
		if (!twice)
			doses[kept++] = doses[i];
	}
	for (uint32_t i = 0; i < kept; i++)
		doses[i].next_at = i + 1 < kept ? doses[i + 1].at : AT_NEVER;
	return kept;
}

/*
 * The instants of one dosage in [from, to); 0 where it has none, -1 where
 * there are more than can be expanded.
 */
static int
expand_dosage(const struct dossier *d, const struct prescription *p,
    const struct dosage *dosage, int64_t from, int64_t to, struct arena *arena,
    const int64_t **at)
{
	struct timing_start start;

	if (dosage->as_needed || dosage->timing == NULL)
		return 0;
	start = sequence_start(d, p, dosage->sequence);
	if (start.at == AT_NEVER)
		return 0;
	return timing_expand(
	    dosage->timing, start, d->zone, &d->profile, from, to, arena, at);
}

uint32_t
dose_expand(const struct dossier *d, const struct prescription *p, int64_t from,
    int64_t to, struct arena *arena, const struct dose **doses)
{
	struct list found;

	*doses = NULL;
	if (from >= to)
		return 0;
	list_init(&found, arena, sizeof(struct dose));
	for (uint32_t i = 0; i < p->dosage_count && i < DOSAGES_MAX; i++) {
		const int64_t *at;
		int count =
		    expand_dosage(d, p, &p->dosages[i], from, to, arena, &at);

		for (int k = 0; k < count; k++) {
			struct dose *dose = list_add(&found);

			dose->prescription = p;
			dose->at = at[k];
			dose->date_on =
			    zone_local(d->zone, at[k], &dose->time_s);
		}
	}
	if (found.count == 0)
		return 0;
	*doses = found.data;
	return tidy_doses(found.data, (uint32_t)found.count);
}

bool
dose_amounts(const struct dossier *d, const struct prescription *p,
    int32_t from_on, int32_t until_on, struct arena *arena, int64_t *amounts)
{
	int64_t from = zone_instant(d->zone, from_on, 0);
	int64_t to = zone_instant(d->zone, until_on, 0);

	if (p->dosage_count > DOSAGES_MAX)
		return false;
	for (uint32_t i = 0; i < p->dosage_count; i++) {
		const struct dosage *dosage = &p->dosages[i];
		const int64_t *at;
		int count = expand_dosage(d, p, dosage, from, to, arena, &at);

		if (count < 0)
			return false;
		for (int k = 0; k < count; k++) {
			int32_t on = zone_local(d->zone, at[k], NULL);

			/* a clock set back at midnight repeats yesterday */
			if (on < from_on)
				on = from_on;
			if (__builtin_add_overflow(amounts[on - from_on],
				dosage->dose_micro, &amounts[on - from_on]))
				return false;
		}
	}
	return true;
}
