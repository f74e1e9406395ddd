#ifndef ADHERD_CARE_LADDER_H
#define ADHERD_CARE_LADDER_H

#include "care/look.h"

/*
 * Add the stages around run-out that are due, refills and renewals, and
 * the tasks about supplies; wake for what comes next.
 */
void ladder_collect(struct look *look);
/*
 * When the product of that prescription runs out, while its cycle is open
 * under that date; else ON_UNKNOWN.
 */
int32_t ladder_run_out_on(
    struct look *look, enum kind kind, int32_t source, int32_t occurrence_on);

#endif
