#ifndef ADHERD_FLOW_INBOX_H
#define ADHERD_FLOW_INBOX_H

#include "base/db.h"
#include "base/keyring.h"
#include "flow/gateway_host.h"

/*
 * The inbox: what providers tell us, stored before they get their answer
 * and worked on afterwards.  An event is stored once, whoever sends it how
 * often; a receipt moves its delivery forward, never back.
 */
struct inbox;

/*
 * db: its own transactions span several units, it waits until the
 * connection is idle; store_db: one unit an insert.
 */
struct inbox *inbox_create(struct db *db, struct db *store_db,
    const struct clock *clock, struct gateways *gateways,
    struct keyring *keyring);
/* False until the clock is known: nothing can be taken in yet. */
bool inbox_ready(const struct inbox *inbox);
/*
 * Store the events of one callback.  done is called from the loop: false
 * where they could not be stored, and then none was.
 */
void inbox_store(struct inbox *inbox, const struct gateway *gateway,
    const struct gw_event *events, size_t count,
    void (*done)(bool stored, void *arg), void *arg);
void inbox_look(struct inbox *inbox); /* work, unless the connection is busy */
bool inbox_idle(const struct inbox *inbox);

#endif
