/*
 * Time zones and the calendar.
 *
 * GLib reads the system's tzdata, but tells of one instant at a time and
 * takes a lock for it.  So opening a zone asks it for all changes of the
 * offset from 1900 to 2100 and keeps them in a table, which then answers
 * everything by binary search.  (GLib itself knows changes up to 2037.)
 *
 * Owns the open zones, for the life of the process.  The calendar needs
 * neither GLib nor libc.
 */
#include "base/zone.h"

#include <assert.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400
#define NAME_BYTES_MAX 64
#define CHANGES_FROM_S INT64_C(-2208988800) /* 1900-01-01 */
#define CHANGES_TO_S INT64_C(4102444800)    /* 2100-01-01 */
#define OFFSET_S_MAX (26 * 3600)
#define OFFSET_MINUTES_MAX (14 * 60)
#define YEAR_MIN 1
#define YEAR_MAX 9999
#define CYCLE_DAYS 146097 /* in 400 years */
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

/* From this second (UTC) until the next interval's, this offset. */
struct interval {
	int64_t from_s;
	int32_t offset_s;
};

struct zone {
	char *name;                 /* owned */
	struct interval *intervals; /* owned; at least one */
	size_t count;
};

static GHashTable *zones; /* by name; owned, as are all zones */

static void
zone_add_interval(struct zone *zone, int64_t from_s, int32_t offset_s)
{
	struct interval *last = zone->intervals;

	if (zone->count > 0 && last[zone->count - 1].offset_s == offset_s)
		return; /* only the abbreviation changed */
	zone->intervals = mem_resize(
	    zone->intervals, zone->count + 1, sizeof(*zone->intervals));
	zone->intervals[zone->count].from_s = from_s;
	zone->intervals[zone->count].offset_s = offset_s;
	zone->count++;
}

/* The first second after from_s, up to CHANGES_TO_S, of another interval. */
static int64_t
next_change(GTimeZone *source, int64_t from_s)
{
	gint same =
	    g_time_zone_find_interval(source, G_TIME_TYPE_UNIVERSAL, from_s);
	int64_t until_s = CHANGES_TO_S;

	while (until_s - from_s > 1) {
		int64_t middle_s = from_s + (until_s - from_s) / 2;

		if (g_time_zone_find_interval(
			source, G_TIME_TYPE_UNIVERSAL, middle_s) == same)
			from_s = middle_s;
		else
			until_s = middle_s;
	}
	return until_s;
}

static void
zone_read(struct zone *zone, GTimeZone *source)
{
	int64_t from_s = CHANGES_FROM_S;

	while (from_s < CHANGES_TO_S) {
		gint interval = g_time_zone_find_interval(
		    source, G_TIME_TYPE_UNIVERSAL, from_s);

		zone_add_interval(
		    zone, from_s, g_time_zone_get_offset(source, interval));
		from_s = next_change(source, from_s);
	}
}

/*
 * What lies in tzdata's folder and names no zone: tables, the zone of this
 * machine, the zones once more, and under "right/" with leap seconds, which
 * nothing here counts.
 */
static bool
name_reserved(const char *name)
{
	static const char *const files[] = {
	    "leapseconds", "localtime", "posixrules"};

	for (size_t i = 0; i < COUNT(files); i++)
		if (strcmp(name, files[i]) == 0)
			return true;
	return strncmp(name, "posix/", 6) == 0 ||
	       strncmp(name, "right/", 6) == 0;
}

/*
 * Could this be a name in tzdata?  GLib would also follow a path out of it,
 * and take "UTC+8" for a POSIX rule, which means eight hours west: digits
 * are let through only where tzdata's own names mean that.
 */
static bool
name_plausible(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ/_-";
	const char *allowed = letters;
	size_t bytes = strlen(name);

	if (bytes == 0 || bytes > NAME_BYTES_MAX || name[0] == '/' ||
	    name_reserved(name))
		return false;
	if (strncmp(name, "Etc/GMT", 7) == 0) {
		name += 7;
		allowed = "+-0123456789";
	}
	return name[strspn(name, allowed)] == '\0';
}

const struct zone *
zone_open(const char *name)
{
	bool is_utc = strcmp(name, "UTC") == 0;
	GTimeZone *source = NULL;
	struct zone *zone;

	if (zones == NULL)
		zones = g_hash_table_new(g_str_hash, g_str_equal);
	zone = g_hash_table_lookup(zones, name);
	if (zone != NULL)
		return zone;
	if (!is_utc && name_plausible(name))
		source = g_time_zone_new_identifier(name);
	if (!is_utc && source == NULL)
		return NULL;
	zone = mem_alloc(sizeof(*zone));
	zone->name = mem_text(name);
	if (is_utc)
		zone_add_interval(zone, CHANGES_FROM_S, 0);
	else
		zone_read(zone, source);
	if (source != NULL)
		g_time_zone_unref(source);
	g_hash_table_insert(zones, zone->name, zone);
	return zone;
}

const char *
zone_name(const struct zone *zone)
{
	return zone->name;
}

/* Divide, rounding down. */
static int64_t
floor_div(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

/* The interval in force at this second; the first also before its start. */
static size_t
zone_interval(const struct zone *zone, int64_t at_s)
{
	size_t low = 0, high = zone->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (zone->intervals[middle].from_s <= at_s)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int32_t
zone_offset_s(const struct zone *zone, int64_t at)
{
	size_t i = zone_interval(zone, floor_div(at, SECOND_US));

	return zone->intervals[i].offset_s;
}

int32_t
zone_local(const struct zone *zone, int64_t at, int32_t *time_s)
{
	int64_t at_s = floor_div(at, SECOND_US);
	int64_t local_s, date_on;

	local_s = at_s + zone->intervals[zone_interval(zone, at_s)].offset_s;
	date_on = floor_div(local_s, DAY_S);
	if (time_s != NULL)
		*time_s = (int32_t)(local_s - date_on * DAY_S);
	return (int32_t)date_on;
}

int64_t
zone_instant(const struct zone *zone, int32_t date_on, int32_t time_s)
{
	int64_t local_s = (int64_t)date_on * DAY_S + time_s;
	const struct interval *interval, *end;
	int64_t at;

	assert(time_s >= 0 && time_s <= 2 * DAY_S);
	end = zone->intervals + zone->count;
	interval =
	    zone->intervals + zone_interval(zone, local_s - OFFSET_S_MAX);
	/* Go on until the interval's own clock shows this time. */
	for (; interval + 1 < end; interval++) {
		const struct interval *next = interval + 1;

		if (local_s - interval->offset_s < next->from_s)
			break;
		/* In the gap: the old offset carries it past the gap. */
		if (local_s - next->offset_s < next->from_s)
			break;
	}
	if (__builtin_mul_overflow(
		local_s - interval->offset_s, SECOND_US, &at))
		return local_s > 0 ? AT_NEVER : AT_UNKNOWN;
	return at;
}

/* ---- calendar ---- */

static bool
is_leap_year(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int
civil_days_in_month(int year, int month)
{
	static const int days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	assert(month >= 1 && month <= 12);
	return days[month - 1] + (month == 2 && is_leap_year(year));
}

bool
civil_valid(struct civil civil)
{
	return civil.year >= YEAR_MIN && civil.year <= YEAR_MAX &&
	       civil.month >= 1 && civil.month <= 12 && civil.day >= 1 &&
	       civil.day <= civil_days_in_month(civil.year, civil.month);
}

/*
 * Count years from March, so that a leap day ends its year, and the days
 * before a month are a straight line: 153 in five months.
 */
int32_t
civil_to_days(struct civil civil)
{
	int64_t year, days;
	int month;

	assert(civil_valid(civil));
	year = civil.year - (civil.month <= 2);
	month = (civil.month + 9) % 12;
	days = 365 * year + floor_div(year, 4) - floor_div(year, 100) +
	       floor_div(year, 400);
	days += (153 * month + 2) / 5 + civil.day - 1;
	return (int32_t)(days - EPOCH_DAYS);
}

struct civil
civil_from_days(int32_t date_on)
{
	int64_t days = (int64_t)date_on + EPOCH_DAYS;
	int64_t cycle = floor_div(days, CYCLE_DAYS);
	int64_t day = days - cycle * CYCLE_DAYS; /* of 400 years */
	int64_t year, month;

	/* Take out the leap days before, and 365 divides evenly. */
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	month = month < 10 ? month + 3 : month - 9;
	year += cycle * 400 + (month <= 2);
	return (struct civil){(int)year, (int)month, (int)day + 1};
}

int
civil_weekday(int32_t date_on)
{
	int64_t days = (int64_t)date_on + 3; /* 1970-01-01 was a Thursday */

	return (int)(days - floor_div(days, 7) * 7);
}

/* The date, or the nearest in the years 1 to 9999. */
static int32_t
date_clamp(int32_t date_on)
{
	int32_t first = civil_to_days((struct civil){YEAR_MIN, 1, 1});
	int32_t last = civil_to_days((struct civil){YEAR_MAX, 12, 31});

	if (date_on < first)
		return first;
	return date_on > last ? last : date_on;
}

int32_t
civil_add_months(int32_t date_on, int months)
{
	struct civil civil = civil_from_days(date_clamp(date_on));
	int64_t count = (int64_t)civil.year * 12 + civil.month - 1 + months;
	int days;

	if (count < YEAR_MIN * 12)
		return date_clamp(INT32_MIN);
	if (count >= (YEAR_MAX + 1) * 12)
		return date_clamp(INT32_MAX);
	civil.year = (int)(count / 12);
	civil.month = (int)(count % 12) + 1;
	days = civil_days_in_month(civil.year, civil.month);
	if (civil.day > days)
		civil.day = days;
	return civil_to_days(civil);
}

/* ---- text ---- */

void
civil_format(int32_t date_on, char out[11])
{
	struct civil civil = civil_from_days(date_clamp(date_on));

	snprintf(out, 11, "%04u-%02u-%02u", (unsigned)civil.year % 10000,
	    (unsigned)civil.month % 100, (unsigned)civil.day % 100);
}

void
zone_format(const struct zone *zone, int64_t at, char *out, size_t bytes)
{
	int32_t time_s;
	int32_t date_on = zone_local(zone, at, &time_s);
	int32_t offset_s = zone_offset_s(zone, at);
	int minutes = abs(offset_s) / 60;
	char date[11];

	assert(bytes >= 26);
	civil_format(date_on, date);
	snprintf(out, bytes, "%sT%02d:%02d:%02d%c%02d:%02d", date,
	    time_s / 3600, time_s / 60 % 60, time_s % 60,
	    offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* Read exactly this many digits and step over them. */
static bool
take_number(const char **at, int digits, int *value)
{
	*value = 0;
	for (int i = 0; i < digits; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		*value = *value * 10 + (**at - '0');
	}
	return true;
}

/* Read exactly this byte and step over it. */
static bool
take_byte(const char **at, char byte)
{
	if (**at != byte)
		return false;
	(*at)++;
	return true;
}

static bool
take_date(const char **at, int32_t *date_on)
{
	struct civil civil;

	if (!take_number(at, 4, &civil.year) || !take_byte(at, '-') ||
	    !take_number(at, 2, &civil.month) || !take_byte(at, '-') ||
	    !take_number(at, 2, &civil.day) || !civil_valid(civil))
		return false;
	*date_on = civil_to_days(civil);
	return true;
}

bool
civil_parse(const char *text, int32_t *date_on)
{
	int32_t date;

	if (!take_date(&text, &date) || *text != '\0')
		return false;
	*date_on = date;
	return true;
}

/* A clock time with seconds; a leap second is the next one's start. */
static bool
take_time(const char **at, int32_t *time_s)
{
	int hour, minute, second;

	if (!take_number(at, 2, &hour) || !take_byte(at, ':') ||
	    !take_number(at, 2, &minute) || !take_byte(at, ':') ||
	    !take_number(at, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*time_s = hour * 3600 + minute * 60 + second;
	return true;
}

/* A fraction of a second, if there is one; cut to microseconds. */
static bool
take_fraction(const char **at, int64_t *fraction_us)
{
	int64_t unit_us = SECOND_US;

	*fraction_us = 0;
	if (!take_byte(at, '.'))
		return true;
	if (**at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		unit_us /= 10;
		*fraction_us += (**at - '0') * unit_us;
	}
	return true;
}

static bool
take_offset(const char **at, int32_t *offset_s)
{
	int sign, hours, minutes;

	*offset_s = 0;
	if (take_byte(at, 'Z'))
		return true;
	sign = **at == '-' ? -1 : 1;
	if (!take_byte(at, '-') && !take_byte(at, '+'))
		return false;
	if (!take_number(at, 2, &hours) || !take_byte(at, ':') ||
	    !take_number(at, 2, &minutes) || minutes > 59)
		return false;
	minutes += hours * 60;
	*offset_s = sign * minutes * 60;
	return minutes <= OFFSET_MINUTES_MAX;
}

bool
instant_parse(const char *text, int64_t *at)
{
	int32_t date_on, time_s, offset_s;
	int64_t fraction_us;

	if (!take_date(&text, &date_on) || !take_byte(&text, 'T') ||
	    !take_time(&text, &time_s) || !take_fraction(&text, &fraction_us) ||
	    !take_offset(&text, &offset_s) || *text != '\0')
		return false;
	*at = date_on * DAY_US + (time_s - offset_s) * SECOND_US + fraction_us;
	return true;
}
