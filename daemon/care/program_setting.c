/*
 * The table of settings, and their values from and to documents.  What
 * settings must be to each other is checked by care/program_read.c.
 */
#include "care/program_setting.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400
#define RANGE_BYTES_MAX 256

#define ALL PROGRAM_KIND(0)
#define DOSE PROGRAM_KIND(KIND_DOSE)
#define LADDER (PROGRAM_KIND(KIND_REFILL) | PROGRAM_KIND(KIND_RENEWAL))
#define VISIT PROGRAM_KIND(KIND_FOLLOW_UP)
#define EACH (DOSE | LADDER | VISIT)

#define ROW(key, kinds, form, by_class, or_none, field, min, max, help) \
	{ \
		key, kinds, form, by_class, or_none, \
		    offsetof(struct program, field), min, max, help \
	}
#define ROW_ALL(key, form, field, min, max, help) \
	{ \
		key, ALL, form, false, false, offsetof(struct rules, field), \
		    min, max, help \
	}

const struct program_setting program_settings[] = {
    ROW("stages", LADDER, FORM_STAGES, true, false, stages, -STAGE_DAY_MAX,
	STAGE_DAY_MAX,
	"Days of the messages around the run-out date, ascending. Each needs "
	"its text."),
    ROW("stages", VISIT, FORM_STAGES, false, false, stages, -STAGE_DAY_MAX, 0,
	"Days of the reminders before the visit, ascending. Each needs its "
	"text."),
    ROW("task", LADDER, FORM_TASK, true, false, stages, 1, STAGE_DAY_MAX,
	"Day on which people take over; after the last message."),
    ROW("task", VISIT, FORM_TASK, false, false, stages, 1, STAGE_DAY_MAX,
	"Day after a missed visit on which people take over."),
    ROW("time", LADDER | VISIT, FORM_CLOCK, true, false, stage_time_s, 0,
	DAY_S - 60, "Local time of messages and tasks, within the hours."),
    ROW("hours", EACH, FORM_HOURS, true, false, hours_from_s, 0, DAY_S,
	"Allowed hours: the first minute included, the last excluded."),
    ROW("valid", DOSE, FORM_US, true, false, valid_us, MINUTE_US, 12 * HOUR_US,
	"How long after its time a dose may still be reminded of; at most "
	"until the product's next dose."),
    ROW("valid", LADDER, FORM_US, true, true, valid_us, HOUR_US, 60 * DAY_US,
	"How long a message may still be sent; none: until the next one is "
	"due. Never longer than that."),
    ROW("missed_valid", VISIT, FORM_US, false, false, valid_us, HOUR_US,
	30 * DAY_US, "How long the notice of a missed visit may be sent."),
    ROW("merge", DOSE, FORM_S, true, false, merge_s, 0, 2 * 3600,
	"Doses within this of the first make one message."),
    ROW("merge", LADDER, FORM_DAYS, true, false, merge_days, 0, 30,
	"Products that run out within this of the earliest make one message."),
    ROW("fallback", EACH, FORM_US, true, true, fallback_us, MINUTE_US, DAY_US,
	"How long a receipt may take before the next channel is used; none: "
	"no other channel is."),
    ROW("repeat_after_unknown", EACH, FORM_FLAG, true, false,
	repeat_after_unknown, 0, 1,
	"Whether a message that may not have left is repeated, once."),
    ROW("cycle_shift", LADDER, FORM_DAYS, true, false, cycle_shift_days, 0, 14,
	"A run-out date corrected by more than this opens a new cycle."),
    ROW("cap_per_day", DOSE, FORM_NUMBER, false, false, cap_day, 1, 48,
	"Messages a day; a schedule over it is refused as a whole."),
    ROW("channels", EACH, FORM_CHANNELS, false, false, channels, 0, 0,
	"Channels in order of preference; one that is not named is not used."),
    ROW("credit_reserve", EACH, FORM_NUMBER, false, false, credit_reserve, 0,
	100,
	"Credits of a template that this kind leaves to kinds that share it "
	"and leave fewer."),
    ROW_ALL("sms_per_day", FORM_NUMBER, caps.sms_day, 1, 50,
	"SMS a local day, to a patient and to an address; doses and answers "
	"do not count."),
    ROW_ALL("sms_per_7_days", FORM_NUMBER, caps.sms_week, 1, PROGRAM_CAP_MAX,
	"The same in that day and the six before."),
    ROW_ALL("others_per_day", FORM_NUMBER, caps.other_day, 1, PROGRAM_CAP_MAX,
	"WeChat or push messages a local day, counted likewise."),
    ROW_ALL("gap", FORM_US, gap_us, 0, HOUR_US,
	"Between two messages on one channel."),
    ROW_ALL("retries", FORM_RETRIES, retry_us, SECOND_US, DAY_US,
	"Waits before attempts after a failure, each a quarter more or less; "
	"the last one counts for the rest."),
    ROW_ALL("spread_min", FORM_NUMBER, spread_min, 0, 600,
	"Minutes over which the messages of one time spread, by patient."),
    ROW_ALL("guardian_age", FORM_NUMBER, guardian_age, 0, 30,
	"Under this age only the guardian's addresses and consent count."),
};
const size_t program_setting_count = COUNT(program_settings);

int
program_fail(struct conf_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

/* ---- values ---- */

static const struct unit {
	const char *word;
	int64_t us;
} units[] = {
    {"d", DAY_US}, {"h", HOUR_US}, {"min", MINUTE_US}, {"s", SECOND_US}};

static void
write_duration(int64_t us, struct buf *out)
{
	const struct unit *unit = units;

	while (us % unit->us != 0 && unit->us > SECOND_US)
		unit++;
	if (us == 0)
		buf_text(out, "0min");
	else
		buf_printf(out, "%" PRId64 "%s", us / unit->us, unit->word);
}

/* "60min": digits, then a unit. */
static bool
parse_duration(const char *text, int64_t *us)
{
	size_t digits = text == NULL ? 0 : strspn(text, "0123456789");

	if (digits == 0 || digits > 6)
		return false;
	for (size_t i = 0; i < COUNT(units); i++)
		if (strcmp(text + digits, units[i].word) == 0) {
			*us = strtoll(text, NULL, 10) * units[i].us;
			return true;
		}
	return false;
}

/* "-7d", "0d", "+1d" */
static bool
parse_day(const char *text, int32_t *day)
{
	enum stage stage = stage_from_word(text);

	return stage != STAGE_NONE && stage_day(stage, day);
}

/* "10:00"; *end is what follows. */
static bool
parse_clock(const char *text, int32_t *time_s, const char **end)
{
	static const char form[] = "00:00";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9'
				   : text[i] != form[i])
			return false;
	*time_s = ((text[0] - '0') * 10 + text[1] - '0') * 3600 +
		  ((text[3] - '0') * 10 + text[4] - '0') * 60;
	*end = text + sizeof(form) - 1;
	return text[3] < '6' && *time_s <= DAY_S;
}

static void
write_clock(int32_t time_s, struct buf *out)
{
	buf_printf(
	    out, "%02d:%02d", (int)(time_s / 3600), (int)(time_s / 60 % 60));
}

/* How many microseconds the number of a row counts. */
static int64_t
row_unit_us(const struct program_setting *row)
{
	switch (row->form) {
	case FORM_S:
		return SECOND_US;
	case FORM_DAYS:
		return DAY_US;
	default:
		return 1;
	}
}

static int
refuse_duration(const struct program_setting *row, const char *text,
    const char *where, struct conf_error *error)
{
	struct buf range = BUF_INIT(RANGE_BYTES_MAX);

	write_duration(row->min * row_unit_us(row), &range);
	buf_text(&range, " to ");
	write_duration(row->max * row_unit_us(row), &range);
	(void)program_fail(error, "settings.%s: \"%s\" is not from %s%s", where,
	    text, buf_string(&range), row->or_none ? ", nor none" : "");
	buf_free(&range);
	return -1;
}

/* A duration within the bounds of its row, in the row's unit. */
static int
read_duration(const struct program_setting *row, const struct json *value,
    const char *where, int64_t *number, struct conf_error *error)
{
	const char *text = json_text(value);
	int64_t unit_us = row_unit_us(row), us;

	*number = 0;
	if (row->or_none && text != NULL && strcmp(text, "none") == 0)
		return 0;
	if (!parse_duration(text, &us) || us % unit_us != 0)
		return program_fail(error,
		    "settings.%s: not a duration like \"%s\"%s", where,
		    row->form == FORM_DAYS ? "7d" : "90s\", \"60min\" or \"4h",
		    row->or_none ? ", nor \"none\"" : "");
	*number = us / unit_us;
	if (*number < row->min || *number > row->max)
		return refuse_duration(row, text, where, error);
	return 0;
}

static int
read_stages(const struct program_setting *row, const struct json *value,
    struct program *program, struct conf_error *error)
{
	struct program_stage task = program->stages[program->stage_count - 1];
	uint32_t count = 0;

	if (!json_is(value, JSON_ARRAY) || value->count == 0 ||
	    value->count >= PROGRAM_STAGES_MAX)
		return program_fail(error,
		    "settings.stages: not a list of 1 to %d days",
		    PROGRAM_STAGES_MAX - 1);
	json_each (item, value) {
		int32_t day;

		if (!parse_day(json_text(item), &day) || day < row->min ||
		    day > row->max)
			return program_fail(error,
			    "settings.stages[%u]: not a day from %+dd to %+dd, "
			    "such as \"-7d\"",
			    count, (int)row->min, (int)row->max);
		if (count > 0 && day <= program->stages[count - 1].day)
			return program_fail(error,
			    "settings.stages[%u]: \"%s\" does not come after "
			    "\"%s\"",
			    count, json_text(item),
			    stage_word(program->stages[count - 1].stage));
		program->stages[count++] =
		    (struct program_stage){stage_of_day(day), day, false};
	}
	program->stages[count++] = task;
	program->stage_count = count;
	return 0;
}

static int
read_task(const struct program_setting *row, const struct json *value,
    struct program *program, struct conf_error *error)
{
	int32_t day;

	if (!parse_day(json_text(value), &day) || day < row->min ||
	    day > row->max)
		return program_fail(error,
		    "settings.task: not a day from %+dd to %+dd", (int)row->min,
		    (int)row->max);
	program->stages[program->stage_count - 1] =
	    (struct program_stage){stage_of_day(day), day, true};
	return 0;
}

static int
read_hours(const struct json *value, int32_t hours[2], struct conf_error *error)
{
	const char *text = json_text(value), *end;

	if (text == NULL || !parse_clock(text, &hours[0], &end) ||
	    *end != '-' || !parse_clock(end + 1, &hours[1], &end) ||
	    *end != '\0')
		return program_fail(
		    error, "settings.hours: not hours like \"08:00-21:00\"");
	if (hours[0] >= hours[1])
		return program_fail(error,
		    "settings.hours: \"%s\" has no hour; midnight at the end "
		    "is 24:00",
		    text);
	return 0;
}

static int
read_clock(const struct program_setting *row, const struct json *value,
    int32_t *time_s, struct conf_error *error)
{
	const char *text = json_text(value), *end;

	if (text == NULL || !parse_clock(text, time_s, &end) || *end != '\0' ||
	    *time_s > row->max)
		return program_fail(
		    error, "settings.%s: not a time like \"10:00\"", row->key);
	return 0;
}

static int
read_number(const struct program_setting *row, const struct json *value,
    int32_t *number, struct conf_error *error)
{
	int64_t n;

	if (!json_i64(value, &n) || n < row->min || n > row->max)
		return program_fail(error,
		    "settings.%s: not a number from %" PRId64 " to %" PRId64,
		    row->key, row->min, row->max);
	*number = (int32_t)n;
	return 0;
}

static int
read_channels(
    const struct json *value, struct program *program, struct conf_error *error)
{
	uint32_t seen = 0, count = 0;

	if (!json_is(value, JSON_ARRAY) || value->count == 0 ||
	    value->count > COUNT(program->channels))
		return program_fail(
		    error, "settings.channels: not a list of channels");
	json_each (item, value) {
		enum channel channel =
		    patient_channel_from_word(json_text(item));

		if (channel == CHANNEL_NONE)
			return program_fail(error,
			    "settings.channels[%u]: not wechat_mini, "
			    "wechat_oa, push or sms",
			    count);
		if ((seen & CHANNEL_BIT(channel)) != 0)
			return program_fail(error,
			    "settings.channels[%u]: \"%s\" stands there twice",
			    count, json_text(item));
		seen |= CHANNEL_BIT(channel);
		program->channels[count++] = channel;
	}
	program->channel_count = count;
	return 0;
}

static int
read_retries(const struct program_setting *row, const struct json *value,
    struct rules *rules, struct conf_error *error)
{
	uint32_t count = 0;

	if (!json_is(value, JSON_ARRAY) || value->count == 0 ||
	    value->count > COUNT(rules->retry_us))
		return program_fail(error,
		    "settings.retries: not a list of 1 to %zu",
		    COUNT(rules->retry_us));
	json_each (item, value) {
		char where[32];

		(void)snprintf(where, sizeof(where), "retries[%u]", count);
		if (read_duration(
			row, item, where, &rules->retry_us[count], error) != 0)
			return -1;
		if (count > 0 &&
		    rules->retry_us[count] < rules->retry_us[count - 1])
			return program_fail(error,
			    "settings.%s: shorter than the one before", where);
		count++;
	}
	for (uint32_t i = count; i < COUNT(rules->retry_us); i++)
		rules->retry_us[i] = rules->retry_us[count - 1];
	return 0;
}

int
program_setting_read(const struct program_setting *row,
    const struct json *value, void *target, struct conf_error *error)
{
	void *field = (char *)target + row->offset;
	int64_t number;

	switch (row->form) {
	case FORM_STAGES:
		return read_stages(row, value, target, error);
	case FORM_TASK:
		return read_task(row, value, target, error);
	case FORM_CLOCK:
		return read_clock(row, value, field, error);
	case FORM_HOURS:
		return read_hours(value, field, error);
	case FORM_NUMBER:
		return read_number(row, value, field, error);
	case FORM_CHANNELS:
		return read_channels(value, target, error);
	case FORM_RETRIES:
		return read_retries(row, value, target, error);
	case FORM_FLAG:
		if (!json_is(value, JSON_TRUE) && !json_is(value, JSON_FALSE))
			return program_fail(
			    error, "settings.%s: not true or false", row->key);
		*(bool *)field = json_is(value, JSON_TRUE);
		return 0;
	case FORM_US:
		return read_duration(row, value, row->key, field, error);
	case FORM_S:
	case FORM_DAYS:
		if (read_duration(row, value, row->key, &number, error) != 0)
			return -1;
		*(int32_t *)field = (int32_t)number;
		return 0;
	}
	return 0;
}

/* ---- values for people ---- */

static void
write_words(
    const struct program_setting *row, const void *target, struct buf *out)
{
	const struct program *program = target;
	uint32_t count = row->form == FORM_CHANNELS ? program->channel_count
						    : program->stage_count - 1;

	buf_char(out, '[');
	for (uint32_t i = 0; i < count; i++)
		buf_printf(out, "%s\"%s\"", i > 0 ? ", " : "",
		    row->form == FORM_CHANNELS
			? channel_word(program->channels[i])
			: stage_word(program->stages[i].stage));
	buf_char(out, ']');
}

static void
write_retries(const struct rules *rules, struct buf *out)
{
	for (size_t i = 0; i < COUNT(rules->retry_us); i++) {
		buf_text(out, i == 0 ? "[\"" : "\", \"");
		write_duration(rules->retry_us[i], out);
	}
	buf_text(out, "\"]");
}

static void
write_hours(const int32_t *hours, bool both, struct buf *out)
{
	buf_char(out, '"');
	write_clock(hours[0], out);
	if (both) {
		buf_char(out, '-');
		write_clock(hours[1], out);
	}
	buf_char(out, '"');
}

static void
write_amount(const struct program_setting *row, int64_t number, struct buf *out)
{
	buf_char(out, '"');
	if (row->or_none && number == 0)
		buf_text(out, "none");
	else if (row->form == FORM_DAYS)
		buf_printf(out, "%" PRId64 "d", number);
	else
		write_duration(number * row_unit_us(row), out);
	buf_char(out, '"');
}

void
program_setting_write(
    const struct program_setting *row, const void *target, struct buf *out)
{
	const void *field = (const char *)target + row->offset;
	const struct program *program = target;

	switch (row->form) {
	case FORM_STAGES:
	case FORM_CHANNELS:
		write_words(row, target, out);
		break;
	case FORM_TASK:
		buf_printf(out, "\"%s\"",
		    stage_word(
			program->stages[program->stage_count - 1].stage));
		break;
	case FORM_CLOCK:
	case FORM_HOURS:
		write_hours(field, row->form == FORM_HOURS, out);
		break;
	case FORM_NUMBER:
		buf_printf(out, "%d", (int)*(const int32_t *)field);
		break;
	case FORM_FLAG:
		buf_text(out, *(const bool *)field ? "true" : "false");
		break;
	case FORM_RETRIES:
		write_retries(target, out);
		break;
	case FORM_US:
		write_amount(row, *(const int64_t *)field, out);
		break;
	case FORM_S:
	case FORM_DAYS:
		write_amount(row, *(const int32_t *)field, out);
		break;
	}
}
