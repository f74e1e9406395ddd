#ifndef ADHERD_CARE_DOSE_SCHEDULE_H
#define ADHERD_CARE_DOSE_SCHEDULE_H

#include "care/dossier.h"

/* One time at which a patient takes something. */
struct dose {
	const struct prescription *prescription;
	int64_t at;
	int32_t date_on, time_s; /* local: the occurrence */
	int64_t next_at; /* the product's next dose in the list; AT_NEVER */
};

/* Is this prescription in force at now? */
bool dose_prescription_active(
    const struct prescription *prescription, int64_t now);
/* When its dosages end: AT_NEVER for therapy without an end. */
int64_t dose_schedule_end(
    const struct dossier *dossier, const struct prescription *prescription);
/*
 * The instants in [from, to) at which a dosage begins, at most `max` of
 * them; how many there are.
 */
uint32_t dose_schedule_begins(const struct dossier *dossier,
    const struct prescription *prescription, int64_t from, int64_t to,
    int64_t *begins, uint32_t max);
/*
 * The doses of a prescription in [from, to), ascending, each local date and
 * time once, whatever its status.  NULL and 0 where it has none or more
 * than can be expanded.
 */
uint32_t dose_expand(const struct dossier *dossier,
    const struct prescription *prescription, int64_t from, int64_t to,
    struct arena *arena, const struct dose **doses);
/*
 * Add the units that the prescription needs on each local date in
 * [from_on, until_on) to amounts, whatever its status.  False where that
 * is more than can be expanded.  Every dosage must state its dose.
 */
must_check bool dose_amounts(const struct dossier *dossier,
    const struct prescription *prescription, int32_t from_on, int32_t until_on,
    struct arena *arena, int64_t *amounts);
/* Order of doses for qsort(): time, then id. */
int dose_compare(const void *left, const void *right);

#endif
