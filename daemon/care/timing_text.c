/*
 * Timing from Chinese and Latin shorthand (fhir.md 3.6).  The whole text
 * must be understood, and nothing in it may contradict the rest: one word
 * too many and there is no rule, for a guess would be somebody's dose.
 * Pure.
 */
#include <string.h>

#include "care/timing_rule.h"

#define TEXT_BYTES_MAX 200

struct phrase {
	const char *text;
	int32_t frequency, period; /* 0: says nothing of it */
	enum unit unit;
	uint32_t when;
};

#define W(name) WHEN_BIT(WHEN_##name)

/* Longer ones before those that begin them. */
static const struct phrase phrases[] = {
    {"qd", 1, 1, UNIT_D, 0},
    {"bid", 2, 1, UNIT_D, 0},
    {"tid", 3, 1, UNIT_D, 0},
    {"qid", 4, 1, UNIT_D, 0},
    {"qod", 1, 2, UNIT_D, 0},
    {"qw", 1, 1, UNIT_WK, 0},
    {"biw", 2, 1, UNIT_WK, 0},
    {"tiw", 3, 1, UNIT_WK, 0},
    {"q2w", 1, 2, UNIT_WK, 0},
    {"qm", 1, 1, UNIT_MO, 0},
    {"qn", 1, 1, UNIT_D, W(HS)},
    {"qam", 1, 1, UNIT_D, W(MORN)},
    {"hs", 0, 0, UNIT_NONE, W(HS)},
    {"睡前", 0, 0, UNIT_NONE, W(HS)},
    {"隔日一次", 1, 2, UNIT_D, 0},
    {"隔日1次", 1, 2, UNIT_D, 0},
    {"隔天一次", 1, 2, UNIT_D, 0},
    {"隔天1次", 1, 2, UNIT_D, 0},
    {"每晚一次", 1, 1, UNIT_D, W(HS)},
    {"每晚1次", 1, 1, UNIT_D, W(HS)},
    {"每日早晨", 1, 1, UNIT_D, W(MORN)},
    {"每天早晨", 1, 1, UNIT_D, W(MORN)},
    {"早晚各一次", 2, 1, UNIT_D, W(MORN) | W(EVE)},
    {"早晚各1次", 2, 1, UNIT_D, W(MORN) | W(EVE)},
    {"早晚各", 2, 1, UNIT_D, W(MORN) | W(EVE)},
    {"早餐前", 0, 0, UNIT_NONE, W(ACM)},
    {"早饭前", 0, 0, UNIT_NONE, W(ACM)},
    {"早餐后", 0, 0, UNIT_NONE, W(PCM)},
    {"早饭后", 0, 0, UNIT_NONE, W(PCM)},
    {"午餐前", 0, 0, UNIT_NONE, W(ACD)},
    {"午饭前", 0, 0, UNIT_NONE, W(ACD)},
    {"午餐后", 0, 0, UNIT_NONE, W(PCD)},
    {"午饭后", 0, 0, UNIT_NONE, W(PCD)},
    {"晚餐前", 0, 0, UNIT_NONE, W(ACV)},
    {"晚饭前", 0, 0, UNIT_NONE, W(ACV)},
    {"晚餐后", 0, 0, UNIT_NONE, W(PCV)},
    {"晚饭后", 0, 0, UNIT_NONE, W(PCV)},
};

/* All three meals, unless single ones are named. */
static const struct phrase meals[] = {
    {.text = "ac", .when = WHEN_AC},
    {.text = "饭前", .when = WHEN_AC},
    {.text = "餐前", .when = WHEN_AC},
    {.text = "三餐前", .when = WHEN_AC},
    {.text = "pc", .when = WHEN_PC},
    {.text = "饭后", .when = WHEN_PC},
    {.text = "餐后", .when = WHEN_PC},
    {.text = "三餐后", .when = WHEN_PC},
    {.text = "随餐", .when = WHEN_C},
    {.text = "餐中", .when = WHEN_C},
};

/* A route says nothing of time. */
static const char *const routes[] = {"po", "口服", "iv", "静脉注射", "im",
    "肌注", "肌内注射", "ih", "sc", "皮下注射", "吸入", "外用"};
static const char *const needed[] = {
    "prn", "必要时", "sos", "需要时一次", "需要时"};
static const char *const at_once[] = {"st", "立即"};
static const char *const directed[] = {"遵医嘱"};
static const char *const separators[] = {
    " ", "\t", ",", ";", "(", ")", "，", "；", "、", "。", "（", "）"};
static const char *const dose_units[] = {"片", "粒", "支", "盒", "袋", "滴",
    "吸", "喷", "单位", "tablets", "tablet", "tabs", "tab", "capsules",
    "capsule", "caps", "cap", "ml", "mg", "ug", "μg", "g", "iu", "u"};

struct phrase_reading {
	const char *at; /* what is left of the text */
	int32_t frequency, period;
	enum unit unit;
	uint32_t when, meals;
	bool as_needed, once, as_directed, fasting;
	bool contradicts;
};

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Step over a word; a Latin one must end there. */
static bool
eat(struct phrase_reading *in, const char *word)
{
	size_t bytes = strlen(word);

	if (strncmp(in->at, word, bytes) != 0 ||
	    (is_alnum(word[bytes - 1]) && is_alnum(in->at[bytes])))
		return false;
	in->at += bytes;
	return true;
}

static bool
eat_any(struct phrase_reading *in, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (eat(in, words[i]))
			return true;
	return false;
}

#define EAT_ANY(in, words) eat_any((in), (words), COUNT(words))

/* 1..99 in digits or, up to twelve, in characters; 0: no number. */
static int32_t
eat_number(struct phrase_reading *in)
{
	static const char *const characters[] = {"十二", "十", "一", "二", "两",
	    "三", "四", "五", "六", "七", "八", "九"};
	static const int32_t values[] = {12, 10, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9};
	int32_t number = 0;

	for (int i = 0; i < 2 && is_digit(*in->at); i++)
		number = number * 10 + *in->at++ - '0';
	if (number > 0)
		return is_digit(*in->at) ? 0 : number;
	for (unsigned i = 0; i < COUNT(characters); i++)
		if (eat(in, characters[i]))
			return values[i];
	return 0;
}

/* The same may be said twice ("每日1次 (qd)"), but not two things. */
static void
say_frequency(struct phrase_reading *in, int32_t frequency, int32_t period,
    enum unit unit)
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

static bool
read_phrase(struct phrase_reading *in)
{
	for (unsigned i = 0; i < COUNT(phrases); i++) {
		const struct phrase *p = &phrases[i];

		if (!eat(in, p->text))
			continue;
		say_frequency(in, p->frequency, p->period, p->unit);
		in->when |= p->when;
		return true;
	}
	for (unsigned i = 0; i < COUNT(meals); i++) {
		if (!eat(in, meals[i].text))
			continue;
		if (in->meals != 0 && in->meals != meals[i].when)
			in->contradicts = true;
		in->meals = meals[i].when;
		return true;
	}
	return false;
}

/* 日, 天, 周, 星期, 月, 小时 */
static enum unit
eat_unit(struct phrase_reading *in)
{
	if (eat(in, "小时"))
		return UNIT_H;
	if (eat(in, "日") || eat(in, "天"))
		return UNIT_D;
	if (eat(in, "周") || eat(in, "星期"))
		return UNIT_WK;
	return eat(in, "月") ? UNIT_MO : UNIT_NONE;
}

/* "每日三次", "每8小时一次", "一天2次", "每两周一次" */
static bool
read_per_unit(struct phrase_reading *in)
{
	const char *start = in->at;
	bool each = eat(in, "每");
	int32_t period = eat_number(in), frequency;
	enum unit unit = eat_unit(in);

	if ((each || period > 0) && unit != UNIT_NONE) {
		if (period == 0)
			period = 1;
		frequency = eat_number(in);
		if (frequency > 0 && eat(in, "次")) {
			say_frequency(in, frequency, period, unit);
			return true;
		}
		/* "每8小时" is enough by itself */
		if (each && frequency == 0 && unit == UNIT_H) {
			say_frequency(in, 1, period, unit);
			return true;
		}
	}
	in->at = start;
	return false;
}

/* "3次/日", "q8h" */
static bool
read_short_rate(struct phrase_reading *in)
{
	const char *start = in->at;
	int32_t number;
	enum unit unit;

	if (*in->at == 'q') {
		in->at++;
		number = eat_number(in);
		if (number > 0 && eat(in, "h")) {
			say_frequency(in, 1, number, UNIT_H);
			return true;
		}
	} else {
		number = eat_number(in);
		if (number > 0 && (eat(in, "次/") || eat(in, "次每"))) {
			unit = eat_unit(in);
			if (unit != UNIT_NONE) {
				say_frequency(in, number, 1, unit);
				return true;
			}
		}
	}
	in->at = start;
	return false;
}

/* "每次1.5片", "各1片", "半片": how much, not when. */
static bool
read_dose(struct phrase_reading *in)
{
	const char *start = in->at;

	if (!eat(in, "每次") && !eat(in, "一次") && !eat(in, "1次"))
		(void)(eat(in, "各") || eat(in, "服"));
	if (is_digit(*in->at)) {
		while (is_digit(*in->at) || *in->at == '.')
			in->at++;
	} else if (!eat(in, "半") && eat_number(in) == 0) {
		in->at = start;
		return false;
	}
	if (EAT_ANY(in, dose_units)) {
		(void)eat(in, "半"); /* one and a half */
		return true;
	}
	in->at = start;
	return false;
}

static bool
read_mark(struct phrase_reading *in)
{
	if (EAT_ANY(in, routes) || EAT_ANY(in, separators))
		return true;
	if (EAT_ANY(in, needed))
		return in->as_needed = true;
	if (EAT_ANY(in, at_once))
		return in->once = true;
	if (EAT_ANY(in, directed))
		return in->as_directed = true;
	return eat(in, "空腹") && (in->fasting = true);
}

/* Lower case, without the dots of "b.i.d."; false if it is too long. */
static bool
tidy(const char *text, char out[TEXT_BYTES_MAX + 1])
{
	size_t kept = 0, bytes = strlen(text);

	if (bytes > TEXT_BYTES_MAX)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		char c = text[i];

		if (c == '.' && (i == 0 || !is_digit(text[i - 1])))
			continue;
		out[kept++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	out[kept] = '\0';
	return true;
}

/*
 * Which times of the day: the named ones, or all three meals; false where
 * meals and frequency leave open which.
 */
static bool
settle_when(struct phrase_reading *in)
{
	bool daily = in->unit == UNIT_D && in->period == 1;
	int32_t named;

	if (in->when != 0 && (in->when & ~in->meals) != 0 && in->meals != 0)
		return false;
	if (in->when == 0 && in->meals != 0) {
		if (in->frequency != 0 && !(daily && in->frequency == 3))
			return false;
		in->when = in->meals;
	}
	if (in->when == 0 && in->fasting)
		in->when = W(ACM);
	if (in->when == 0)
		return true;
	named = __builtin_popcount(in->when);
	if (in->frequency == 0)
		say_frequency(in, named, 1, UNIT_D);
	if (in->unit == UNIT_H)
		return false;
	return in->frequency == named &&
	       (daily || named == 1 || in->period == 1);
}

/* What was read, if it is one clear rule. */
static bool
make_rule(struct phrase_reading *in, struct timing *t)
{
	if (in->contradicts || !settle_when(in))
		return false;
	if (in->as_directed) {
		t->unclear = UNCLEAR_AS_DIRECTED;
		return true;
	}
	if (in->once && (in->frequency != 0 || in->as_needed))
		return false;
	t->count = in->once ? 1 : 0;
	t->as_needed = in->as_needed;
	t->frequency = in->frequency;
	if (in->frequency != 0) {
		t->period_micro = in->period * MICRO;
		t->unit = in->unit;
	}
	t->when = in->when;
	return in->frequency != 0 || in->once || in->as_needed;
}

const struct timing *
timing_parse_text(const char *text, struct arena *arena, bool *as_needed)
{
	char tidied[TEXT_BYTES_MAX + 1];
	struct phrase_reading in = {.at = tidied};
	struct timing *t;

	*as_needed = false;
	if (!tidy(text, tidied))
		return NULL;
	while (*in.at != '\0')
		if (!read_per_unit(&in) && !read_short_rate(&in) &&
		    !read_phrase(&in) && !read_dose(&in) && !read_mark(&in))
			return NULL;
	t = arena_alloc(arena, sizeof(*t));
	*t = (struct timing)TIMING_INIT;
	if (!make_rule(&in, t))
		return NULL;
	timing_settle(t);
	*as_needed = t->as_needed;
	return t->as_needed || t->review == NULL ||
		       t->unclear == UNCLEAR_AS_DIRECTED
		   ? t
		   : NULL;
}
