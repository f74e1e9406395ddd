#ifndef ADHERD_FLOW_ADDRESSES_H
#define ADHERD_FLOW_ADDRESSES_H

#include "base/clock.h"
#include "base/db.h"

/*
 * What the inbox says of addresses, worked on: one that left is not used any
 * more, one that came back is used again; and what is said of credits for
 * messages to them.
 */
struct addresses;

/* Its transactions span several units: it waits until the db is idle. */
struct addresses *addresses_create(struct db *db, const struct clock *clock);
/* Work on those that are due, unless the connection is busy. */
bool addresses_look(struct addresses *addresses);
bool addresses_idle(const struct addresses *addresses);

#endif
