#ifndef ADHERD_CARE_PROGRAM_SETTING_H
#define ADHERD_CARE_PROGRAM_SETTING_H

#include "base/conf.h"
#include "base/json.h"
#include "care/program.h"

/*
 * The settings of programs: one row each, with its name, the kinds that
 * have it, its form in a document, its bounds and what it is for.
 */
enum program_form {
	FORM_STAGES,   /* ["-7d", "+1d"]; min and max in days */
	FORM_TASK,     /* "+14d" */
	FORM_CLOCK,    /* "10:00"; int32_t, seconds of the day */
	FORM_HOURS,    /* "08:00-21:00"; two of them */
	FORM_US,       /* "60min"; int64_t, microseconds */
	FORM_S,        /* the same; int32_t, seconds */
	FORM_DAYS,     /* "7d"; int32_t, days */
	FORM_NUMBER,   /* 6; int32_t */
	FORM_FLAG,     /* true; bool */
	FORM_CHANNELS, /* ["push", "sms"] */
	FORM_RETRIES,  /* ["1min", "5min"] */
};

struct program_setting {
	const char *key;
	uint32_t kinds; /* PROGRAM_KIND()s */
	enum program_form form;
	bool by_class;    /* may differ between classes of products */
	bool or_none;     /* "none" stands for 0 */
	size_t offset;    /* in struct program; with kind 0 in struct rules */
	int64_t min, max; /* in the unit that is stored */
	const char *help;
};

#define PROGRAM_KIND(kind) (1u << (kind)) /* 0: what holds for all kinds */

extern const struct program_setting program_settings[];
extern const size_t program_setting_count;

/*
 * Read a value into a program, or for kind 0 into the rules.  -1 with error
 * "settings.stages[2]: …".
 */
must_check int program_setting_read(const struct program_setting *row,
    const struct json *value, void *target, struct conf_error *error);
/* Write it as JSON, in a form that reads the same. */
void program_setting_write(
    const struct program_setting *row, const void *target, struct buf *out);
/* Fill in the error; returns -1. */
int program_fail(struct conf_error *error, const char *format, ...)
    printf_like(2, 3);

#endif
