/*
 * Numbers as people write them, and what they count.  Pure; quantities live
 * in the caller's arena.
 */
#include "care/reply_quantity.h"

#include <string.h>

#define MICRO INT64_C(1000000)
#define NUMBER_MAX (1000000 * MICRO)
#define DAYS_OF_MONTH 30

/* ---- characters ---- */

static uint32_t
han_at(const struct reply_text *text, size_t at)
{
	return at < text->count && text->tokens[at].kind == TOKEN_HAN
		   ? text->tokens[at].codepoint
		   : 0;
}

static const char *
word_at(const struct reply_text *text, size_t at)
{
	return at < text->count && text->tokens[at].kind == TOKEN_WORD
		   ? text->tokens[at].word
		   : "";
}

static bool
is_mark(const struct reply_text *text, size_t at, const char *marks)
{
	return at < text->count && text->tokens[at].kind == TOKEN_MARK &&
	       text->tokens[at].codepoint < 0x80 &&
	       strchr(marks, (int)text->tokens[at].codepoint) != NULL;
}

static int
digit_of(uint32_t c)
{
	static const struct {
		uint32_t codepoint;
		int value;
	} digits[] = {{U'零', 0}, {U'〇', 0}, {U'一', 1}, {U'二', 2},
	    {U'两', 2}, {U'三', 3}, {U'四', 4}, {U'五', 5}, {U'六', 6},
	    {U'七', 7}, {U'八', 8}, {U'九', 9}, {U'壹', 1}, {U'贰', 2},
	    {U'叁', 3}, {U'肆', 4}, {U'伍', 5}, {U'陆', 6}, {U'柒', 7},
	    {U'捌', 8}, {U'玖', 9}};

	for (unsigned i = 0; i < COUNT(digits); i++)
		if (digits[i].codepoint == c)
			return digits[i].value;
	return -1;
}

/* ---- numbers ---- */

static bool
is_ten(uint32_t c)
{
	return c == U'十' || c == U'拾';
}

/*
 * 十二, 三十, 二十来, 一百; 两三 is 2; of 廿 and 俩 too; 一百八 is 180.
 * 一百三十二八十二 are two, as blood pressure is told.
 */
static size_t
read_han_number(const struct reply_text *text, size_t at, int64_t *value)
{
	int64_t total = 0, part = -1;
	bool hundred = false; /* what follows counts tens, if it is not 零 */
	bool tens = false;    /* they were told */
	size_t i = at;

	for (; i < text->count; i++) {
		uint32_t c = han_at(text, i);
		int digit = digit_of(c);

		hundred = hundred && digit != 0;
		if (digit >= 0 && part >= 0) {
			/* 两三天, 七八天: the lower; 二〇: two digits */
			if (part > 0 && digit == part + 1 &&
			    !(tens && is_ten(han_at(text, i + 1))))
				continue;
			if (total > 0 && part > 0)
				break;
			part = part * 10 + digit;
		} else if (digit >= 0) {
			part = digit;
		} else if (is_ten(c)) {
			total += (part < 0 ? 1 : part) * 10;
			part = -1;
			hundred = false;
			tens = true;
		} else if (c == U'百' || c == U'佰') {
			total += (part < 0 ? 1 : part) * 100;
			part = -1;
			hundred = true;
		} else if (c == U'俩' || c == U'仨') {
			total += c == U'俩' ? 2 : 3;
			i++;
			break;
		} else {
			break;
		}
		if (total > 1000000 || part > 1000000)
			return at;
	}
	if (hundred && part > 0 && part < 10)
		part *= 10;
	*value = total + (part < 0 ? 0 : part);
	return i;
}

static size_t
read_english_number(const struct reply_text *text, size_t at, int64_t *micro)
{
	static const char *const words[] = {"zero", "one", "two", "three",
	    "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
	    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
	    "eighteen", "nineteen", "twenty"};
	const char *word = word_at(text, at);

	for (unsigned i = 0; i < COUNT(words); i++)
		if (strcmp(word, words[i]) == 0) {
			*micro = i * MICRO;
			return at + 1;
		}
	if (strcmp(word, "thirty") == 0 || strcmp(word, "forty") == 0) {
		*micro = (*word == 't' ? 30 : 40) * MICRO;
		return at + 1;
	}
	if (strcmp(word, "couple") == 0 || strcmp(word, "dozen") == 0) {
		*micro = (*word == 'c' ? 2 : 12) * MICRO;
		return at + 1 + (strcmp(word_at(text, at + 1), "of") == 0);
	}
	if (strcmp(word, "half") == 0) {
		bool article = strcmp(word_at(text, at + 1), "a") == 0 ||
			       strcmp(word_at(text, at + 1), "an") == 0;

		*micro = MICRO / 2;
		return at + 1 + article;
	}
	if (strcmp(word, "a") == 0 || strcmp(word, "an") == 0) {
		size_t next = read_english_number(text, at + 1, micro);

		/* "a couple of", "a dozen", "a half"; "a week" is one */
		if (next > at + 1 && word_at(text, at + 1)[0] != 'a')
			return next;
		*micro = MICRO;
		return at + 1;
	}
	return at;
}

static size_t
read_digits(const struct reply_text *text, size_t at, int64_t *micro)
{
	const char *c = text->tokens[at].word;
	int64_t scale = MICRO;

	*micro = 0;
	for (; *c >= '0' && *c <= '9'; c++) {
		*micro = *micro * 10 + (*c - '0') * MICRO;
		if (*micro > NUMBER_MAX)
			return at;
	}
	if (*c == '.')
		for (c++; *c != '\0' && scale > 1; c++) {
			scale /= 10;
			*micro += (*c - '0') * scale;
		}
	/* 1/2 */
	if (is_mark(text, at + 1, "/") && at + 2 < text->count &&
	    text->tokens[at + 2].kind == TOKEN_NUMBER &&
	    strcmp(text->tokens[at + 2].word, "2") == 0 && *micro == MICRO) {
		*micro = MICRO / 2;
		return at + 3;
	}
	return at + 1;
}

size_t
quantity_number(const struct reply_text *text, size_t at, int64_t *micro)
{
	int64_t value;
	size_t end;

	if (at >= text->count)
		return at;
	if (text->tokens[at].kind == TOKEN_NUMBER)
		return read_digits(text, at, micro);
	if (text->tokens[at].kind == TOKEN_WORD)
		return read_english_number(text, at, micro);
	if (han_at(text, at) == U'半') {
		*micro = MICRO / 2;
		return at + 1;
	}
	end = read_han_number(text, at, &value);
	if (end > at)
		*micro = value * MICRO;
	return end;
}

/* ---- what is counted ---- */

struct unit {
	const char *text; /* characters, or a word */
	int days;         /* of one; 0: things */
};

static const struct unit units[] = {{"天", 1}, {"日", 1}, {"号", 0}, {"周", 7},
    {"星期", 7}, {"礼拜", 7}, {"个月", DAYS_OF_MONTH}, {"月", DAYS_OF_MONTH},
    {"年", 365}, {"片", 0}, {"粒", 0}, {"颗", 0}, {"板", 0}, {"版", 0},
    {"盒", 0}, {"瓶", 0}, {"支", 0}, {"袋", 0}, {"包", 0}, {"丸", 0}, {"贴", 0},
    {"管", 0}, {"针", 0}, {"剂", 0}, {"排", 0}, {"罐", 0}, {"枚", 0}, {"联", 0},
    {"笔", 0}, {"只", 0}, {"张", 0}, {"条", 0}, {"顿", 0}, {"次", 0}, {"份", 0},
    {"套", 0}, {"大盒", 0}, {"小盒", 0}, {"大瓶", 0}, {"小瓶", 0}, {"毫升", 0},
    {"小包", 0}, {"小袋", 0}, {"单位", 0}, {"胶囊", 0}, {"药", 0}, {"day", 1},
    {"days", 1}, {"d", 1}, {"week", 7}, {"weeks", 7}, {"wk", 7}, {"wks", 7},
    {"fortnight", 14}, {"month", DAYS_OF_MONTH}, {"months", DAYS_OF_MONTH},
    {"mo", DAYS_OF_MONTH}, {"pill", 0}, {"pills", 0}, {"tablet", 0},
    {"tablets", 0}, {"tab", 0}, {"tabs", 0}, {"capsule", 0}, {"capsules", 0},
    {"caps", 0}, {"box", 0}, {"boxes", 0}, {"bottle", 0}, {"bottles", 0},
    {"strip", 0}, {"strips", 0}, {"pack", 0}, {"packs", 0}, {"packet", 0},
    {"packets", 0}, {"dose", 0}, {"doses", 0}, {"pen", 0}, {"pens", 0},
    {"vial", 0}, {"vials", 0}, {"patch", 0}, {"patches", 0}, {"inhaler", 0},
    {"inhalers", 0}, {"sachet", 0}, {"sachets", 0}, {"blister", 0},
    {"blisters", 0}, {"tube", 0}, {"tubes", 0}, {"puffs", 0}, {"refill", 0},
    {"refills", 0}, {"meds", 0}, {"carton", 0}, {"cartons", 0}, {"jar", 0},
    {"jars", 0}, {"箱", 0}, {"筒", 0}, {"桶", 0}, {"帖", 0}, {"副", 0},
    {"服", 0}, {"喷", 0}, {"滴", 0}, {"勺", 0}, {"格", 0}, {"把", 0},
    {"sheet", 0}, {"sheets", 0}, {"card", 0}, {"cards", 0}};

/* The tokens that a unit takes at a place; 0: it does not stand there. */
static size_t
unit_tokens(const struct reply_text *text, size_t at, const char *unit)
{
	size_t count = 0;

	if ((unsigned char)unit[0] < 0x80)
		return strcmp(word_at(text, at), unit) == 0;
	for (const char *c = unit; *c != '\0'; c += 3, count++) {
		if (han_at(text, at + count) != reply_han(c))
			return 0;
	}
	return count;
}

static const struct unit *
unit_at(const struct reply_text *text, size_t at, size_t *tokens)
{
	const struct unit *found = NULL;

	*tokens = 0;
	for (unsigned i = 0; i < COUNT(units); i++) {
		size_t count = unit_tokens(text, at, units[i].text);

		if (count > *tokens) {
			*tokens = count;
			found = &units[i];
		}
	}
	return found;
}

/* The end of what may stand between a range's ends: 3-4, 3到4, 3 or 4. */
static size_t
range_end(const struct reply_text *text, size_t at)
{
	const char *word = word_at(text, at);
	int64_t upper;
	size_t next = at, end;

	if (is_mark(text, at, "-~") || han_at(text, at) == U'到' ||
	    han_at(text, at) == U'至' || han_at(text, at) == U'或' ||
	    (at < text->count && text->tokens[at].codepoint == 0x301c) ||
	    (at < text->count && text->tokens[at].codepoint == U'、') ||
	    (at < text->count && text->tokens[at].codepoint == 0x2013) ||
	    strcmp(word, "or") == 0 || strcmp(word, "to") == 0)
		next = at + 1;
	if (next == at)
		return at;
	end = quantity_number(text, next, &upper);
	return end > next ? end : at;
}

/* 10来天, 十几片, 三个多星期, 5 more days: the words between. */
static size_t
pass_filler(const struct reply_text *text, size_t at)
{
	static const char *const words[] = {
	    "more", "or", "so", "full", "whole", "extra", "odd", "few"};
	static const uint32_t fillers[] = {
	    U'来', U'多', U'几', U'个', U'大', U'小', U'整', U'余'};

	for (int i = 0; i < 3; i++) {
		bool filler = false;

		for (unsigned k = 0; k < COUNT(fillers); k++)
			filler = filler || han_at(text, at) == fillers[k];
		for (unsigned k = 0; k < COUNT(words); k++)
			filler =
			    filler || strcmp(word_at(text, at), words[k]) == 0;
		if (!filler)
			break;
		at++;
	}
	return at;
}

static bool
is_month_unit(const struct reply_text *text, size_t at)
{
	return han_at(text, at) == U'月';
}

/* "一瓶半", "一个半月": what a 半 behind the unit or before it adds. */
static size_t
add_half(const struct reply_text *text, size_t at, int64_t *micro)
{
	if (han_at(text, at) != U'半')
		return at;
	*micro += MICRO / 2;
	return at + 1;
}

static bool
read_quantity(const struct reply_text *text, size_t at, struct quantity *q)
{
	size_t end = quantity_number(text, at, &q->micro), tokens, from;
	const struct unit *unit;

	if (end == at)
		return false;
	from = end;
	end = range_end(text, end);
	if (han_at(text, end) == U'个' && han_at(text, end + 1) == U'半')
		end = add_half(text, end + 1, &q->micro);
	/* 三月 is March, 三个月 and 半月 are spans */
	if (is_month_unit(text, end) && from == end && q->micro != MICRO / 2 &&
	    q->micro % MICRO == 0)
		return false;
	unit = unit_at(text, end, &tokens);
	if (unit == NULL) {
		end = pass_filler(text, end);
		unit = unit_at(text, end, &tokens);
	}
	if (unit == NULL || strcmp(unit->text, "号") == 0)
		return false;
	*q = (struct quantity){
	    .begin = at,
	    .end = end + tokens,
	    .micro = q->micro,
	    .days = unit->days > 0,
	    .unit_from = text->tokens[end].from,
	    .unit_to = text->tokens[end + tokens - 1].to,
	};
	q->end = add_half(text, q->end, &q->micro);
	if (q->days)
		q->micro = q->micro * unit->days / MICRO * MICRO;
	return true;
}

void
quantities_find(const struct reply_text *text, struct arena *arena,
    struct quantities *quantities)
{
	list_init(&quantities->list, arena, sizeof(struct quantity));
	for (size_t at = 0; at < text->count; at++) {
		struct quantity quantity = {0};

		if (read_quantity(text, at, &quantity)) {
			*(struct quantity *)list_add(&quantities->list) =
			    quantity;
			at = quantity.end - 1;
		}
	}
}
