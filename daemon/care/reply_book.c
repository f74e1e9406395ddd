/*
 * What the patterns of some tables share: the sets, the tokens, and by which
 * tokens a pattern can be ruled out.  Pure; all lives in the book's arena.
 */
#include <stdlib.h>
#include <string.h>

#include "care/reply_words.h"

#define KEYS_MAX 64 /* of one pattern; more would rule out little */
#define SHARED_MIN ((size_t)1024) /* slots, a power of two */

/*
 * What patterns are made of, each content once: half the tables' choices are
 * the same few.  A hash table with open addressing, while tables are read.
 */
struct shared_piece {
	const void *data; /* NULL: the slot is free */
	size_t bytes;
	uint64_t hash;
};

struct pattern_shared {
	struct shared_piece *slots;
	size_t capacity, count;
};

void
pattern_book_init(struct pattern_book *book, struct arena *arena)
{
	struct arena *drafts = arena_create();

	*book = (struct pattern_book){
	    .arena = arena,
	    .scratch = arena_create(),
	    .drafts = drafts,
	    .words = pattern_words_create(arena, drafts),
	    .shared = arena_alloc(drafts, sizeof(struct pattern_shared)),
	};
	book->shared->capacity = SHARED_MIN;
	book->shared->slots =
	    arena_array(drafts, SHARED_MIN, sizeof(struct shared_piece));
}

static uint64_t
hash_of(const unsigned char *data, size_t bytes)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* Where it is, or the free slot where it would be. */
static struct shared_piece *
find_shared(const struct pattern_shared *shared, const void *data, size_t bytes,
    uint64_t hash)
{
	for (size_t i = hash;; i++) {
		struct shared_piece *piece =
		    &shared->slots[i & (shared->capacity - 1)];

		if (piece->data == NULL ||
		    (piece->hash == hash && piece->bytes == bytes &&
			memcmp(piece->data, data, bytes) == 0))
			return piece;
	}
}

static void
grow_shared(struct pattern_shared *shared, struct arena *drafts)
{
	struct pattern_shared old = *shared;

	shared->capacity *= 2;
	shared->slots =
	    arena_array(drafts, shared->capacity, sizeof(struct shared_piece));
	for (size_t i = 0; i < old.capacity; i++)
		if (old.slots[i].data != NULL)
			*find_shared(shared, old.slots[i].data,
			    old.slots[i].bytes, old.slots[i].hash) =
			    old.slots[i];
}

const void *
pattern_share(const struct pattern_book *book, const void *data, size_t bytes)
{
	uint64_t hash = hash_of(data, bytes);
	struct shared_piece *piece =
	    find_shared(book->shared, data, bytes, hash);

	if (piece->data != NULL)
		return piece->data;
	if (++book->shared->count * 2 > book->shared->capacity) {
		grow_shared(book->shared, book->drafts);
		piece = find_shared(book->shared, data, bytes, hash);
	}
	*piece =
	    (struct shared_piece){.data = arena_copy(book->arena, data, bytes),
		.bytes = bytes,
		.hash = hash};
	return piece->data;
}

void
pattern_keep(const struct pattern_book *book, struct list *list)
{
	/* nobody writes to it */
	if (list->count > 0)
		list->data = (void *)pattern_share(
		    book, list->data, list->count * list->size);
	else
		list->data = NULL;
	list->capacity = list->count;
	list->arena = book->arena;
}

struct pattern_set *
pattern_set_find(const struct pattern_book *book, const char *name)
{
	for (struct pattern_set *set = book->sets; set != NULL; set = set->next)
		if (strcmp(set->name, name) == 0)
			return set;
	return NULL;
}

struct pattern_set *
pattern_set_add(struct pattern_book *book, const char *name)
{
	struct pattern_set *set = arena_alloc(book->arena, sizeof(*set));

	set->name = arena_text(book->arena, name);
	set->number = book->set_count++;
	list_init(&set->choices, book->drafts, sizeof(struct pattern));
	list_init(&set->firsts, book->drafts, sizeof(struct pattern_first));
	list_init(&set->others, book->drafts, sizeof(uint32_t));
	set->next = book->sets;
	book->sets = set;
	return set;
}

static bool
choices_hold(const struct list *choices, const struct pattern_set *other)
{
	const struct pattern *list = choices->data;

	for (size_t i = 0; i < choices->count; i++) {
		const struct pattern_node *nodes = list[i].nodes;

		for (size_t k = 0; k < list[i].node_count; k++)
			if (nodes[k].kind == NODE_SET
				? pattern_set_holds(nodes[k].set, other)
				: node_has_choices(&nodes[k]) &&
				      choices_hold(nodes[k].choices, other))
				return true;
	}
	return false;
}

bool
pattern_set_holds(
    const struct pattern_set *set, const struct pattern_set *other)
{
	return set == other || choices_hold(&set->choices, other);
}

/* ---- keys ---- */

struct keys {
	uint32_t numbers[KEYS_MAX];
	size_t count;
	uint64_t uses; /* in the tables: a frequent token rules out little */
};

static bool
add_key(const struct pattern_book *book, struct keys *keys, uint32_t number)
{
	if (keys->count == KEYS_MAX)
		return false;
	keys->numbers[keys->count++] = number;
	keys->uses += pattern_words_uses(book->words, number);
	return true;
}

/* Tokens of which one must be there for the node to match; false: unknown. */
static bool
node_keys(const struct pattern_book *book, const struct pattern_node *node,
    struct keys *keys)
{
	const struct pattern *choices;

	*keys = (struct keys){.count = 0};
	if (node_is_token(node))
		return add_key(book, keys, node->number);
	if (node->kind != NODE_GROUP)
		return false;
	choices = node->choices->data;
	for (size_t i = 0; i < node->choices->count; i++) {
		if (choices[i].key_count == 0)
			return false;
		for (size_t k = 0; k < choices[i].key_count; k++)
			if (!add_key(book, keys, choices[i].keys[k]))
				return false;
	}
	return true;
}

void
pattern_keys(const struct pattern_book *book, struct pattern *pattern)
{
	const struct pattern_node *nodes = pattern->nodes;
	struct keys best = {.count = 0}, keys;

	for (size_t i = 0; i < pattern->node_count; i++)
		if (node_keys(book, &nodes[i], &keys) &&
		    (best.count == 0 || keys.uses < best.uses))
			best = keys;
	if (best.count == 0)
		return;
	pattern->keys = pattern_share(
	    book, best.numbers, best.count * sizeof(best.numbers[0]));
	pattern->key_count = (uint32_t)best.count;
}

/* ---- first tokens ---- */

static bool add_firsts(
    struct pattern_set *set, uint32_t choice, const struct pattern *pattern);

static bool
add_all_firsts(
    struct pattern_set *set, uint32_t choice, const struct list *choices)
{
	const struct pattern *list = choices->data;

	for (size_t i = 0; i < choices->count; i++)
		if (!add_firsts(set, choice, &list[i]))
			return false;
	return true;
}

/* False: it may begin with what is no token. */
static bool
add_firsts(
    struct pattern_set *set, uint32_t choice, const struct pattern *pattern)
{
	const struct pattern_node *nodes = pattern->nodes;

	for (size_t i = 0; i < pattern->node_count; i++) {
		if (node_is_token(&nodes[i])) {
			*(struct pattern_first *)list_add(&set->firsts) =
			    (struct pattern_first){nodes[i].number, choice};
			return true;
		}
		if (node_is_mark(nodes[i].kind))
			continue;
		if (nodes[i].kind != NODE_GROUP &&
		    nodes[i].kind != NODE_MAYBE && nodes[i].kind != NODE_SET)
			return false;
		if (!add_all_firsts(set, choice,
			nodes[i].kind == NODE_SET ? &nodes[i].set->choices
						  : nodes[i].choices))
			return false;
		if (nodes[i].kind != NODE_MAYBE)
			return true;
	}
	return false;
}

static int
compare(const void *a, const void *b)
{
	const struct pattern_first *one = a, *two = b;

	if (one->number != two->number)
		return one->number < two->number ? -1 : 1;
	return (one->choice > two->choice) - (one->choice < two->choice);
}

/* Each choice once for a token, in order. */
static void
sort_firsts(struct list *firsts)
{
	struct pattern_first *list = firsts->data;
	size_t count = 0;

	if (firsts->count == 0)
		return;
	qsort(list, firsts->count, sizeof(*list), compare);
	for (size_t i = 0; i < firsts->count; i++)
		if (count == 0 || compare(&list[count - 1], &list[i]) != 0)
			list[count++] = list[i];
	firsts->count = count;
}

static void
mark_firsts(const struct pattern_book *book, struct pattern_set *set)
{
	const struct pattern_first *firsts = set->firsts.data;

	set->first_bits = arena_array(book->arena,
	    pattern_words_count(book->words) / 64 + 1, sizeof(uint64_t));
	for (size_t i = 0; i < set->firsts.count; i++)
		set->first_bits[firsts[i].number / 64] |=
		    UINT64_C(1) << (firsts[i].number % 64);
}

void
pattern_book_finish(struct pattern_book *book)
{
	for (struct pattern_set *set = book->sets; set != NULL;
	     set = set->next) {
		const struct pattern *list = set->choices.data;

		for (uint32_t i = 0; i < set->choices.count; i++) {
			size_t before = set->firsts.count;

			if (add_firsts(set, i, &list[i]))
				continue;
			set->firsts.count = before;
			*(uint32_t *)list_add(&set->others) = i;
		}
		sort_firsts(&set->firsts);
		mark_firsts(book, set);
		pattern_keep(book, &set->firsts);
		pattern_keep(book, &set->others);
		pattern_keep(book, &set->choices);
	}
	pattern_words_finish(book->words);
	arena_free(book->scratch);
	arena_free(book->drafts);
	book->scratch = book->drafts = NULL;
	book->shared = NULL;
}
