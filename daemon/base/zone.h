#ifndef ADHERD_BASE_ZONE_H
#define ADHERD_BASE_ZONE_H

#include "base/clock.h"

/*
 * Time zones (IANA names, the system's tzdata through GLib) and the proleptic
 * Gregorian calendar.  A zone is cached for the life of the process.
 */
struct zone;

struct civil {
	int year;
	int month; /* 1..12 */
	int day;   /* 1..31 */
};

/* NULL if there is no such zone. "UTC" always works. */
const struct zone *zone_open(const char *name);
const char *zone_name(const struct zone *zone);
/* Seconds east of UTC in force at that instant. */
int32_t zone_offset_s(const struct zone *zone, int64_t at);
/*
 * The instant of a local date and clock time (0..86399 s, or up to 48 h
 * past midnight).  A time inside a gap moves forward by the gap, an
 * ambiguous time is its first occurrence (FHIR facts 3.5 rule 9).  What
 * does not fit is AT_NEVER or AT_UNKNOWN.
 */
int64_t zone_instant(const struct zone *zone, int32_t date_on, int32_t time_s);
/* Local date and, if time_s is not NULL, clock time of an instant. */
int32_t zone_local(const struct zone *zone, int64_t at, int32_t *time_s);

int32_t civil_to_days(struct civil civil); /* the date must be valid */
struct civil civil_from_days(int32_t date_on);
bool civil_valid(struct civil civil);
int civil_days_in_month(int year, int month);
int civil_weekday(int32_t date_on); /* 0 Monday .. 6 Sunday */
/* Months later, clamped to the month's end and the years 1 to 9999. */
int32_t civil_add_months(int32_t date_on, int months);

/* "2026-03-08T10:00:00+08:00" (whole seconds), at least 26 bytes. */
void zone_format(const struct zone *zone, int64_t at, char *out, size_t bytes);
/* "2026-03-08"; a date outside the years 1 to 9999 as the nearest inside */
void civil_format(int32_t date_on, char out[11]);
/* "YYYY-MM-DD" exactly; false if it is no date. */
must_check bool civil_parse(const char *text, int32_t *date_on);
/*
 * An ISO 8601 date-time with seconds (fraction allowed) and an offset or Z.
 * False if it is none.
 */
must_check bool instant_parse(const char *text, int64_t *at);

#endif
