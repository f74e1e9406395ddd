/*
 * The providers' limits on texts, as a table, and the forms of values.
 * Pure.  Vendors change these: a row is one place to look.
 */
#include "care/template_limits.h"

#include <string.h>
#include <utf8proc.h>

#include "base/conf.h"

#define DIGITS "0123456789"

/* Fields of WeChat's subscription and template messages. */
static const struct value_rule wechat_rules[] = {
    {"thing", VALUE_THING, 20},
    {"number", VALUE_NUMBER, 32},
    {"letter", VALUE_LETTER, 32},
    {"symbol", VALUE_SYMBOL, 5},
    {"character_string", VALUE_ASCII, 32},
    {"time", VALUE_TIME, 0},
    {"date", VALUE_DATE, 0},
    {"amount", VALUE_AMOUNT, 12},
    {"phone_number", VALUE_PHONE, 17},
    {"car_number", VALUE_ANY, 8},
    {"name", VALUE_NAME, 10},
    {"phrase", VALUE_PHRASE, 5},
    {"enum", VALUE_APPROVED, 0},
    {"const", VALUE_APPROVED, 20},
};

static const struct template_limits table[] = {
    {.plugin = "sms_aliyun",
	.channels = CHANNEL_BIT(CHANNEL_SMS),
	.value_characters_max = 35,
	.mainland = true,
	.opt_out_ends = true,
	.signature_min = 2,
	.signature_max = 12},
    {.plugin = "sms_tencent",
	.channels = CHANNEL_BIT(CHANNEL_SMS),
	.value_characters_usual = 12,
	.ordered = true,
	.mainland = true,
	.signature_min = 2,
	.signature_max = 12},
    {.plugin = "sms_huawei",
	.channels = CHANNEL_BIT(CHANNEL_SMS),
	.parameters_max = 20,
	.ordered = true,
	.mainland = true,
	.plain_promotion = true,
	.signature_min = 2,
	.signature_max = 12},
    {.plugin = "wechat_mini",
	.channels = CHANNEL_BIT(CHANNEL_WECHAT_MINI),
	.rules = wechat_rules,
	.rule_count = COUNT(wechat_rules)},
    {.plugin = "wechat_oa",
	.channels = CHANNEL_BIT(CHANNEL_WECHAT_OA),
	.rules = wechat_rules,
	.rule_count = COUNT(wechat_rules)},
};

const struct template_limits *
template_limits_find(const char *plugin)
{
	for (size_t i = 0; i < COUNT(table); i++)
		if (strcmp(table[i].plugin, plugin) == 0)
			return &table[i];
	return NULL;
}

const char *
template_limits_nearest(const char *plugin)
{
	const char *names[COUNT(table)];

	for (size_t i = 0; i < COUNT(table); i++)
		names[i] = table[i].plugin;
	return conf_nearest(plugin, names, COUNT(table));
}

const struct value_rule *
template_limits_rule(const struct template_limits *limits, const char *field)
{
	for (uint32_t i = 0; i < limits->rule_count; i++) {
		const char *type = limits->rules[i].type;
		size_t bytes = strlen(type);

		if (strncmp(field, type, bytes) == 0 && field[bytes] != '\0' &&
		    strspn(field + bytes, DIGITS) == strlen(field + bytes))
			return &limits->rules[i];
	}
	return NULL;
}

/* ---- characters ---- */

static bool
is_chinese(int32_t code)
{
	return (code >= 0x3400 && code <= 0x9fff) ||
	       (code >= 0xf900 && code <= 0xfaff) ||
	       (code >= 0x20000 && code <= 0x3ffff);
}

static bool
is_latin(int32_t code)
{
	return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
}

static bool
is_number(int32_t code)
{
	return (code >= '0' && code <= '9') || code == '.';
}

static bool
is_symbol(int32_t code)
{
	utf8proc_category_t category = utf8proc_category(code);

	return category >= UTF8PROC_CATEGORY_PC &&
	       category <= UTF8PROC_CATEGORY_SO;
}

static bool
is_ascii(int32_t code)
{
	return code > ' ' && code < 0x7f;
}

static bool
is_phone(int32_t code)
{
	return code > ' ' && code < 0x7f && !is_latin(code);
}

static bool
is_amount(int32_t code)
{
	return is_number(code) || code == 0x5143 /* 元 */ ||
	       utf8proc_category(code) == UTF8PROC_CATEGORY_SC;
}

static bool
all_are(const char *value, bool (*is)(int32_t code))
{
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)value;
	utf8proc_int32_t code;

	for (; *at != 0; at += utf8proc_iterate(at, -1, &code))
		if (utf8proc_iterate(at, -1, &code) <= 0 || !is(code))
			return false;
	return true;
}

/* ---- dates and times ---- */

/* A number of 1..digits_max digits; -1 if there is none. */
static int
take_number(const char **at, size_t digits_max)
{
	size_t digits = strspn(*at, DIGITS);
	int number = 0;

	if (digits == 0 || digits > digits_max)
		return -1;
	for (; digits > 0; digits--)
		number = number * 10 + (*(*at)++ - '0');
	return number;
}

static bool
take_word(const char **at, const char *word)
{
	size_t bytes = strlen(word);

	if (strncmp(*at, word, bytes) != 0)
		return false;
	*at += bytes;
	return true;
}

/* HH:MM or HH:MM:SS */
static bool
take_time(const char **at)
{
	int hour = take_number(at, 2), minute, second = 0;

	if (hour < 0 || hour > 23 || !take_word(at, ":"))
		return false;
	minute = take_number(at, 2);
	if (minute >= 0 && take_word(at, ":"))
		second = take_number(at, 2);
	return minute >= 0 && minute <= 59 && second >= 0 && second <= 59;
}

/* 2019年10月1日, 2019-10-01, 2019/10/1, 2019.10.1 */
static bool
take_date(const char **at)
{
	static const char *const marks[][3] = {
	    {"年", "月", "日"}, {"-", "-", ""}, {"/", "/", ""}, {".", ".", ""}};
	const char *from = *at;

	for (size_t i = 0; i < COUNT(marks); i++) {
		int month, day;

		*at = from;
		if (take_number(at, 4) < 1000 || !take_word(at, marks[i][0]))
			continue;
		month = take_number(at, 2);
		if (month < 1 || month > 12 || !take_word(at, marks[i][1]))
			continue;
		day = take_number(at, 2);
		if (day >= 1 && day <= 31 && take_word(at, marks[i][2]))
			return true;
	}
	*at = from;
	return false;
}

/* Date, time, or both; which of them must be there is said. */
static bool
is_moment(const char *value, bool date_needed, bool time_needed)
{
	const char *at = value;
	bool date = take_date(&at), time = false;

	if (date)
		(void)take_word(&at, " ");
	if (*at != '\0') {
		time = take_time(&at);
		if (!time)
			return false;
	}
	return *at == '\0' && (date || !date_needed) && (time || !time_needed);
}

/* A moment, or two with ~ between them. */
static bool
is_moments(const char *value, bool date_needed, bool time_needed)
{
	const char *range = strchr(value, '~');
	char first[64];
	size_t bytes = range == NULL ? 0 : (size_t)(range - value);

	if (range == NULL)
		return is_moment(value, date_needed, time_needed);
	if (bytes >= sizeof(first))
		return false;
	memcpy(first, value, bytes);
	first[bytes] = '\0';
	return is_moment(first, date_needed, time_needed) &&
	       is_moment(range + 1, false, time_needed);
}

bool
value_has_form(enum value_form form, const char *value)
{
	switch (form) {
	case VALUE_ANY:
	case VALUE_THING:
	case VALUE_NAME:
		return true;
	case VALUE_NUMBER:
		return all_are(value, is_number);
	case VALUE_LETTER:
		return all_are(value, is_latin);
	case VALUE_SYMBOL:
		return all_are(value, is_symbol);
	case VALUE_ASCII:
		return all_are(value, is_ascii);
	case VALUE_TIME:
		return is_moments(value, false, true);
	case VALUE_DATE:
		return is_moments(value, true, false);
	case VALUE_AMOUNT:
		return all_are(value, is_amount);
	case VALUE_PHONE:
		return all_are(value, is_phone);
	case VALUE_PHRASE:
		return all_are(value, is_chinese);
	case VALUE_APPROVED:
		break;
	}
	return false; /* what was registered is not what we fill in */
}

uint32_t
value_characters(enum value_form form, const char *value)
{
	uint32_t characters = 0;

	for (const char *at = value; *at != '\0'; at++)
		characters += (*at & 0xc0) != 0x80;
	return form == VALUE_NAME && all_are(value, is_latin)
		   ? (characters + 1) / 2
		   : characters;
}
