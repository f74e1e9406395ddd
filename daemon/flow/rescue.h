#ifndef ADHERD_FLOW_RESCUE_H
#define ADHERD_FLOW_RESCUE_H

#include "base/clock.h"
#include "base/db.h"

/*
 * Rescue: rounds whose copy died, froze or was cut off.  What they left in
 * `sending` becomes `unknown`, and their people are looked at again.
 */
struct rescue;

struct rescue *rescue_create(struct db *db, const struct clock *clock);
void rescue_look(struct rescue *rescue); /* unless the connection is busy */
bool rescue_idle(const struct rescue *rescue);

#endif
