/*
 * Stepping through shorthand: a word, a number, an amount, a unit of time.
 * What is not there is not stepped over.  Pure.
 */
#include <string.h>

#include "care/timing_words.h"

struct unit_word {
	const char *word;
	enum unit unit;
};

static const struct unit_word unit_words[] = {{"个小时", UNIT_H},
    {"小时", UNIT_H}, {"日", UNIT_D}, {"天", UNIT_D}, {"周", UNIT_WK},
    {"星期", UNIT_WK}, {"个月", UNIT_MO}, {"月", UNIT_MO}, {"年", UNIT_A}};
static const struct unit_word latin_units[] = {{"h", UNIT_H}, {"小时", UNIT_H},
    {"d", UNIT_D}, {"w", UNIT_WK}, {"wk", UNIT_WK}};

bool
words_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
words_is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || words_is_digit(c);
}

bool
words_go_on(const char *at, const char *word)
{
	size_t bytes = strlen(word);

	return strncmp(at, word, bytes) == 0 &&
	       !(words_is_alnum(word[bytes - 1]) && words_is_alnum(at[bytes]));
}

bool
words_eat(struct words *in, const char *word)
{
	const char *at = in->at + strspn(in->at, " ");

	if (!words_go_on(at, word))
		return false;
	in->at = at + strlen(word);
	return true;
}

const char *
words_eat_any(struct words *in, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words_eat(in, list[i]))
			return list[i];
	return NULL;
}

static int32_t
eat_character(struct words *in)
{
	static const char *const characters[] = {
	    "一", "二", "两", "三", "四", "五", "六", "七", "八", "九"};
	static const int32_t values[] = {1, 2, 2, 3, 4, 5, 6, 7, 8, 9};

	for (unsigned i = 0; i < COUNT(characters); i++)
		if (words_eat(in, characters[i]))
			return values[i];
	return 0;
}

int32_t
words_eat_number(struct words *in)
{
	const char *start = in->at;
	int32_t number = 0;

	in->at += strspn(in->at, " ");
	if (words_is_digit(*in->at)) {
		for (int i = 0; i < 3 && words_is_digit(*in->at); i++)
			number = number * 10 + *in->at++ - '0';
		if (words_is_digit(*in->at))
			number = 0;
	} else {
		number = eat_character(in);
		if (words_eat(in, "十"))
			number =
			    (number == 0 ? 1 : number) * 10 + eat_character(in);
	}
	if (number == 0)
		in->at = start;
	return number;
}

int64_t
words_eat_amount(struct words *in)
{
	int64_t whole = 0, part = 0, place = MICRO;

	in->at += strspn(in->at, " ");
	if (words_eat(in, "半"))
		return MICRO / 2;
	if (!words_is_digit(*in->at))
		return words_eat_number(in) * MICRO;
	for (; words_is_digit(*in->at); in->at++)
		if (whole <= 1000000)
			whole = whole * 10 + *in->at - '0';
	if (*in->at == '.')
		for (in->at++; words_is_digit(*in->at) && place > 0; in->at++) {
			place /= 10;
			part += (*in->at - '0') * place;
		}
	else if (in->at[0] == '/' && in->at[1] >= '2' && in->at[1] <= '9' &&
		 !words_is_digit(in->at[2]) &&
		 MICRO * whole % (in->at[1] - '0') == 0) {
		in->at += 2;
		return MICRO * whole / (in->at[-1] - '0');
	}
	return whole > 1000000 || words_is_digit(*in->at)
		   ? 0
		   : whole * MICRO + part;
}

static enum unit
eat_unit_of(struct words *in, const struct unit_word *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words_eat(in, list[i].word))
			return list[i].unit;
	return UNIT_NONE;
}

enum unit
words_eat_unit(struct words *in)
{
	return eat_unit_of(in, unit_words, COUNT(unit_words));
}

enum unit
words_eat_latin_unit(struct words *in)
{
	return eat_unit_of(in, latin_units, COUNT(latin_units));
}

enum unit
words_eat_any_unit(struct words *in)
{
	enum unit unit = words_eat_unit(in);

	return unit != UNIT_NONE ? unit : words_eat_latin_unit(in);
}
