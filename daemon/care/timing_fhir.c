/*
 * The words of FHIR's Timing, and shorthand written with them.  Pure.
 */
#include <stdio.h>

#include "care/timing_rule.h"

/* Wider ones first, so that all three meals are written as one. */
const struct timing_word timing_when_words[] = {
    {"C", WHEN_C},
    {"AC", WHEN_AC},
    {"PC", WHEN_PC},
    {"WAKE", WHEN_BIT(WHEN_WAKE)},
    {"MORN", WHEN_BIT(WHEN_MORN)},
    {"MORN.early", WHEN_BIT(WHEN_MORN_EARLY)},
    {"MORN.late", WHEN_BIT(WHEN_MORN_LATE)},
    {"ACM", WHEN_BIT(WHEN_ACM)},
    {"CM", WHEN_BIT(WHEN_CM)},
    {"PCM", WHEN_BIT(WHEN_PCM)},
    {"NOON", WHEN_BIT(WHEN_NOON)},
    {"ACD", WHEN_BIT(WHEN_ACD)},
    {"CD", WHEN_BIT(WHEN_CD)},
    {"PCD", WHEN_BIT(WHEN_PCD)},
    {"AFT", WHEN_BIT(WHEN_AFT)},
    {"AFT.early", WHEN_BIT(WHEN_AFT_EARLY)},
    {"AFT.late", WHEN_BIT(WHEN_AFT_LATE)},
    {"ACV", WHEN_BIT(WHEN_ACV)},
    {"CV", WHEN_BIT(WHEN_CV)},
    {"PCV", WHEN_BIT(WHEN_PCV)},
    {"EVE", WHEN_BIT(WHEN_EVE)},
    {"EVE.early", WHEN_BIT(WHEN_EVE_EARLY)},
    {"EVE.late", WHEN_BIT(WHEN_EVE_LATE)},
    {"NIGHT", WHEN_BIT(WHEN_NIGHT)},
    {"HS", WHEN_BIT(WHEN_HS)},
    {"PHS", WHEN_BIT(WHEN_PHS)},
};
const size_t timing_when_count = COUNT(timing_when_words);

const char *const timing_weekday_words[7] = {
    "mon", "tue", "wed", "thu", "fri", "sat", "sun"};
const char *const timing_unit_words[UNIT_COUNT] = {[UNIT_S] = "s",
    [UNIT_MIN] = "min",
    [UNIT_H] = "h",
    [UNIT_D] = "d",
    [UNIT_WK] = "wk",
    [UNIT_MO] = "mo",
    [UNIT_A] = "a"};

/* ---- shorthand as FHIR ---- */

/* Millionths as a JSON number: 1500000 is 1.5. */
static void
write_micro(struct json_writer *w, int64_t micro)
{
	char text[32];
	size_t bytes = (size_t)snprintf(text, sizeof(text), "%lld.%06lld",
	    (long long)(micro / MICRO), (long long)(micro % MICRO));

	while (text[bytes - 1] == '0')
		bytes--;
	if (text[bytes - 1] == '.')
		bytes--;
	text[bytes] = '\0';
	json_write_raw(w, text);
}

static void
write_when(struct json_writer *w, uint32_t when)
{
	json_write_key(w, "when");
	json_write_array(w);
	for (size_t i = 0; i < timing_when_count; i++) {
		uint32_t bits = timing_when_words[i].bits;

		if ((when & bits) != bits)
			continue;
		json_write_text(w, timing_when_words[i].word);
		when &= ~bits;
	}
	json_write_end_array(w);
}

static void
write_weekdays(struct json_writer *w, uint32_t weekdays)
{
	json_write_key(w, "dayOfWeek");
	json_write_array(w);
	for (unsigned i = 0; i < COUNT(timing_weekday_words); i++)
		if (weekdays >> i & 1)
			json_write_text(w, timing_weekday_words[i]);
	json_write_end_array(w);
}

static void
write_times(struct json_writer *w, const struct timing *t)
{
	char text[16];

	json_write_key(w, "timeOfDay");
	json_write_array(w);
	for (uint32_t i = 0; i < t->time_count; i++) {
		unsigned time_s = (unsigned)t->times[i];

		(void)snprintf(text, sizeof(text), "%02u:%02u:%02u",
		    time_s / 3600, time_s / 60 % 60, time_s % 60);
		json_write_text(w, text);
	}
	json_write_end_array(w);
}

static void
write_bound(struct json_writer *w, const struct timing *t)
{
	const char *unit = timing_unit_words[t->bound_unit];

	json_write_key(w, "boundsDuration");
	json_write_object(w);
	json_write_key(w, "value");
	write_micro(w, t->bound_micro);
	json_write_member(w, "unit", unit);
	json_write_member(w, "system", "http://unitsofmeasure.org");
	json_write_member(w, "code", unit);
	json_write_end_object(w);
}

/* The fields that shorthand can say. */
static void
write_repeat(struct json_writer *w, const struct timing *t)
{
	json_write_key(w, "repeat");
	json_write_object(w);
	if (t->bound_micro >= 0)
		write_bound(w, t);
	if (t->count > 0) {
		json_write_key(w, "count");
		json_write_i64(w, t->count);
	}
	if (t->frequency > 0) {
		json_write_key(w, "frequency");
		json_write_i64(w, t->frequency);
		json_write_key(w, "period");
		write_micro(w, t->period_micro);
		json_write_member(w, "periodUnit", timing_unit_words[t->unit]);
	}
	if (t->weekdays != 0)
		write_weekdays(w, t->weekdays);
	if (t->time_count > 0)
		write_times(w, t);
	if (t->when != 0)
		write_when(w, t->when);
	if (t->offset_min >= 0) {
		json_write_key(w, "offset");
		json_write_i64(w, t->offset_min);
	}
	json_write_end_object(w);
}

/* A CodeableConcept in words. */
static void
write_concept(struct json_writer *w, const char *key, const char *text)
{
	if (text == NULL)
		return;
	json_write_key(w, key);
	json_write_object(w);
	json_write_member(w, "text", text);
	json_write_end_object(w);
}

static void
write_dose(struct json_writer *w, const struct shorthand *s)
{
	json_write_key(w, "doseAndRate");
	json_write_array(w);
	json_write_object(w);
	json_write_key(w, "doseQuantity");
	json_write_object(w);
	json_write_key(w, "value");
	write_micro(w, s->dose_micro);
	json_write_member(w, "unit", s->dose_unit);
	json_write_end_object(w);
	json_write_end_object(w);
	json_write_end_array(w);
}

static void
write_dosage(struct json_writer *w, const struct shorthand *s)
{
	const struct timing *t = s->timing;

	if (t->frequency > 0 || t->count > 0 || t->bound_micro >= 0) {
		json_write_key(w, "timing");
		json_write_object(w);
		write_repeat(w, t);
		json_write_end_object(w);
	}
	if (s->as_needed && s->reason == NULL) {
		json_write_key(w, "asNeededBoolean");
		json_write_bool(w, true);
	}
	write_concept(w, "asNeededCodeableConcept", s->reason);
	write_concept(w, "route", s->route);
	write_concept(w, "method", s->method);
	if (s->dose_micro >= 0)
		write_dose(w, s);
}

void
timing_write_text(const struct shorthand *s, struct json_writer *w)
{
	if (s->review != NULL) {
		json_write_member(w, "needs_review", s->review);
		return;
	}
	if (s->as_needed || s->dose_micro >= 0 || s->route != NULL ||
	    s->method != NULL)
		write_dosage(w, s);
	else
		write_repeat(w, s->timing);
	if (s->confirm != NULL)
		json_write_member(w, "confirm", s->confirm);
}
