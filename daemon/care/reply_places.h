#ifndef ADHERD_CARE_REPLY_PLACES_H
#define ADHERD_CARE_REPLY_PLACES_H

#include <string.h>

#include "care/reply_pattern.h"

/*
 * Inside of reply_pattern*.c: sets of places, as many words of them as the
 * text needs.
 */
static inline void
places_put(struct pattern_places *places, size_t at)
{
	places->word[at / 64] |= (uint64_t)1 << (at % 64);
}

static inline bool
places_have(const struct pattern_places *places, size_t at)
{
	return places->word[at / 64] >> (at % 64) & 1;
}

static inline void
places_clear(const struct pattern_subject *s, struct pattern_places *places)
{
	memset(places->word, 0, s->words * sizeof(places->word[0]));
}

static inline void
places_copy(const struct pattern_subject *s, struct pattern_places *to,
    const struct pattern_places *from)
{
	memcpy(to->word, from->word, s->words * sizeof(to->word[0]));
}

static inline void
places_add(const struct pattern_subject *s, struct pattern_places *to,
    const struct pattern_places *from)
{
	for (unsigned i = 0; i < s->words; i++)
		to->word[i] |= from->word[i];
}

static inline void
places_keep(const struct pattern_subject *s, struct pattern_places *to,
    const struct pattern_places *mask)
{
	for (unsigned i = 0; i < s->words; i++)
		to->word[i] &= mask->word[i];
}

static inline bool
places_any(const struct pattern_subject *s, const struct pattern_places *places)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < s->words; i++)
		any |= places->word[i];
	return any != 0;
}

/* Behind the token of each place; false: there is none. */
static inline bool
places_step(const struct pattern_subject *s, struct pattern_places *places)
{
	uint64_t carry = 0, any = 0;

	for (unsigned i = 0; i < s->words; i++) {
		uint64_t word = places->word[i];

		places->word[i] = word << 1 | carry;
		carry = word >> 63;
		any |= word;
	}
	return any != 0;
}

#define places_each(s, places, at) \
	for (unsigned at##_word = 0; at##_word < (s)->words; at##_word++) \
		for (uint64_t at##_left = (places)->word[at##_word]; \
		     at##_left != 0; at##_left &= at##_left - 1) \
			for (size_t at = at##_word * 64 + \
					 (unsigned)__builtin_ctzll(at##_left), \
				    at##_once = 1; \
			     at##_once; at##_once = 0)

#endif
