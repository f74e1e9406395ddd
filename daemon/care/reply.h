#ifndef ADHERD_CARE_REPLY_H
#define ADHERD_CARE_REPLY_H

#include "care/reply_label.h"
#include "care/reply_rules.h"

/*
 * What a patient's reply means, by tables of rules.  Pure: the same text,
 * question and tables give the same answer, from any thread.  The embedded
 * tables are read once, into findings that must be without an error:
 *
 *	rules = reply_rules_read(reply_files, reply_file_count, &findings);
 *
 * Of a text the first REPLY_BYTES_MAX bytes are understood, and of its words
 * REPLY_TOKENS_MAX.  Of what follows harm, deaths and refusals are, part by
 * part, up to 24 parts of so many bytes or words, and the whole is a question,
 * for a person to read.  Bytes that are no UTF-8 part words.
 */
#define REPLY_ITEMS_MAX 20

/* What the text answers. */
struct reply_question {
	enum reply_context context;
	/* of REPLY_ON_MULTI: "refill:二甲双胍", "followup"; borrowed */
	const char *const *items;
	size_t item_count; /* at most REPLY_ITEMS_MAX */
};

struct reply_intent {
	enum reply_label label;
	/*
	 * which decided: of a table; or "menu" (a digit that was offered),
	 * "items", "courtesy" (thanks beside nothing else), "likely" (no rule
	 * did, but its words: reply_likely.h), "long" (more than is read),
	 * "nothing"
	 */
	const char *rule;
	bool likely;
};

struct reply_slots {
	int32_t days_left;        /* -1: not said */
	int64_t units_left_micro; /* millionths; -1: not said */
	const char *unit;         /* as written; texts are NULL if not said */
	const char *until, *when;
	const char *topic, *channel;
	bool later;
	bool items_all;
	int item_count; /* -1: not said */
	int items[REPLY_ITEMS_MAX];
};

struct reply {
	enum reply_label primary;
	struct reply_intent intents[REPLY_LABEL_COUNT]; /* primary first */
	unsigned intent_count;
	struct reply_slots slots;
};

/*
 * At least one intent, REPLY_UNCLEAR alone where nothing was understood.
 * Texts of *reply live in the arena or are the rules' own.
 */
void reply_understand(const struct reply_rules *rules, const char *text,
    size_t bytes, const struct reply_question *question, struct arena *arena,
    struct reply *reply);
/* Bits of labels: those that rules found, and whose words were hidden. */
struct reply_evidence {
	uint32_t found, hidden;
};
/* What weights are learned from: reply_likely_features() of a whole reply. */
void reply_features(const struct reply_rules *rules, const char *text,
    size_t bytes, const struct reply_question *question, struct arena *arena,
    void (*each)(void *arg, const char *feature), void *arg,
    struct reply_evidence *evidence);

#endif
