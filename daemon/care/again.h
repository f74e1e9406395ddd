#ifndef ADHERD_CARE_AGAIN_H
#define ADHERD_CARE_AGAIN_H

#include "care/look.h"

/*
 * A message that was said before, judged as if it were new: the facts may
 * have changed since.  For another attempt, the repeat, the next channel.
 */
struct again {
	const struct open_delivery *open;
	const struct program *program;
	const struct plan_item *items; /* what is left of the message */
	uint32_t item_count;
	bool any_hour;      /* a dose outside its hours, which is allowed */
	enum reason reason; /* why it must not go out at all, or NONE */
	int64_t opens_at;   /* when its hours allow it; now where they do */
};

void again_judge(
    struct look *look, const struct open_delivery *open, struct again *again);
const struct program *again_program(
    const struct look *look, const struct open_delivery *open);
enum stage again_stage(const struct open_delivery *open);
/*
 * Send it by a channel; leaves look->said to the caller.  The step is the
 * caller's to complete, until the next one is added.
 */
struct plan_step *again_send(struct look *look, const struct again *again,
    enum channel channel, int32_t contact_no);

/* The entries of a message stand together, the first of them leads. */
struct message {
	struct said *leader; /* NULL: not remembered; until the next entry */
	uint32_t count;
};

struct message again_message(
    const struct look *look, const struct open_delivery *open);
/* Note how it ended, or that it is on its way again. */
void again_note(const struct look *look, const struct open_delivery *open,
    enum delivery_state state);
/*
 * A stop parts a message that is about to be said again: items that fare
 * otherwise than its first leave it, and each comes by itself, by a channel
 * that did not have it yet.
 */
void again_part(struct look *look, const struct open_delivery *open);
bool again_is_stopped(
    const struct look *look, const struct open_delivery *open);

#endif
