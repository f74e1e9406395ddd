#ifndef ADHERD_CARE_TEMPLATE_VALUE_H
#define ADHERD_CARE_TEMPLATE_VALUE_H

#include "care/dossier.h"

/*
 * What can stand between {{ and }}: `name`, `name|format`, or for text
 * `name|text:N`, cut to N characters (8 to 35).
 *
 * name     kinds                  meaning                       format
 * patient  all                    display name                  text
 * clinic   all                    who writes: hospital, shop    text
 * drug     dose, refill, renewal  names, "A、B等3种药" if many  text
 * visit    follow_up              what the visit is             text
 * count    all                    drugs or visits spoken of     number
 * days     all but dose           days to or since that date    number
 * run_out  refill, renewal        earliest day without medicine date
 * date     dose, follow_up        local date of the first       date
 * at       dose, follow_up        the first dose or visit       time
 *
 * Formats of dates: date "3月8日" "8 Mar", long_date "2026年3月8日"
 * "8 Mar 2026", weekday "周日" "Sun"; of `at` those, time "10:00" and
 * date_time "3月8日（周日）10:00" "Sun 8 Mar, 10:00".
 *
 * A text that is missing becomes a neutral word of the locale ("药品",
 * "medicine"), and so does whatever reveals an illness where the message
 * is discreet: drug, visit and clinic.
 */
enum template_variable {
	VARIABLE_NONE = 0, /* fixed text */
	VARIABLE_PATIENT,
	VARIABLE_CLINIC,
	VARIABLE_DRUG,
	VARIABLE_VISIT,
	VARIABLE_COUNT,
	VARIABLE_DAYS,
	VARIABLE_RUN_OUT,
	VARIABLE_DATE,
	VARIABLE_AT,
	VARIABLE_LAST
};

enum template_format {
	FORMAT_NONE = 0,
	FORMAT_TEXT,
	FORMAT_NUMBER,
	FORMAT_DATE,
	FORMAT_LONG_DATE,
	FORMAT_WEEKDAY,
	FORMAT_TIME,
	FORMAT_DATE_TIME
};

#define VALUE_CHARACTERS_MAX 35 /* what the strictest provider takes */
#define VALUE_CHARACTERS_MIN 8  /* room for a neutral word */

/* What one message is about; strings are borrowed and may be NULL. */
struct template_values {
	const char *patient;
	const char *clinic;
	const char *const *drugs;
	uint32_t drug_count;
	const char *visit;
	uint32_t count;
	int32_t days;
	int32_t run_out_on, date_on; /* must be known where the kind has them */
	int64_t at;
	bool at_has_time;        /* false: a day without a clock time */
	const struct zone *zone; /* of `at` */
	bool discreet;
};

struct template_part {
	enum template_variable variable;
	enum template_format format; /* FORMAT_NONE: fixed text */
	uint32_t characters_max;     /* FORMAT_TEXT */
	const char *text; /* fixed text; borrowed from the template's */
	size_t bytes;
};

struct template_words; /* a language: its words and ways to write dates */

/* "zh-CN" is Chinese, "en-GB" English; NULL for a language without words. */
const struct template_words *template_words_find(const char *locale);

/* What can be wrong with a text: fixed phrases. */
struct template_fault {
	const char *rule; /* "unknown-variable" */
	const char *text;
};

/* "run_out" */
const char *template_variable_word(enum template_variable variable);
/* Is it replaced where the message is discreet? */
bool template_variable_revealing(enum template_variable variable);
/* The variable of that kind whose name is nearest; NULL if none is near. */
const char *template_variable_nearest(
    const char *name, size_t bytes, enum kind kind);
/*
 * Read `name`, `name|format` or `name|text:N`; NULL, or what is wrong with
 * it.  A bare name takes its standard format.
 */
must_check const struct template_fault *template_part_parse(
    const char *expression, size_t bytes, enum kind kind,
    struct template_part *part);

/*
 * Append a variable's value.  Text is cleaned: no control, format or bidi
 * characters, no emoji, no 【】 or {}, nothing that a phone would make a
 * link, at most characters_max characters, cut between graphemes.
 */
void template_value_add(const struct template_words *words,
    const struct template_part *part, const struct template_values *values,
    struct buf *out);

#endif
