/*
 * Timing from FHIR JSON: the shape, the invariants tim-1 … tim-10 and the
 * known codes.  What breaks them is refused with its place; what is legal
 * but cannot be scheduled is left to timing_settle().  Pure.
 */
#include <stdio.h>
#include <string.h>

#include "care/timing_rule.h"

#define SYSTEM_GTS "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"

/* Units spelled out, where a bound has no code. */
static const struct timing_word long_unit_words[] = {
    {"second", UNIT_S},
    {"seconds", UNIT_S},
    {"minute", UNIT_MIN},
    {"minutes", UNIT_MIN},
    {"hour", UNIT_H},
    {"hours", UNIT_H},
    {"day", UNIT_D},
    {"days", UNIT_D},
    {"week", UNIT_WK},
    {"weeks", UNIT_WK},
    {"month", UNIT_MO},
    {"months", UNIT_MO},
    {"year", UNIT_A},
    {"years", UNIT_A},
    {"天", UNIT_D},
    {"日", UNIT_D},
    {"周", UNIT_WK},
    {"月", UNIT_MO},
    {"年", UNIT_A},
};

/* What a code says. */
static const struct {
	const char *code;
	int32_t frequency, period;
	enum unit unit;
	uint32_t when;
} codes[] = {
    {"QD", 1, 1, UNIT_D, 0},
    {"BID", 2, 1, UNIT_D, 0},
    {"TID", 3, 1, UNIT_D, 0},
    {"QID", 4, 1, UNIT_D, 0},
    {"QOD", 1, 2, UNIT_D, 0},
    {"Q1H", 1, 1, UNIT_H, 0},
    {"Q2H", 1, 2, UNIT_H, 0},
    {"Q3H", 1, 3, UNIT_H, 0},
    {"Q4H", 1, 4, UNIT_H, 0},
    {"Q6H", 1, 6, UNIT_H, 0},
    {"Q8H", 1, 8, UNIT_H, 0},
    {"WK", 1, 1, UNIT_WK, 0},
    {"MO", 1, 1, UNIT_MO, 0},
    {"BED", 1, 1, UNIT_D, WHEN_BIT(WHEN_HS)},
    {"AM", 1, 1, UNIT_D, WHEN_BIT(WHEN_AM)},
    {"PM", 1, 1, UNIT_D, WHEN_BIT(WHEN_PM)},
};

struct reading {
	struct arena *arena;
	struct timing_error *error;
	struct timing *timing;
};

/* Always false, so that a reader can return it. */
static bool
refuse(struct reading *in, const char *code, const char *at, const char *text)
{
	in->error->code = code;
	in->error->at = at;
	(void)snprintf(in->error->text, sizeof(in->error->text), "%s", text);
	return false;
}

static uint32_t
find_when(const char *text)
{
	for (size_t i = 0; i < timing_when_count; i++)
		if (strcmp(timing_when_words[i].word, text) == 0)
			return timing_when_words[i].bits;
	return 0;
}

static uint32_t
find_weekday(const char *text)
{
	for (unsigned i = 0; i < COUNT(timing_weekday_words); i++)
		if (strcmp(timing_weekday_words[i], text) == 0)
			return 1u << i;
	return 0;
}

/* A code of UCUM, as R4 has it; UNIT_NONE for NULL too. */
static enum unit
find_unit(const char *text)
{
	for (unsigned i = UNIT_S; i < UNIT_COUNT && text != NULL; i++)
		if (strcmp(timing_unit_words[i], text) == 0)
			return (enum unit)i;
	return UNIT_NONE;
}

static enum unit
find_long_unit(const char *text)
{
	for (unsigned i = 0; i < COUNT(long_unit_words) && text != NULL; i++)
		if (strcmp(long_unit_words[i].word, text) == 0)
			return (enum unit)long_unit_words[i].bits;
	return UNIT_NONE;
}

static const char *
under(struct reading *in, const char *owner, const char *key)
{
	return arena_printf(in->arena, "%s%s", owner, key);
}

/* Two digits below a bound, or -1. */
static int32_t
two_digits(const char *text, int32_t below)
{
	int32_t value;

	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return -1;
	value = (text[0] - '0') * 10 + text[1] - '0';
	return value < below ? value : -1;
}

/* "hh:mm:ss", a fraction of a second allowed; -1 if it is none. */
static int32_t
parse_time(const char *text)
{
	size_t bytes = strlen(text);
	int32_t hour, minute, second;

	if (bytes < 8 || text[2] != ':' || text[5] != ':' ||
	    (bytes > 8 && (text[8] != '.' || bytes == 9 ||
			      strspn(text + 9, "0123456789") != bytes - 9)))
		return -1;
	hour = two_digits(text, 24);
	minute = two_digits(text + 3, 60);
	second = two_digits(text + 6, 60);
	return hour < 0 || minute < 0 || second < 0
		   ? -1
		   : hour * 3600 + minute * 60 + second;
}

/*
 * YYYY, YYYY-MM, YYYY-MM-DD or a full dateTime.  A part of a date is its
 * first day, or its last where `last`.
 */
static bool
parse_moment(const char *text, bool last, struct moment_rule *out)
{
	size_t bytes = strlen(text);
	struct civil civil;
	char date[11];

	*out = (struct moment_rule){.given = true};
	if (bytes > 10) {
		out->has_time = true;
		return instant_parse(text, &out->at);
	}
	if (bytes == 10)
		return civil_parse(text, &out->on);
	if (bytes != 4 && bytes != 7)
		return false;
	(void)snprintf(date, sizeof(date), "%s%s", text,
	    bytes == 7 ? "-01"
	    : last     ? "-12-01"
		       : "-01-01");
	if (!civil_parse(date, &out->on))
		return false;
	civil = civil_from_days(out->on);
	if (last)
		out->on += civil_days_in_month(civil.year, civil.month) - 1;
	return true;
}

/* A positive integer; *value stays 0 where it is absent. */
static bool
read_positive(struct reading *in, const struct json *repeat, const char *key,
    int32_t *value)
{
	const struct json *json = json_get(repeat, key);
	int64_t number;

	*value = 0;
	if (json == NULL)
		return true;
	if (!json_i64(json, &number) || number < 1 || number > INT32_MAX)
		return refuse(in, "value", under(in, "repeat.", key),
		    "must be a positive whole number");
	*value = (int32_t)number;
	return true;
}

/* A decimal that is not negative; -1 where it is absent. */
static bool
read_decimal(struct reading *in, const struct json *repeat, const char *key,
    const char *invariant, int64_t *micro)
{
	const struct json *json = json_get(repeat, key);

	*micro = -1;
	if (json == NULL)
		return true;
	if (!json_micro(json, micro))
		return refuse(in, "value", under(in, "repeat.", key),
		    "must be a decimal number");
	if (*micro < 0)
		return refuse(
		    in, "invariant", under(in, "repeat.", key), invariant);
	return true;
}

static bool
read_unit(struct reading *in, const struct json *repeat, const char *key,
    enum unit *unit)
{
	const struct json *json = json_get(repeat, key);

	*unit = find_unit(json_text(json));
	if (json != NULL && *unit == UNIT_NONE)
		return refuse(in, "value", under(in, "repeat.", key),
		    "must be one of s, min, h, d, wk, mo, a");
	return true;
}

/* Absent, or an array of strings with at most max elements. */
static bool
check_array(
    struct reading *in, const struct json *json, const char *at, uint32_t max)
{
	if (json == NULL)
		return true;
	if (!json_is(json, JSON_ARRAY) || json->count == 0)
		return refuse(in, "structure", at, "must be an array");
	json_each (item, json)
		if (json_text(item) == NULL)
			return refuse(
			    in, "structure", at, "must be an array of strings");
	if (json->count > max)
		return refuse(in, "value", at, "has too many elements");
	return true;
}

static bool
read_words(struct reading *in, const struct json *json, const char *at,
    uint32_t (*find)(const char *), uint32_t *bits)
{
	if (!check_array(in, json, at, TIMES_MAX))
		return false;
	json_each (item, json) {
		uint32_t value = find(json_text(item));

		if (value == 0)
			return refuse(in, "value", at, "has an unknown code");
		*bits |= value;
	}
	return true;
}

static bool
read_times(struct reading *in, const struct json *json)
{
	static const char *const at = "repeat.timeOfDay";
	int32_t *times;

	if (!check_array(in, json, at, TIMES_MAX))
		return false;
	if (json == NULL)
		return true;
	times = arena_array(in->arena, json->count, sizeof(*times));
	in->timing->times = times;
	json_each (item, json) {
		int32_t time_s = parse_time(json_text(item));

		if (time_s < 0)
			return refuse(in, "value", at, "must be hh:mm:ss");
		times[in->timing->time_count++] = time_s;
	}
	return true;
}

static bool
read_moment(struct reading *in, const struct json *json, const char *at,
    bool last, struct moment_rule *out)
{
	if (json == NULL)
		return true;
	if (json_text(json) == NULL)
		return refuse(in, "structure", at, "must be a string");
	if (!parse_moment(json_text(json), last, out))
		return refuse(in, "value", at, "must be a date or dateTime");
	return true;
}

static bool
read_bounds_period(struct reading *in, const struct json *period)
{
	if (!json_is(period, JSON_OBJECT))
		return refuse(in, "structure", "repeat.boundsPeriod",
		    "must be an object");
	return read_moment(in, json_get(period, "start"),
		   "repeat.boundsPeriod.start", false, &in->timing->from) &&
	       read_moment(in, json_get(period, "end"),
		   "repeat.boundsPeriod.end", true, &in->timing->until);
}

static bool
read_bound(struct reading *in, const struct json *duration, const char *at)
{
	struct timing *t = in->timing;
	const char *code = json_get_text(duration, "code");
	const char *unit = json_get_text(duration, "unit");

	if (!json_is(duration, JSON_OBJECT))
		return refuse(in, "structure", at, "must be an object");
	if (json_get(duration, "value") == NULL)
		return true;
	if (!json_micro(json_get(duration, "value"), &t->bound_micro) ||
	    t->bound_micro < 0)
		return refuse(in, "value", at, "must not be negative");
	t->bound_unit = find_unit(code != NULL ? code : unit);
	if (t->bound_unit == UNIT_NONE && code == NULL)
		t->bound_unit = find_long_unit(unit);
	if (t->bound_unit == UNIT_NONE)
		return refuse(in, "value", at, "must have a unit of time");
	if (json_get(duration, "comparator") != NULL)
		t->unclear = UNCLEAR_BOUND;
	return true;
}

static bool
read_bounds(struct reading *in, const struct json *repeat)
{
	const struct json *period = json_get(repeat, "boundsPeriod");
	const struct json *duration = json_get(repeat, "boundsDuration");
	const struct json *range = json_get(repeat, "boundsRange");
	const struct json *high = json_get(range, "high");

	if ((period != NULL) + (duration != NULL) + (range != NULL) > 1)
		return refuse(
		    in, "structure", "repeat", "has more than one bounds[x]");
	if (range != NULL && !json_is(range, JSON_OBJECT))
		return refuse(
		    in, "structure", "repeat.boundsRange", "must be an object");
	if (period != NULL)
		return read_bounds_period(in, period);
	if (duration != NULL)
		return read_bound(in, duration, "repeat.boundsDuration");
	return high == NULL || read_bound(in, high, "repeat.boundsRange.high");
}

/* duration is the length of one dose: checked, then of no use. */
static bool
check_duration(struct reading *in, const struct json *repeat)
{
	int64_t duration, most;
	enum unit unit;

	if (!read_decimal(in, repeat, "duration",
		"tim-4: duration must not be negative", &duration) ||
	    !read_decimal(in, repeat, "durationMax",
		"tim-4: duration must not be negative", &most) ||
	    !read_unit(in, repeat, "durationUnit", &unit))
		return false;
	if (duration >= 0 && unit == UNIT_NONE)
		return refuse(in, "invariant", "repeat.durationUnit",
		    "tim-1: a duration needs its unit");
	if (most >= 0 && duration < 0)
		return refuse(in, "invariant", "repeat.durationMax",
		    "tim-7: durationMax needs a duration");
	return true;
}

static bool
read_period(struct reading *in, const struct json *repeat)
{
	struct timing *t = in->timing;
	int64_t most;

	if (!read_decimal(in, repeat, "period",
		"tim-5: period must not be negative", &t->period_micro) ||
	    !read_decimal(in, repeat, "periodMax",
		"tim-5: period must not be negative", &most) ||
	    !read_unit(in, repeat, "periodUnit", &t->unit))
		return false;
	if (t->period_micro >= 0 && t->unit == UNIT_NONE)
		return refuse(in, "invariant", "repeat.periodUnit",
		    "tim-2: a period needs its unit");
	if (most >= 0 && t->period_micro < 0)
		return refuse(in, "invariant", "repeat.periodMax",
		    "tim-6: periodMax needs a period");
	/* ranges take the least frequent reading */
	if (most > t->period_micro)
		t->period_micro = most;
	return true;
}

static bool
read_counts(struct reading *in, const struct json *repeat)
{
	struct timing *t = in->timing;
	int32_t most;

	if (!read_positive(in, repeat, "frequency", &t->frequency) ||
	    !read_positive(in, repeat, "frequencyMax", &most))
		return false;
	/* "up to 3" alone is at least once */
	if (t->frequency == 0 && most > 0)
		t->frequency = 1;
	if (!read_positive(in, repeat, "count", &t->count) ||
	    !read_positive(in, repeat, "countMax", &most))
		return false;
	if (most > 0 && t->count == 0)
		return refuse(in, "invariant", "repeat.countMax",
		    "tim-8: countMax needs a count");
	return true;
}

static bool
names_meal(const struct json *when)
{
	static const char *const meals[] = {"C", "CM", "CD", "CV"};

	json_each (item, when)
		for (unsigned i = 0; i < COUNT(meals); i++)
			if (strcmp(json_text(item), meals[i]) == 0)
				return true;
	return false;
}

static bool
read_offset(struct reading *in, const struct json *repeat)
{
	const struct json *offset = json_get(repeat, "offset");
	const struct json *when = json_get(repeat, "when");
	int64_t minutes;

	if (offset == NULL)
		return true;
	if (!json_i64(offset, &minutes) || minutes < 0 || minutes > INT32_MAX)
		return refuse(in, "value", "repeat.offset",
		    "must be a whole number of minutes");
	if (when == NULL || names_meal(when))
		return refuse(in, "invariant", "repeat.offset",
		    "tim-9: an offset needs a when, and not C, CM, CD, CV");
	in->timing->offset_min = (int32_t)minutes;
	return true;
}

static bool
read_repeat(struct reading *in, const struct json *repeat)
{
	struct timing *t = in->timing;

	if (repeat == NULL)
		return true;
	if (!json_is(repeat, JSON_OBJECT))
		return refuse(in, "structure", "repeat", "must be an object");
	if (!read_bounds(in, repeat) || !read_counts(in, repeat) ||
	    !check_duration(in, repeat) || !read_period(in, repeat) ||
	    !read_words(in, json_get(repeat, "dayOfWeek"), "repeat.dayOfWeek",
		find_weekday, &t->weekdays) ||
	    !read_times(in, json_get(repeat, "timeOfDay")) ||
	    !read_words(in, json_get(repeat, "when"), "repeat.when", find_when,
		&t->when) ||
	    !read_offset(in, repeat))
		return false;
	if (t->time_count > 0 && t->when != 0)
		return refuse(in, "invariant", "repeat.timeOfDay",
		    "tim-10: timeOfDay and when exclude each other");
	return true;
}

static bool
read_events(struct reading *in, const struct json *events)
{
	struct timing *t = in->timing;
	struct moment_rule *rows;

	if (!check_array(in, events, "event", EVENTS_MAX))
		return false;
	if (events == NULL)
		return true;
	rows = arena_array(in->arena, events->count, sizeof(*rows));
	t->events = rows;
	json_each (item, events)
		if (!read_moment(
			in, item, "event", false, &rows[t->event_count++]))
			return false;
	return true;
}

static bool
take_code(struct reading *in, const char *code)
{
	struct timing *t = in->timing;

	for (unsigned i = 0; i < COUNT(codes) && code != NULL; i++) {
		if (strcmp(codes[i].code, code) != 0)
			continue;
		t->frequency = codes[i].frequency;
		t->period_micro = codes[i].period * MICRO;
		t->unit = codes[i].unit;
		t->when = codes[i].when;
		return true;
	}
	return false;
}

/*
 * A known code speaks where the repeat has no schedule of its own; an
 * unknown one then leaves only the events.
 */
static bool
read_code(struct reading *in, const struct json *code)
{
	struct timing *t = in->timing;

	if (code == NULL)
		return true;
	if (!json_is(code, JSON_OBJECT))
		return refuse(in, "structure", "code", "must be an object");
	if (t->frequency > 0 || t->period_micro >= 0 || t->time_count > 0 ||
	    t->when != 0 || t->weekdays != 0)
		return true;
	json_each (coding, json_get(code, "coding")) {
		const char *system = json_get_text(coding, "system");

		if (system != NULL && strcmp(system, SYSTEM_GTS) == 0 &&
		    take_code(in, json_get_text(coding, "code")))
			return true;
	}
	if (t->event_count == 0)
		t->unclear = UNCLEAR_CODE;
	return true;
}

const struct timing *
timing_parse(
    const struct json *timing, struct arena *arena, struct timing_error *error)
{
	struct timing *t = arena_alloc(arena, sizeof(*t));
	struct reading in = {.arena = arena, .error = error, .timing = t};

	*t = (struct timing)TIMING_INIT;
	if (!json_is(timing, JSON_OBJECT)) {
		(void)refuse(&in, "structure", "", "must be an object");
		return NULL;
	}
	if (json_get(timing, "modifierExtension") != NULL) {
		(void)refuse(&in, "structure", "modifierExtension",
		    "changes the meaning in an unknown way");
		return NULL;
	}
	if (!read_repeat(&in, json_get(timing, "repeat")) ||
	    !read_events(&in, json_get(timing, "event")) ||
	    !read_code(&in, json_get(timing, "code")))
		return NULL;
	timing_settle(t);
	return t;
}
