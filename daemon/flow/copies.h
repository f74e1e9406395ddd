#ifndef ADHERD_FLOW_COPIES_H
#define ADHERD_FLOW_COPIES_H

#include "base/db.h"
#include "flow/account.h"

/*
 * The copies of the daemon that are alive: each has a row with a heartbeat,
 * and they share the rates of accounts evenly.
 */
struct copies;

#define COPIES_BEAT_US (5 * SECOND_US)

/* Strings and parts are borrowed. */
struct copies *copies_create(struct db *db, const struct clock *clock,
    struct accounts *accounts, const char *name, const char *role);
/* Each COPIES_BEAT_US, and until the first one is stored more often. */
void copies_beat(struct copies *copies);
must_check bool copies_joined(const struct copies *copies);
/* Add the end of this copy, in order, to a unit. */
void copies_leave(struct copies *copies, struct db_unit *unit);

#endif
