#ifndef ADHERD_FLOW_ESCALATION_H
#define ADHERD_FLOW_ESCALATION_H

#include "base/clock.h"
#include "base/db.h"

/*
 * Tasks that nobody took up go up the ladder of care/escalation.h: whoever of
 * the care team is on the rung is owed a message, which the member's own
 * agenda row carries.
 */
struct escalations;

/* Its transactions span several units: it waits until the db is idle. */
struct escalations *escalations_create(
    struct db *db, const struct clock *clock);
/* Work on those that are due, unless the connection is busy. */
bool escalations_look(struct escalations *escalations);
bool escalations_idle(const struct escalations *escalations);

#endif
