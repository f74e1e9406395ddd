#ifndef ADHERD_TESTS_SIM_WEBHOOK_H
#define ADHERD_TESTS_SIM_WEBHOOK_H

#include "base/http_client.h"
#include "tests/sim/ledger.h"

/*
 * A hospital's own gateway, by Standard Webhooks: takes signed messages at
 * /webhook, each reference once, and signs what it calls back.  Written from
 * the specification, sharing nothing with the gateway.
 */
struct webhook;

#define WEBHOOK_HEADERS 4

/* A bad secret ends the program.  Secrets are borrowed; NULL: not served. */
struct webhook *webhook_create(const char *secret, const char *callback_secret);
void webhook_free(struct webhook *webhook);
/* The headers of a callback, in the arena: the id stays on a repeat. */
void webhook_sign(const struct webhook *webhook, const char *id,
    const struct buf *body, struct arena *arena,
    struct http_header headers[WEBHOOK_HEADERS]);

#endif
