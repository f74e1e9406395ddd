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
 * pattern times that of the text, whatever they are.  What all patterns ask
 * of a text is found once: the places of each token, and what a set matches
 * from a place.
 */
#define PATTERN_BITS_WORDS ((REPLY_TOKENS_MAX + 1) / 64)
#define PATTERN_VIEWS 33 /* of all tokens; of those not hidden, by label */

/* Places between tokens: bit n is the place before token n. */
struct pattern_places {
	uint64_t word[PATTERN_BITS_WORDS];
};

struct pattern_node;

struct pattern_set {
	const char *name;
	uint32_t number;
	struct list choices;  /* struct pattern */
	struct list firsts;   /* struct pattern_first, internal, by token */
	uint64_t *first_bits; /* by number of a token: is it among them? */
	struct list others;   /* uint32_t: choices that begin with no token */
	struct pattern_set *next;
};

/* 24 bytes: the tables have tens of thousands. */
struct pattern {
	const struct pattern_node *nodes; /* internal */
	/* numbers of tokens, of which a text has one or does not match */
	const uint32_t *keys;
	uint32_t node_count;
	uint32_t key_count; /* 0: it may match any */
};

struct pattern_words;
struct pattern_shared;

/* What the patterns of some tables share. */
struct pattern_book {
	struct arena *arena;
	/* while tables are read: of a pattern, of lists; pieces by content */
	struct arena *scratch, *drafts;
	struct pattern_shared *shared;
	struct pattern_set *sets;
	uint32_t set_count;
	struct pattern_words *words;
};

void pattern_book_init(struct pattern_book *book, struct arena *arena);
/* A set without choices, of a name that is not in the book. */
struct pattern_set *pattern_set_add(
    struct pattern_book *book, const char *name);
/* Does a set have another in it, or is it the same? */
bool pattern_set_holds(
    const struct pattern_set *set, const struct pattern_set *other);
struct pattern_set *pattern_set_find(
    const struct pattern_book *book, const char *name);
/* To be called once all sets have their choices. */
void pattern_book_finish(struct pattern_book *book);

/* Where a pattern is read. */
struct pattern_reader {
	struct pattern_book *book;
	const struct pattern_set *within; /* the choices become this set's */
	const char *wrong; /* a fixed phrase, once something is */
	const char *where; /* the text from there on */
};

/* The choices of a text, `a | b`, added to the list; false: wrong is set. */
must_check bool pattern_read(
    struct pattern_reader *reader, const char *text, struct list *choices);
/* Is its end one that may be missing, so that it adds nothing? */
bool pattern_ends_loosely(const struct pattern *pattern);

/* Spans of tokens, at most one from each place. */
struct pattern_spans {
	struct pattern_places begin;
	uint16_t *end;  /* by the place of the begin */
	int64_t *micro; /* of numbers, too */
};

struct pattern_memo;

/* A text as patterns see it; lives in an arena. */
struct pattern_subject {
	const struct reply_text *text;
	const struct quantities *quantities;
	const struct pattern_book *book;
	struct arena *arena;
	unsigned words; /* of places in use */
	unsigned view;  /* 0: all tokens */
	const struct pattern_places *hidden;
	const struct pattern_places *hidden_in[PATTERN_VIEWS];
	struct pattern_memo **memos[PATTERN_VIEWS]; /* by number of the set */
	uint16_t *slots;          /* by number of a token; 0: not in the text */
	struct list token_places; /* struct pattern_places, by slot */
	struct list slot_numbers; /* uint32_t: whose slot it is */
	struct list marks;        /* uint32_t: numbers of tokens, by place */
	uint32_t *marks_begin;    /* by place */
	struct pattern_spans numbers, days, units;
	struct pattern_places clause_start, clause_end, text_start, text_end;
	struct pattern_places passable, short_gap, long_gap, all;
};

void pattern_subject_init(struct pattern_subject *subject,
    const struct pattern_book *book, const struct reply_text *text,
    const struct quantities *quantities, struct arena *arena);
/*
 * Tokens hidden from the label do not match from now on; 0: all do.  What is
 * hidden from it does not change after the first call.
 */
void pattern_subject_view(struct pattern_subject *subject, uint32_t label_bit);
/* Does one of the choices match anywhere? */
bool pattern_matches(
    struct pattern_subject *subject, const struct list *choices);

/* The choices that match somewhere, and where they may begin. */
struct pattern_search {
	struct pattern_subject *subject;
	struct list live; /* internal */
	struct pattern_places begin;
};

void pattern_search_start(struct pattern_search *search,
    struct pattern_subject *subject, const struct list *choices);
/*
 * The first of the longest matches at or after `from`, not past `to`; false:
 * there is none.
 */
bool pattern_search_next(struct pattern_search *search, size_t from, size_t to,
    size_t *begin, size_t *end);
/* Both in one. */
bool pattern_find(struct pattern_subject *subject, const struct list *choices,
    size_t from, size_t to, size_t *begin, size_t *end);

#endif
