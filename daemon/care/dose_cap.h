#ifndef ADHERD_CARE_DOSE_CAP_H
#define ADHERD_CARE_DOSE_CAP_H

#include "care/dose_schedule.h"
#include "care/look.h"

/* Does a message that the first one leads take that later dose in? */
bool dose_same_message(
    const struct look *look, const struct dose *first, const struct dose *dose);
/*
 * Sort by authoredOn, then id, and mark what is refused whole: each schedule
 * with which some day of the coming week, or of the first week of what
 * begins within a year, would have more messages than the cap; and what was
 * refused before.
 */
void dose_refuse_over_cap(const struct look *look,
    const struct prescription **list, uint32_t count, bool *refused);

#endif
