/*
 * Values of FHIR resources: dates, periods, quantities, codes, texts.  Each
 * reader refuses the record for what is wrong, naming the path, and says
 * "absent" then.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <utf8proc.h>

#include "door/fhir_read.h"

#define MICRO INT64_C(1000000)
#define QUANTITY_MICRO_MAX (INT64_C(1000000000) * MICRO)

/* What a date of this many days names, in a zone. */
static void
moment_of_days(const struct zone *zone, int32_t on, int32_t until_on,
    struct moment *moment)
{
	*moment = (struct moment){
	    .at = zone_instant(zone, on, 0),
	    .until_at = zone_instant(zone, until_on + 1, 0),
	    .on = on,
	    .until_on = until_on,
	};
}

/* "2026" or "2026-03". */
static bool
partial_date(const char *text, int32_t *on, int32_t *until_on)
{
	char whole[11];
	size_t bytes = strlen(text);

	if (bytes != 4 && bytes != 7)
		return false;
	(void)snprintf(
	    whole, sizeof(whole), "%s%s", text, bytes == 4 ? "-01-01" : "-01");
	if (!civil_parse(whole, on))
		return false;
	*until_on = civil_add_months(*on, bytes == 4 ? 12 : 1) - 1;
	return true;
}

/* A time names its whole second. */
static int64_t
second_end(int64_t at)
{
	int64_t into = at % SECOND_US;

	return at - into + (into < 0 ? 0 : SECOND_US);
}

bool
moment_parse(const struct zone *zone, const char *text, struct moment *moment)
{
	int32_t on, until_on;

	if (partial_date(text, &on, &until_on)) {
		moment_of_days(zone, on, until_on, moment);
		return true;
	}
	if (civil_parse(text, &on)) {
		moment_of_days(zone, on, on, moment);
		return true;
	}
	*moment = (struct moment){.has_time = true};
	if (!instant_parse(text, &moment->at))
		return false;
	moment->until_at = second_end(moment->at);
	moment->on = moment->until_on = zone_local(zone, moment->at, NULL);
	return true;
}

bool
fhir_moment(struct reading *reading, const struct json *owner, const char *key,
    const char *path, struct moment *moment)
{
	const struct json *value = json_get(owner, key);
	const char *text = json_text(value);

	if (value == NULL)
		return false;
	if (text != NULL && moment_parse(reading->zone, text, moment))
		return true;
	fhir_refuse(reading, text == NULL ? "structure" : "value",
	    "is no date, or no time with seconds and an offset", "%s", path);
	return false;
}

bool
fhir_period(struct reading *reading, const struct json *period,
    const char *path, struct period *out)
{
	struct arena *arena = reading->fhir->arena;

	*out = (struct period){.from_at = AT_UNKNOWN, .until_at = AT_NEVER};
	if (period == NULL)
		return false;
	if (!json_is(period, JSON_OBJECT)) {
		fhir_refuse(reading, "structure", "is no Period", "%s", path);
		return false;
	}
	out->has_start = fhir_moment(reading, period, "start",
	    arena_printf(arena, "%s.start", path), &out->start);
	out->has_end = fhir_moment(reading, period, "end",
	    arena_printf(arena, "%s.end", path), &out->end);
	if (out->has_start)
		out->from_at = out->start.at;
	if (out->has_end)
		out->until_at = out->end.until_at;
	if (out->from_at < out->until_at)
		return out->has_start || out->has_end;
	fhir_refuse(reading, "invariant", "ends before it starts", "%s", path);
	return false;
}

int
word_value(const struct word *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count && word != NULL; i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].value;
	return -1;
}

/* Units that are written in several ways, as one code. */
static const char *
unit_code(const char *unit)
{
	static const char *const same[][2] = {
	    {"片", "TAB"},
	    {"{tbl}", "TAB"},
	    {"tab", "TAB"},
	    {"tablet", "TAB"},
	    {"tablets", "TAB"},
	    {"粒", "CAP"},
	    {"cap", "CAP"},
	    {"capsule", "CAP"},
	    {"capsules", "CAP"},
	    {"吸", "PUFF"},
	    {"puff", "PUFF"},
	    {"puffs", "PUFF"},
	    {"毫升", "mL"},
	    {"ml", "mL"},
	    {"毫克", "mg"},
	    {"mg", "mg"},
	    {"单位", "[iU]"},
	    {"iu", "[iU]"},
	    {"[iu]", "[iU]"},
	};

	for (size_t i = 0; i < COUNT(same); i++)
		if (strcasecmp(same[i][0], unit) == 0)
			return same[i][1];
	return unit;
}

/* A code of the two systems that are compared, else what people read. */
static const char *
quantity_unit(const struct json *quantity)
{
	const char *system = json_get_text(quantity, "system");
	const char *code = json_get_text(quantity, "code");
	const char *unit = json_get_text(quantity, "unit");

	if (unit == NULL || (code != NULL && system != NULL &&
				(strcmp(system, SYSTEM_UCUM) == 0 ||
				    strcmp(system, SYSTEM_FORM) == 0)))
		unit = code;
	if (unit == NULL || *unit == '\0' ||
	    fhir_characters(unit) > FHIR_TEXT_MAX)
		return NULL;
	return unit_code(unit);
}

/* The number of a Quantity, or -1. */
static int64_t
quantity_micro(
    struct reading *reading, const struct json *quantity, const char *path)
{
	const struct json *value = json_get(quantity, "value");
	int64_t micro;

	if (!json_is(quantity, JSON_OBJECT)) {
		fhir_refuse(reading, "structure", "is no Quantity", "%s", path);
		return -1;
	}
	if (value == NULL)
		return -1;
	if (!json_micro(value, &micro) || micro < 0 ||
	    micro > QUANTITY_MICRO_MAX) {
		fhir_refuse(reading, "value", "is no number that can be used",
		    "%s.value", path);
		return -1;
	}
	if (json_get(quantity, "comparator") != NULL) {
		fhir_refuse(reading, "value", "must be exact, not a bound",
		    "%s.comparator", path);
		return -1;
	}
	return micro;
}

struct quantity
fhir_quantity(
    struct reading *reading, const struct json *quantity, const char *path)
{
	struct quantity out = {.micro = -1};

	if (quantity == NULL)
		return out;
	out.micro = quantity_micro(reading, quantity, path);
	if (out.micro >= 0)
		out.unit = quantity_unit(quantity);
	return out;
}

/* Days in a unit of time; 0 for one that has no fixed number of them. */
static const struct word day_words[] = {
    {"d", 1},
    {"day", 1},
    {"days", 1},
    {"天", 1},
    {"日", 1},
    {"wk", 7},
    {"week", 7},
    {"weeks", 7},
    {"周", 7},
    {"星期", 7},
    {"s", 0},
    {"min", 0},
    {"h", 0},
    {"小时", 0},
    {"mo", 0},
    {"month", 0},
    {"months", 0},
    {"月", 0},
    {"个月", 0},
    {"a", 0},
    {"year", 0},
    {"years", 0},
    {"年", 0},
};

int32_t
fhir_days(
    struct reading *reading, const struct json *duration, const char *path)
{
	const char *unit = json_get_text(duration, "code");
	int64_t micro;
	int days;

	if (duration == NULL)
		return -1;
	micro = quantity_micro(reading, duration, path);
	if (micro < 0)
		return -1;
	if (unit == NULL)
		unit = json_get_text(duration, "unit");
	days = word_value(day_words, COUNT(day_words), unit);
	if (unit != NULL && days < 0) {
		fhir_refuse(
		    reading, "value", "is not in a unit of time", "%s", path);
		return -1;
	}
	if (days <= 0) {
		fhir_warn(reading, "value",
		    "cannot be counted in days and is left out", "%s", path);
		return -1;
	}
	if (micro % MICRO != 0 || micro / MICRO * days > FHIR_DAYS_MAX) {
		fhir_refuse(reading, "value",
		    "is not a whole number of days within ten years", "%s",
		    path);
		return -1;
	}
	return (int32_t)(micro / MICRO * days);
}

int32_t
fhir_integer(struct reading *reading, const struct json *owner, const char *key,
    const char *path, int32_t max)
{
	const struct json *value = json_get(owner, key);
	int64_t number;

	if (value == NULL)
		return -1;
	if (json_i64(value, &number) && number >= 0 && number <= max)
		return (int32_t)number;
	fhir_refuse(
	    reading, "value", "is no number that can be used", "%s", path);
	return -1;
}

bool
fhir_boolean(struct reading *reading, const struct json *owner, const char *key,
    const char *path, bool absent)
{
	const struct json *value = json_get(owner, key);

	if (value == NULL)
		return absent;
	if (!json_is(value, JSON_TRUE) && !json_is(value, JSON_FALSE)) {
		fhir_refuse(reading, "structure", "is no boolean", "%s", path);
		return absent;
	}
	return json_is(value, JSON_TRUE);
}

int
fhir_code(struct reading *reading, const struct json *owner, const char *key,
    const struct word *words, size_t count)
{
	const struct json *value = json_get(owner, key);
	int meaning;

	if (value == NULL) {
		fhir_refuse(reading, "required", "is missing", "%s", key);
		return -1;
	}
	meaning = word_value(words, count, json_text(value));
	if (meaning < 0)
		fhir_refuse(reading,
		    json_text(value) == NULL ? "structure" : "code-invalid",
		    "is none of the codes that are allowed here", "%s", key);
	return meaning;
}

const struct json *
fhir_array(struct reading *reading, const struct json *owner, const char *key,
    const char *path)
{
	const struct json *value = json_get(owner, key);

	if (value == NULL)
		return NULL;
	if (!json_is(value, JSON_ARRAY)) {
		fhir_refuse(
		    reading, "structure", "must be an array", "%s", path);
		return NULL;
	}
	if (value->count > FHIR_ITEMS_MAX) {
		fhir_refuse(
		    reading, "too-costly", "has too many elements", "%s", path);
		return NULL;
	}
	return value;
}

const char *
fhir_text(struct reading *reading, const struct json *owner, const char *key,
    const char *path, uint32_t max)
{
	const struct json *value = json_get(owner, key);
	const char *text = json_text(value);

	if (value == NULL)
		return NULL;
	if (text == NULL || *text == '\0') {
		fhir_refuse(reading, "structure", "must be a text", "%s", path);
		return NULL;
	}
	if (fhir_characters(text) > max) {
		fhir_refuse(reading, "too-long", "is too long", "%s", path);
		return NULL;
	}
	return text;
}

size_t
fhir_characters(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0u) != 0x80;
	return count;
}

bool
fhir_utf8(const char *text)
{
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
	utf8proc_int32_t code;

	while (*at != '\0') {
		utf8proc_ssize_t bytes = utf8proc_iterate(at, -1, &code);

		if (bytes <= 0)
			return false;
		at += bytes;
	}
	return true;
}

/* The first text under this key in the codings of a concept. */
static const char *
coding_text(const struct json *concept, const char *key)
{
	json_each (coding, json_get(concept, "coding")) {
		const char *text = json_get_text(coding, key);

		if (text != NULL && *text != '\0')
			return text;
	}
	return NULL;
}

const char *
fhir_concept_text(const struct json *concept)
{
	const char *text = json_get_text(concept, "text");

	if (text != NULL && *text != '\0')
		return text;
	text = coding_text(concept, "display");
	return text != NULL ? text : coding_text(concept, "code");
}

const char *
fhir_concept_code(const struct json *concept, const char *system)
{
	json_each (coding, json_get(concept, "coding")) {
		const char *its = json_get_text(coding, "system");

		if ((its == NULL || system == NULL
			    ? its == system
			    : strcmp(its, system) == 0) &&
		    json_get_text(coding, "code") != NULL)
			return json_get_text(coding, "code");
	}
	return NULL;
}
