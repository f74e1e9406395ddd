/*
 * The times of a patient's day (fhir.md 3.4): when the codes of `when`
 * fall, and how so many doses a day lie in it.  Owns the default table, and
 * reads a patient's own.  Pure.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "care/timing_rule.h"

#define CLOCK(h, m) ((h)*3600 + (m)*60)
#define DAY_S (24 * 3600)
#define DAILY_MAX 24 /* doses a day that a table may lay out */

/* Parts of the day with a time of their own; the others hang on an event. */
enum part {
	PART_MORN,
	PART_MORN_EARLY,
	PART_MORN_LATE,
	PART_NOON,
	PART_AFT,
	PART_AFT_EARLY,
	PART_AFT_LATE,
	PART_EVE,
	PART_EVE_EARLY,
	PART_EVE_LATE,
	PART_NIGHT,
	PART_AM,
	PART_PM,
	PART_ONCE,
	PART_COUNT
};

struct day_table {
	int32_t parts[PART_COUNT]; /* seconds since midnight */
	int32_t meal_lead_min;
	const int32_t *daily[DAILY_MAX + 1]; /* so many times; NULL: spread */
};

static const struct day_table usual_table = {
    .parts =
	{
	    [PART_MORN] = CLOCK(8, 0),
	    [PART_MORN_EARLY] = CLOCK(6, 0),
	    [PART_MORN_LATE] = CLOCK(10, 0),
	    [PART_NOON] = CLOCK(12, 0),
	    [PART_AFT] = CLOCK(15, 0),
	    [PART_AFT_EARLY] = CLOCK(13, 0),
	    [PART_AFT_LATE] = CLOCK(17, 0),
	    [PART_EVE] = CLOCK(19, 0),
	    [PART_EVE_EARLY] = CLOCK(18, 0),
	    [PART_EVE_LATE] = CLOCK(21, 0),
	    [PART_NIGHT] = CLOCK(22, 0),
	    [PART_AM] = CLOCK(8, 0),
	    [PART_PM] = CLOCK(15, 0),
	    [PART_ONCE] = CLOCK(8, 0),
	},
    .meal_lead_min = 30,
    .daily =
	{
	    [1] = (const int32_t[]){CLOCK(8, 0)},
	    [2] = (const int32_t[]){CLOCK(8, 0), CLOCK(20, 0)},
	    [3] = (const int32_t[]){CLOCK(8, 0), CLOCK(14, 0), CLOCK(20, 0)},
	    [4] = (const int32_t[]){CLOCK(8, 0), CLOCK(12, 0), CLOCK(16, 0),
		CLOCK(20, 0)},
	},
};

enum event { WAKE, BREAKFAST, LUNCH, DINNER, SLEEP, EVENT_COUNT };

#define PART(name) \
	{ \
		.part = PART_##name, .sense = 1 \
	}
#define EVENT(name, way) \
	{ \
		.on_event = true, .event = (name), .sense = (way) \
	}
#define MEAL(name, way) \
	{ \
		.on_event = true, .event = (name), .sense = (way), \
		.lead = true \
	}

/* What a `when` code means; offsets count by its sense. */
static const struct {
	bool on_event;
	enum event event;
	enum part part;
	int32_t sense; /* -1 before, +1 after */
	bool lead;     /* the meal's, where no offset is given */
} whens[WHEN_COUNT] = {
    [WHEN_MORN] = PART(MORN),
    [WHEN_MORN_EARLY] = PART(MORN_EARLY),
    [WHEN_MORN_LATE] = PART(MORN_LATE),
    [WHEN_NOON] = PART(NOON),
    [WHEN_AFT] = PART(AFT),
    [WHEN_AFT_EARLY] = PART(AFT_EARLY),
    [WHEN_AFT_LATE] = PART(AFT_LATE),
    [WHEN_EVE] = PART(EVE),
    [WHEN_EVE_EARLY] = PART(EVE_EARLY),
    [WHEN_EVE_LATE] = PART(EVE_LATE),
    [WHEN_NIGHT] = PART(NIGHT),
    [WHEN_AM] = PART(AM),
    [WHEN_PM] = PART(PM),
    [WHEN_PHS] = EVENT(SLEEP, 1),
    [WHEN_HS] = EVENT(SLEEP, -1),
    [WHEN_WAKE] = EVENT(WAKE, 1),
    [WHEN_CM] = EVENT(BREAKFAST, 1),
    [WHEN_CD] = EVENT(LUNCH, 1),
    [WHEN_CV] = EVENT(DINNER, 1),
    [WHEN_ACM] = MEAL(BREAKFAST, -1),
    [WHEN_ACD] = MEAL(LUNCH, -1),
    [WHEN_ACV] = MEAL(DINNER, -1),
    [WHEN_PCM] = MEAL(BREAKFAST, 1),
    [WHEN_PCD] = MEAL(LUNCH, 1),
    [WHEN_PCV] = MEAL(DINNER, 1),
};

static const struct day_table *
table_of(const struct day_profile *profile)
{
	return profile->table != NULL ? profile->table : &usual_table;
}

/* The patient's day; what is no clock time takes the default. */
static void
read_day(const struct day_profile *profile, int32_t day[EVENT_COUNT])
{
	const int32_t own[EVENT_COUNT] = {profile->wake, profile->breakfast,
	    profile->lunch, profile->dinner, profile->sleep};
	static const int32_t usual[EVENT_COUNT] = {CLOCK(7, 0), CLOCK(7, 30),
	    CLOCK(12, 0), CLOCK(18, 0), CLOCK(22, 0)};

	for (unsigned i = 0; i < EVENT_COUNT; i++)
		day[i] = own[i] >= 0 && own[i] < DAY_S ? own[i] : usual[i];
	/* whoever goes to bed after midnight ends this day, not the next */
	if (day[SLEEP] < day[WAKE])
		day[SLEEP] += DAY_S;
}

int32_t
timing_once_s(const struct day_profile *profile)
{
	return table_of(profile)->parts[PART_ONCE];
}

/* n doses a day without a word on when: the table's, or spread evenly. */
static uint32_t
daily_times(const struct day_profile *profile, const int32_t day[EVENT_COUNT],
    int32_t n, int32_t *times)
{
	const struct day_table *table = table_of(profile);
	int32_t awake_min = (day[SLEEP] - day[WAKE]) / 60;

	assert(n >= 0 && n <= TIMES_MAX);
	if (n == 0) {
		times[0] = timing_once_s(profile);
		return 1;
	}
	for (int32_t i = 0; i < n; i++)
		times[i] = n <= DAILY_MAX && table->daily[n] != NULL
			       ? table->daily[n][i]
			       : day[WAKE] + i * awake_min / (n - 1) * 60;
	return (uint32_t)n;
}

static uint32_t
when_times(const struct timing *t, const struct day_profile *profile,
    const int32_t day[EVENT_COUNT], int32_t *times)
{
	const struct day_table *table = table_of(profile);
	uint32_t count = 0;

	for (unsigned i = 0; i < WHEN_COUNT; i++) {
		int32_t offset_min = t->offset_min;

		if ((t->when & WHEN_BIT(i)) == 0)
			continue;
		if (offset_min < 0)
			offset_min = whens[i].lead ? table->meal_lead_min : 0;
		times[count++] =
		    (whens[i].on_event ? day[whens[i].event]
				       : table->parts[whens[i].part]) +
		    whens[i].sense * offset_min * 60;
	}
	return count;
}

static int
compare_times(const void *left, const void *right)
{
	int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;

	return (a > b) - (a < b);
}

uint32_t
timing_day_times(const struct timing *t, const struct day_profile *profile,
    int32_t times[TIMES_MAX])
{
	int32_t day[EVENT_COUNT];
	uint32_t count, kept = 0;

	read_day(profile, day);
	if (t->time_count > 0) {
		count = t->time_count;
		memcpy(times, t->times, count * sizeof(*times));
	} else if (t->when != 0) {
		count = when_times(t, profile, day, times);
	} else {
		count = daily_times(profile, day, t->per_day, times);
	}
	qsort(times, count, sizeof(*times), compare_times);
	for (uint32_t i = 0; i < count; i++)
		if (kept == 0 || times[kept - 1] != times[i])
			times[kept++] = times[i];
	return kept;
}

/* ---- a patient's own day ---- */

static const struct {
	const char *word;
	enum part part;
} part_words[] = {
    {"MORN", PART_MORN},
    {"MORN.early", PART_MORN_EARLY},
    {"MORN.late", PART_MORN_LATE},
    {"NOON", PART_NOON},
    {"AFT", PART_AFT},
    {"AFT.early", PART_AFT_EARLY},
    {"AFT.late", PART_AFT_LATE},
    {"EVE", PART_EVE},
    {"EVE.early", PART_EVE_EARLY},
    {"EVE.late", PART_EVE_LATE},
    {"NIGHT", PART_NIGHT},
    {"am", PART_AM},
    {"pm", PART_PM},
    {"once", PART_ONCE},
};

/* "HH:MM", seconds allowed; false if it is none. */
static bool
read_clock(const struct json *json, int32_t *time_s)
{
	const char *text = json_text(json);
	int hour, minute, second = 0, used = 0;

	if (text == NULL || strspn(text, "0123456789:") != strlen(text) ||
	    (strlen(text) != 5 && strlen(text) != 8) ||
	    sscanf(text, "%2d:%2d%n:%2d%n", &hour, &minute, &used, &second,
		&used) < 2 ||
	    text[used] != '\0' || hour > 23 || minute > 59 || second > 59)
		return false;
	*time_s = hour * 3600 + minute * 60 + second;
	return true;
}

/* The clock time or part of the day of that name; NULL: there is none. */
static int32_t *
find_place(
    const char *key, struct day_profile *profile, struct day_table *table)
{
	const struct {
		const char *word;
		int32_t *place;
	} events[] = {
	    {"wake", &profile->wake},
	    {"breakfast", &profile->breakfast},
	    {"lunch", &profile->lunch},
	    {"dinner", &profile->dinner},
	    {"sleep", &profile->sleep},
	};

	for (unsigned i = 0; i < COUNT(events); i++)
		if (strcmp(events[i].word, key) == 0)
			return events[i].place;
	for (unsigned i = 0; i < COUNT(part_words); i++)
		if (strcmp(part_words[i].word, key) == 0)
			return &table->parts[part_words[i].part];
	return NULL;
}

/* {"2": ["09:00", "21:00"]}: as many times as the number says. */
static bool
read_daily(
    const struct json *daily, struct arena *arena, struct day_table *table)
{
	if (!json_is(daily, JSON_OBJECT))
		return false;
	json_each (list, daily) {
		int32_t *times = arena_array(arena, DAILY_MAX, sizeof(*times));
		uint32_t count = 0;
		char number[12];

		(void)snprintf(number, sizeof(number), "%u", list->count);
		if (!json_is(list, JSON_ARRAY) || list->count == 0 ||
		    list->count > DAILY_MAX || strcmp(number, list->key) != 0)
			return false;
		json_each (time, list)
			if (!read_clock(time, &times[count++]))
				return false;
		table->daily[list->count] = times;
	}
	return true;
}

static bool
read_lead(const struct json *json, struct day_table *table)
{
	int64_t minutes;

	if (!json_i64(json, &minutes) || minutes < 0 ||
	    minutes > OFFSET_MIN_MAX)
		return false;
	table->meal_lead_min = (int32_t)minutes;
	return true;
}

static bool
read_member(const struct json *member, struct arena *arena,
    struct day_profile *profile, struct day_table *table)
{
	int32_t *place = find_place(member->key, profile, table);

	if (place != NULL)
		return read_clock(member, place);
	if (strcmp(member->key, "meal_lead_min") == 0)
		return read_lead(member, table);
	return strcmp(member->key, "daily") == 0 &&
	       read_daily(member, arena, table);
}

bool
timing_read_profile(const struct json *json, struct arena *arena,
    struct day_profile *profile, struct timing_error *error)
{
	struct day_table *table =
	    arena_copy(arena, table_of(profile), sizeof(*table));

	*error = (struct timing_error){
	    .code = "structure", .at = "profile", .text = "must be an object"};
	if (!json_is(json, JSON_OBJECT))
		return false;
	profile->table = table;
	json_each (member, json) {
		if (read_member(member, arena, profile, table))
			continue;
		*error = (struct timing_error){.code = "value",
		    .at = arena_printf(arena, "profile.%s", member->key),
		    .text = "must be a known time of the day as HH:MM"};
		return false;
	}
	return true;
}
