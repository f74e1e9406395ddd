#ifndef ADHERD_FLOW_AFTERMATH_H
#define ADHERD_FLOW_AFTERMATH_H

#include "flow/gateway_host.h"
#include "flow/outcome.h"
#include "flow/state_file.h"

/*
 * What comes before the first claim on a connection: how processes before us
 * died is told, so that whoever killed three is set aside, and a plug-in
 * that did is paused; and what we remember to have sent is held against the
 * database.  Where that knows less it was restored or failed over: all
 * gateways are paused until `adherctl resume --assume-sent-until`.
 */
struct aftermath;

/* state may be NULL: nothing is remembered, nothing is to be done. */
struct aftermath *aftermath_create(struct db *db, const struct clock *clock,
    struct gateways *gateways, struct outcomes *outcomes,
    struct state_file *state, const char *copy);
/* A new connection, maybe to another database. */
void aftermath_connected(struct aftermath *aftermath);
bool aftermath_done(const struct aftermath *aftermath);
/* Do what is to be done; done is called from the loop, in any case. */
void aftermath_run(
    struct aftermath *aftermath, void (*done)(void *arg), void *arg);
/* Does the database know less than we sent? */
bool aftermath_behind(const struct aftermath *aftermath);

#endif
