/*
 * Numbers of the tokens that patterns ask for: a hash table in an arena.
 */
#include "care/reply_words.h"

#include <string.h>

#define CAPACITY_MIN 64 /* a power of two */

struct entry { /* 24 bytes: there are ten thousand */
	const char *word;
	uint32_t hash, codepoint, number;
	uint16_t bytes;
	uint8_t kind;
	bool used;
};

struct pattern_words {
	struct arena *arena;
	struct arena *drafts; /* NULL once it is finished */
	struct entry *entries;
	size_t capacity, count;
	struct list uses; /* uint32_t, by number */
};

struct pattern_words *
pattern_words_create(struct arena *arena, struct arena *drafts)
{
	struct pattern_words *words = arena_alloc(arena, sizeof(*words));

	words->arena = arena;
	words->drafts = drafts;
	words->capacity = CAPACITY_MIN;
	words->entries =
	    arena_array(drafts, CAPACITY_MIN, sizeof(struct entry));
	list_init(&words->uses, drafts, sizeof(uint32_t));
	return words;
}

void
pattern_words_finish(struct pattern_words *words)
{
	words->entries = arena_copy(words->arena, words->entries,
	    words->capacity * sizeof(struct entry));
	words->uses = (struct list){0};
	words->drafts = NULL;
}

size_t
pattern_words_count(const struct pattern_words *words)
{
	return words->count;
}

uint32_t
pattern_words_uses(const struct pattern_words *words, uint32_t number)
{
	return ((const uint32_t *)words->uses.data)[number];
}

/* FNV-1a, and its high bits mixed in. */
static uint32_t
hash_of(enum node_kind kind, uint32_t codepoint, const char *word, size_t bytes)
{
	uint32_t hash = UINT32_C(2166136261) ^ (uint32_t)kind;

	if (kind == NODE_LITERAL)
		return (codepoint * UINT32_C(2654435761)) ^ (codepoint >> 7);
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)word[i]) * UINT32_C(16777619);
	return hash ^ hash >> 15;
}

static bool
is_entry(const struct entry *entry, uint32_t hash, enum node_kind kind,
    uint32_t codepoint, const char *word, size_t bytes)
{
	if (entry->hash != hash || entry->kind != kind)
		return false;
	if (kind == NODE_LITERAL)
		return entry->codepoint == codepoint;
	return entry->bytes == bytes && memcmp(entry->word, word, bytes) == 0;
}

/* Its entry, or the free one that it would have. */
static struct entry *
entry_of(const struct pattern_words *words, uint32_t hash, enum node_kind kind,
    uint32_t codepoint, const char *word, size_t bytes)
{
	size_t at = hash & (words->capacity - 1);

	while (words->entries[at].used && !is_entry(&words->entries[at], hash,
					      kind, codepoint, word, bytes))
		at = (at + 1) & (words->capacity - 1);
	return &words->entries[at];
}

static void
grow(struct pattern_words *words)
{
	struct entry *old = words->entries;
	size_t capacity = words->capacity;

	words->capacity = capacity * 2;
	words->entries =
	    arena_array(words->drafts, words->capacity, sizeof(struct entry));
	for (size_t i = 0; i < capacity; i++)
		if (old[i].used)
			*entry_of(words, old[i].hash, old[i].kind,
			    old[i].codepoint, old[i].word, old[i].bytes) =
			    old[i];
}

uint32_t
pattern_words_add(struct pattern_words *words, enum node_kind kind,
    uint32_t codepoint, const char *word, size_t bytes)
{
	uint32_t hash = hash_of(kind, codepoint, word, bytes);
	struct entry *entry;

	if (words->count * 2 >= words->capacity)
		grow(words);
	entry = entry_of(words, hash, kind, codepoint, word, bytes);
	if (!entry->used) {
		*entry = (struct entry){.used = true,
		    .kind = (uint8_t)kind,
		    .hash = hash,
		    .codepoint = codepoint,
		    .number = (uint32_t)words->count++,
		    .word = word == NULL
				? NULL
				: arena_text_n(words->arena, word, bytes),
		    .bytes = (uint16_t)bytes};
		(void)list_add(&words->uses);
	}
	((uint32_t *)words->uses.data)[entry->number]++;
	return entry->number;
}

bool
pattern_words_find(const struct pattern_words *words, enum node_kind kind,
    uint32_t codepoint, const char *word, size_t bytes, uint32_t *number)
{
	const struct entry *entry =
	    entry_of(words, hash_of(kind, codepoint, word, bytes), kind,
		codepoint, word, bytes);

	*number = entry->number;
	return entry->used;
}
