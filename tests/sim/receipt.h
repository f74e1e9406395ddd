#ifndef ADHERD_TESTS_SIM_RECEIPT_H
#define ADHERD_TESTS_SIM_RECEIPT_H

#include "tests/sim/ledger.h"

struct http_response;

/*
 * Delivery receipts: planned when a message is taken, posted in batches to
 * the endpoint's callback address, again by the provider's schedule until
 * they are acknowledged.  Every post is remembered with its answer.
 */
struct receipts *receipts_create(struct sim *sim);
void receipts_free(struct receipts *receipts);
/*
 * Plan what will be told of this message, as the switches have it.  Returns
 * how many microseconds its answer has to wait so that the receipt is first.
 */
int64_t receipts_plan(struct receipts *receipts, struct entry *entry);
/* Is that the answer by which the vendor knows that we have it? */
bool receipts_acknowledged(
    enum endpoint endpoint, const struct http_response *response);
/* Until the next try of a push tried so often; -1: it is given up. */
int64_t receipts_wait_us(
    const struct sim *sim, enum endpoint endpoint, int tries);
/* {"callbacks":[…],"next":seq,"forgotten":n} */
void receipts_write(struct receipts *receipts, uint64_t since, uint64_t limit,
    struct buf *out, struct arena *arena);
void receipts_write_summary(
    struct receipts *receipts, struct json_writer *writer);

#endif
