#ifndef ADHERD_CARE_REPLY_PATTERN_H
#define ADHERD_CARE_REPLY_PATTERN_H

#include "care/finding.h"
#include "care/reply_quantity.h"
#include "care/reply_text.h"

/*
 * Patterns of words, as the tables of rules have them (care/reply/README.md):
 *
 *	吃 [完|过] 了 $          characters, a choice that may be missing
 *	(no|without) _ {ill}     words, a short gap, a named set
 *
 * Matching is by sets of places: its time is bounded by the length of the
 * pattern times that of the text, whatever they are.
 */
#define PATTERN_BITS_WORDS ((REPLY_TOKENS_MAX + 1) / 64)

/* Places between tokens: bit n is the place before token n. */
struct pattern_places {
	uint64_t word[PATTERN_BITS_WORDS];
};

struct pattern_set {
	const char *name;
	struct list choices; /* struct pattern */
	struct pattern_set *next;
};

struct pattern {
	struct list nodes; /* struct pattern_node, internal */
	uint64_t needs;    /* bits of tokens without which it cannot match */
};

/* Where a pattern is read. */
struct pattern_reader {
	struct arena *arena;
	struct pattern_set *sets;
	const char *wrong; /* a fixed phrase, once something is */
	const char *where; /* the text from there on */
};

/* The choices of a text, `a | b`, added to the list; false: wrong is set. */
must_check bool pattern_read(
    struct pattern_reader *reader, const char *text, struct list *choices);
/* Is its end one that may be missing, so that it adds nothing? */
bool pattern_ends_loosely(const struct pattern *pattern);
struct pattern_set *pattern_set_find(
    struct pattern_set *sets, const char *name);

struct pattern_subject {
	const struct reply_text *text;
	const struct quantities *quantities;
	uint32_t label_bit; /* tokens hidden from it do not match */
	unsigned words;     /* of places in use */
	uint64_t has;       /* bits of the tokens of the text */
	struct pattern_places clause_start, clause_end, text_start, text_end;
};

void pattern_subject_init(struct pattern_subject *subject,
    const struct reply_text *text, const struct quantities *quantities);
/* Does one of the choices match anywhere? */
bool pattern_matches(
    const struct pattern_subject *subject, const struct list *choices);
/*
 * The first of the longest matches at or after `from`, not past `to`; false:
 * none.  [*begin, *end) are tokens, blanks at its ends left out.
 */
bool pattern_find(const struct pattern_subject *subject,
    const struct list *choices, size_t from, size_t to, size_t *begin,
    size_t *end);

#endif
