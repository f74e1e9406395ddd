#ifndef ADHERD_CARE_REPLY_NODE_H
#define ADHERD_CARE_REPLY_NODE_H

#include "care/reply_pattern.h"

/*
 * Inside of reply_pattern*.c: what a pattern is made of.
 */
#define GAP_SHORT 3
#define GAP_LONG 8
#define GAP_FAR 40

#define MICRO INT64_C(1000000)

enum node_kind {
	NODE_LITERAL, /* one token by its codepoint */
	NODE_WORD,    /* one token by its letters */
	NODE_STEM,    /* its beginning */
	NODE_GROUP,   /* one of the choices */
	NODE_MAYBE,   /* one of them or nothing */
	NODE_SET,
	NODE_GAP,
	NODE_NUMBER,
	NODE_DAYS,
	NODE_UNITS,
	NODE_CLAUSE_START,
	NODE_CLAUSE_END,
	NODE_TEXT_START,
	NODE_TEXT_END
};

struct pattern_bounds { /* of a number, in millionths */
	int64_t least, most;
	bool fraction; /* no whole number */
};

/* Sixteen bytes: the tables have a hundred thousand. */
struct pattern_node {
	enum node_kind kind;
	union {
		uint32_t number; /* of a token: reply_words.h */
		int gap;
	};
	union {
		const struct list *choices;          /* of a group, or maybe */
		const struct pattern_set *set;       /* of a set */
		const struct pattern_bounds *bounds; /* of a number */
	};
};

/* A choice of a set that may begin with a token. */
struct pattern_first {
	uint32_t number; /* of the token */
	uint32_t choice;
};

/* A piece of that content, which is copied where there is none yet. */
const void *pattern_share(
    const struct pattern_book *book, const void *data, size_t bytes);
/* A list that grows no more: of its own size, and shared. */
void pattern_keep(const struct pattern_book *book, struct list *list);
/* Find the keys of a pattern that is read. */
void pattern_keys(const struct pattern_book *book, struct pattern *pattern);

static inline bool
node_is_token(const struct pattern_node *node)
{
	return node->kind <= NODE_STEM;
}

static inline bool
node_has_choices(const struct pattern_node *node)
{
	return node->kind == NODE_GROUP || node->kind == NODE_MAYBE;
}

static inline bool
node_is_mark(enum node_kind kind)
{
	return kind >= NODE_CLAUSE_START;
}

#endif
