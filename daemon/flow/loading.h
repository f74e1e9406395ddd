#ifndef ADHERD_FLOW_LOADING_H
#define ADHERD_FLOW_LOADING_H

#include "flow/planning.h"

/*
 * Add what reads the dossiers and open deliveries of the round's people to a
 * unit; they are sorted by bucket and id, and their fields filled in as the
 * answers come.  The round and the clock must live until then.
 */
void loading_add(
    struct look_round *round, const struct clock *clock, struct db_unit *unit);

#endif
