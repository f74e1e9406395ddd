/*
 * Entries of configuration files into structs, by tables, and the same
 * tables into an example file, manual items and a dump.  No side effects.
 */
#include "base/conf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

#define WORD_BYTES_MAX CONF_WORD_BYTES_MAX
#define HELP_COLUMNS 72

struct unit {
	const char *suffix;
	int64_t size;
};

/* Largest first, so that a dump finds the shortest form. */
static const struct unit durations[] = {{"d", DAY_US}, {"h", HOUR_US},
    {"m", MINUTE_US}, {"s", SECOND_US}, {"ms", SECOND_US / 1000}};
static const struct unit sizes[] = {{"G", INT64_C(1) << 30},
    {"M", INT64_C(1) << 20}, {"k", INT64_C(1) << 10}, {"", 1}};

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *
skip_blanks(const char *at)
{
	while (blank(*at))
		at++;
	return at;
}

/* ---- values ---- */

static int64_t *
target_number(const struct conf_setting *setting, void *target)
{
	return (int64_t *)((char *)target + setting->offset);
}

/* A whole number and a suffix of the table; false if it is none. */
static bool
parse_number(
    const char *text, const struct unit *units, size_t count, int64_t *out)
{
	char *suffix;
	int64_t number;

	if ((*text < '0' || *text > '9') && *text != '-')
		return false;
	errno = 0;
	number = strtoll(text, &suffix, 10);
	if (errno != 0 || suffix == text)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(suffix, units[i].suffix) == 0)
			return !__builtin_mul_overflow(
			    number, units[i].size, out);
	*out = 0;
	return number == 0 && *suffix == '\0'; /* 0 needs no unit */
}

static bool
parse_boolean(const char *text, bool *out)
{
	static const char *const yes[] = {"yes", "true", "on"};
	static const char *const no[] = {"no", "false", "off"};

	for (size_t i = 0; i < COUNT(yes); i++) {
		*out = strcasecmp(text, yes[i]) == 0;
		if (*out || strcasecmp(text, no[i]) == 0)
			return true;
	}
	return false;
}

static bool
parse_choice(const char *text, const char *const *words, int *out)
{
	for (*out = 0; words[*out] != NULL; ++*out)
		if (strcmp(text, words[*out]) == 0)
			return true;
	return false;
}

/* The parts between commas, without blanks around them, without empty ones. */
static const char **
parse_list(struct arena *arena, const char *text)
{
	const char **parts;
	size_t count = 1, filled = 0;

	for (const char *c = text; *c != '\0'; c++)
		count += *c == ',';
	parts = arena_array(arena, count + 1, sizeof(*parts));
	while (*text != '\0') {
		const char *start = skip_blanks(text), *end;

		text = start + strcspn(start, ",");
		end = text;
		while (end > start && blank(end[-1]))
			end--;
		if (end > start)
			parts[filled++] =
			    arena_text_n(arena, start, (size_t)(end - start));
		text += *text == ',';
	}
	return parts;
}

/* Put the value in its place in target; false if it is none of its type. */
static bool
store(struct arena *arena, const struct conf_setting *setting,
    const char *value, void *target)
{
	static const struct unit plain[] = {{"", 1}};
	char *place = (char *)target + setting->offset;
	int64_t *number = target_number(setting, target);
	bool valid = false;

	switch (setting->type) {
	case CONF_TEXT:
		*(const char **)place = value;
		return true;
	case CONF_LIST:
		*(const char ***)place = parse_list(arena, value);
		return true;
	case CONF_BOOLEAN:
		return parse_boolean(value, (bool *)place);
	case CONF_WORD:
		return parse_choice(value, setting->words, (int *)place);
	case CONF_INTEGER:
		valid = parse_number(value, plain, COUNT(plain), number);
		break;
	case CONF_DURATION:
		valid =
		    parse_number(value, durations, COUNT(durations), number);
		break;
	case CONF_BYTES:
		valid = parse_number(value, sizes, COUNT(sizes), number);
		break;
	}
	return valid &&
	       ((setting->min == 0 && setting->max == 0) ||
		   (*number >= setting->min && *number <= setting->max));
}

/* The number as a file would have it, in the largest whole unit. */
static void
write_number(
    int64_t number, const struct unit *units, size_t count, struct buf *out)
{
	size_t i = 0;

	while (i + 1 < count && (number == 0 || number % units[i].size != 0))
		i++;
	buf_printf(out, "%lld%s", (long long)(number / units[i].size),
	    units[i].suffix);
}

/* The number of this setting, in its unit. */
static void
write_quantity(
    const struct conf_setting *setting, int64_t number, struct buf *out)
{
	if (setting->type == CONF_DURATION)
		write_number(number, durations, COUNT(durations), out);
	else if (setting->type == CONF_BYTES)
		write_number(number, sizes, COUNT(sizes), out);
	else
		buf_printf(out, "%lld", (long long)number);
}

/* What the setting takes, as "a duration, 1s to 5m". */
static void
write_expected(const struct conf_setting *setting, struct buf *out)
{
	static const char *const types[] = {[CONF_TEXT] = "text",
	    [CONF_INTEGER] = "a whole number",
	    [CONF_BOOLEAN] = "yes or no",
	    [CONF_DURATION] = "a duration (500ms, 20s, 5m, 2h, 1d)",
	    [CONF_BYTES] = "a size (500, 64k, 10M)",
	    [CONF_WORD] = "one of",
	    [CONF_LIST] = "a list with commas"};

	buf_text(out, types[setting->type]);
	if (setting->type == CONF_WORD)
		for (size_t i = 0; setting->words[i] != NULL; i++)
			buf_printf(
			    out, "%s %s", i > 0 ? "," : "", setting->words[i]);
	if (setting->min == 0 && setting->max == 0)
		return;
	buf_text(out, ", ");
	write_quantity(setting, setting->min, out);
	if (setting->max == INT64_MAX) {
		buf_text(out, " or more");
		return;
	}
	buf_text(out, " to ");
	write_quantity(setting, setting->max, out);
}

/* ---- taking ---- */

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* "[section]" or "[section "name"]", in the arena */
static const char *
header_text(struct conf *conf, const char *section, const char *name)
{
	if (name == NULL)
		return arena_printf(conf->arena, "[%s]", section);
	return arena_printf(conf->arena, "[%s \"%s\"]", section, name);
}

/* Fail with this message and, where one is near, what was perhaps meant. */
static int
fail_unknown(struct conf_error *error, const struct conf_entry *entry,
    const char *message, const char *near)
{
	if (near == NULL)
		return conf_fail(
		    error, entry->file, entry->line, "%s", message);
	return conf_fail(error, entry->file, entry->line,
	    "%s; did you mean \"%s\"?", message, near);
}

static int
fail_unknown_key(struct conf *conf, const struct conf_setting *table,
    size_t count, const struct conf_entry *entry, struct conf_error *error)
{
	const char **keys = arena_array(conf->arena, count + 1, sizeof(*keys));
	size_t filled = 0;

	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].section, entry->section) == 0)
			keys[filled++] = table[i].key;
	return fail_unknown(error, entry,
	    arena_printf(conf->arena, "unknown key \"%s\" in %s", entry->key,
		header_text(conf, entry->section, entry->name)),
	    conf_nearest(entry->key, keys, filled));
}

static int
fail_value(const struct conf_setting *setting, const struct conf_entry *entry,
    struct conf_error *error)
{
	struct buf expected = BUF_INIT(sizeof(error->text));

	write_expected(setting, &expected);
	if (setting->secret)
		conf_fail(error, entry->file, entry->line,
		    "key \"%s\": expected %s", entry->key,
		    buf_string(&expected));
	else
		conf_fail(error, entry->file, entry->line,
		    "key \"%s\": expected %s, not \"%s\"", entry->key,
		    buf_string(&expected), entry->value);
	buf_free(&expected);
	return -1;
}

/* Take one entry; seen holds the entry that each row was taken from. */
static int
take_entry(struct conf *conf, const struct conf_setting *table, size_t count,
    struct conf_entry *entry, const struct conf_entry **seen, void *target,
    struct conf_error *error)
{
	size_t row = 0;

	entry->taken = true;
	if (entry->key == NULL)
		return 0;
	while (
	    row < count && (strcmp(table[row].key, entry->key) != 0 ||
			       strcmp(table[row].section, entry->section) != 0))
		row++;
	if (row == count)
		return fail_unknown_key(conf, table, count, entry, error);
	if (seen[row] != NULL)
		return conf_fail(error, entry->file, entry->line,
		    "key \"%s\" again; it is set at %s:%d", entry->key,
		    seen[row]->file, seen[row]->line);
	seen[row] = entry;
	if (!store(conf->arena, &table[row], entry->value, target))
		return fail_value(&table[row], entry, error);
	return 0;
}

/* Every required row of the section must have been seen. */
static int
check_required(struct conf *conf, const char *section, const char *name,
    const struct conf_setting *table, size_t count,
    const struct conf_entry *header, const struct conf_entry **seen,
    struct conf_error *error)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].required && seen[i] == NULL &&
		    strcmp(table[i].section, section) == 0)
			return conf_fail(error,
			    header != NULL ? header->file : NULL,
			    header != NULL ? header->line : 0,
			    "%s lacks the key \"%s\"",
			    header_text(conf, section, name), table[i].key);
	return 0;
}

int
conf_take(struct conf *conf, const char *section, const char *name,
    const struct conf_setting *table, size_t count, void *target,
    struct conf_error *error)
{
	struct conf_entry *entries = conf->entries.data;
	const struct conf_entry **seen = arena_array(
				    conf->arena, count + 1, sizeof(*seen)),
				*header = NULL;

	for (size_t i = 0; i < count; i++) {
		if (table[i].standard != NULL &&
		    strcmp(table[i].section, section) == 0) {
			bool stored = store(
			    conf->arena, &table[i], table[i].standard, target);

			assert(stored);
		}
	}
	for (size_t i = 0; i < conf->entries.count; i++) {
		if (strcmp(entries[i].section, section) != 0 ||
		    !same_text(entries[i].name, name))
			continue;
		if (header == NULL)
			header = &entries[i];
		if (!entries[i].taken &&
		    take_entry(conf, table, count, &entries[i], seen, target,
			error) != 0)
			return -1;
	}
	return check_required(
	    conf, section, name, table, count, header, seen, error);
}

int
conf_blame(const struct conf *conf, const char *section, const char *name,
    const char *key, struct conf_error *error, const char *format, ...)
{
	const struct conf_entry *entries = conf->entries.data, *found = NULL;
	char text[sizeof(error->text)];
	bool exact = false;
	va_list args;

	for (size_t i = 0; i < conf->entries.count && !exact; i++) {
		if (strcmp(entries[i].section, section) != 0 ||
		    !same_text(entries[i].name, name))
			continue;
		exact = key != NULL && entries[i].key != NULL &&
			strcmp(entries[i].key, key) == 0;
		if (exact || found == NULL)
			found = &entries[i];
	}
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return conf_fail(error, found == NULL ? NULL : found->file,
	    found == NULL ? 0 : found->line, "%s%s%s%s%s%s%s%s",
	    name == NULL ? "" : section, name == NULL ? "" : " \"",
	    name == NULL ? "" : name,
	    name == NULL ? "" : "\": ", key == NULL ? "" : "key \"",
	    key == NULL ? "" : key, key == NULL ? "" : "\": ", text);
}

const char **
conf_names(struct conf *conf, const char *section)
{
	const struct conf_entry *entries = conf->entries.data;
	const char **names =
	    arena_array(conf->arena, conf->entries.count + 1, sizeof(*names));
	size_t count = 0, j;

	for (size_t i = 0; i < conf->entries.count; i++) {
		if (entries[i].key != NULL || entries[i].name == NULL ||
		    strcmp(entries[i].section, section) != 0)
			continue;
		for (j = 0; j < count; j++)
			if (strcmp(names[j], entries[i].name) == 0)
				break;
		if (j == count)
			names[count++] = entries[i].name;
	}
	return names;
}

int
conf_check_sections(struct conf *conf, const char *const *known_sections,
    struct conf_error *error)
{
	const struct conf_entry *entries = conf->entries.data;
	size_t known = 0, at;

	while (known_sections[known] != NULL)
		known++;
	for (size_t i = 0; i < conf->entries.count; i++) {
		const struct conf_entry *entry = &entries[i];

		for (at = 0; at < known; at++)
			if (strcmp(known_sections[at], entry->section) == 0)
				break;
		if (at == known)
			return fail_unknown(error, entry,
			    arena_printf(conf->arena, "unknown section %s",
				header_text(conf, entry->section, entry->name)),
			    conf_nearest(
				entry->section, known_sections, known));
	}
	return 0;
}

int
conf_check_taken(struct conf *conf, const char *const *known_sections,
    struct conf_error *error)
{
	const struct conf_entry *entries = conf->entries.data;

	if (conf_check_sections(conf, known_sections, error) != 0)
		return -1;
	for (size_t i = 0; i < conf->entries.count; i++) {
		const struct conf_entry *entry = &entries[i];

		if (!entry->taken)
			return conf_fail(error, entry->file, entry->line,
			    entry->name != NULL ? "section %s takes no name"
						: "section %s needs a name",
			    header_text(conf, entry->section, entry->name));
	}
	return 0;
}

bool
conf_has(const struct conf *conf, const char *section, const char *name,
    const char *key)
{
	const struct conf_entry *entries = conf->entries.data;

	for (size_t i = 0; i < conf->entries.count; i++)
		if (strcmp(entries[i].section, section) == 0 &&
		    same_text(entries[i].name, name) &&
		    same_text(entries[i].key, key))
			return true;
	return false;
}

/* ---- writing ---- */

static void
write_quoted(const char *value, struct buf *out)
{
	buf_char(out, '"');
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\' || *value == '\n')
			buf_char(out, '\\');
		buf_char(out, *value == '\n' ? 'n' : *value);
	}
	buf_char(out, '"');
}

/* The value as a file would have it, in quotes where it needs them. */
static void
write_value(const char *value, struct buf *out)
{
	size_t bytes = strlen(value);

	if (bytes > 0 &&
	    (strpbrk(value, "\"\n#;") != NULL || blank(value[0]) ||
		blank(value[bytes - 1]) || value[bytes - 1] == '\\'))
		write_quoted(value, out);
	else
		buf_text(out, value);
}

/* The help as comment lines, broken between words. */
static void
write_comment(const char *text, struct buf *out)
{
	size_t column = 0;

	while (*(text = skip_blanks(text)) != '\0') {
		size_t bytes = strcspn(text, " \t");

		if (column > 0 && column + 1 + bytes > HELP_COLUMNS) {
			buf_char(out, '\n');
			column = 0;
		}
		buf_text(out, column == 0 ? "# " : " ");
		buf_add(out, text, bytes);
		column += bytes + (column == 0 ? 2 : 1);
		text += bytes;
	}
	buf_char(out, '\n');
}

void
conf_example(const struct conf_setting *table, size_t count, struct buf *out)
{
	const char *section = "";

	for (size_t i = 0; i < count; i++) {
		struct buf about = BUF_INIT(0);

		if (strcmp(section, table[i].section) != 0) {
			section = table[i].section;
			buf_printf(out, "%s[%s]\n", i > 0 ? "\n" : "", section);
		}
		buf_printf(&about, "%s Takes ", table[i].help);
		write_expected(&table[i], &about);
		buf_text(&about, table[i].required ? "; required." : ".");
		buf_char(out, '\n');
		write_comment(about.data, out);
		buf_printf(out, "#%s = ", table[i].key);
		if (table[i].standard != NULL)
			write_value(table[i].standard, out);
		buf_char(out, '\n');
		buf_free(&about);
	}
}

/* A text line of mdoc: escaped, one sentence a line. */
static void
write_manual_text(const char *text, struct buf *out)
{
	bool line_start = true;
	char before = '\0';

	for (; *text != '\0'; before = *text++) {
		if (line_start && (*text == '.' || *text == '\''))
			buf_text(out, "\\&");
		line_start = false;
		if (*text == '\\') {
			buf_text(out, "\\e");
		} else if (*text == ' ' && before == '.') {
			buf_char(out, '\n');
			line_start = true;
		} else {
			buf_char(out, *text);
		}
	}
	buf_char(out, '\n');
}

void
conf_manual(const struct conf_setting *table, size_t count, struct buf *out)
{
	static const char *const arguments[] = {[CONF_TEXT] = "text",
	    [CONF_INTEGER] = "number",
	    [CONF_BOOLEAN] = "yes | no",
	    [CONF_DURATION] = "duration",
	    [CONF_BYTES] = "size",
	    [CONF_WORD] = "word",
	    [CONF_LIST] = "list"};

	for (size_t i = 0; i < count; i++) {
		struct buf about = BUF_INIT(0);

		buf_printf(out, ".It Ic %s No = Ar %s\n", table[i].key,
		    arguments[table[i].type]);
		buf_printf(&about, "%s Takes ", table[i].help);
		write_expected(&table[i], &about);
		buf_char(&about, '.');
		if (table[i].required)
			buf_text(&about, " Required.");
		else if (table[i].standard != NULL && *table[i].standard)
			buf_printf(&about, " The default is \"%s\".",
			    table[i].standard);
		if (table[i].fixed)
			buf_text(&about, " A change needs a restart.");
		write_manual_text(about.data, out);
		buf_free(&about);
	}
}

/* The value that target holds for this setting. */
static void
dump_value(
    const struct conf_setting *setting, const void *target, struct buf *out)
{
	const char *place = (const char *)target + setting->offset;
	const char *const *parts;
	struct buf list = BUF_INIT(0);

	switch (setting->type) {
	case CONF_TEXT:
		write_value(*(const char *const *)place, out);
		break;
	case CONF_LIST:
		parts = *(const char *const *const *)place;
		for (size_t i = 0; parts[i] != NULL; i++)
			buf_printf(&list, "%s%s", i > 0 ? ", " : "", parts[i]);
		write_value(buf_string(&list), out);
		break;
	case CONF_BOOLEAN:
		buf_text(out, *(const bool *)place ? "yes" : "no");
		break;
	case CONF_WORD:
		buf_text(out, setting->words[*(const int *)place]);
		break;
	case CONF_INTEGER:
	case CONF_DURATION:
	case CONF_BYTES:
		write_quantity(setting, *(const int64_t *)place, out);
		break;
	}
	buf_free(&list);
}

void
conf_dump(const struct conf_setting *table, size_t count, const char *section,
    const char *name, const void *target, struct buf *out)
{
	buf_printf(out, "[%s", section);
	if (name != NULL) {
		buf_char(out, ' ');
		write_quoted(name, out);
	}
	buf_text(out, "]\n");
	for (size_t i = 0; i < count; i++) {
		const char *place = (const char *)target + table[i].offset;
		bool is_pointer =
		    table[i].type == CONF_TEXT || table[i].type == CONF_LIST;

		if (strcmp(table[i].section, section) != 0 ||
		    (is_pointer && *(const void *const *)place == NULL))
			continue;
		buf_printf(out, "%s = ", table[i].key);
		if (table[i].secret)
			buf_text(out, "***");
		else
			dump_value(&table[i], target, out);
		buf_char(out, '\n');
	}
}

void
conf_dump_entry(const struct conf_entry *entry, struct buf *out)
{
	buf_printf(out, "%s = ", entry->key);
	write_value(entry->value, out);
	buf_char(out, '\n');
}

static bool
same_list(const char *const *a, const char *const *b)
{
	size_t i = 0;

	if (a == NULL || b == NULL)
		return a == b;
	while (a[i] != NULL && b[i] != NULL && strcmp(a[i], b[i]) == 0)
		i++;
	return a[i] == b[i]; /* both at their end */
}

bool
conf_same(const struct conf_setting *setting, const void *a, const void *b)
{
	const char *left = (const char *)a + setting->offset;
	const char *right = (const char *)b + setting->offset;

	switch (setting->type) {
	case CONF_TEXT:
		return same_text(
		    *(const char *const *)left, *(const char *const *)right);
	case CONF_LIST:
		return same_list(*(const char *const *const *)left,
		    *(const char *const *const *)right);
	case CONF_BOOLEAN:
		return *(const bool *)left == *(const bool *)right;
	case CONF_WORD:
		return *(const int *)left == *(const int *)right;
	default:
		return *(const int64_t *)left == *(const int64_t *)right;
	}
}

/* ---- the nearest word ---- */

/* Levenshtein's distance, by one row of its table. */
static size_t
distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	size_t row[WORD_BYTES_MAX + 1];

	for (size_t j = 0; j <= b_bytes; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_bytes; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_bytes; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b_bytes];
}

const char *
conf_nearest(const char *given, const char *const *words, size_t count)
{
	size_t bytes = strlen(given), nearest = bytes / 3 + 2;
	const char *found = NULL;

	if (bytes > WORD_BYTES_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t word_bytes = strlen(words[i]), far;

		if (word_bytes > WORD_BYTES_MAX)
			continue;
		far = distance(given, bytes, words[i], word_bytes);
		/* A word all of whose letters differ is not near. */
		if (far < nearest && far < word_bytes) {
			nearest = far;
			found = words[i];
		}
	}
	return found;
}
