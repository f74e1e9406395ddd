/*
 * Matching of patterns.  A match step takes all places at once as bits, so
 * that no pattern and no text can make it slow; what a set matches from a
 * place is found once and kept.  Pure.
 */
#include "care/reply_places.h"
#include "care/reply_words.h"

#define CHOICES_FEW 24 /* of a set that is matched as a group is */

/* What a set matches: known from some places, with ends from some of them. */
struct pattern_memo {
	struct pattern_places may; /* where a match may begin */
	struct pattern_places known, begin;
	struct list ends;   /* uint16_t */
	uint32_t *end_from; /* by place */
	uint32_t *end_to;
};

static void match_node(struct pattern_subject *s,
    const struct pattern_node *node, const struct pattern_places *from,
    struct pattern_places *to);
static void begins(struct pattern_subject *s, const struct pattern *pattern,
    struct pattern_places *to);

/* ---- tokens, numbers, gaps ---- */

static const struct pattern_places *
token_places(const struct pattern_subject *s, uint32_t number)
{
	uint16_t slot = s->slots[number];

	return slot == 0 ? NULL
			 : (const struct pattern_places *)s->token_places.data +
			       slot - 1;
}

/* Behind a token; and behind a blank that may be gone over, too. */
static void
arrive(const struct pattern_subject *s, struct pattern_places *to,
    struct pattern_places *step)
{
	places_add(s, to, step);
	places_keep(s, step, &s->passable);
	if (places_step(s, step))
		places_add(s, to, step);
}

static void
match_token(const struct pattern_subject *s, const struct pattern_node *node,
    const struct pattern_places *from, struct pattern_places *to)
{
	const struct pattern_places *places = token_places(s, node->number);
	struct pattern_places step;

	if (places == NULL)
		return;
	for (unsigned i = 0; i < s->words; i++)
		step.word[i] =
		    from->word[i] & places->word[i] & ~s->hidden->word[i];
	if (places_step(s, &step))
		arrive(s, to, &step);
}

static const struct pattern_spans *
spans_of(const struct pattern_subject *s, enum node_kind kind)
{
	return kind == NODE_NUMBER ? &s->numbers
	       : kind == NODE_DAYS ? &s->days
				   : &s->units;
}

static bool
is_within(const struct pattern_node *node, const struct pattern_spans *spans,
    size_t at)
{
	return node->kind != NODE_NUMBER ||
	       (spans->micro[at] >= node->bounds->least &&
		   spans->micro[at] <= node->bounds->most &&
		   (!node->bounds->fraction || spans->micro[at] % MICRO != 0));
}

static void
match_spans(const struct pattern_subject *s, const struct pattern_node *node,
    const struct pattern_places *from, struct pattern_places *to)
{
	const struct pattern_spans *spans = spans_of(s, node->kind);
	struct pattern_places begin = {{0}}, step;

	for (unsigned i = 0; i < s->words; i++)
		begin.word[i] =
		    from->word[i] & spans->begin.word[i] & ~s->hidden->word[i];
	places_clear(s, &step);
	places_each(s, &begin, at) if (is_within(node, spans, at))
	    places_put(&step, spans->end[at]);
	if (places_any(s, &step))
		arrive(s, to, &step);
}

static void
match_gap(const struct pattern_subject *s, int gap,
    const struct pattern_places *from, struct pattern_places *to)
{
	const struct pattern_places *over = gap == GAP_SHORT  ? &s->short_gap
					    : gap == GAP_LONG ? &s->long_gap
							      : &s->all;
	struct pattern_places step;

	places_add(s, to, from);
	places_copy(s, &step, from);
	for (int i = 0; i < gap; i++) {
		places_keep(s, &step, over);
		if (!places_step(s, &step))
			return;
		/* of all places the last has no token behind it */
		places_keep(s, &step, &s->all);
		places_add(s, to, &step);
	}
}

/* ---- patterns ---- */

/* Has the text one of the tokens that a pattern must have? */
static bool
may_match(const struct pattern_subject *s, const struct pattern *pattern)
{
	for (size_t i = 0; i < pattern->key_count; i++)
		if (s->slots[pattern->keys[i]] != 0)
			return true;
	return pattern->key_count == 0;
}

/* From `here` on through the nodes from `k`; `here` becomes their ends. */
static bool
match_nodes(struct pattern_subject *s, const struct pattern *pattern, size_t k,
    struct pattern_places *here)
{
	const struct pattern_node *nodes = pattern->nodes;

	for (; k < pattern->node_count; k++) {
		struct pattern_places next;

		places_clear(s, &next);
		match_node(s, &nodes[k], here, &next);
		if (!places_any(s, &next))
			return false;
		places_copy(s, here, &next);
	}
	return true;
}

static void
match_choices(struct pattern_subject *s, const struct list *choices,
    const struct pattern_places *from, struct pattern_places *to)
{
	const struct pattern *list = choices->data;

	for (size_t i = 0; i < choices->count; i++) {
		struct pattern_places here;

		if (!may_match(s, &list[i]))
			continue;
		places_copy(s, &here, from);
		if (match_nodes(s, &list[i], 0, &here))
			places_add(s, to, &here);
	}
}

/* ---- from one place ---- */

static bool
token_is(const struct pattern_subject *s, uint32_t number, size_t at)
{
	const struct pattern_places *places = token_places(s, number);

	return places != NULL && places_have(places, at) &&
	       !places_have(s->hidden, at);
}

/* Tokens are compared one by one as long as there is one way to go. */
static void
match_from(struct pattern_subject *s, const struct pattern *pattern, size_t at,
    struct pattern_places *to)
{
	const struct pattern_node *nodes = pattern->nodes;
	struct pattern_places here;
	size_t k = 0;

	if (!may_match(s, pattern))
		return;
	for (; k < pattern->node_count && node_is_token(&nodes[k]) &&
	       !places_have(&s->passable, at);
	     k++, at++)
		if (!token_is(s, nodes[k].number, at))
			return;
	places_clear(s, &here);
	places_put(&here, at);
	/* behind a token */
	if (k > 0 && places_have(&s->passable, at))
		places_put(&here, at + 1);
	if (match_nodes(s, pattern, k, &here))
		places_add(s, to, &here);
}

/* The choices of a set that begin with a token: [*from, *to) of its firsts. */
static void
choices_of(
    const struct pattern_set *set, uint32_t number, size_t *from, size_t *to)
{
	const struct pattern_first *firsts = set->firsts.data;
	size_t low = 0, high = set->firsts.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (firsts[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	*from = low;
	for (*to = low; *to < set->firsts.count && firsts[*to].number == number;
	     ++*to)
		;
}

static void
match_set_from(struct pattern_subject *s, const struct pattern_set *set,
    size_t at, struct pattern_places *to)
{
	const struct pattern *choices = set->choices.data;
	const struct pattern_first *firsts = set->firsts.data;
	const uint32_t *others = set->others.data, *marks = s->marks.data;
	size_t from, end;

	for (uint32_t i = s->marks_begin[at];
	     at < s->text->count && i < s->marks_begin[at + 1]; i++)
		if (set->first_bits[marks[i] / 64] >> (marks[i] % 64) & 1)
			for (choices_of(set, marks[i], &from, &end); from < end;
			     from++)
				match_from(
				    s, &choices[firsts[from].choice], at, to);
	for (size_t i = 0; i < set->others.count; i++)
		match_from(s, &choices[others[i]], at, to);
}

/* ---- sets ---- */

/* Where the tokens stand that choices begin with. */
static void
find_begins(struct pattern_subject *s, const struct pattern_set *set,
    struct pattern_places *may)
{
	const struct pattern *choices = set->choices.data;
	const uint32_t *numbers = s->slot_numbers.data;
	const uint32_t *others = set->others.data;

	for (size_t i = 0; i < s->slot_numbers.count; i++)
		if (set->first_bits[numbers[i] / 64] >> (numbers[i] % 64) & 1)
			places_add(s, may, token_places(s, numbers[i]));
	for (size_t i = 0; i < set->others.count; i++)
		begins(s, &choices[others[i]], may);
}

static struct pattern_memo *
memo_of(struct pattern_subject *s, const struct pattern_set *set)
{
	struct pattern_memo ***memos = &s->memos[s->view], **memo;

	if (*memos == NULL)
		*memos =
		    arena_array(s->arena, s->book->set_count, sizeof(*memo));
	memo = &(*memos)[set->number];
	if (*memo == NULL) {
		*memo = arena_alloc(s->arena, sizeof(**memo));
		list_init(&(*memo)->ends, s->arena, sizeof(uint16_t));
		find_begins(s, set, &(*memo)->may);
		(*memo)->end_from =
		    arena_array(s->arena, s->text->count + 1, sizeof(uint32_t));
		(*memo)->end_to =
		    arena_array(s->arena, s->text->count + 1, sizeof(uint32_t));
	}
	return *memo;
}

static void
learn(struct pattern_subject *s, const struct pattern_set *set,
    struct pattern_memo *memo, size_t place)
{
	struct pattern_places ends;

	places_clear(s, &ends);
	match_set_from(s, set, place, &ends);
	places_put(&memo->known, place);
	memo->end_from[place] = (uint32_t)memo->ends.count;
	places_each(s, &ends, end) * (uint16_t *)list_add(&memo->ends) =
	    (uint16_t)end;
	memo->end_to[place] = (uint32_t)memo->ends.count;
	if (memo->end_to[place] > memo->end_from[place])
		places_put(&memo->begin, place);
}

/* The memo, with all that is to be known of the places. */
static const struct pattern_memo *
learn_all(struct pattern_subject *s, const struct pattern_set *set,
    const struct pattern_places *from)
{
	struct pattern_memo *memo = memo_of(s, set);
	struct pattern_places todo = {{0}};

	for (unsigned i = 0; i < s->words; i++)
		todo.word[i] =
		    from->word[i] & memo->may.word[i] & ~memo->known.word[i];
	places_each(s, &todo, place) learn(s, set, memo, place);
	return memo;
}

static void
match_set(struct pattern_subject *s, const struct pattern_set *set,
    const struct pattern_places *from, struct pattern_places *to)
{
	const struct pattern_memo *memo;
	const uint16_t *ends;
	struct pattern_places begin;

	if (set->choices.count <= CHOICES_FEW) {
		match_choices(s, &set->choices, from, to);
		return;
	}
	memo = learn_all(s, set, from);
	ends = memo->ends.data;
	places_copy(s, &begin, from);
	places_keep(s, &begin, &memo->begin);
	places_each(s, &begin, place) for (uint32_t i = memo->end_from[place];
					   i < memo->end_to[place]; i++)
	    places_put(to, ends[i]);
}

/* ---- nodes ---- */

static const struct pattern_places *
mark_places(const struct pattern_subject *s, enum node_kind kind)
{
	return kind == NODE_CLAUSE_START ? &s->clause_start
	       : kind == NODE_CLAUSE_END ? &s->clause_end
	       : kind == NODE_TEXT_START ? &s->text_start
					 : &s->text_end;
}

static void
match_node(struct pattern_subject *s, const struct pattern_node *node,
    const struct pattern_places *from, struct pattern_places *to)
{
	switch (node->kind) {
	case NODE_LITERAL:
	case NODE_WORD:
	case NODE_STEM:
		match_token(s, node, from, to);
		break;
	case NODE_MAYBE:
		places_add(s, to, from);
		match_choices(s, node->choices, from, to);
		break;
	case NODE_GROUP:
		match_choices(s, node->choices, from, to);
		break;
	case NODE_SET:
		match_set(s, node->set, from, to);
		break;
	case NODE_GAP:
		match_gap(s, node->gap, from, to);
		break;
	case NODE_NUMBER:
	case NODE_DAYS:
	case NODE_UNITS:
		match_spans(s, node, from, to);
		break;
	default:
		places_copy(s, to, from);
		places_keep(s, to, mark_places(s, node->kind));
	}
}

static bool
matches(struct pattern_subject *s, const struct pattern *pattern)
{
	struct pattern_places here;

	if (!may_match(s, pattern))
		return false;
	places_copy(s, &here, &s->all);
	return match_nodes(s, pattern, 0, &here);
}

bool
pattern_matches(struct pattern_subject *s, const struct list *choices)
{
	const struct pattern *list = choices->data;

	for (size_t i = 0; i < choices->count; i++)
		if (matches(s, &list[i]))
			return true;
	return false;
}

/* ---- search ---- */

/* A pattern that matches somewhere, with the places it may begin at. */
struct live {
	const struct pattern *pattern;
	struct pattern_places begin;
};

/* Where a node may begin; false: it may be nothing, what follows counts. */
static bool
node_begins(struct pattern_subject *s, const struct pattern_node *node,
    struct pattern_places *to)
{
	const struct pattern *list =
	    node_has_choices(node) ? node->choices->data : NULL;

	if (node_is_token(node)) {
		const struct pattern_places *places =
		    token_places(s, node->number);

		if (places != NULL)
			places_add(s, to, places);
		return true;
	}
	if (node->kind == NODE_GROUP || node->kind == NODE_MAYBE)
		for (size_t i = 0; i < node->choices->count; i++)
			begins(s, &list[i], to);
	else if (node->kind == NODE_SET)
		find_begins(s, node->set, to);
	else if (node->kind == NODE_GAP)
		places_add(s, to, &s->all);
	else if (!node_is_mark(node->kind))
		places_add(s, to, &spans_of(s, node->kind)->begin);
	return node->kind != NODE_GAP && node->kind != NODE_MAYBE &&
	       !node_is_mark(node->kind);
}

static void
begins(struct pattern_subject *s, const struct pattern *pattern,
    struct pattern_places *to)
{
	const struct pattern_node *nodes = pattern->nodes;

	for (size_t k = 0; k < pattern->node_count; k++)
		if (node_begins(s, &nodes[k], to))
			return;
	places_add(s, to, &s->all);
}

void
pattern_search_start(struct pattern_search *search, struct pattern_subject *s,
    const struct list *choices)
{
	const struct pattern *list = choices->data;

	*search = (struct pattern_search){.subject = s};
	list_init(&search->live, s->arena, sizeof(struct live));
	for (size_t i = 0; i < choices->count; i++) {
		struct live *live;

		if (!matches(s, &list[i]))
			continue;
		live = list_add(&search->live);
		live->pattern = &list[i];
		begins(s, &list[i], &live->begin);
		places_add(s, &search->begin, &live->begin);
	}
}

/* The longest match from one place; `at` itself where there is none. */
static size_t
longest(const struct pattern_search *search, size_t at, size_t to)
{
	struct pattern_subject *s = search->subject;
	const struct live *live = search->live.data;
	struct pattern_places ends;

	places_clear(s, &ends);
	for (size_t i = 0; i < search->live.count; i++)
		if (places_have(&live[i].begin, at))
			match_from(s, live[i].pattern, at, &ends);
	for (size_t end = to; end > at; end--)
		if (places_have(&ends, end))
			return end;
	return at;
}

bool
pattern_search_next(struct pattern_search *search, size_t from, size_t to,
    size_t *begin, size_t *end)
{
	const struct reply_token *tokens = search->subject->text->tokens;

	for (*begin = from; *begin < to; ++*begin) {
		if (!places_have(&search->begin, *begin) ||
		    tokens[*begin].kind == TOKEN_SPACE)
			continue;
		*end = longest(search, *begin, to);
		if (*end == *begin)
			continue;
		while (
		    *end > *begin + 1 && tokens[*end - 1].kind == TOKEN_SPACE)
			--*end;
		return true;
	}
	return false;
}

bool
pattern_find(struct pattern_subject *s, const struct list *choices, size_t from,
    size_t to, size_t *begin, size_t *end)
{
	struct pattern_search search;

	pattern_search_start(&search, s, choices);
	return pattern_search_next(&search, from, to, begin, end);
}
