#ifndef ADHERD_CARE_REPLY_SENSE_H
#define ADHERD_CARE_REPLY_SENSE_H

#include "care/reply.h"

/*
 * Inside of reply*.c: what was found in a text, or in a part of it.
 */
struct sense {
	const struct reply_rules *rules;
	struct arena *arena;
	const char *rule_of[REPLY_LABEL_COUNT]; /* NULL: does not hold */
	struct reply_slots slots;
};

void sense_init(
    struct sense *sense, const struct reply_rules *rules, struct arena *arena);
bool sense_has(const struct sense *sense, enum reply_label label);
uint32_t sense_labels(const struct sense *sense); /* 1 << label */
/* The first rule that says so is kept. */
void sense_add(struct sense *sense, enum reply_label label, const char *rule);
/* Run the tables over a text that answers a question of that context. */
void sense_read(
    struct sense *sense, struct reply_text *text, enum reply_context context);
/*
 * A digit of the menu that a question offers; true: the text is nothing
 * else.
 */
bool sense_menu(struct sense *sense, const struct reply_text *text,
    enum reply_context context);
/*
 * The same ahead of words or behind them, where they do not answer the
 * question otherwise.
 */
void sense_menu_beside(struct sense *sense, const struct reply_text *text,
    enum reply_context context);
/*
 * Several items: which are chosen and what is said of others.  True: the
 * text names some, so that its answers are told item by item.
 */
bool sense_items(struct sense *sense, const struct reply_text *text,
    const struct reply_question *question);

#endif
