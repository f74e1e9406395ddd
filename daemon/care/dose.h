#ifndef ADHERD_CARE_DOSE_H
#define ADHERD_CARE_DOSE_H

#include "care/look.h"

/* Add the dose messages, holds and tasks that are due; wake for the next. */
void dose_collect(struct look *look);

#endif
