#ifndef ADHERD_FLOW_CLAIMS_H
#define ADHERD_FLOW_CLAIMS_H

#include "flow/planning.h"

/*
 * The claims of a round: which people are taken, in which order and share.
 */
struct claims;

struct claims *claims_create(struct gateways *gateways); /* borrowed */
/* Timed people are taken so long before their time. */
void claims_reload(struct claims *claims, int64_t ahead_us);
/* How many people may be looked at, up to most: as many as gateways can take.
 */
uint32_t claims_room(const struct claims *claims, uint32_t most);
/*
 * Add the claims to a unit that began a transaction; the round, which must
 * outlive the unit, gets the people.  limit: of the timed, 0 for none; most:
 * of urgent people and of those who waited for a gateway.  With most = 1 the
 * round gets one person at most, from each kind by turns.
 */
void claims_add(struct claims *claims, struct db_unit *unit,
    struct look_round *round, uint32_t limit, uint32_t most);
/* Did the last claim leave others who are due? */
bool claims_backlog(const struct claims *claims);

#endif
