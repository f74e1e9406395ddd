#ifndef ADHERD_CARE_REPLY_RULES_H
#define ADHERD_CARE_REPLY_RULES_H

#include "care/finding.h"
#include "care/reply_likely.h"
#include "care/reply_pattern.h"

/*
 * The tables by which a reply is understood, one file a language, as a
 * pharmacist can read and change them: daemon/care/reply/NAME.rules, whose
 * README.md has the form.  Reading is strict: what is wrong is told with its
 * file and line.
 */
struct reply_file {
	const char *name; /* "zh" */
	const char *text;
};

/* Embedded at build. */
extern const struct reply_file reply_files[];
extern const size_t reply_file_count;

#define REPLY_RULE_LABELS_MAX 4

enum reply_slot {
	REPLY_SLOT_NONE,
	REPLY_SLOT_LEFT,  /* a quantity of what is left */
	REPLY_SLOT_WHEN,  /* a phrase of the set */
	REPLY_SLOT_UNTIL, /* the same */
	REPLY_SLOT_TOPIC,
	REPLY_SLOT_CHANNEL,
	REPLY_SLOT_LATER,
	REPLY_SLOT_ITEMS /* "all" or "none" */
};

/* A text that a rule is meant for, or is not meant for. */
struct reply_example {
	const char *text;
	enum reply_context context;
	bool counter; /* the rule's label must not come of it */
	int line;
};

struct reply_rule {
	const char *name;
	const char *file;
	int line;
	bool hide;  /* takes words away from the labels' rules */
	bool last;  /* looked at when all others were */
	bool alone; /* only where there is none yet but caregiver */
	unsigned label_count;
	enum reply_label labels[REPLY_RULE_LABELS_MAX];
	uint32_t hidden_from; /* 1 << label, of a hide */
	uint32_t contexts;    /* 1 << context; all where none is named */
	uint32_t unless;      /* 1 << label: not beside these */
	enum reply_slot slot;
	const char *slot_word; /* of a topic, a channel, items; "none" left */
	struct list slot_choices; /* struct pattern, of when and until */
	struct list patterns;     /* struct pattern */
	struct list excluded;     /* struct pattern: nowhere in the text */
	struct list excused;      /* struct pattern: not in a match's clauses */
	struct list examples;     /* struct reply_example */
};

struct reply_rules {
	struct list rules; /* struct reply_rule, in the files' order */
	struct pattern_book book;
	struct reply_likely likely;
};

/*
 * Read the files into the findings' arena; what is wrong becomes a finding,
 * and a rule with an error is left out.
 */
const struct reply_rules *reply_rules_read(
    const struct reply_file *files, size_t count, struct findings *findings);

#endif
