#ifndef ADHERD_CARE_FALLBACK_H
#define ADHERD_CARE_FALLBACK_H

#include "care/again.h"

/* See the top of fallback.c. */
enum fallback {
	FALLBACK_NONE,    /* and there will be none */
	FALLBACK_NOWHERE, /* no channel can carry it, as things stand */
	FALLBACK_WAITS,
	FALLBACK_SENT
};

/*
 * A message leaves by that channel now: have it looked at when its fallback
 * time is over, if its receipt can fail to come and somebody else can carry
 * it.
 */
void fallback_watch(struct look *look, const struct program *program,
    enum stage stage, enum channel channel, uint32_t tried,
    int64_t valid_until);
/* The channels that it went by, as CHANNEL_BIT()s. */
uint32_t fallback_tried(
    const struct look *look, const struct open_delivery *open);
/* Could another channel carry it, whatever stands in its way now? */
bool fallback_has_next(
    const struct look *look, const struct open_delivery *open);
/*
 * When its delivery may be taken for lost for want of a receipt; AT_NEVER:
 * not at all.
 */
int64_t fallback_at(const struct look *look, const struct open_delivery *open);
/*
 * Send what was judged by the next channel, if there is one: sent; waits for
 * a gateway or its two minutes; or none.
 */
enum fallback fallback_send(struct look *look, const struct again *again);
/*
 * The next channel for a delivery that is over where it went, or may be
 * taken for it: judged anew in full.  A wake is set where it waits.
 */
enum fallback fallback_begin(
    struct look *look, const struct open_delivery *open);
/* Did it reach the patient by another channel? */
bool fallback_reached(
    const struct look *look, const struct open_delivery *open);
/* Take note of what did reach the patient; before anything is decided. */
void fallback_learn(struct look *look);

#endif
