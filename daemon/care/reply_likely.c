/*
 * Which labels hold, by a reply's words and what rules found.  Pure.
 */
#include "care/reply_likely.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define TOKENS_MAX 200 /* of a reply; more is not weighed */
#define TOKEN_BYTES_MAX 24
#define FEATURE_BYTES_MAX (16 + LIKELY_TOKENS * (TOKEN_BYTES_MAX + 1))
/* a sum over n features counts 4 / sqrt(n): learn.py */
#define LIKELY_SCALE 4.0
#define NEARLY (-0.7) /* the logarithm of odds of one to two */
#define BIT(label) (UINT32_C(1) << (label))

#define NO_REFUSAL \
	(BIT(REPLY_WRONG_NUMBER) | BIT(REPLY_DECEASED) | \
	    BIT(REPLY_OPT_OUT_TOPIC) | BIT(REPLY_OPT_IN) | \
	    BIT(REPLY_REFILL_YES))

struct entry {
	uint32_t feature; /* its hash */
	int16_t weight;
	uint8_t label;
};

/* FNV-1a: two features of one hash would be one, which is of no consequence */
static uint32_t
hash_of(const char *feature)
{
	uint32_t hash = 0x811c9dc5;

	for (; *feature != '\0'; feature++)
		hash = (hash ^ (unsigned char)*feature) * 0x01000193;
	return hash;
}

void
reply_likely_init(struct reply_likely *likely, struct arena *drafts)
{
	list_init(&likely->entries, drafts, sizeof(struct entry));
	memset(likely->labels, 0, sizeof(likely->labels));
}

void
reply_likely_label(struct reply_likely *likely, enum reply_label label,
    int base, int found, int hidden)
{
	likely->labels[label] = (struct likely_label){
	    .known = true, .base = base, .found = found, .hidden = hidden};
}

void
reply_likely_add(struct reply_likely *likely, const char *feature,
    enum reply_label label, int weight)
{
	*(struct entry *)list_add(&likely->entries) =
	    (struct entry){.feature = hash_of(feature),
		.weight = (int16_t)weight,
		.label = (uint8_t)label};
}

static int
compare_hash(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int
compare_entries(const void *a, const void *b)
{
	return compare_hash(((const struct entry *)a)->feature,
	    ((const struct entry *)b)->feature);
}

void
reply_likely_finish(struct reply_likely *likely, struct arena *arena)
{
	struct list *entries = &likely->entries;

	if (entries->count > 0) {
		qsort(entries->data, entries->count, entries->size,
		    compare_entries);
		entries->data = arena_copy(
		    arena, entries->data, entries->count * entries->size);
	}
	entries->capacity = entries->count;
	entries->arena = arena;
}

/* ---- features ---- */

/* As a feature has it; false: it is none. */
static bool
write_token(const struct reply_text *text, size_t at, char *out)
{
	const struct reply_token *token = &text->tokens[at];
	size_t bytes;

	switch (token->kind) {
	case TOKEN_SPACE:
		return false;
	case TOKEN_BREAK:
		out[0] = token->codepoint == '?' ? '?' : ',';
		out[1] = '\0';
		return true;
	case TOKEN_NUMBER:
		out[0] = '0';
		out[1] = '\0';
		return true;
	case TOKEN_WORD:
		bytes = strlen(token->word);
		if (bytes > TOKEN_BYTES_MAX)
			return false;
		memcpy(out, token->word, bytes + 1);
		return true;
	default:
		bytes = (size_t)utf8proc_encode_char(
		    (utf8proc_int32_t)token->codepoint,
		    (utf8proc_uint8_t *)out);
		out[bytes] = '\0';
		return bytes > 0;
	}
}

struct window {
	char tokens[LIKELY_TOKENS][TOKEN_BYTES_MAX + 1]; /* the last first */
	unsigned count;
	const char *context;
	void (*each)(void *arg, const char *feature);
	void *arg;
};

/* Every feature that ends with this token. */
static void
tell(struct window *w, const char *token)
{
	char feature[FEATURE_BYTES_MAX];
	char row[LIKELY_TOKENS * (TOKEN_BYTES_MAX + 1) + 1];
	char *at = row + sizeof(row) - 1; /* filled from its end */

	memmove(w->tokens[1], w->tokens[0],
	    sizeof(w->tokens) - sizeof(w->tokens[0]));
	(void)snprintf(w->tokens[0], sizeof(w->tokens[0]), "%s", token);
	if (w->count < LIKELY_TOKENS)
		w->count++;
	*at = '\0';
	for (unsigned i = 0; i < w->count; i++) {
		size_t bytes = strlen(w->tokens[i]);

		if (i > 0)
			*--at = ' ';
		at -= bytes;
		memcpy(at, w->tokens[i], bytes);
		w->each(w->arg, at);
	}
	(void)snprintf(
	    feature, sizeof(feature), "%s: %s", w->context, w->tokens[0]);
	w->each(w->arg, feature);
}

void
reply_likely_features(const struct reply_text *text, enum reply_context context,
    void (*each)(void *arg, const char *feature), void *arg)
{
	struct window w = {
	    .context = reply_context_name(context), .each = each, .arg = arg};
	char token[TOKEN_BYTES_MAX + 1];
	char alone[FEATURE_BYTES_MAX];

	(void)snprintf(alone, sizeof(alone), "%s:", w.context);
	each(arg, alone);
	tell(&w, "^");
	for (size_t i = 0; i < text->count && i < TOKENS_MAX; i++)
		if (write_token(text, i, token))
			tell(&w, token);
	tell(&w, "$");
}

/* ---- the guess ---- */

struct hashes {
	uint32_t *list;
	size_t count;
};

static void
note(void *arg, const char *feature)
{
	struct hashes *hashes = arg;

	hashes->list[hashes->count++] = hash_of(feature);
}

static int
compare_hashes(const void *a, const void *b)
{
	return compare_hash(*(const uint32_t *)a, *(const uint32_t *)b);
}

/* Add what one feature weighs for each label. */
static void
weigh(const struct reply_likely *likely, uint32_t feature, double *scores)
{
	const struct entry *entries = likely->entries.data;
	size_t from = 0, to = likely->entries.count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (entries[middle].feature < feature)
			from = middle + 1;
		else
			to = middle;
	}
	for (; from < likely->entries.count && entries[from].feature == feature;
	     from++)
		scores[entries[from].label] += entries[from].weight / 100.0;
}

uint32_t
reply_likely_hidden(const struct reply_text *text)
{
	uint32_t hidden = 0;

	for (size_t i = 0; i < text->count; i++)
		hidden |= text->tokens[i].hidden;
	return hidden;
}

/* Numbers alone are for the menu. */
static bool
has_words(const struct reply_text *text)
{
	for (size_t i = 0; i < text->count; i++) {
		enum reply_token_kind kind = text->tokens[i].kind;

		if (kind == TOKEN_HAN || kind == TOKEN_WORD ||
		    kind == TOKEN_SYMBOL)
			return true;
	}
	return false;
}

/* What the words weigh for each label. */
static void
weigh_text(const struct reply_likely *likely, const struct reply_text *text,
    enum reply_context context, struct arena *arena, double *scores)
{
	/* with both ends, each token has one of each length and one more */
	struct hashes hashes = {
	    .list = arena_array(arena,
		1 + (TOKENS_MAX + 2) * (LIKELY_TOKENS + 1), sizeof(uint32_t))};
	size_t count = 0;

	reply_likely_features(text, context, note, &hashes);
	qsort(hashes.list, hashes.count, sizeof(uint32_t), compare_hashes);
	for (size_t i = 0; i < hashes.count; i++)
		if (i == 0 || hashes.list[i] != hashes.list[i - 1]) {
			weigh(likely, hashes.list[i], scores);
			count++;
		}
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		scores[i] *= LIKELY_SCALE / sqrt((double)count);
}

/*
 * The logarithm of odds that a label needs.  To miss harm is worse than to see
 * some that is none: what rules call harm or a death stands, a refusal nearly
 * so.  A refusal of everything by words alone is none beside rules that say
 * otherwise: a part is refused, the number is wrong, or more is ordered.  What
 * else words alone say must be likelier where rules found something; a choice
 * without its items, always.
 */
static double
least(enum reply_label label, uint32_t found)
{
	bool by_rule = (found & BIT(label)) != 0;

	switch (label) {
	case REPLY_EMERGENCY:
	case REPLY_ADVERSE_EVENT:
		return by_rule ? -INFINITY : -0.4;
	case REPLY_DECEASED:
		return by_rule ? -INFINITY : 0.5;
	case REPLY_OPT_OUT:
		if (by_rule)
			return -2;
		return (found & NO_REFUSAL) != 0 ? INFINITY : NEARLY;
	case REPLY_ITEM_CHOICE:
		return by_rule ? 0 : 1;
	default:
		return by_rule || found == 0 ? 0 : 1.5;
	}
}

/* An order is what rules found, or none. */
static bool
may_hold(const struct likely_label *label, unsigned i, uint32_t found)
{
	return label->known && (i != REPLY_REFILL_YES || (found & BIT(i)) != 0);
}

/* What is grave is no last resort, unless it nearly holds. */
static bool
may_be_guessed(unsigned label, double score)
{
	if (label == REPLY_ADVERSE_EVENT || label == REPLY_OPT_OUT)
		return score > NEARLY;
	return label != REPLY_EMERGENCY && label != REPLY_DECEASED;
}

/* Where none of them is likely enough. */
static uint32_t
likeliest(
    const struct reply_likely *likely, const double *scores, uint32_t found)
{
	int best = -1;

	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		if (may_hold(&likely->labels[i], i, found) &&
		    may_be_guessed(i, scores[i]) &&
		    (best < 0 || scores[i] > scores[best]))
			best = (int)i;
	return best < 0 || best == REPLY_UNCLEAR ? 0 : BIT(best);
}

uint32_t
reply_likely_hold(const struct reply_likely *likely,
    const struct reply_text *text, enum reply_context context, uint32_t found,
    struct arena *arena)
{
	double scores[REPLY_LABEL_COUNT] = {0};
	uint32_t hidden = reply_likely_hidden(text), hold = 0;

	if (!has_words(text))
		return found;
	weigh_text(likely, text, context, arena, scores);
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++) {
		const struct likely_label *label = &likely->labels[i];
		bool by_rule = (found & BIT(i)) != 0;

		scores[i] += label->base / 100.0;
		if (by_rule)
			scores[i] += label->found / 100.0;
		if (hidden & BIT(i))
			scores[i] += label->hidden / 100.0;
		if (label->known ? may_hold(label, i, found) &&
				       scores[i] > least(i, found)
				 : by_rule)
			hold |= BIT(i);
	}
	return hold != 0 ? hold : likeliest(likely, scores, found);
}
