#ifndef ADHERD_FLOW_RECEIPTS_H
#define ADHERD_FLOW_RECEIPTS_H

#include "base/clock.h"
#include "base/db.h"

/*
 * Receipts of the inbox, worked on: each moves its delivery forward, never
 * back.
 */
struct receipts;

/* Its transactions span several units: it waits until the db is idle. */
struct receipts *receipts_create(struct db *db, const struct clock *clock);
/* Work on those that are due; false: not yet, the connection is busy. */
bool receipts_look(struct receipts *receipts);
bool receipts_idle(const struct receipts *receipts);

#endif
