/*
 * The words of Chinese and Latin shorthand (fhir.md 3.6), read one after the
 * other.  The whole text must be understood, and nothing in it may contradict
 * the rest: one word too many and there is no rule, for a guess would be
 * somebody's dose.  timing_sense.c makes one rule of what was read.  Pure.
 */
#include <string.h>

#include "care/timing_words.h"

static const char *const separators[] = {
    " ", "\t", ",", ";", ":", "(", ")", "、", "。", "及", "和"};
static const char *const lists[] = {"、", ",", "及", "和"};
/* counted in pieces: one of them is one dose */
static const char *const pieces[] = {
    "片", "粒", "支", "盒", "袋", "包", "颗", "丸", "锭", "枚", "贴", "#"};
static const char *const measures[] = {"滴", "吸", "喷", "单位", "毫克", "毫升",
    "微克", "克", "tablets", "tablet", "tabs", "tab", "capsules", "capsule",
    "caps", "cap", "ml", "mg", "ug", "μg", "mcg", "g", "iu", "u"};

/*
 * "各1次": once at each of the times just named.  "一次" will do for one of
 * them, but "早晚一次" may be one in all.
 */
static bool
eat_once(struct words *in, bool single)
{
	bool each = words_eat(in, "各");
	bool once =
	    (each || single) && (words_eat(in, "一次") || words_eat(in, "1次"));

	in->each |= each;
	return each || once;
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
	in->per_day = false;
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

static bool read_amount(struct words *in, int32_t period, enum unit unit);

/* "每日三次", "日三次", "每8小时一次", "一天2次", "每两周一次", "每天一片" */
static bool
read_per_unit(struct words *in)
{
	bool each = words_eat(in, "每");
	bool between = each && words_eat(in, "隔");
	int32_t period = words_eat_number(in), frequency;
	enum unit unit = words_eat_unit(in);
	const char *end = in->at;

	if (unit == UNIT_NONE || (between && !settle_between(&period, unit)) ||
	    (!each && period == 0 && unit != UNIT_D))
		return false;
	if (period == 0)
		period = 1;
	frequency = words_eat_number(in);
	if (frequency > 0 && words_eat(in, "次")) {
		/* "3天3次" may be all there is, "3月1次" in March */
		if (!each && period > 1 && (frequency > 1 || unit == UNIT_MO))
			return false;
		say_frequency(in, frequency, period, unit);
		return true;
	}
	in->at = end;
	if (unit != UNIT_H && !between)
		return (each || (unit == UNIT_D && period == 1)) &&
		       read_amount(in, period, unit);
	/* "每8小时" is enough by itself */
	if (each)
		say_frequency(in, 1, period, unit);
	return each;
}

/* "q8h", "q2w" */
static bool
read_interval(struct words *in)
{
	int32_t number;
	enum unit unit;

	in->at += strspn(in->at, " ");
	if (*in->at != 'q')
		return false;
	in->at++;
	number = words_eat_number(in);
	unit = number == 0 ? UNIT_NONE : words_eat_latin_unit(in);
	if (unit == UNIT_NONE)
		return false;
	say_frequency(in, 1, number, unit);
	return true;
}

/* "×", "*" or "x", which stands before a number */
static bool
eat_times(struct words *in)
{
	if (words_eat(in, "×") || words_eat(in, "*"))
		return true;
	in->at += strspn(in->at, " ");
	if (in->at[0] != 'x' || (in->at[1] >= 'a' && in->at[1] <= 'z'))
		return false;
	in->at++;
	return true;
}

/* "3次/日", "3次每天", "1次/8小时", "×3次/日" */
static bool
read_per(struct words *in)
{
	int32_t number, period;
	enum unit unit;

	(void)eat_times(in);
	number = words_eat_number(in);
	if (number == 0 || !words_eat(in, "次") ||
	    (!words_eat(in, "/") && !words_eat(in, "每")))
		return false;
	period = words_eat_number(in);
	unit = words_eat_any_unit(in);
	if (unit == UNIT_NONE)
		return false;
	say_frequency(in, number, period > 0 ? period : 1, unit);
	return true;
}

/* ---- on which days, and for how long ---- */

static bool
eat_week(struct words *in)
{
	return words_eat(in, "周") || words_eat(in, "星期") ||
	       words_eat(in, "礼拜");
}

/*
 * A day of the week as a bit, or 0.  "日" and "天" are days of the week only
 * where they cannot be days: after "周" itself, "日" also after "六".
 */
static uint32_t
eat_weekday(struct words *in, bool named, uint32_t days)
{
	static const char *const characters[] = {
	    "一", "二", "三", "四", "五", "六"};

	for (unsigned i = 0; i < COUNT(characters); i++)
		if (words_eat(in, characters[i]))
			return 1u << i;
	return ((named || (days & 1u << 5)) && words_eat(in, "日")) ||
		       (named && words_eat(in, "天"))
		   ? 1u << 6
		   : 0;
}

/* From the last of these days to that one; 0 where it comes before. */
static uint32_t
days_until(uint32_t days, uint32_t last)
{
	uint32_t first = 1;

	while (days >> 1 >= first)
		first <<= 1;
	return last > first ? (last << 1) - (first << 1) : 0;
}

/* "周一三五", "每周一、四", "周一至周五", but not "每周三次", "每周五天" */
static bool
read_weekdays(struct words *in)
{
	/* a number, not a day */
	static const char *const no_more[] = {"次", "个", "日", "天", "周",
	    "月", "小", "点", "分", "餐", "顿", "半", "十", "百", "千", "万"};
	const char *end = NULL;
	uint32_t days = 0;
	bool named, range = false;

	(void)words_eat(in, "每");
	for (named = eat_week(in); named || end != NULL;) {
		uint32_t day = eat_weekday(in, named, days);

		if (range)
			day = days_until(days, day);
		if (day == 0)
			break;
		if ((days & day) != 0)
			return false;
		days |= day;
		end = in->at;
		range = words_eat(in, "至") || words_eat(in, "到") ||
			words_eat(in, "-") || words_eat(in, "~");
		if (!range)
			(void)EAT_ANY(in, lists);
		(void)words_eat(in, "每");
		named = eat_week(in);
	}
	if (end == NULL || range)
		return false;
	in->at = end;
	if (EAT_ANY(in, no_more) || EAT_ANY(in, pieces) ||
	    EAT_ANY(in, measures))
		return false;
	in->weekdays |= days;
	(void)eat_once(in, (days & (days - 1)) == 0);
	return true;
}

/* "连服7天", "共2周", "×14天", "x7d" */
static bool
read_course(struct words *in)
{
	static const char *const words[] = {"连服", "连用", "连续服用",
	    "连续使用", "连续", "疗程", "共", "服用", "服", "使用"};
	int32_t number;
	enum unit unit;

	if (!eat_times(in) && EAT_ANY(in, words) == NULL)
		return false;
	(void)words_eat(in, ":");
	number = words_eat_number(in);
	unit = number == 0 ? UNIT_NONE : words_eat_any_unit(in);
	if (unit < UNIT_D)
		return false;
	if (in->bound != 0 && (in->bound != number || in->bound_unit != unit))
		in->contradicts = true;
	in->bound = number;
	in->bound_unit = unit;
	return true;
}

/* ---- when ---- */

/* "半小时", "30分钟", "2小时" after "饭后", "睡前" … */
static int32_t
eat_offset(struct words *in)
{
	const char *start = in->at;
	int32_t number;

	if (words_eat(in, "半小时") || words_eat(in, "半个小时"))
		return 30;
	number = words_eat_number(in);
	if (number > 0 && (words_eat(in, "小时") || words_eat(in, "个小时")) &&
	    number <= OFFSET_MIN_MAX / 60 && !words_eat(in, "半"))
		return number * 60;
	if (number > 0 && (words_eat(in, "分钟") || words_eat(in, "min") ||
			      words_eat(in, "分")))
		return number;
	in->at = start;
	return -1;
}

/* How the next time of the day hangs together with the last one. */
static enum join
find_join(const struct words *in, const char *start)
{
	enum join join = JOIN_DIRECT;
	const char *at = in->moment_to;

	while (at != NULL && at < start) {
		size_t bytes = 0;

		/* "晚上(睡前)" says the same again */
		if (*at == ' ' || *at == '(') {
			if (*at == ' ' && join == JOIN_DIRECT)
				join = JOIN_SPACED;
			at++;
			continue;
		}
		for (unsigned i = 0; i < COUNT(lists) && bytes == 0; i++)
			if (words_go_on(at, lists[i]))
				bytes = strlen(lists[i]);
		if (bytes == 0)
			return JOIN_APART;
		join = JOIN_LISTED;
		at += bytes;
	}
	return at == NULL ? JOIN_APART : join;
}

/* A time of the day that began at start. */
static struct moment *
say_moment(struct words *in, enum moment_kind kind, const char *start)
{
	struct moment *m = list_add(&in->moments);

	*m = (struct moment){
	    .kind = kind, .join = find_join(in, start), .offset_min = -1};
	in->moment_to = in->at;
	in->per_day = false;
	return m;
}

/* A time of the day in words, and how long before or after it. */
static void
say_when(struct words *in, const struct phrase *p, const char *start)
{
	const uint32_t sides = WHEN_AC | WHEN_PC | W(HS);
	uint32_t when = p->when | p->meals;
	bool single = (p->when & (p->when - 1)) == 0 && p->meals == 0;
	struct moment *m;

	if (when == 0)
		return;
	m = say_moment(in, p->meals != 0 ? MOMENT_MEALS : MOMENT_NAMED, start);
	m->when = when;
	/* one character, as in "早、晚饭后" */
	m->bare = single && p->frequency == 0 && strlen(p->text) == 3;
	if ((when & ~sides) == 0)
		m->offset_min = eat_offset(in);
	/* "晚一次 睡前一次" are two */
	in->moment_to = in->at;
	if (eat_once(in, single))
		in->moment_to = NULL;
}

/* "半", "30分", or nothing, after "8点" */
static int32_t
eat_minute(struct words *in)
{
	const char *start = in->at;
	int32_t minute;

	if (words_eat(in, "半"))
		return 30;
	minute = words_eat_number(in);
	if (minute > 0 && words_eat(in, "分"))
		return minute;
	in->at = start;
	(void)(words_eat(in, "钟") || words_eat(in, "整"));
	return 0;
}

/* "8:00", "8点", "20时30分": false, and it is none of the day. */
static bool
eat_clock(struct words *in, int32_t *hour, int32_t *minute, bool *by_digits)
{
	const char *at = in->at + strspn(in->at, " ");

	*hour = words_eat_number(in);
	*by_digits = words_is_digit(*at) && *in->at == ':';
	if (*by_digits) {
		at = in->at + 1;
		if (!words_is_digit(at[0]) || !words_is_digit(at[1]) ||
		    words_is_digit(at[2]))
			return false;
		*minute = (at[0] - '0') * 10 + at[1] - '0';
		in->at += 3;
	} else if (*hour == 0 ||
		   !(words_eat(in, "点") || words_eat(in, "时"))) {
		return false;
	} else {
		*minute = eat_minute(in);
	}
	return *hour >= 1 && *hour <= 23 && *minute <= 59 &&
	       !words_go_on(in->at, ":") && !words_go_on(in->at, "滴");
}

static bool
read_clock(struct words *in)
{
	const char *start = in->at;
	int32_t hour, minute;
	bool by_digits;
	struct moment *m;

	if (!eat_clock(in, &hour, &minute, &by_digits))
		return false;
	m = say_moment(in, MOMENT_CLOCK, start);
	m->time_s = (hour * 60 + minute) * 60;
	/* "1:10" may be a dilution; nobody writes "1:00" for the night */
	m->vague = hour <= (by_digits ? 4 : 12) && *start != '0';
	if (eat_once(in, true))
		in->moment_to = NULL;
	return true;
}

/* ---- phrases ---- */

static void
say_route(struct words *in, enum route route, const char *start)
{
	if (route == ROUTE_NONE)
		return;
	if (in->route_kind != ROUTE_NONE && in->route_kind != route)
		in->contradicts = true;
	in->route_kind = route;
	if (in->route == NULL)
		in->route = words_original(in, start, in->at);
}

static void
say_mark(struct words *in, unsigned mark, const char *start)
{
	const char *text = words_original(in, start, in->at);

	in->marks |= mark;
	if (mark & MARK_FASTING) {
		in->fasting = text;
		(void)say_moment(in, MOMENT_FASTING, start);
	}
	if (mark & MARK_METHOD)
		in->method = text;
	if (mark & MARK_REASON)
		in->reason =
		    in->reason == NULL
			? text
			: arena_printf(in->arena, "%s, %s", in->reason, text);
	if (mark == MARK_DAILY)
		in->per_day = true;
}

static bool
read_phrase(struct words *in)
{
	const char *start = in->at;
	const struct phrase *p = words_find_phrase(in->at);

	if (p == NULL)
		return false;
	in->at += strlen(p->text);
	say_route(in, p->route, start);
	say_mark(in, p->mark, start);
	say_frequency(in, p->frequency, p->period, p->unit);
	say_when(in, p, start);
	if (p->frequency == 1 && p->when == 0)
		(void)eat_once(in, true);
	return true;
}

/* ---- how much ---- */

/*
 * "0.5g(1片)": the first is the dose; in one unit there is but one.  In
 * "5mg 2片" the first may be that of a tablet.
 */
static void
say_dose(struct words *in, int64_t micro, const char *word, bool whole,
    const char *unit, bool in_brackets)
{
	in->dose_count++;
	if (in->dose_unit == NULL) {
		in->dose_first = in->moments.count == 0;
		in->dose_micro = micro;
		in->dose_word = word;
		in->dose_whole = whole;
		in->dose_unit = strcmp(word, "#") == 0 ? "片" : unit;
	} else if (strcmp(in->dose_word, word) == 0
		       ? in->dose_micro != micro
		       : !in_brackets || (whole && in->dose_whole)) {
		in->contradicts = true;
	}
}

/*
 * An amount of so many days or weeks, rather than of a dose.  A piece a day
 * can be but one dose; two may be one dose or two.
 */
static void
say_total(struct words *in, int32_t period, enum unit unit, bool certain)
{
	if (in->total_unit != UNIT_NONE &&
	    (in->total_unit != unit || in->total_period != period))
		in->contradicts = true;
	in->total_period = period;
	in->total_unit = unit;
	if (certain)
		say_frequency(in, 1, period, unit);
}

/* "2片/日", "1袋/d": the unit of time, or NONE. */
static enum unit
eat_per_unit(struct words *in)
{
	const char *start = in->at;
	enum unit unit =
	    words_eat(in, "/") ? words_eat_any_unit(in) : UNIT_NONE;

	if (unit >= UNIT_D)
		return unit;
	in->at = start;
	return UNIT_NONE;
}

/* "1.5片", "半片", "1片半", "2片/日"; in a time: that of so many units. */
static bool
read_amount(struct words *in, int32_t period, enum unit unit)
{
	const char *start = in->at, *word, *written;
	bool brackets = start > in->tidied && start[-1] == '(', whole;
	int64_t micro = words_eat_amount(in);

	if (micro == 0)
		return false;
	start = in->at + strspn(in->at, " ");
	word = EAT_ANY(in, pieces);
	whole = word != NULL;
	if (!whole)
		word = EAT_ANY(in, measures);
	if (word == NULL)
		return false;
	written = words_original(in, start, in->at);
	if (words_eat(in, "半"))
		micro += MICRO / 2;
	say_dose(in, micro, word, whole, written, brackets);
	if (words_eat(in, "/次")) {
		in->each = true;
		return true;
	}
	if (unit == UNIT_NONE) {
		unit = eat_per_unit(in);
		period = 1;
	}
	if (unit != UNIT_NONE)
		say_total(in, period, unit, whole && micro <= MICRO);
	return true;
}

/* "每次1.5片", "各1片", "半片": how much, not when. */
static bool
read_dose(struct words *in)
{
	bool of_dose = words_eat(in, "每次") || words_eat(in, "一次") ||
		       words_eat(in, "1次") || words_eat(in, "各");

	if (!of_dose)
		(void)words_eat(in, "服");
	if (!read_amount(in, 1, !of_dose && in->per_day ? UNIT_D : UNIT_NONE))
		return false;
	in->each |= of_dose;
	return true;
}

/* ---- the whole text ---- */

static bool
read_one(struct words *in)
{
	/* what is longer, or would be taken for something else, first */
	static bool (*const readers[])(struct words *) = {read_weekdays,
	    read_clock, read_course, read_per_unit, read_per, read_interval,
	    read_dose, read_phrase};
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

	if (words_is_alnum(*in->at))
		while (words_is_alnum(*in->at))
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
		if (!read_one(in) && !EAT_ANY(in, separators))
			skip(in);
}
