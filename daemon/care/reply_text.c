/*
 * Cutting a reply into tokens.  Foreign bytes: every one is looked at under
 * a bound, and none is trusted.  Pure; tokens live in the caller's arena.
 */
#include "care/reply_text.h"

#include <string.h>

#include <utf8proc.h>

#define WORD_BYTES_MAX 40 /* the rest of a longer word is dropped */
#define REPEATS_MAX 2     /* 哈哈哈 is 哈, "stooop" is "stop" */

struct cutter {
	struct arena *arena;
	struct reply_text *out;
	char word[WORD_BYTES_MAX + 1];
	size_t word_bytes;
	uint32_t word_from, word_to;
	bool spaced; /* blanks since the last token */
};

static bool
is_letter(uint32_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

static bool
is_blank(uint32_t c)
{
	return c == ' ' || c == '\t' || c == 0xa0 || c == 0x3000;
}

static bool
is_among(uint32_t c, const char *set)
{
	return c < 0x80 && c != 0 && strchr(set, (int)c) != NULL;
}

static bool
is_break(uint32_t c)
{
	static const uint32_t others[] = {0x3002, 0x2026, 0x22ef, 0x2028,
	    0x2029, 0x300c, 0x300d, 0x300e, 0x300f, 0x201c, 0x201d, 0x2018,
	    0x3008, 0x3009, 0x300a, 0x300b, 0x3010, 0x3011, 0x2014, 0x2013,
	    0xfffd, 0xb7, 0x2022};

	if (is_among(c, ",.;!?\n\r()[]{}<>\"|*_\\^`"))
		return true;
	for (unsigned i = 0; i < COUNT(others); i++)
		if (others[i] == c)
			return true;
	return false;
}

static bool
is_symbol(uint32_t c)
{
	return c >= 0x1f000 || (c >= 0x2190 && c <= 0x2bff);
}

bool
reply_token_separates(const struct reply_token *token)
{
	return token->kind == TOKEN_BREAK || token->kind == TOKEN_SPACE ||
	       token->kind == TOKEN_SYMBOL;
}

bool
reply_text_has(const struct reply_text *text, size_t at, const char *han)
{
	if (at >= text->count || text->tokens[at].kind != TOKEN_HAN)
		return false;
	for (; *han != '\0'; han += 3)
		if (text->tokens[at].codepoint == reply_han(han))
			return true;
	return false;
}

/* What is over the bound is left out. */
static void
add_token(struct cutter *c, struct reply_token token)
{
	if (c->out->count < REPLY_TOKENS_MAX)
		c->out->tokens[c->out->count++] = token;
	else if (c->out->bytes == 0)
		c->out->bytes = token.from;
}

static bool
is_latin(enum reply_token_kind kind)
{
	return kind == TOKEN_WORD || kind == TOKEN_NUMBER;
}

/* Blanks part words, save Latin ones, and a number from what it counts. */
static void
part(struct cutter *c, enum reply_token_kind next, uint32_t at)
{
	const struct reply_token *last;

	if (!c->spaced)
		return;
	c->spaced = false;
	if (c->out->count == 0 || next >= TOKEN_MARK)
		return;
	last = &c->out->tokens[c->out->count - 1];
	if (last->kind >= TOKEN_MARK ||
	    (is_latin(last->kind) && is_latin(next)))
		return;
	if (last->kind == TOKEN_NUMBER && next == TOKEN_HAN)
		return;
	add_token(c,
	    (struct reply_token){
		.kind = TOKEN_SPACE, .codepoint = ' ', .from = at, .to = at});
}

/* Of a letter three times and more one remains. */
static void
squeeze(char *word)
{
	size_t to = 0;

	for (size_t i = 0; word[i] != '\0';) {
		size_t run = strspn(word + i, (char[]){word[i], '\0'});

		for (size_t k = 0; k < (run > REPEATS_MAX ? 1 : run); k++)
			word[to++] = word[i];
		i += run;
	}
	word[to] = '\0';
}

static void
end_word(struct cutter *c)
{
	bool number;

	if (c->word_bytes == 0)
		return;
	c->word[c->word_bytes] = '\0';
	number = is_digit((unsigned char)c->word[0]);
	/* "1." is a number and a full stop */
	if (number && c->word[c->word_bytes - 1] == '.')
		c->word[--c->word_bytes] = '\0';
	if (!number)
		squeeze(c->word);
	add_token(
	    c, (struct reply_token){.kind = number ? TOKEN_NUMBER : TOKEN_WORD,
		   .codepoint = (unsigned char)c->word[0],
		   .word = arena_text(c->arena, c->word),
		   .from = c->word_from,
		   .to = c->word_to});
	c->word_bytes = 0;
}

/* Letters and digits collect; apostrophes vanish inside of words. */
static bool
take_latin(struct cutter *c, uint32_t codepoint, uint32_t from, uint32_t to)
{
	bool apostrophe = codepoint == '\'' || codepoint == 0x2019;
	bool in_number =
	    c->word_bytes > 0 && is_digit((unsigned char)c->word[0]);
	bool digit = is_digit(codepoint);

	if (apostrophe && c->word_bytes > 0)
		return true;
	if (!digit && !is_letter(codepoint) &&
	    !(codepoint == '.' && in_number &&
		memchr(c->word, '.', c->word_bytes) == NULL))
		return false;
	if (c->word_bytes > 0 && digit != in_number && codepoint != '.')
		end_word(c);
	if (c->word_bytes == 0) {
		part(c, digit ? TOKEN_NUMBER : TOKEN_WORD, from);
		c->word_from = from;
	}
	if (c->word_bytes < WORD_BYTES_MAX)
		c->word[c->word_bytes++] = (char)codepoint;
	c->word_to = to;
	return true;
}

static void
take_break(struct cutter *c, uint32_t codepoint, uint32_t from, uint32_t to)
{
	size_t count = c->out->count;

	c->spaced = false;
	if (count > 0 && c->out->tokens[count - 1].kind == TOKEN_BREAK) {
		c->out->tokens[count - 1].to = to;
		if (codepoint == '?')
			c->out->tokens[count - 1].codepoint = '?';
		return;
	}
	add_token(c, (struct reply_token){.kind = TOKEN_BREAK,
			 .codepoint = codepoint,
			 .from = from,
			 .to = to});
}

static void
take_codepoint(struct cutter *c, uint32_t codepoint, uint32_t from, uint32_t to)
{
	enum reply_token_kind kind = TOKEN_HAN;

	/* control characters say nothing, not even where a word ends */
	if ((codepoint < 0x20 && !is_among(codepoint, "\t\n\r")) ||
	    codepoint == 0x7f)
		return;
	if (take_latin(c, codepoint, from, to))
		return;
	end_word(c);
	if (is_blank(codepoint)) {
		c->spaced = true;
		return;
	}
	if (is_break(codepoint)) {
		take_break(c, codepoint, from, to);
		return;
	}
	if (codepoint < 0x80 || codepoint == 0x3001 || codepoint == 0x301c)
		kind = TOKEN_MARK;
	else if (is_symbol(codepoint))
		kind = TOKEN_SYMBOL;
	part(c, kind, from);
	add_token(c,
	    (struct reply_token){
		.kind = kind, .codepoint = codepoint, .from = from, .to = to});
}

static bool
is_same(const struct reply_token *a, const struct reply_token *b)
{
	return a->kind == b->kind && a->codepoint == b->codepoint &&
	       (a->kind == TOKEN_HAN || a->kind == TOKEN_SYMBOL ||
		   a->kind == TOKEN_MARK);
}

/* Of a character three times and more one remains. */
static void
squeeze_tokens(struct reply_text *text)
{
	size_t to = 0;

	for (size_t i = 0; i < text->count;) {
		size_t run = 1;

		while (i + run < text->count &&
		       is_same(&text->tokens[i], &text->tokens[i + run]))
			run++;
		for (size_t k = 0; k < (run > REPEATS_MAX ? 1 : run); k++)
			text->tokens[to++] = text->tokens[i + k];
		i += run;
	}
	text->count = to;
}

/* "不 要 再 发": every character stands alone, so blanks mean nothing. */
static void
join_spaced(struct reply_text *text)
{
	size_t spaces = 0, joined = 0, to = 0;

	for (size_t i = 0; i < text->count; i++) {
		bool han = text->tokens[i].kind == TOKEN_HAN;

		spaces += text->tokens[i].kind == TOKEN_SPACE;
		joined += i > 0 && han && text->tokens[i - 1].kind == TOKEN_HAN;
	}
	if (spaces < 2 || joined > 0)
		return;
	for (size_t i = 0; i < text->count; i++)
		if (text->tokens[i].kind != TOKEN_SPACE)
			text->tokens[to++] = text->tokens[i];
	text->count = to;
}

void
reply_text_read(
    const char *text, size_t bytes, struct arena *arena, struct reply_text *out)
{
	struct cutter c = {.arena = arena, .out = out};
	uint32_t folded[8];

	*out = (struct reply_text){.text = text};
	out->tokens =
	    arena_array(arena, REPLY_TOKENS_MAX, sizeof(*out->tokens));
	if (bytes > REPLY_BYTES_MAX)
		bytes = REPLY_BYTES_MAX;
	for (size_t at = 0; at < bytes;) {
		utf8proc_int32_t codepoint;
		utf8proc_ssize_t used =
		    utf8proc_iterate((const utf8proc_uint8_t *)text + at,
			(utf8proc_ssize_t)(bytes - at), &codepoint);
		size_t count = 0;

		if (used <= 0) {
			used = 1;
			folded[count++] = 0xfffd;
		} else {
			count = reply_fold(
			    (uint32_t)codepoint, folded, COUNT(folded));
		}
		for (size_t i = 0; i < count; i++)
			take_codepoint(&c, folded[i], (uint32_t)at,
			    (uint32_t)(at + (size_t)used));
		at += (size_t)used;
	}
	end_word(&c);
	if (out->bytes == 0)
		out->bytes = bytes;
	squeeze_tokens(out);
	join_spaced(out);
}
