#ifndef ADHERD_CARE_REPLY_JSON_H
#define ADHERD_CARE_REPLY_JSON_H

#include "base/json.h"
#include "care/reply.h"

/* What was stated in a reply, as one JSON object: what is there, no more. */
void reply_slots_write(const struct reply_slots *slots, struct json_writer *w);
void reply_slots_json(const struct reply_slots *slots, struct buf *out);

#endif
