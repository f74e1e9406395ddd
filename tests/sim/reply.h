#ifndef ADHERD_TESTS_SIM_REPLY_H
#define ADHERD_TESTS_SIM_REPLY_H

#include "tests/sim/sim.h"

/*
 * What people answer: POST /reply {"endpoint","from","text","extend"} is
 * pushed to the endpoint's callback in the vendor's shape, again by the
 * vendor's schedule until it is acknowledged.  Pages of other origins are
 * refused.
 */
struct replies *replies_create(struct sim *sim);
void replies_free(struct replies *replies);
/* arg is struct replies. */
void reply_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg);
/* Can this number answer what it got by this endpoint? */
bool reply_has_path(
    const struct sim *sim, enum endpoint endpoint, const char *from);
/* An array of what was said last from there, at most 50, oldest first. */
void replies_write_phone(const struct replies *replies,
    struct json_writer *writer, const char *address, struct arena *arena);
void replies_write_summary(
    const struct replies *replies, struct json_writer *writer);

#endif
