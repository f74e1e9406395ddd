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
    {"臨", "临"}, {"點", "点"}};

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

/* "早晚 饭后": morning and evening mean those meals. */
static void
name_meals(struct words *in)
{
	static const uint32_t parts[] = {
	    WHEN_BIT(WHEN_MORN), WHEN_BIT(WHEN_NOON), WHEN_BIT(WHEN_EVE)};
	static const uint32_t columns[] = {
	    WHEN_BIT(WHEN_CM) | WHEN_BIT(WHEN_ACM) | WHEN_BIT(WHEN_PCM),
	    WHEN_BIT(WHEN_CD) | WHEN_BIT(WHEN_ACD) | WHEN_BIT(WHEN_PCD),
	    WHEN_BIT(WHEN_CV) | WHEN_BIT(WHEN_ACV) | WHEN_BIT(WHEN_PCV)};
	uint32_t named = 0;

	if (in->meals == 0 ||
	    (in->when & ~(parts[0] | parts[1] | parts[2])) != 0)
		return;
	for (unsigned i = 0; i < COUNT(parts); i++)
		if ((in->when & parts[i]) != 0)
			named |= in->meals & columns[i];
	in->when = named;
}

/*
 * Which times of the day: the named ones, or all three meals.  NULL, or the
 * question where meals and frequency leave open which.
 */
static const char *
settle_when(struct words *in)
{
	bool daily = in->unit == UNIT_D && in->period == 1;
	int32_t named;

	name_meals(in);
	if (in->when != 0 && (in->when & ~in->meals) != 0 && in->meals != 0)
		return "does not fit together";
	if (in->when == 0 && in->meals != 0) {
		if (in->frequency != 0 && !(daily && in->frequency == 3))
			return "which meals is not said";
		in->when = in->meals;
	}
	if ((in->marks & MARK_FASTING) && (in->when & (WHEN_PC | WHEN_C)) != 0)
		return "does not fit together";
	if (in->when == 0 && (in->marks & MARK_FASTING))
		in->when = WHEN_BIT(WHEN_ACM);
	if (in->when == 0)
		return NULL;
	named = __builtin_popcount(in->when);
	if (in->frequency == 0) {
		in->frequency = named;
		in->period = 1;
		in->unit = UNIT_D;
		daily = true;
	}
	/* on some days only: one time, whichever days these are */
	return in->unit != UNIT_H &&
		       (daily ? in->frequency == named : named == 1)
		   ? NULL
		   : "does not fit together";
}

/* NULL, or what is not clear. */
static const char *
settle_words(struct words *in)
{
	const char *question;

	if (in->contradicts)
		return "does not fit together";
	question = settle_when(in);
	if (question != NULL)
		return question;
	if ((in->marks & MARK_ONCE) &&
	    (in->frequency != 0 || (in->marks & (MARK_NEEDED | MARK_DAILY))))
		return "does not fit together";
	if ((in->marks & MARK_DAILY) && in->frequency != 0 &&
	    (in->unit != UNIT_D || in->period != 1) && in->unit != UNIT_H)
		return "does not fit together";
	return in->frequency == 0 && !(in->marks & (MARK_ONCE | MARK_NEEDED))
		   ? "how often is not said"
		   : NULL;
}

static struct timing *
make_rule(const struct words *in)
{
	struct timing *t = arena_alloc(in->arena, sizeof(*t));

	*t = (struct timing)TIMING_INIT;
	if (in->marks & MARK_DIRECTED) {
		t->unclear = UNCLEAR_AS_DIRECTED;
	} else {
		t->count = in->marks & MARK_ONCE ? 1 : 0;
		t->as_needed = (in->marks & MARK_NEEDED) != 0;
		t->when = in->when;
		t->offset_min = in->when != 0 ? in->offset_min : -1;
		t->frequency = in->frequency;
		if (in->frequency != 0) {
			t->period_micro = in->period * MICRO;
			t->unit = in->unit;
		}
	}
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
	out->confirm = in->fasting;
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
