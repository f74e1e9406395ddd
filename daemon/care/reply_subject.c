/*
 * A text as patterns see it: where each token stands that patterns ask for,
 * what can be gone over, what is hidden from a label.  Pure.
 */
#include "care/reply_places.h"
#include "care/reply_words.h"

static bool
is_latin(const struct reply_token *token)
{
	return token->kind == TOKEN_WORD || token->kind == TOKEN_NUMBER;
}

/* A blank beside a Latin word: literal sequences go over it. */
static bool
is_passable(const struct reply_text *text, size_t at)
{
	return text->tokens[at].kind == TOKEN_SPACE &&
	       ((at > 0 && is_latin(&text->tokens[at - 1])) ||
		   (at + 1 < text->count && is_latin(&text->tokens[at + 1])));
}

static void
find_breaks(struct pattern_subject *s)
{
	const struct reply_token *tokens = s->text->tokens;
	size_t count = s->text->count;

	for (size_t i = 0; i <= count; i++) {
		places_put(&s->all, i);
		if (i == 0 || reply_token_separates(&tokens[i - 1]))
			places_put(&s->clause_start, i);
		if (i == count || reply_token_separates(&tokens[i]))
			places_put(&s->clause_end, i);
		if (i == count)
			break;
		if (is_passable(s->text, i))
			places_put(&s->passable, i);
		if (tokens[i].kind == TOKEN_BREAK)
			continue;
		places_put(&s->long_gap, i);
		if (!reply_token_separates(&tokens[i]) ||
		    is_passable(s->text, i))
			places_put(&s->short_gap, i);
	}
}

/* A reply begins behind the breaks ahead of it, but ends at a ?. */
static void
find_ends(struct pattern_subject *s)
{
	const struct reply_token *tokens = s->text->tokens;
	size_t count = s->text->count;

	for (size_t i = 0; i <= count; i++) {
		places_put(&s->text_start, i);
		if (i == count || !reply_token_separates(&tokens[i]))
			break;
	}
	for (size_t i = count;; i--) {
		places_put(&s->text_end, i);
		if (i == 0 || !reply_token_separates(&tokens[i - 1]) ||
		    tokens[i - 1].codepoint == '?')
			break;
	}
}

/* ---- tokens ---- */

static void
note_token(struct pattern_subject *s, enum node_kind kind,
    const struct reply_token *token, size_t bytes, size_t at)
{
	uint32_t number;
	uint16_t *slot;

	if (!pattern_words_find(s->book->words, kind, token->codepoint,
		token->word, bytes, &number))
		return;
	*(uint32_t *)list_add(&s->marks) = number;
	slot = &s->slots[number];
	if (*slot == 0) {
		(void)list_add(&s->token_places);
		*(uint32_t *)list_add(&s->slot_numbers) = number;
		*slot = (uint16_t)s->token_places.count;
	}
	places_put(
	    (struct pattern_places *)s->token_places.data + *slot - 1, at);
}

static void
note_tokens(struct pattern_subject *s)
{
	const struct reply_token *tokens = s->text->tokens;

	for (size_t i = 0; i < s->text->count; i++) {
		size_t bytes =
		    tokens[i].word == NULL ? 0 : strlen(tokens[i].word);

		s->marks_begin[i] = (uint32_t)s->marks.count;
		if (tokens[i].word == NULL) {
			note_token(s, NODE_LITERAL, &tokens[i], 0, i);
			continue;
		}
		note_token(s, NODE_WORD, &tokens[i], bytes, i);
		for (size_t k = 1; k <= bytes; k++)
			note_token(s, NODE_STEM, &tokens[i], k, i);
	}
	s->marks_begin[s->text->count] = (uint32_t)s->marks.count;
}

/* ---- numbers ---- */

static void
span(struct pattern_spans *spans, size_t begin, size_t end)
{
	places_put(&spans->begin, begin);
	spans->end[begin] = (uint16_t)end;
}

static void
find_numbers(struct pattern_subject *s)
{
	const struct quantity *list = s->quantities->list.data;
	int64_t micro;

	s->numbers.end =
	    arena_array(s->arena, s->text->count + 1, sizeof(uint16_t));
	s->numbers.micro =
	    arena_array(s->arena, s->text->count + 1, sizeof(int64_t));
	s->days.end =
	    arena_array(s->arena, s->text->count + 1, sizeof(uint16_t));
	s->units.end =
	    arena_array(s->arena, s->text->count + 1, sizeof(uint16_t));
	for (size_t i = 0; i < s->text->count; i++) {
		size_t end = quantity_number(s->text, i, &micro);

		if (end == i)
			continue;
		span(&s->numbers, i, end);
		s->numbers.micro[i] = micro;
	}
	for (size_t i = 0; i < s->quantities->list.count; i++)
		span(list[i].days ? &s->days : &s->units, list[i].begin,
		    list[i].end);
}

void
pattern_subject_init(struct pattern_subject *s, const struct pattern_book *book,
    const struct reply_text *text, const struct quantities *quantities,
    struct arena *arena)
{
	*s = (struct pattern_subject){.text = text,
	    .quantities = quantities,
	    .book = book,
	    .arena = arena,
	    .words = (unsigned)(text->count / 64) + 1};
	list_init(&s->marks, arena, sizeof(uint32_t));
	list_init(&s->token_places, arena, sizeof(struct pattern_places));
	list_init(&s->slot_numbers, arena, sizeof(uint32_t));
	s->slots = arena_array(
	    arena, pattern_words_count(book->words) + 1, sizeof(s->slots[0]));
	s->marks_begin =
	    arena_array(arena, text->count + 1, sizeof(s->marks_begin[0]));
	find_breaks(s);
	find_ends(s);
	note_tokens(s);
	find_numbers(s);
	pattern_subject_view(s, 0);
}

void
pattern_subject_view(struct pattern_subject *s, uint32_t label_bit)
{
	unsigned view =
	    label_bit == 0 ? 0 : 1 + (unsigned)__builtin_ctz(label_bit);

	if (s->hidden_in[view] == NULL) {
		struct pattern_places *hidden =
		    arena_alloc(s->arena, sizeof(*hidden));

		for (size_t i = 0; i < s->text->count; i++)
			if (s->text->tokens[i].hidden & label_bit)
				places_put(hidden, i);
		/* where nothing is hidden, all is seen */
		s->hidden_in[view] = places_any(s, hidden) || view == 0
					 ? hidden
					 : s->hidden_in[0];
	}
	s->hidden = s->hidden_in[view];
	s->view = s->hidden == s->hidden_in[0] ? 0 : view;
}
