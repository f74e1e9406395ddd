#ifndef ADHERD_CARE_PENDING_H
#define ADHERD_CARE_PENDING_H

#include "care/look.h"

/*
 * Decide about the open deliveries: attempt again, ask the provider, close.
 * Runs before new messages are considered, so that they keep their distance.
 */
void pending_collect(struct look *look);

#endif
