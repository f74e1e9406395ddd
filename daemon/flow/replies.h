#ifndef ADHERD_FLOW_REPLIES_H
#define ADHERD_FLOW_REPLIES_H

#include "base/clock.h"
#include "base/db.h"
#include "base/keyring.h"
#include "flow/gateway_host.h"

/*
 * Replies of the inbox, worked on one by one: whose address it is, what was
 * asked there last, what the text means, and what follows of it by the table
 * of care/reply_effect.h, all in one transaction.
 */
struct replies;

/* Its transactions span several units: it waits until the db is idle. */
struct replies *replies_create(struct db *db, const struct clock *clock,
    struct keyring *keyring, const struct gateways *gateways);
/*
 * Work on those that are due, at most REPLIES_AT_ONCE, unless the connection
 * is busy.
 */
enum { REPLIES_AT_ONCE = 100 };
void replies_look(struct replies *replies);
bool replies_idle(const struct replies *replies);

/*
 * Of gateways with the setting reply-codes: three digits that tell patients
 * at one number apart, nearly always; where not, it is not clear who is meant.
 */
int reply_code(int64_t patient_id);

#endif
