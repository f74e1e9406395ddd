#ifndef ADHERD_CARE_FOLLOW_UP_H
#define ADHERD_CARE_FOLLOW_UP_H

#include "care/look.h"

/*
 * Is a visit with that prescriber booked for a day in [from_on, until_on)?
 */
bool follow_up_booked(const struct look *look, const char *prescriber,
    int32_t from_on, int32_t until_on);
/*
 * When the last visit with that prescriber before that day took place;
 * AT_UNKNOWN: none.
 */
int64_t follow_up_last_kept_at(
    const struct look *look, const char *prescriber, int32_t before_on);
/*
 * Does a message about that visit, date and stage still hold?  Not once it
 * took place, was cancelled, moved to another day, or began.
 */
bool follow_up_is_open(const struct look *look, int32_t source,
    int32_t occurrence_on, int32_t slot);

/* Add what is due about visits; wake for what comes next. */
void follow_up_collect(struct look *look);

#endif
