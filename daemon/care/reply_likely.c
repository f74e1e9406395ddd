/*
 * The likeliest label of a reply by its words.  Pure.
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
#define LIKELY_LEAST 0.4
#define GRAVE_LEAST 0.7
#define EMERGENCY_LEAST 0.9
#define ADDED_LEAST 0.8 /* beside what rules found */
/* a sum over n features counts 4 / sqrt(n): learn.py */
#define LIKELY_SCALE 4.0
#define BIT(label) (UINT32_C(1) << (label))

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
	size_t bytes = token->to - token->from;

	switch (token->kind) {
	case TOKEN_SPACE:
		return false;
	case TOKEN_BREAK:
		(void)strcpy(out, token->codepoint == '?' ? "?" : ",");
		return true;
	case TOKEN_NUMBER:
		(void)strcpy(out, "0");
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

/*
 * Words, and what is hidden from labels' rules among them: numbers alone are
 * for the menu, and what only looks like a label is not likely it.
 */
static bool
has_words(const struct reply_text *text, struct reply_odds *odds)
{
	bool any = false;

	for (size_t i = 0; i < text->count; i++) {
		enum reply_token_kind kind = text->tokens[i].kind;

		odds->barred |= text->tokens[i].hidden;
		any = any || kind == TOKEN_HAN || kind == TOKEN_WORD ||
		      kind == TOKEN_SYMBOL;
	}
	return any;
}

static unsigned
best_of(const struct reply_odds *odds)
{
	unsigned best = 0;

	for (unsigned i = 1; i < REPLY_LABEL_COUNT; i++)
		if (odds->of[i] > odds->of[best])
			best = i;
	return best;
}

/* The probability that it needs. */
static double
least(enum reply_label label)
{
	const struct reply_label_row *row = reply_label_row(label);

	if (label == REPLY_REFILL_YES)
		return 2; /* never */
	if (label == REPLY_EMERGENCY)
		return EMERGENCY_LEAST;
	return row->harm || row->refusal ? GRAVE_LEAST : LIKELY_LEAST;
}

bool
reply_likely_weigh(const struct reply_likely *likely,
    const struct reply_text *text, enum reply_context context,
    struct arena *arena, struct reply_odds *odds)
{
	/* with both ends, each token has one of each length and one more */
	struct hashes hashes = {
	    .list = arena_array(arena,
		1 + (TOKENS_MAX + 2) * (LIKELY_TOKENS + 1), sizeof(uint32_t))};
	double most, sum = 0, scale;
	size_t count = 0;

	*odds = (struct reply_odds){.barred = 0};
	if (!has_words(text, odds))
		return false;
	reply_likely_features(text, context, note, &hashes);
	qsort(hashes.list, hashes.count, sizeof(uint32_t), compare_hashes);
	for (size_t i = 0; i < hashes.count; i++)
		if (i == 0 || hashes.list[i] != hashes.list[i - 1]) {
			weigh(likely, hashes.list[i], odds->of);
			count++;
		}
	scale = LIKELY_SCALE / sqrt((double)count);
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		odds->of[i] *= scale;
	most = odds->of[best_of(odds)];
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		sum += odds->of[i] = exp(odds->of[i] - most);
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		odds->of[i] /= sum;
	return true;
}

bool
reply_likely_guess(const struct reply_odds *odds, enum reply_label *label)
{
	unsigned best = best_of(odds);

	*label = (enum reply_label)best;
	return *label != REPLY_UNCLEAR && (odds->barred & BIT(best)) == 0 &&
	       odds->of[best] >= least(*label);
}

bool
reply_likely_adds(
    const struct reply_odds *odds, uint32_t found, enum reply_label label)
{
	uint32_t otherwise =
	    label == REPLY_ADVERSE_EVENT
		? BIT(REPLY_EMERGENCY) | BIT(REPLY_DECEASED)
		: BIT(REPLY_WRONG_NUMBER) | BIT(REPLY_DECEASED) |
		      BIT(REPLY_OPT_OUT_TOPIC) | BIT(REPLY_OPT_IN) |
		      BIT(REPLY_REFILL_YES);

	return (found & (otherwise | BIT(label))) == 0 &&
	       (odds->barred & BIT(label)) == 0 &&
	       odds->of[label] >= ADDED_LEAST;
}
