#ifndef ADHERD_CARE_TIMING_WORDS_H
#define ADHERD_CARE_TIMING_WORDS_H

#include "care/timing_rule.h"

/*
 * What the words of a shorthand text say, gathered by timing_text.c and
 * made into a rule, or into a question, by timing_sense.c.  Internal to
 * these.
 */
enum { TEXT_BYTES_MAX = 200 };

enum mark { /* bits */
	MARK_NEEDED = 1,
	MARK_ONCE = 2,
	MARK_DIRECTED = 4,
	MARK_FASTING = 8,
	MARK_DAILY = 16, /* every day, but not how often */
	MARK_ROUTE = 32,
	MARK_SILENT = 64
};

struct phrase {
	const char *text;
	int32_t frequency, period; /* 0: says nothing of it */
	enum unit unit;
	uint32_t when;  /* named times */
	uint32_t meals; /* all three of them */
	unsigned mark;
};

struct span { /* bytes of the tidied text */
	const char *from, *to;
};

struct words {
	struct arena *arena;
	const char *original; /* as it was written */
	char tidied[TEXT_BYTES_MAX + 1];
	uint16_t origin[TEXT_BYTES_MAX + 1]; /* of each byte of it */
	const char *at;           /* what is left of the tidied text */
	struct list said, unread; /* struct span: understood, or not */
	bool contradicts;

	int32_t frequency, period;
	enum unit unit;
	uint32_t when, meals;
	uint32_t when_count; /* phrases that named a time */
	int32_t offset_min;  /* of all of them; -1: none */
	unsigned marks;
	int64_t dose_micro;                      /* -1 */
	const char *dose_word;                   /* its unit, of the table */
	const char *dose_unit, *route, *fasting; /* as written; NULL */
};

/* Read the tidied text to its end. */
void words_read(struct words *words);
/* What stands between two places of the tidied text, as it was written. */
const char *words_original(
    const struct words *words, const char *from, const char *to);
/* Note what was stepped over since `from`; neighbours become one. */
void words_say(struct words *words, struct list *spans, const char *from);

#endif
