/*
 * Matching of patterns.  A match step takes all places at once as bits, so
 * that no pattern and no text can make it slow.  Pure.
 */
#include "care/reply_pattern.h"

#include <string.h>

#include "care/reply_node.h"

/* ---- places ---- */

static void
put(struct pattern_places *places, size_t at)
{
	places->word[at / 64] |= (uint64_t)1 << (at % 64);
}

static bool
has(const struct pattern_places *places, size_t at)
{
	return places->word[at / 64] >> (at % 64) & 1;
}

static bool
add_places(const struct pattern_subject *s, struct pattern_places *to,
    const struct pattern_places *from)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < s->words; i++) {
		any |= from->word[i];
		to->word[i] |= from->word[i];
	}
	return any != 0;
}

static void
keep_places(const struct pattern_subject *s, struct pattern_places *places,
    const struct pattern_places *mask)
{
	for (unsigned i = 0; i < s->words; i++)
		places->word[i] &= mask->word[i];
}

void
pattern_subject_init(struct pattern_subject *s, const struct reply_text *text,
    const struct quantities *quantities)
{
	const struct reply_token *tokens = text->tokens;
	bool before = true, after = true;

	*s = (struct pattern_subject){.text = text,
	    .quantities = quantities,
	    .words = (unsigned)(text->count / 64) + 1};
	for (size_t i = 0; i <= text->count; i++) {
		bool end = i == text->count;

		if (!end)
			s->has |=
			    token_bit(tokens[i].word, tokens[i].codepoint);
		if (i == 0 || reply_token_separates(&tokens[i - 1]))
			put(&s->clause_start, i);
		if (end || reply_token_separates(&tokens[i]))
			put(&s->clause_end, i);
		if (before)
			put(&s->text_start, i);
		before = before && !end && reply_token_separates(&tokens[i]);
	}
	for (size_t i = text->count + 1; i-- > 0 && after;) {
		put(&s->text_end, i);
		after = i > 0 && reply_token_separates(&tokens[i - 1]) &&
			tokens[i - 1].codepoint != '?';
	}
}

/* ---- matching ---- */

static void match_choices(const struct pattern_subject *s,
    const struct list *choices, const struct pattern_places *from,
    struct pattern_places *to);

static bool
is_latin(const struct reply_token *token)
{
	return token->kind == TOKEN_WORD || token->kind == TOKEN_NUMBER;
}

/* A blank beside a Latin word: literal sequences go over it. */
static bool
is_passable(const struct reply_text *text, size_t at)
{
	return at < text->count && text->tokens[at].kind == TOKEN_SPACE &&
	       ((at > 0 && is_latin(&text->tokens[at - 1])) ||
		   (at + 1 < text->count && is_latin(&text->tokens[at + 1])));
}

static void
arrive(const struct pattern_subject *s, struct pattern_places *to, size_t place)
{
	put(to, place);
	if (is_passable(s->text, place))
		put(to, place + 1);
}

static bool
is_token(const struct pattern_subject *s, const struct pattern_node *node,
    const struct reply_token *token)
{
	if (token->hidden & s->label_bit)
		return false;
	if (node->kind == NODE_LITERAL)
		return token->codepoint == node->codepoint &&
		       token->word == NULL;
	if (token->word == NULL ||
	    token->codepoint != (unsigned char)node->word[0])
		return false;
	return node->kind == NODE_STEM
		   ? strncmp(token->word, node->word, node->word_bytes) == 0
		   : strcmp(token->word, node->word) == 0;
}

static void
match_quantities(const struct pattern_subject *s, bool days, size_t at,
    struct pattern_places *to)
{
	const struct quantity *list = s->quantities->list.data;

	for (size_t i = 0; i < s->quantities->list.count; i++)
		if (list[i].begin == at && list[i].days == days)
			arrive(s, to, list[i].end);
}

static void
match_gap(const struct pattern_subject *s, int gap, size_t at,
    struct pattern_places *to)
{
	const struct reply_token *tokens = s->text->tokens;

	put(to, at);
	for (int i = 0; i < gap && at < s->text->count; i++, at++) {
		if (gap < GAP_FAR && tokens[at].kind == TOKEN_BREAK)
			return;
		if (gap == GAP_SHORT && reply_token_separates(&tokens[at]) &&
		    !is_passable(s->text, at))
			return;
		put(to, at + 1);
	}
}

/* From one place, a node that looks at tokens. */
static void
match_at(const struct pattern_subject *s, const struct pattern_node *node,
    size_t at, struct pattern_places *to)
{
	int64_t micro;
	size_t end;

	if (node->kind == NODE_GAP) {
		match_gap(s, node->gap, at, to);
		return;
	}
	if (at == s->text->count)
		return;
	if (node->kind == NODE_NUMBER) {
		end = quantity_number(s->text, at, &micro);
		if (end > at && !(s->text->tokens[at].hidden & s->label_bit))
			arrive(s, to, end);
	} else if (node->kind == NODE_DAYS || node->kind == NODE_UNITS) {
		if (!(s->text->tokens[at].hidden & s->label_bit))
			match_quantities(s, node->kind == NODE_DAYS, at, to);
	} else if (is_token(s, node, &s->text->tokens[at])) {
		arrive(s, to, at + 1);
	}
}

static void
match_each(const struct pattern_subject *s, const struct pattern_node *node,
    const struct pattern_places *from, struct pattern_places *to)
{
	for (unsigned i = 0; i < s->words; i++)
		for (uint64_t left = from->word[i]; left != 0; left &= left - 1)
			match_at(s, node,
			    i * 64 + (unsigned)__builtin_ctzll(left), to);
}

static void
match_node(const struct pattern_subject *s, const struct pattern_node *node,
    const struct pattern_places *from, struct pattern_places *to)
{
	static const size_t masks[] = {
	    [NODE_CLAUSE_START] =
		offsetof(struct pattern_subject, clause_start),
	    [NODE_CLAUSE_END] = offsetof(struct pattern_subject, clause_end),
	    [NODE_TEXT_START] = offsetof(struct pattern_subject, text_start),
	    [NODE_TEXT_END] = offsetof(struct pattern_subject, text_end),
	};

	switch (node->kind) {
	case NODE_GROUP:
		match_choices(s, &node->choices, from, to);
		break;
	case NODE_MAYBE:
		match_choices(s, &node->choices, from, to);
		(void)add_places(s, to, from);
		break;
	case NODE_SET:
		match_choices(s, &node->set->choices, from, to);
		break;
	case NODE_CLAUSE_START:
	case NODE_CLAUSE_END:
	case NODE_TEXT_START:
	case NODE_TEXT_END:
		*to = *from;
		keep_places(
		    s, to, (const void *)((const char *)s + masks[node->kind]));
		break;
	default:
		match_each(s, node, from, to);
	}
}

static void
match_choices(const struct pattern_subject *s, const struct list *choices,
    const struct pattern_places *from, struct pattern_places *to)
{
	const struct pattern *list = choices->data;

	for (size_t i = 0; i < choices->count; i++) {
		const struct pattern_node *nodes = list[i].nodes.data;
		struct pattern_places here, next;
		bool any = true;

		if ((list[i].needs & ~s->has) != 0)
			continue;
		here = *from;
		for (size_t k = 0; k < list[i].nodes.count && any; k++) {
			memset(&next, 0, sizeof(next));
			match_node(s, &nodes[k], &here, &next);
			memset(&here, 0, sizeof(here));
			any = add_places(s, &here, &next);
		}
		if (any)
			(void)add_places(s, to, &here);
	}
}

bool
pattern_matches(const struct pattern_subject *s, const struct list *choices)
{
	struct pattern_places all = {{0}}, ends = {{0}}, none = {{0}};

	for (size_t i = 0; i <= s->text->count; i++)
		put(&all, i);
	match_choices(s, choices, &all, &ends);
	return add_places(s, &none, &ends);
}

/* The longest match from one place; `at` itself where there is none. */
static size_t
longest(const struct pattern_subject *s, const struct list *choices, size_t at,
    size_t to)
{
	struct pattern_places from = {{0}}, ends = {{0}};

	put(&from, at);
	match_choices(s, choices, &from, &ends);
	for (size_t end = to; end > at; end--)
		if (has(&ends, end))
			return end;
	return at;
}

bool
pattern_find(const struct pattern_subject *s, const struct list *choices,
    size_t from, size_t to, size_t *begin, size_t *end)
{
	for (*begin = from; *begin < to; ++*begin) {
		if (s->text->tokens[*begin].kind == TOKEN_SPACE)
			continue;
		*end = longest(s, choices, *begin, to);
		if (*end == *begin)
			continue;
		while (*end > *begin + 1 &&
		       s->text->tokens[*end - 1].kind == TOKEN_SPACE)
			--*end;
		return true;
	}
	return false;
}
