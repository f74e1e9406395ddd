#ifndef ADHERD_CARE_REPLY_TEXT_H
#define ADHERD_CARE_REPLY_TEXT_H

#include "base/mem.h"

/*
 * A reply as its words: folded to small half-width letters, ASCII digits and
 * simplified characters, without what is invisible, each piece with the place
 * in the text that it was written at.
 */
#define REPLY_BYTES_MAX 2000 /* read at once */
#define REPLY_TOKENS_MAX 767

enum reply_token_kind {
	TOKEN_HAN,    /* one character that is neither Latin nor a mark */
	TOKEN_WORD,   /* Latin letters */
	TOKEN_NUMBER, /* digits, perhaps with a decimal point */
	TOKEN_MARK,   /* : / - + and the enumeration comma: no break */
	TOKEN_SPACE,  /* between words of which one is not Latin */
	TOKEN_SYMBOL, /* an emoji */
	TOKEN_BREAK   /* punctuation that ends a clause, a new line */
};

struct reply_token {
	enum reply_token_kind kind;
	uint32_t codepoint; /* folded; of a break with a ? in it: ? */
	const char *word;   /* of words and numbers, else NULL */
	uint32_t from, to;  /* bytes of the text */
	uint32_t hidden;    /* 1 << label: not for its rules */
};

struct reply_text {
	const char *text; /* as it came */
	struct reply_token *tokens;
	size_t count;
	size_t bytes; /* that were read; the rest was too much at once */
};

/* Bytes that are no UTF-8 are breaks. */
void reply_text_read(const char *text, size_t bytes, struct arena *arena,
    struct reply_text *out);
/* A character of three bytes of UTF-8, which most of Chinese are. */
static inline uint32_t
reply_han(const char *at)
{
	return (uint32_t)(at[0] & 0x0f) << 12 | (uint32_t)(at[1] & 0x3f) << 6 |
	       (uint32_t)(at[2] & 0x3f);
}

/* Is there one of these characters, of three bytes each, at a token? */
bool reply_text_has(const struct reply_text *text, size_t at, const char *han);
/* Does a token separate clauses? */
bool reply_token_separates(const struct reply_token *token);
/*
 * One codepoint as it is compared; at most `max` codepoints in out, 0 where
 * it leaves nothing.
 */
size_t reply_fold(uint32_t codepoint, uint32_t *out, size_t max);
/* A traditional character as its simplified form; others as they are. */
uint32_t reply_simplify(uint32_t codepoint);

#endif
