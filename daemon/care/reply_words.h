#ifndef ADHERD_CARE_REPLY_WORDS_H
#define ADHERD_CARE_REPLY_WORDS_H

#include "care/reply_node.h"

/*
 * The tokens that patterns ask for, each with a number from 0 on, so that a
 * text is compared with them once and not by every pattern.
 */
struct pattern_words;

/* drafts: for what is needed until it is finished. */
struct pattern_words *pattern_words_create(
    struct arena *arena, struct arena *drafts);
void pattern_words_finish(struct pattern_words *words);
size_t pattern_words_count(const struct pattern_words *words);
/*
 * The number of a NODE_LITERAL, by its codepoint, or of a NODE_WORD or
 * NODE_STEM, by its letters; counts its use.
 */
uint32_t pattern_words_add(struct pattern_words *words, enum node_kind kind,
    uint32_t codepoint, const char *word, size_t bytes);
/* How often it was added, until it is finished. */
uint32_t pattern_words_uses(const struct pattern_words *words, uint32_t number);
/* False: no pattern asks for it.  `word` is of `bytes`, or unused. */
bool pattern_words_find(const struct pattern_words *words, enum node_kind kind,
    uint32_t codepoint, const char *word, size_t bytes, uint32_t *number);

#endif
