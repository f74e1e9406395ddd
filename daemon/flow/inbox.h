#ifndef ADHERD_FLOW_INBOX_H
#define ADHERD_FLOW_INBOX_H

#include "base/db.h"
#include "base/keyring.h"
#include "flow/gateway_host.h"

/*
 * The inbox: what providers tell us, stored before they get their answer.
 * receipts.h and replies.h have what becomes of it.
 */
struct inbox;

enum { INBOX_KEY_BYTES = 32 }; /* an event's, SHA-256 */
enum inbox_state { INBOX_NEW = 0, INBOX_DONE = 1, INBOX_UNMATCHED = 2 };

struct inbox *inbox_create(
    struct db *db, const struct clock *clock, struct keyring *keyring);
/* False until the clock is known: nothing can be taken in yet. */
bool inbox_ready(const struct inbox *inbox);
/*
 * Store the events of one callback, each once, whoever sends it how often: all
 * or none, perhaps together with those of others.  done is called from the
 * loop: false where they could not be stored.
 */
void inbox_store(struct inbox *inbox, const struct gateway *gateway,
    const struct gw_event *events, size_t count,
    void (*done)(bool stored, void *arg), void *arg);
/*
 * A statement of the unit: the work on this event is over, or put off until
 * next_at (unmoved), which counts as one more try.
 */
void inbox_add_done(struct db_unit *unit, const uint8_t *event_key,
    enum inbox_state state, int64_t next_at);

#endif
