/*
 * The sense of shorthand: a text made even (width, case, traditional
 * characters), its words read by timing_text.c, and these put together into
 * one rule, or into the question that a person must answer.  Pure.
 */
#include <string.h>

#include "care/timing_words.h"

/* ---- the text, made even ---- */

/* Three bytes each: traditional characters and wide punctuation. */
static const char *const twins[][2] = {{"飯", "饭"}, {"後", "后"}, {"兩", "两"},
    {"週", "周"}, {"時", "时"}, {"隨", "随"}, {"個", "个"}, {"醫", "医"},
    {"囑", "嘱"}, {"靜", "静"}, {"脈", "脉"}, {"單", "单"}, {"噴", "喷"},
    {"顆", "颗"}, {"內", "内"}, {"進", "进"}, {"與", "与"}, {"鐘", "钟"},
    {"臨", "临"}, {"點", "点"}, {"連", "连"}, {"續", "续"}, {"療", "疗"},
    {"沖", "冲"}, {"熱", "热"}, {"發", "发"}, {"頓", "顿"}, {"雙", "双"},
    {"錠", "锭"}, {"禮", "礼"}, {"頭", "头"}, {"悶", "闷"}, {"絞", "绞"},
    {"氣", "气"}, {"覺", "觉"}, {"開", "开"}, {"溫", "温"}, {"癢", "痒"},
    {"陰", "阴"}, {"給", "给"}, {"藥", "药"}, {"燒", "烧"}, {"腸", "肠"},
    {"霧", "雾"}, {"塗", "涂"}};

/* One byte for a wide character of ASCII ("３", "Ｔ", "／"), or 0. */
static char
narrow(const char *at)
{
	const unsigned char *c = (const unsigned char *)at;

	if (c[0] == 0xe3 && c[1] == 0x80 && c[2] == 0x80)
		return ' ';
	if (c[0] != 0xef || (c[1] != 0xbc && c[1] != 0xbd))
		return '\0';
	if (c[1] == 0xbc && c[2] >= 0x81 && c[2] <= 0xbf)
		return (char)(c[2] - 0x81 + '!');
	return c[1] == 0xbd && c[2] >= 0x80 && c[2] <= 0x9e
		   ? (char)(c[2] - 0x80 + '`')
		   : '\0';
}

static const char *
simplified(const char *at)
{
	for (unsigned i = 0; i < COUNT(twins); i++)
		if (strncmp(at, twins[i][0], strlen(twins[i][0])) == 0)
			return twins[i][1];
	return NULL;
}

/* The dots of "b.i.d." and at the end, but none of a number's. */
static void
drop_dots(struct words *in)
{
	size_t kept = 0;

	for (size_t i = 0; in->tidied[i] != '\0'; i++) {
		char before = i == 0 ? ' ' : in->tidied[i - 1];
		char after = in->tidied[i + 1];

		if (in->tidied[i] == '.' && !(before >= '0' && before <= '9') &&
		    !(after >= '0' && after <= '9'))
			continue;
		in->origin[kept] = in->origin[i];
		in->tidied[kept++] = in->tidied[i];
	}
	in->origin[kept] = in->origin[strlen(in->tidied)];
	in->tidied[kept] = '\0';
}

/* Narrow, simplified, lower case; never longer than the original. */
static void
tidy(struct words *in, const char *text)
{
	size_t kept = 0, i = 0;

	while (text[i] != '\0') {
		const char *twin = simplified(text + i);
		char c = narrow(text + i);

		if (twin != NULL) {
			for (int k = 0; k < 3; k++, i++) {
				in->origin[kept] = (uint16_t)i;
				in->tidied[kept++] = twin[k];
			}
			continue;
		}
		in->origin[kept] = (uint16_t)i;
		i += c != '\0' ? 3 : 1;
		if (c == '\0')
			c = text[i - 1];
		in->tidied[kept++] =
		    c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	in->origin[kept] = (uint16_t)i;
	in->tidied[kept] = '\0';
	drop_dots(in);
}

/* ---- words about words ---- */

const char *
words_original(const struct words *in, const char *from, const char *to)
{
	size_t first = in->origin[from - in->tidied];
	size_t last = in->origin[to - in->tidied];

	return arena_text_n(in->arena, in->original + first, last - first);
}

void
words_say(struct words *in, struct list *spans, const char *from)
{
	struct span *list = spans->data;

	if (spans == &in->unread && spans->count > 0 &&
	    list[spans->count - 1].to == from)
		list[spans->count - 1].to = in->at;
	else
		*(struct span *)list_add(spans) = (struct span){from, in->at};
}

/* "which meals: bid, pc" */
static const char *
ask(const struct words *in, const char *question, const struct list *spans)
{
	const struct span *span = spans->data;
	const char *text = question;

	for (size_t i = 0; i < spans->count; i++)
		text = arena_printf(in->arena, "%s%s%s", text,
		    i == 0 ? ": " : ", ",
		    words_original(in, span[i].from, span[i].to));
	return text;
}

/* ---- one rule ---- */

static bool
daily(const struct words *in)
{
	return in->unit == UNIT_D && in->period == 1;
}

/* "早晚2片": a whole one at each of them, or two? */
static bool
may_be_sum(const struct words *in, int32_t named)
{
	return in->dose_whole && !in->each && !in->dose_first && named > 1 &&
	       in->dose_count < named && in->dose_micro % (named * MICRO) == 0;
}

/*
 * How often the named times come: on each day, unless it is said.  NULL, or
 * the question where meals and frequency leave open which.
 */
static const char *
settle_when(struct words *in)
{
	int32_t named;

	if (in->when == 0 && in->meals != 0) {
		if (in->frequency != 0 && !(daily(in) && in->frequency == 3))
			return "which meals is not said";
		in->when = in->meals;
	}
	named = in->time_count > 0 ? (int32_t)in->time_count
				   : __builtin_popcount(in->when);
	if (named == 0)
		return NULL;
	if (in->frequency == 0) {
		if (may_be_sum(in, named))
			return "each time, or in all";
		in->frequency = named;
		in->period = 1;
		in->unit = UNIT_D;
	}
	/* on some days only: one time, whichever days these are */
	return in->unit != UNIT_H &&
		       (daily(in) ? in->frequency == named : named == 1)
		   ? NULL
		   : WORDS_MISMATCH;
}

/*
 * Days of the week beside a frequency: as many as there are, or that of
 * each of these days.
 */
static const char *
settle_weekdays(struct words *in, bool said)
{
	int32_t days = __builtin_popcount(in->weekdays);

	if (days == 0)
		return NULL;
	if (in->marks & (MARK_DAILY | MARK_NIGHTLY | MARK_ONCE))
		return WORDS_MISMATCH;
	if (in->frequency == 0) {
		in->frequency = days;
		in->period = 1;
		in->unit = UNIT_WK;
	}
	/* "周一三五 bid": daily, on these days */
	return !said || daily(in) ||
		       (in->unit == UNIT_WK && in->period == 1 &&
			   in->frequency == days)
		   ? NULL
		   : WORDS_MISMATCH;
}

/* "14 days" of something weekly, or of every other day: how many doses? */
static const char *
settle_course(const struct words *in)
{
	bool plain = in->frequency == 0 || in->unit < UNIT_D || daily(in);

	if (in->bound == 0)
		return NULL;
	if (in->marks & MARK_ONCE)
		return WORDS_MISMATCH;
	if (in->weekdays != 0
		? in->bound_unit > UNIT_D
		: plain || in->bound_unit > in->unit ||
		      (in->bound_unit == in->unit && in->unit > UNIT_D &&
			  in->bound >= in->period))
		return NULL;
	return "how long is not clear";
}

/* "每日2片" is a dose only where it is taken at one time. */
static const char *
settle_total(const struct words *in)
{
	return in->total_unit == UNIT_NONE || in->frequency == 0 ||
		       (in->frequency == 1 && in->unit == in->total_unit &&
			   in->period == in->total_period)
		   ? NULL
		   : "an amount of several doses";
}

/* A slip of the pen: more than 24 a day, weeks in hours, years in days. */
static const char *
find_slip(const struct words *in)
{
	static const int32_t hours[UNIT_COUNT] = {[UNIT_H] = 1,
	    [UNIT_D] = 24,
	    [UNIT_WK] = 7 * 24,
	    [UNIT_MO] = 30 * 24,
	    [UNIT_A] = 365 * 24};

	if (in->frequency > in->period * hours[in->unit])
		return "more than 24 doses a day";
	return (in->unit == UNIT_H && in->period > 7 * 24) ||
		       (in->unit == UNIT_D && in->period > 366)
		   ? "too long an interval"
		   : NULL;
}

static const char *
settle_marks(const struct words *in)
{
	bool often = in->frequency != 0;

	if ((in->marks & MARK_ONCE) &&
	    (often || (in->marks & (MARK_NEEDED | MARK_REASON | MARK_DAILY))))
		return WORDS_MISMATCH;
	if ((in->marks & MARK_DAILY) && often && !daily(in) &&
	    in->unit != UNIT_H)
		return WORDS_MISMATCH;
	if ((in->marks & MARK_WHOLE) && often &&
	    (in->frequency != 1 || in->unit < UNIT_D))
		return WORDS_MISMATCH;
	if (often)
		return find_slip(in);
	return (in->marks & (MARK_ONCE | MARK_NEEDED | MARK_REASON)) != 0
		   ? NULL
		   : "how often is not said";
}

/* NULL, or what is not clear. */
static const char *
settle_words(struct words *in)
{
	bool said = in->frequency != 0;
	const char *question;

	if (in->contradicts)
		return WORDS_MISMATCH;
	question = words_settle_moments(in);
	if (question == NULL)
		question = settle_when(in);
	if (question == NULL)
		question = settle_weekdays(in, said);
	if (question == NULL)
		question = settle_total(in);
	if (question == NULL)
		question = settle_course(in);
	return question != NULL ? question : settle_marks(in);
}

static void
copy_schedule(const struct words *in, struct timing *t)
{
	t->count = in->marks & MARK_ONCE ? 1 : 0;
	t->as_needed = (in->marks & (MARK_NEEDED | MARK_REASON)) != 0;
	t->weekdays = in->weekdays;
	t->when = in->when;
	t->offset_min = in->when != 0 ? in->offset_min : -1;
	t->times = in->times;
	t->time_count = in->time_count;
	t->frequency = in->frequency;
	if (in->frequency != 0) {
		t->period_micro = in->period * MICRO;
		t->unit = in->unit;
	}
	if (in->bound != 0) {
		t->bound_micro = in->bound * MICRO;
		t->bound_unit = in->bound_unit;
	}
}

static struct timing *
make_rule(const struct words *in)
{
	struct timing *t = arena_alloc(in->arena, sizeof(*t));

	*t = (struct timing)TIMING_INIT;
	if (in->marks & MARK_DIRECTED)
		t->unclear = UNCLEAR_AS_DIRECTED;
	else
		copy_schedule(in, t);
	timing_settle(t);
	return t;
}

static void
make_sense(struct words *in, struct shorthand *out)
{
	bool directed = (in->marks & MARK_DIRECTED) != 0;
	const char *question = directed ? "as directed" : settle_words(in);
	const struct timing *t;

	if (in->unread.count > 0) {
		out->review = ask(in, "not understood", &in->unread);
		return;
	}
	out->dose_micro = in->dose_micro;
	out->dose_unit = in->dose_unit;
	out->route = in->route;
	out->method = in->method;
	out->reason = in->reason;
	/* before breakfast, which an empty stomach need not be */
	out->confirm =
	    (in->when & (W(ACM) | W(WAKE))) != 0 ? in->fasting : NULL;
	if (question != NULL)
		out->review = ask(in, question, &in->said);
	if (question != NULL && !directed)
		return;
	t = make_rule(in);
	if (t->review != NULL && !directed)
		out->review = ask(in, t->review, &in->said);
	else
		out->timing = t;
	out->as_needed = t->as_needed;
}

void
timing_read_text(const char *text, struct arena *arena, struct shorthand *out)
{
	struct words in = {.arena = arena,
	    .original = text,
	    .offset_min = -1,
	    .dose_micro = -1};

	*out = (struct shorthand){.dose_micro = -1};
	if (strlen(text) > TEXT_BYTES_MAX) {
		out->review = "the text is too long";
		return;
	}
	tidy(&in, text);
	in.at = in.tidied;
	list_init(&in.said, arena, sizeof(struct span));
	list_init(&in.unread, arena, sizeof(struct span));
	list_init(&in.moments, arena, sizeof(struct moment));
	words_read(&in);
	make_sense(&in, out);
}

const struct timing *
timing_parse_text(const char *text, struct arena *arena, bool *as_needed)
{
	struct shorthand shorthand;

	timing_read_text(text, arena, &shorthand);
	*as_needed = shorthand.as_needed;
	return shorthand.timing;
}
