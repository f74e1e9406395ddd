/*
 * Timing from Chinese and Latin shorthand (fhir.md 3.6).  The whole text
 * must be understood, and nothing in it may contradict the rest: one word
 * too many and there is no rule, for a guess would be somebody's dose.
 * Words are read here; timing_sense.c makes one rule of them.  Pure.
 */
#include <string.h>

#include "care/timing_words.h"

#define W(name) WHEN_BIT(WHEN_##name)

/* The longest that fits is taken. */
static const struct phrase phrases[] = {
    {"qd", 1, 1, UNIT_D, 0, 0, 0},
    {"bid", 2, 1, UNIT_D, 0, 0, 0},
    {"tid", 3, 1, UNIT_D, 0, 0, 0},
    {"qid", 4, 1, UNIT_D, 0, 0, 0},
    {"qod", 1, 2, UNIT_D, 0, 0, 0},
    {"qh", 1, 1, UNIT_H, 0, 0, 0},
    {"qw", 1, 1, UNIT_WK, 0, 0, 0},
    {"biw", 2, 1, UNIT_WK, 0, 0, 0},
    {"tiw", 3, 1, UNIT_WK, 0, 0, 0},
    {"qm", 1, 1, UNIT_MO, 0, 0, 0},
    {"qn", 1, 1, UNIT_D, W(HS), 0, 0},
    {"qhs", 1, 1, UNIT_D, W(HS), 0, 0},
    {"qam", 1, 1, UNIT_D, W(MORN), 0, 0},
    {"hs", 0, 0, UNIT_NONE, W(HS), 0, 0},
    {"隔日", 1, 2, UNIT_D, 0, 0, 0},
    {"隔天", 1, 2, UNIT_D, 0, 0, 0},
    {"每晚", 1, 1, UNIT_D, W(HS), 0, 0},
    {"每日睡前", 1, 1, UNIT_D, W(HS), 0, 0},
    {"每天睡前", 1, 1, UNIT_D, W(HS), 0, 0},
    {"每晚睡前", 1, 1, UNIT_D, W(HS), 0, 0},
    {"每日早晨", 1, 1, UNIT_D, W(MORN), 0, 0},
    {"每天早晨", 1, 1, UNIT_D, W(MORN), 0, 0},
    {"每日晨", 1, 1, UNIT_D, W(MORN), 0, 0},
    {"每天早上", 1, 1, UNIT_D, W(MORN), 0, 0},
    {"每日早上", 1, 1, UNIT_D, W(MORN), 0, 0},
    {"每早", 1, 1, UNIT_D, W(MORN), 0, 0},
    {"每晨", 1, 1, UNIT_D, W(MORN), 0, 0},
    {"每日", 0, 0, UNIT_NONE, 0, 0, MARK_DAILY},
    {"每天", 0, 0, UNIT_NONE, 0, 0, MARK_DAILY},
    {"睡前", 0, 0, UNIT_NONE, W(HS), 0, 0},
    {"临睡前", 0, 0, UNIT_NONE, W(HS), 0, 0},
    {"晨起", 0, 0, UNIT_NONE, W(WAKE), 0, 0},
    {"早", 0, 0, UNIT_NONE, W(MORN), 0, 0},
    {"早上", 0, 0, UNIT_NONE, W(MORN), 0, 0},
    {"早晨", 0, 0, UNIT_NONE, W(MORN), 0, 0},
    {"清晨", 0, 0, UNIT_NONE, W(MORN), 0, 0},
    {"中", 0, 0, UNIT_NONE, W(NOON), 0, 0},
    {"中午", 0, 0, UNIT_NONE, W(NOON), 0, 0},
    {"晚", 0, 0, UNIT_NONE, W(EVE), 0, 0},
    {"晚上", 0, 0, UNIT_NONE, W(EVE), 0, 0},
    {"早晚", 2, 1, UNIT_D, W(MORN) | W(EVE), 0, 0},
    {"早中晚", 3, 1, UNIT_D, W(MORN) | W(NOON) | W(EVE), 0, 0},
    {"早餐前", 0, 0, UNIT_NONE, W(ACM), 0, 0},
    {"早饭前", 0, 0, UNIT_NONE, W(ACM), 0, 0},
    {"早餐后", 0, 0, UNIT_NONE, W(PCM), 0, 0},
    {"早饭后", 0, 0, UNIT_NONE, W(PCM), 0, 0},
    {"午餐前", 0, 0, UNIT_NONE, W(ACD), 0, 0},
    {"午饭前", 0, 0, UNIT_NONE, W(ACD), 0, 0},
    {"午餐后", 0, 0, UNIT_NONE, W(PCD), 0, 0},
    {"午饭后", 0, 0, UNIT_NONE, W(PCD), 0, 0},
    {"晚餐前", 0, 0, UNIT_NONE, W(ACV), 0, 0},
    {"晚饭前", 0, 0, UNIT_NONE, W(ACV), 0, 0},
    {"晚餐后", 0, 0, UNIT_NONE, W(PCV), 0, 0},
    {"晚饭后", 0, 0, UNIT_NONE, W(PCV), 0, 0},
    {"早晚餐前", 2, 1, UNIT_D, W(ACM) | W(ACV), 0, 0},
    {"早晚饭前", 2, 1, UNIT_D, W(ACM) | W(ACV), 0, 0},
    {"早晚餐后", 2, 1, UNIT_D, W(PCM) | W(PCV), 0, 0},
    {"早晚饭后", 2, 1, UNIT_D, W(PCM) | W(PCV), 0, 0},
    /* all three meals, unless single ones are named */
    {"ac", 0, 0, UNIT_NONE, 0, WHEN_AC, 0},
    {"饭前", 0, 0, UNIT_NONE, 0, WHEN_AC, 0},
    {"餐前", 0, 0, UNIT_NONE, 0, WHEN_AC, 0},
    {"三餐前", 0, 0, UNIT_NONE, 0, WHEN_AC, 0},
    {"pc", 0, 0, UNIT_NONE, 0, WHEN_PC, 0},
    {"饭后", 0, 0, UNIT_NONE, 0, WHEN_PC, 0},
    {"餐后", 0, 0, UNIT_NONE, 0, WHEN_PC, 0},
    {"三餐后", 0, 0, UNIT_NONE, 0, WHEN_PC, 0},
    {"随餐", 0, 0, UNIT_NONE, 0, WHEN_C, 0},
    {"随餐同服", 0, 0, UNIT_NONE, 0, WHEN_C, 0},
    {"与餐同服", 0, 0, UNIT_NONE, 0, WHEN_C, 0},
    {"餐中", 0, 0, UNIT_NONE, 0, WHEN_C, 0},
    {"进餐时", 0, 0, UNIT_NONE, 0, WHEN_C, 0},
    {"空腹", 0, 0, UNIT_NONE, 0, 0, MARK_FASTING},
    {"prn", 0, 0, UNIT_NONE, 0, 0, MARK_NEEDED},
    {"必要时", 0, 0, UNIT_NONE, 0, 0, MARK_NEEDED},
    {"sos", 0, 0, UNIT_NONE, 0, 0, MARK_NEEDED},
    {"需要时", 0, 0, UNIT_NONE, 0, 0, MARK_NEEDED},
    {"需要时一次", 0, 0, UNIT_NONE, 0, 0, MARK_NEEDED},
    {"st", 0, 0, UNIT_NONE, 0, 0, MARK_ONCE},
    {"stat", 0, 0, UNIT_NONE, 0, 0, MARK_ONCE},
    {"立即", 0, 0, UNIT_NONE, 0, 0, MARK_ONCE},
    {"遵医嘱", 0, 0, UNIT_NONE, 0, 0, MARK_DIRECTED},
    {"按医嘱", 0, 0, UNIT_NONE, 0, 0, MARK_DIRECTED},
    /* a route says nothing of time */
    {"po", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"口服", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"iv", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"静脉注射", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"im", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"肌注", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"肌内注射", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"ih", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"sc", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"皮下注射", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"舌下含服", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"吸入", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"外用", 0, 0, UNIT_NONE, 0, 0, MARK_ROUTE},
    {"服用", 0, 0, UNIT_NONE, 0, 0, MARK_SILENT},
    {"使用", 0, 0, UNIT_NONE, 0, 0, MARK_SILENT},
    {"服", 0, 0, UNIT_NONE, 0, 0, MARK_SILENT},
};

static const char *const separators[] = {
    " ", "\t", ",", ";", ":", "(", ")", "、", "。", "+", "×", "/次"};
static const char *const dose_units[] = {"片", "粒", "支", "盒", "袋", "滴",
    "吸", "喷", "颗", "丸", "单位", "毫克", "毫升", "微克", "克", "tablets",
    "tablet", "tabs", "tab", "capsules", "capsule", "caps", "cap", "ml", "mg",
    "ug", "μg", "mcg", "g", "iu", "u"};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c);
}

/* Does the text go on with a word?  A Latin one must end there. */
static bool
at_word(const char *at, const char *word)
{
	size_t bytes = strlen(word);

	return strncmp(at, word, bytes) == 0 &&
	       !(is_alnum(word[bytes - 1]) && is_alnum(at[bytes]));
}

/* Step over a word, blanks before it too. */
static bool
eat(struct words *in, const char *word)
{
	const char *at = in->at + strspn(in->at, " ");

	if (!at_word(at, word))
		return false;
	in->at = at + strlen(word);
	return true;
}

/* The one that was stepped over, or NULL. */
static const char *
eat_any(struct words *in, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (eat(in, list[i]))
			return list[i];
	return NULL;
}

#define EAT_ANY(in, list) eat_any((in), (list), COUNT(list))

static int32_t
eat_character(struct words *in)
{
	static const char *const characters[] = {
	    "一", "二", "两", "三", "四", "五", "六", "七", "八", "九"};
	static const int32_t values[] = {1, 2, 2, 3, 4, 5, 6, 7, 8, 9};

	for (unsigned i = 0; i < COUNT(characters); i++)
		if (eat(in, characters[i]))
			return values[i];
	return 0;
}

/* 1..999 in digits, 1..99 in characters; 0: no number. */
static int32_t
eat_number(struct words *in)
{
	int32_t number = 0;

	in->at += strspn(in->at, " ");
	for (int i = 0; i < 3 && is_digit(*in->at); i++)
		number = number * 10 + *in->at++ - '0';
	if (number > 0)
		return is_digit(*in->at) ? 0 : number;
	number = eat_character(in);
	if (eat(in, "十"))
		number = (number == 0 ? 1 : number) * 10 + eat_character(in);
	return number;
}

/* "一次", "各1次": once at each of the times just named. */
static void
eat_once(struct words *in)
{
	(void)eat(in, "各");
	(void)(eat(in, "一次") || eat(in, "1次"));
}

/* ---- how often ---- */

/* The same may be said twice ("每日1次 (qd)"), but not two things. */
static void
say_frequency(
    struct words *in, int32_t frequency, int32_t period, enum unit unit)
{
	if (frequency == 0)
		return;
	if (in->frequency != 0 && (in->frequency != frequency ||
				      in->period != period || in->unit != unit))
		in->contradicts = true;
	in->frequency = frequency;
	in->period = period;
	in->unit = unit;
}

static enum unit
eat_unit(struct words *in)
{
	static const struct {
		const char *word;
		enum unit unit;
	} units[] = {
	    {"个小时", UNIT_H},
	    {"小时", UNIT_H},
	    {"日", UNIT_D},
	    {"天", UNIT_D},
	    {"周", UNIT_WK},
	    {"星期", UNIT_WK},
	    {"个月", UNIT_MO},
	    {"月", UNIT_MO},
	    {"年", UNIT_A},
	};

	for (unsigned i = 0; i < COUNT(units); i++)
		if (eat(in, units[i].word))
			return units[i].unit;
	return UNIT_NONE;
}

/* "每隔一天" is every second day; "每隔8小时" every eight hours. */
static bool
settle_between(int32_t *period, enum unit unit)
{
	if (unit == UNIT_H)
		return *period > 0;
	if (unit != UNIT_D || *period != 1)
		return false;
	*period = 2;
	return true;
}

/* "每日三次", "日三次", "每8小时一次", "一天2次", "每两周一次" */
static bool
read_per_unit(struct words *in)
{
	bool each = eat(in, "每");
	bool between = each && eat(in, "隔");
	int32_t period = eat_number(in), frequency;
	enum unit unit = eat_unit(in);
	const char *end = in->at;

	if (unit == UNIT_NONE || (between && !settle_between(&period, unit)) ||
	    (!each && period == 0 && unit != UNIT_D))
		return false;
	frequency = eat_number(in);
	if (frequency > 0 && eat(in, "次")) {
		say_frequency(in, frequency, period > 0 ? period : 1, unit);
		return true;
	}
	/* "每8小时" is enough by itself */
	in->at = end;
	if (!each || (unit != UNIT_H && !between))
		return false;
	say_frequency(in, 1, period > 0 ? period : 1, unit);
	return true;
}

/* "q8h", "q2w" */
static bool
read_interval(struct words *in)
{
	static const char *const units[] = {"h", "小时", "d", "w", "wk"};
	static const enum unit values[] = {
	    UNIT_H, UNIT_H, UNIT_D, UNIT_WK, UNIT_WK};
	int32_t number;

	in->at += strspn(in->at, " ");
	if (*in->at != 'q')
		return false;
	in->at++;
	number = eat_number(in);
	for (unsigned i = 0; i < COUNT(units) && number > 0; i++)
		if (eat(in, units[i])) {
			say_frequency(in, 1, number, values[i]);
			return true;
		}
	return false;
}

/* "3次/日", "3次每天" */
static bool
read_per(struct words *in)
{
	int32_t number = eat_number(in);
	enum unit unit;

	if (number == 0 || !eat(in, "次") || (!eat(in, "/") && !eat(in, "每")))
		return false;
	unit = eat_unit(in);
	if (unit == UNIT_NONE)
		return false;
	say_frequency(in, number, 1, unit);
	return true;
}

/* ---- when ---- */

/* "半小时", "30分钟", "2小时" after "饭后", "睡前" … */
static int32_t
eat_offset(struct words *in)
{
	const char *start = in->at;
	int32_t number;

	if (eat(in, "半小时") || eat(in, "半个小时"))
		return 30;
	number = eat_number(in);
	if (number > 0 && (eat(in, "小时") || eat(in, "个小时")) &&
	    number <= OFFSET_MIN_MAX / 60)
		return eat(in, "半") ? -1 : number * 60;
	if (number > 0 && (eat(in, "分钟") || eat(in, "min") || eat(in, "分")))
		return number;
	in->at = start;
	return -1;
}

/* A time of the day, and how long before or after it. */
static void
say_when(struct words *in, const struct phrase *p)
{
	const uint32_t sides = WHEN_AC | WHEN_PC | W(HS);
	uint32_t when = p->when | p->meals;
	int32_t offset_min = -1;

	if (when == 0)
		return;
	if ((when & ~sides) == 0)
		offset_min = eat_offset(in);
	/* one offset for all: nothing else can be written */
	if (in->when_count > 0 && in->offset_min != offset_min)
		in->contradicts = true;
	in->offset_min = offset_min;
	in->when_count++;
	if (p->meals != 0 && in->meals != 0 && in->meals != p->meals)
		in->contradicts = true;
	in->when |= p->when;
	in->meals |= p->meals;
	eat_once(in);
}

static const struct phrase *
find_phrase(const char *at)
{
	const struct phrase *best = NULL;

	for (unsigned i = 0; i < COUNT(phrases); i++)
		if (at_word(at, phrases[i].text) &&
		    (best == NULL ||
			strlen(phrases[i].text) > strlen(best->text)))
			best = &phrases[i];
	return best;
}

static bool
read_phrase(struct words *in)
{
	const char *start = in->at;
	const struct phrase *p = find_phrase(in->at);

	if (p == NULL)
		return false;
	in->at += strlen(p->text);
	if (p->mark == MARK_ROUTE && in->route == NULL)
		in->route = words_original(in, start, in->at);
	if (p->mark == MARK_FASTING)
		in->fasting = words_original(in, start, in->at);
	in->marks |= p->mark;
	say_frequency(in, p->frequency, p->period, p->unit);
	say_when(in, p);
	if (p->frequency == 1)
		eat_once(in);
	return true;
}

/* ---- how much ---- */

/* "1", "1.5", "1/2", "半", "两" in millionths; 0: no amount. */
static int64_t
eat_amount(struct words *in)
{
	int64_t whole = 0, part = 0, place = MICRO;

	in->at += strspn(in->at, " ");
	if (eat(in, "半"))
		return MICRO / 2;
	if (!is_digit(*in->at))
		return eat_number(in) * MICRO;
	for (; is_digit(*in->at); in->at++)
		if (whole <= 1000000)
			whole = whole * 10 + *in->at - '0';
	if (*in->at == '.')
		for (in->at++; is_digit(*in->at) && place > 0; in->at++) {
			place /= 10;
			part += (*in->at - '0') * place;
		}
	else if (in->at[0] == '/' && in->at[1] >= '2' && in->at[1] <= '9' &&
		 !is_digit(in->at[2]) &&
		 MICRO * whole % (in->at[1] - '0') == 0) {
		in->at += 2;
		return MICRO * whole / (in->at[-1] - '0');
	}
	return whole > 1000000 || is_digit(*in->at) ? 0 : whole * MICRO + part;
}

/* "0.5g(1片)": the first is the dose; in one unit there is but one. */
static void
say_dose(struct words *in, int64_t micro, const char *word, const char *unit)
{
	if (in->dose_unit == NULL) {
		in->dose_micro = micro;
		in->dose_word = word;
		in->dose_unit = unit;
	} else if (strcmp(in->dose_word, word) == 0 &&
		   in->dose_micro != micro) {
		in->contradicts = true;
	}
}

/* "每次1.5片", "各1片", "半片", "1片半": how much, not when. */
static bool
read_dose(struct words *in)
{
	const char *start, *word, *unit;
	int64_t micro;

	if (!eat(in, "每次") && !eat(in, "一次") && !eat(in, "1次"))
		(void)(eat(in, "各") || eat(in, "服"));
	micro = eat_amount(in);
	start = in->at + strspn(in->at, " ");
	word = EAT_ANY(in, dose_units);
	if (micro == 0 || word == NULL)
		return false;
	unit = words_original(in, start, in->at);
	if (eat(in, "半"))
		micro += MICRO / 2;
	say_dose(in, micro, word, unit);
	return true;
}

/* ---- the whole text ---- */

static bool
read_one(struct words *in)
{
	static bool (*const readers[])(struct words *) = {
	    read_per_unit, read_per, read_interval, read_phrase, read_dose};
	const char *start = in->at;

	for (unsigned i = 0; i < COUNT(readers); i++) {
		if (readers[i](in)) {
			words_say(in, &in->said, start);
			return true;
		}
		in->at = start;
	}
	return false;
}

/* A character, or a Latin word, that nobody understands. */
static void
skip(struct words *in)
{
	const char *start = in->at;

	if (is_alnum(*in->at))
		while (is_alnum(*in->at))
			in->at++;
	else
		do
			in->at++;
		while ((*in->at & 0xc0) == 0x80);
	words_say(in, &in->unread, start);
}

void
words_read(struct words *in)
{
	for (in->at += strspn(in->at, " "); *in->at != '\0';
	     in->at += strspn(in->at, " "))
		if (!EAT_ANY(in, separators) && !read_one(in))
			skip(in);
}
