#ifndef ADHERD_FLOW_HOLD_H
#define ADHERD_FLOW_HOLD_H

#include "base/clock.h"
#include "base/loop.h"
#include "flow/dispatch.h"

/*
 * Deliveries that were claimed ahead of their time, each until its instant:
 * what leaves at ten o'clock is written before, and its people are not all
 * looked up at ten.
 */
struct hold;

/*
 * released gets what is due, a chain in the order of not_before, from the
 * loop.  All borrowed.
 */
struct hold *hold_create(struct loop *loop, const struct clock *clock,
    void (*released)(struct delivery *first, void *arg), void *arg);
void hold_free(struct hold *hold); /* what it holds is not its own */
/* A chain by delivery->next, in any order, each with its not_before. */
void hold_add(struct hold *hold, struct delivery *chain);
bool hold_empty(const struct hold *hold);
/* Those of which this is true, as a chain; they are held no more. */
struct delivery *hold_take(struct hold *hold,
    bool (*wanted)(const struct delivery *delivery, const void *arg),
    const void *arg);

#endif
