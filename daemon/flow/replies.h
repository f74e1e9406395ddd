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
 * Work on those that are due, one after the other for REPLIES_US; false: not
 * yet, the connection is busy.
 */
#define REPLIES_US (SECOND_US / 2)
bool replies_look(struct replies *replies);
bool replies_idle(const struct replies *replies);

/*
 * Of gateways with the setting reply-codes: three digits that tell patients
 * at one number apart, nearly always; where not, it is not clear who is meant.
 */
int reply_code(int64_t patient_id);

#endif
