/*
 * The values of templates: which variables there are, how each language
 * writes them, and how foreign text is made harmless.  Pure; a value never
 * adds a link, a signature or a second template field, for it is cleaned
 * character by character and never read again.
 */
#include "care/template_value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#include "base/conf.h"

#define LINE_CHARACTERS_MAX 128 /* looked at; far above what is kept */

#define KINDS(a) (1u << KIND_##a)
#define KINDS_DRUG (KINDS(DOSE) | KINDS(REFILL) | KINDS(RENEWAL))
#define KINDS_RUN_OUT (KINDS(REFILL) | KINDS(RENEWAL))
#define KINDS_AT (KINDS(DOSE) | KINDS(FOLLOW_UP))
#define KINDS_ALL (KINDS_DRUG | KINDS(FOLLOW_UP))
/* an answer names nobody: the number may be a stranger's */
#define KINDS_CLINIC (KINDS_ALL | KINDS(ANSWER))

#define FORMATS(a) (1u << FORMAT_##a)
#define FORMATS_DATE (FORMATS(DATE) | FORMATS(LONG_DATE) | FORMATS(WEEKDAY))
#define FORMATS_AT (FORMATS_DATE | FORMATS(TIME) | FORMATS(DATE_TIME))

static const struct {
	const char *name;
	unsigned kinds;
	unsigned formats;
	enum template_format standard;
	bool revealing; /* replaced where the message is discreet */
} variables[VARIABLE_LAST] = {
    [VARIABLE_PATIENT] = {"patient", KINDS_ALL, FORMATS(TEXT), FORMAT_TEXT,
	false},
    [VARIABLE_CLINIC] = {"clinic", KINDS_CLINIC, FORMATS(TEXT), FORMAT_TEXT,
	true},
    [VARIABLE_DRUG] = {"drug", KINDS_DRUG, FORMATS(TEXT), FORMAT_TEXT, true},
    [VARIABLE_VISIT] = {"visit", KINDS(FOLLOW_UP), FORMATS(TEXT), FORMAT_TEXT,
	true},
    [VARIABLE_COUNT] = {"count", KINDS_ALL, FORMATS(NUMBER), FORMAT_NUMBER,
	false},
    [VARIABLE_DAYS] = {"days", KINDS_RUN_OUT | KINDS(FOLLOW_UP),
	FORMATS(NUMBER), FORMAT_NUMBER, false},
    [VARIABLE_RUN_OUT] = {"run_out", KINDS_RUN_OUT, FORMATS_DATE, FORMAT_DATE,
	false},
    [VARIABLE_DATE] = {"date", KINDS_AT, FORMATS_DATE, FORMAT_DATE, false},
    [VARIABLE_AT] = {"at", KINDS_AT, FORMATS_AT, FORMAT_TIME, false},
};

const char *
template_variable_word(enum template_variable variable)
{
	return variables[variable].name;
}

bool
template_variable_revealing(enum template_variable variable)
{
	return variables[variable].revealing;
}

const char *
template_variable_nearest(const char *name, size_t bytes, enum kind kind)
{
	const char *names[VARIABLE_LAST];
	char given[32];
	size_t count = 0;

	if (bytes >= sizeof(given))
		return NULL;
	memcpy(given, name, bytes);
	given[bytes] = '\0';
	for (int i = VARIABLE_NONE + 1; i < VARIABLE_LAST; i++)
		if (variables[i].kinds & (1u << kind))
			names[count++] = variables[i].name;
	return conf_nearest(given, names, count);
}

static const char *const format_words[] = {
    [FORMAT_TEXT] = "text",
    [FORMAT_NUMBER] = "number",
    [FORMAT_DATE] = "date",
    [FORMAT_LONG_DATE] = "long_date",
    [FORMAT_WEEKDAY] = "weekday",
    [FORMAT_TIME] = "time",
    [FORMAT_DATE_TIME] = "date_time",
};

struct template_words {
	const char *language;
	const char *neutral[VARIABLE_LAST]; /* where no text can be shown */
	const char *comma, *last_comma;     /* "A, B and C" */
	const char *more, *more_end;        /* "A, B and 2 more" */
	bool more_is_sum;                   /* 2 is the number of all */
	const char *ellipsis;
	/* date, long date, weekday, or the day of a date_time */
	void (*write_date)(
	    enum template_format format, int32_t date_on, struct buf *out);
	const char *before_time; /* between that day and its time */
};

/* Text while it is cleaned: characters, not bytes. */
struct line {
	int32_t codes[LINE_CHARACTERS_MAX];
	uint32_t count;
};

static void
write_date_zh(enum template_format format, int32_t date_on, struct buf *out)
{
	static const char *const weekdays[] = {
	    "周一", "周二", "周三", "周四", "周五", "周六", "周日"};
	struct civil civil = civil_from_days(date_on);
	const char *weekday = weekdays[civil_weekday(date_on)];

	if (format == FORMAT_WEEKDAY) {
		buf_text(out, weekday);
		return;
	}
	if (format == FORMAT_LONG_DATE)
		buf_printf(out, "%d年", civil.year);
	buf_printf(out, "%d月%d日", civil.month, civil.day);
	if (format == FORMAT_DATE_TIME)
		buf_printf(out, "（%s）", weekday);
}

static void
write_date_en(enum template_format format, int32_t date_on, struct buf *out)
{
	static const char *const weekdays[] = {
	    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct civil civil = civil_from_days(date_on);

	if (format == FORMAT_WEEKDAY || format == FORMAT_DATE_TIME)
		buf_text(out, weekdays[civil_weekday(date_on)]);
	if (format == FORMAT_WEEKDAY)
		return;
	if (format == FORMAT_DATE_TIME)
		buf_char(out, ' ');
	buf_printf(out, "%d %s", civil.day, months[civil.month - 1]);
	if (format == FORMAT_LONG_DATE)
		buf_printf(out, " %d", civil.year);
}

static const struct template_words languages[] = {
    {
	.language = "zh",
	.neutral = {[VARIABLE_PATIENT] = "您好",
	    [VARIABLE_CLINIC] = "我们",
	    [VARIABLE_DRUG] = "药品",
	    [VARIABLE_VISIT] = "复诊"},
	.comma = "、",
	.last_comma = "、",
	.more = "等",
	.more_end = "种药",
	.more_is_sum = true,
	.ellipsis = "…",
	.write_date = write_date_zh,
	.before_time = "",
    },
    {
	.language = "en",
	.neutral = {[VARIABLE_PATIENT] = "Hello",
	    [VARIABLE_CLINIC] = "us",
	    [VARIABLE_DRUG] = "medicine",
	    [VARIABLE_VISIT] = "visit"},
	.comma = ", ",
	.last_comma = " and ",
	.more = " and ",
	.more_end = " more",
	.ellipsis = "...",
	.write_date = write_date_en,
	.before_time = ", ",
    },
};

const struct template_words *
template_words_find(const char *locale)
{
	size_t bytes = strcspn(locale, "-");

	for (size_t i = 0; i < COUNT(languages); i++)
		if (bytes == strlen(languages[i].language) &&
		    strncasecmp(locale, languages[i].language, bytes) == 0)
			return &languages[i];
	return NULL;
}

static bool
is_word(const char *text, size_t bytes, const char *word)
{
	return strlen(word) == bytes && memcmp(text, word, bytes) == 0;
}

static enum template_variable
find_variable(const char *text, size_t bytes)
{
	for (int i = VARIABLE_NONE + 1; i < VARIABLE_LAST; i++)
		if (is_word(text, bytes, variables[i].name))
			return (enum template_variable)i;
	return VARIABLE_NONE;
}

static enum template_format
find_format(const char *text, size_t bytes)
{
	for (size_t i = FORMAT_NONE + 1; i < COUNT(format_words); i++)
		if (is_word(text, bytes, format_words[i]))
			return (enum template_format)i;
	return FORMAT_NONE;
}

/* The N of `text:N`, 0 if it is no number that can be. */
static uint32_t
parse_limit(const char *text, size_t bytes)
{
	uint32_t limit = 0;

	if (bytes == 0 || bytes > 2)
		return 0;
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		limit = limit * 10 + (uint32_t)(text[i] - '0');
	}
	return limit >= VALUE_CHARACTERS_MIN && limit <= VALUE_CHARACTERS_MAX
		   ? limit
		   : 0;
}

/* What follows the bar: `format` or `text:N`. */
static const struct template_fault *
parse_format(const char *text, size_t bytes, struct template_part *part)
{
	static const struct template_fault unknown = {
	    "unknown-format", "unknown format"};
	static const struct template_fault foreign = {
	    "unknown-format", "this variable has no such format"};
	static const struct template_fault no_length = {
	    "text-limit", "only text has a length"};
	static const struct template_fault bad_length = {
	    "text-limit", "a text has 8 to 35 characters"};
	const char *colon = memchr(text, ':', bytes);
	size_t word_bytes = colon == NULL ? bytes : (size_t)(colon - text);

	part->format = find_format(text, word_bytes);
	if (part->format == FORMAT_NONE)
		return &unknown;
	if (!(variables[part->variable].formats & (1u << part->format)))
		return &foreign;
	if (colon == NULL)
		return NULL;
	if (part->format != FORMAT_TEXT)
		return &no_length;
	part->characters_max = parse_limit(colon + 1, bytes - word_bytes - 1);
	return part->characters_max == 0 ? &bad_length : NULL;
}

const struct template_fault *
template_part_parse(const char *expression, size_t bytes, enum kind kind,
    struct template_part *part)
{
	static const struct template_fault unknown = {
	    "unknown-variable", "unknown variable"};
	static const struct template_fault foreign = {
	    "unknown-variable", "this kind has no such variable"};
	const char *bar = memchr(expression, '|', bytes);
	size_t name_bytes = bar == NULL ? bytes : (size_t)(bar - expression);

	*part = (struct template_part){
	    .variable = find_variable(expression, name_bytes),
	    .characters_max = VALUE_CHARACTERS_MAX,
	};
	if (part->variable == VARIABLE_NONE)
		return &unknown;
	if (!(variables[part->variable].kinds & (1u << kind)))
		return &foreign;
	part->format = variables[part->variable].standard;
	return bar == NULL
		   ? NULL
		   : parse_format(bar + 1, bytes - name_bytes - 1, part);
}

/* Emoji and what only modifies them; providers refuse them in values. */
static bool
is_emoji(int32_t code, const utf8proc_property_t *property)
{
	return property->boundclass ==
		   UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC ||
	       property->category == UTF8PROC_CATEGORY_ME ||
	       (code >= 0x2600 && code <= 0x27bf) ||
	       (code >= 0x1f000 && code <= 0x1ffff);
}

/* The character to keep for this one: itself, ' ', another, or 0. */
static int32_t
clean_code(int32_t code)
{
	const utf8proc_property_t *property = utf8proc_get_property(code);

	switch (code) {
	case 0x3010: /* 【】 would forge a signature */
	case 0xfe3b:
		return '(';
	case 0x3011:
	case 0xfe3c:
		return ')';
	case 0xff0e: /* read as a full stop by what looks for links */
	case 0xff61:
		return '.';
	case '{': /* would be read by a provider's own templates */
	case '}':
		return 0;
	case '\t':
	case '\n':
	case '\r':
		return ' ';
	default:
		break;
	}
	switch (property->category) {
	case UTF8PROC_CATEGORY_ZS:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return ' ';
	case UTF8PROC_CATEGORY_CN:
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CF: /* bidi controls, joiners, tags */
	case UTF8PROC_CATEGORY_CS:
	case UTF8PROC_CATEGORY_CO:
		return 0;
	default:
		return property->ignorable || is_emoji(code, property) ? 0
								       : code;
	}
}

/* Append the cleaned characters of text; bytes that are not UTF-8 go. */
static void
line_add(struct line *line, const char *text)
{
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;

	while (*at != 0 && line->count < LINE_CHARACTERS_MAX) {
		utf8proc_int32_t code;
		utf8proc_ssize_t bytes = utf8proc_iterate(at, -1, &code);

		if (bytes <= 0) {
			at++;
			continue;
		}
		at += bytes;
		code = clean_code(code);
		if (code != 0)
			line->codes[line->count++] = code;
	}
}

static bool
is_digit(int32_t code)
{
	return code >= '0' && code <= '9';
}

static bool
is_letter_or_digit(int32_t code)
{
	utf8proc_category_t category = utf8proc_category(code);

	return (category >= UTF8PROC_CATEGORY_LU &&
		   category <= UTF8PROC_CATEGORY_LO) ||
	       category == UTF8PROC_CATEGORY_ND;
}

/* "0.5" is a number; "1.2.3.4" is an address. */
static bool
is_decimal_point(const struct line *line, uint32_t i)
{
	uint32_t from = i;

	if (i == 0 || !is_digit(line->codes[i - 1]) ||
	    !is_digit(line->codes[i + 1]))
		return false;
	while (from > 0 && is_digit(line->codes[from - 1]))
		from--;
	return from == 0 || line->codes[from - 1] != '.';
}

/* A full stop inside a word is how phones find links: it becomes a space. */
static void
line_break_links(struct line *line)
{
	for (uint32_t i = 0; i + 1 < line->count; i++) {
		int32_t next = line->codes[i + 1];

		if (line->codes[i] == '.' && is_letter_or_digit(next) &&
		    !is_decimal_point(line, i))
			line->codes[i] = ' ';
		if (line->codes[i] == '/' && next == '/')
			line->codes[i] = ' ';
	}
}

/* One space between words, none around them. */
static void
line_trim(struct line *line)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < line->count; i++)
		if (line->codes[i] != ' ' ||
		    (count > 0 && line->codes[count - 1] != ' '))
			line->codes[count++] = line->codes[i];
	if (count > 0 && line->codes[count - 1] == ' ')
		count--;
	line->count = count;
}

static void
line_clean(struct line *line, const char *text)
{
	line->count = 0;
	if (text != NULL)
		line_add(line, text);
	line_break_links(line);
	line_trim(line);
}

static void
line_append(struct line *line, const struct line *other)
{
	for (uint32_t i = 0;
	     i < other->count && line->count < LINE_CHARACTERS_MAX; i++)
		line->codes[line->count++] = other->codes[i];
}

/* The longest beginning of at most max characters that splits no grapheme. */
static uint32_t
grapheme_end(const struct line *line, uint32_t max)
{
	utf8proc_int32_t state = 0;
	uint32_t end = 0;

	for (uint32_t i = 1; i <= max && i < line->count; i++)
		if (utf8proc_grapheme_break_stateful(
			line->codes[i - 1], line->codes[i], &state))
			end = i;
	return end;
}

static void
line_cut(struct line *line, uint32_t max, const char *ellipsis)
{
	struct line mark;

	if (line->count <= max)
		return;
	line_clean(&mark, ellipsis);
	line->count = grapheme_end(line, max - mark.count);
	line_trim(line);
	if (line->count > 0)
		line_append(line, &mark);
}

static void
line_write(const struct line *line, struct buf *out)
{
	for (uint32_t i = 0; i < line->count; i++) {
		utf8proc_uint8_t bytes[4];

		buf_add(out, bytes,
		    (size_t)utf8proc_encode_char(line->codes[i], bytes));
	}
}

/* " and 2 more", or nothing where all are shown. */
static void
line_add_more(struct line *line, const struct template_words *words,
    uint32_t sum, uint32_t shown)
{
	char number[16];

	if (shown == sum)
		return;
	(void)snprintf(number, sizeof(number), "%u",
	    words->more_is_sum ? sum : sum - shown);
	line_add(line, words->more);
	line_add(line, number);
	line_add(line, words->more_end);
}

static void
clean_drug(struct line *line, const struct template_words *words,
    const struct template_values *values, uint32_t i)
{
	line_clean(line, values->drugs[i]);
	if (line->count == 0)
		line_clean(line, words->neutral[VARIABLE_DRUG]);
}

/* The first `shown` names, and how many more there are. */
static void
list_drugs(struct line *line, const struct template_words *words,
    const struct template_values *values, uint32_t shown)
{
	uint32_t sum = values->drug_count;
	struct line name;

	line->count = 0;
	for (uint32_t i = 0; i < shown; i++) {
		if (i > 0)
			line_add(line,
			    i + 1 == sum ? words->last_comma : words->comma);
		clean_drug(&name, words, values, i);
		line_append(line, &name);
	}
	line_add_more(line, words, sum, shown);
}

/* As many names as there is room for; a first one that is too long is cut. */
static void
drugs_value(struct line *line, const struct template_words *words,
    const struct template_values *values, uint32_t max)
{
	uint32_t sum = values->drug_count, shown = sum < max ? sum : max;
	struct line more = {.count = 0};

	for (; shown > 1; shown--) {
		list_drugs(line, words, values, shown);
		if (line->count <= max)
			return;
	}
	line->count = 0;
	line_add_more(&more, words, sum, 1);
	if (more.count + VALUE_CHARACTERS_MIN > max)
		return;
	clean_drug(line, words, values, 0);
	line_cut(line, max - more.count, words->ellipsis);
	if (line->count > 0)
		line_append(line, &more);
}

static void
add_text(const struct template_words *words, const struct template_part *part,
    const struct template_values *values, struct buf *out)
{
	const char *texts[VARIABLE_LAST] = {
	    [VARIABLE_PATIENT] = values->patient,
	    [VARIABLE_CLINIC] = values->clinic,
	    [VARIABLE_VISIT] = values->visit,
	};
	bool shown = !(values->discreet && variables[part->variable].revealing);
	struct line line = {.count = 0};

	if (shown && part->variable == VARIABLE_DRUG && values->drug_count > 0)
		drugs_value(&line, words, values, part->characters_max);
	else if (shown && part->variable != VARIABLE_DRUG)
		line_clean(&line, texts[part->variable]);
	line_cut(&line, part->characters_max, words->ellipsis);
	if (line.count == 0)
		line_clean(&line, words->neutral[part->variable]);
	line_write(&line, out);
}

/* A date, or the date and time of `at`. */
static void
add_date(const struct template_words *words, const struct template_part *part,
    const struct template_values *values, struct buf *out)
{
	bool has_time =
	    part->format == FORMAT_TIME || part->format == FORMAT_DATE_TIME;
	enum template_format format = part->format;
	int32_t date_on, time_s = 0;

	if (part->variable == VARIABLE_AT)
		date_on = zone_local(values->zone, values->at, &time_s);
	else
		date_on = part->variable == VARIABLE_DATE ? values->date_on
							  : values->run_out_on;
	assert(date_on != ON_UNKNOWN && date_on != ON_NEVER);
	if (has_time && !values->at_has_time) {
		/* a day without a clock time: the day is all there is to say */
		has_time = false;
		format = FORMAT_DATE_TIME;
	}
	if (format != FORMAT_TIME)
		words->write_date(format, date_on, out);
	if (has_time)
		buf_printf(out, "%s%02d:%02d",
		    format == FORMAT_TIME ? "" : words->before_time,
		    time_s / 3600, time_s / 60 % 60);
}

void
template_value_add(const struct template_words *words,
    const struct template_part *part, const struct template_values *values,
    struct buf *out)
{
	if (part->format == FORMAT_TEXT)
		add_text(words, part, values, out);
	else if (part->variable == VARIABLE_COUNT)
		buf_printf(out, "%" PRIu32, values->count);
	else if (part->variable == VARIABLE_DAYS)
		buf_printf(out, "%" PRId32, values->days);
	else
		add_date(words, part, values, out);
}
