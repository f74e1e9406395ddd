/*
 * The digits that a question offers, in all forms that people give them:
 * 1, ①, 一, "回1", "选第二个", "option 2".  Pure.
 */
#include <string.h>

#include "care/reply_sense.h"

#define CHOICES_MAX 3
#define NONE REPLY_LABEL_COUNT

static const enum reply_label menus[REPLY_CONTEXT_COUNT][CHOICES_MAX] = {
    [REPLY_ON_DOSE] = {REPLY_TAKEN, REPLY_ADVERSE_EVENT, REPLY_NOT_TAKEN},
    [REPLY_ON_REFILL] = {REPLY_REFILL_YES, REPLY_REFILL_NO, NONE},
    [REPLY_ON_FOLLOWUP] = {REPLY_FOLLOWUP_CONFIRM, REPLY_FOLLOWUP_RESCHEDULE,
	REPLY_FOLLOWUP_CANCEL},
    [REPLY_ON_MULTI] = {NONE, NONE, NONE},
    [REPLY_ON_NONE] = {NONE, NONE, NONE},
};

static size_t
pass_separators(const struct reply_text *text, size_t at)
{
	while (at < text->count && (reply_token_separates(&text->tokens[at]) ||
				       text->tokens[at].kind == TOKEN_MARK))
		at++;
	return at;
}

static bool
is_one_of(const struct reply_text *text, size_t at, const char *han,
    const char *const *words)
{
	if (at >= text->count || text->tokens[at].kind != TOKEN_WORD)
		return reply_text_has(text, at, han);
	for (; *words != NULL; words++)
		if (strcmp(text->tokens[at].word, *words) == 0)
			return true;
	return false;
}

/* 回复, 我选, 选项, 第; option, number, press */
static size_t
pass_verb(const struct reply_text *text, size_t at)
{
	static const char *const words[] = {"option", "number", "no", "num",
	    "reply", "press", "choose", "choice", "item", "the", "my", "answer",
	    "is", "select", "its", NULL};

	at = pass_separators(text, at);
	while (at < text->count &&
	       (is_one_of(text, at, "我回复选项择按答案发填是第就", words) ||
		   reply_token_separates(&text->tokens[at])))
		at = pass_separators(text, at + 1);
	return at;
}

/* 号, 个, 项, and what is said out of politeness */
static size_t
pass_counter(const struct reply_text *text, size_t at)
{
	static const char *const words[] = {
	    "please", "pls", "thanks", "thank", "you", "thx", "ok", NULL};

	at = pass_separators(text, at);
	while (at < text->count &&
	       is_one_of(text, at, "号个项吧啊哈呢哦了的谢您好", words))
		at = pass_separators(text, at + 1);
	return at;
}

static size_t
read_digit(const struct reply_text *text, size_t at, int *digit)
{
	static const char *const ordinals[] = {"first", "second", "third"};
	static const char *const one[] = {"one", "option", NULL};
	int64_t micro = 0;
	size_t end;

	for (unsigned i = 0; i < COUNT(ordinals) && at < text->count; i++)
		if (text->tokens[at].kind == TOKEN_WORD &&
		    strcmp(text->tokens[at].word, ordinals[i]) == 0) {
			*digit = (int)i + 1;
			at++;
			return at + (at < text->count &&
					is_one_of(text, at, "", one));
		}
	end = quantity_number(text, at, &micro);
	if (end == at || micro % 1000000 != 0 || micro > 1000000 * 99 ||
	    (text->tokens[at].kind == TOKEN_WORD &&
		text->tokens[at].word[0] == 'a'))
		return at;
	/* 01 and the like are codes */
	if (text->tokens[at].kind == TOKEN_NUMBER &&
	    text->tokens[at].word[0] == '0')
		return at;
	*digit = (int)(micro / 1000000);
	return end;
}

static enum reply_label
choice(enum reply_context context, int digit)
{
	return digit >= 1 && digit <= CHOICES_MAX ? menus[context][digit - 1]
						  : NONE;
}

bool
sense_menu(struct sense *sense, const struct reply_text *text,
    enum reply_context context)
{
	size_t begin = pass_verb(text, 0), end;
	enum reply_label label;
	int digit = 0;

	if (context == REPLY_ON_MULTI)
		return false;
	end = read_digit(text, begin, &digit);
	if (end == begin || pass_counter(text, end) != text->count)
		return false;
	label = choice(context, digit);
	sense_add(sense, label == NONE ? REPLY_UNCLEAR : label, "menu");
	return true;
}

/* "我不晕，回1": the digit of a last clause that has a verb; 0: none. */
static int
digit_behind(const struct reply_text *text)
{
	struct reply_text clause = *text;
	size_t from = text->count, begin, end;
	int digit = 0;

	while (from > 0 && !reply_token_separates(&text->tokens[from - 1]))
		from--;
	clause.tokens += from;
	clause.count -= from;
	begin = pass_verb(&clause, 0);
	if (from == 0 || begin == 0)
		return 0;
	end = read_digit(&clause, begin, &digit);
	return end > begin && pass_counter(&clause, end) == clause.count ? digit
									 : 0;
}

static int
digit_ahead(const struct reply_text *text)
{
	size_t begin = pass_verb(text, 0), end;
	int digit = 0;

	end = read_digit(text, begin, &digit);
	return end > begin && end < text->count &&
		       reply_token_separates(&text->tokens[end])
		   ? digit
		   : 0;
}

void
sense_menu_beside(struct sense *sense, const struct reply_text *text,
    enum reply_context context)
{
	enum reply_label label;
	int digit = digit_ahead(text);

	if (digit == 0)
		digit = digit_behind(text);
	if (digit == 0)
		return;
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		if (sense->rule_of[i] != NULL &&
		    (reply_label_row(i)->answers == (int)context ||
			i == REPLY_STOPPED || reply_label_row(i)->refusal ||
			i == REPLY_HAVE_SUPPLY))
			return;
	label = choice(context, digit);
	if (label != NONE)
		sense_add(sense, label, "menu");
}
