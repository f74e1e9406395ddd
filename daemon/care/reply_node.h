#ifndef ADHERD_CARE_REPLY_NODE_H
#define ADHERD_CARE_REPLY_NODE_H

#include "care/reply_pattern.h"

/*
 * Inside of reply_pattern*.c: what a pattern is made of.
 */
#define GAP_SHORT 3
#define GAP_LONG 8
#define GAP_FAR 40

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

struct pattern_node {
	enum node_kind kind;
	uint32_t codepoint;
	const char *word;
	size_t word_bytes;
	int gap;
	struct list choices; /* struct pattern */
	const struct pattern_set *set;
};

/*
 * One of 64 bits for a token: of letters by the word, else by its codepoint.
 * Most choices of a set have a token that the text has not; by these bits
 * they cost one comparison.
 */
static inline uint64_t
token_bit(const char *word, uint32_t codepoint)
{
	uint32_t hash = word == NULL ? codepoint : 0;

	for (; word != NULL && *word != '\0'; word++)
		hash = hash * 31 + (unsigned char)*word;
	return UINT64_C(1) << (hash * UINT32_C(2654435761) >> 26);
}

#endif
