/*
 * Configuration files: text into entries, entries into structs by tables,
 * and the same tables into an example file, manual items and a dump.
 *
 * Owns the arena with every string; what conf_take() hands out lives until
 * conf_free().  Side effects: conf_read() reads its file.
 *
 * Comments start with # or ; at the start of a line or after a blank, so
 * that "#" and ";" inside a URL or a password need no quotes.
 */
#include "base/conf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define WORD_BYTES_MAX 64 /* of a section or key */
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

/* The place in a file that is being read. */
struct parser {
	struct conf *conf;
	struct conf_error *error;
	const char *file;
	const char *next; /* the lines that are left */
	int line;         /* of the first physical line of the present one */
	int line_next;
	const char *text;    /* of the present line, joined */
	const char *section; /* NULL before the first */
	const char *name;
};

static int fail(struct conf_error *error, const char *file, int line,
    const char *format, ...) printf_like(4, 5);

/* ---- creation ---- */

struct conf *
conf_create(void)
{
	struct conf *conf = mem_alloc(sizeof(*conf));

	conf->arena = arena_create();
	list_init(&conf->entries, conf->arena, sizeof(struct conf_entry));
	return conf;
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	arena_free(conf->arena);
	free(conf);
}

/* Write "FILE:LINE: …" into error; line 0 leaves it out.  Always -1. */
static int
fail(struct conf_error *error, const char *file, int line, const char *format,
    ...)
{
	size_t room = sizeof(error->text), used = 0;
	va_list args;

	if (file != NULL && line > 0)
		snprintf(error->text, room, "%s:%d: ", file, line);
	else
		snprintf(error->text, room, "%s%s", file != NULL ? file : "",
		    file != NULL ? ": " : "");
	used = strlen(error->text);
	va_start(args, format);
	vsnprintf(error->text + used, room - used, format, args);
	va_end(args);
	return -1;
}

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

/* Nothing but blanks and perhaps a comment. */
static bool
at_end(const char *at)
{
	at = skip_blanks(at);
	return *at == '\0' || *at == '#' || *at == ';';
}

/* ---- reading ---- */

static bool
word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* The word at *at, in the arena; NULL if there is none or it is too long. */
static char *
parse_word(struct parser *parser, const char **at)
{
	const char *start = *at;
	size_t bytes;

	while (word_char(**at))
		(*at)++;
	bytes = (size_t)(*at - start);
	if (bytes == 0 || bytes > WORD_BYTES_MAX)
		return NULL;
	return arena_text_n(parser->conf->arena, start, bytes);
}

/* The text between the quote at *at and its fellow; NULL if malformed. */
static char *
parse_quoted(struct parser *parser, const char **at)
{
	char *text = arena_alloc(parser->conf->arena, strlen(*at)), *end = text;
	const char *from = *at + 1;

	for (; *from != '"'; from++) {
		if (*from == '\0')
			return NULL;
		if (*from != '\\') {
			*end++ = *from;
			continue;
		}
		from++;
		if (*from == '"' || *from == '\\')
			*end++ = *from;
		else if (*from == 'n')
			*end++ = '\n';
		else if (*from == 't')
			*end++ = '\t';
		else
			return NULL;
	}
	*at = from + 1;
	return text;
}

/* The unquoted text up to a comment, without the blanks around it. */
static char *
parse_plain(struct parser *parser, const char *at)
{
	const char *end = at, *last = at;

	for (; *end != '\0'; end++) {
		if ((*end == '#' || *end == ';') && end > at && blank(end[-1]))
			break;
		if (!blank(*end))
			last = end + 1;
	}
	return arena_text_n(parser->conf->arena, at, (size_t)(last - at));
}

static void
add_entry(struct parser *parser, const char *key, const char *value, int column)
{
	struct conf_entry *entry = list_add(&parser->conf->entries);

	*entry = (struct conf_entry){.section = parser->section,
	    .name = parser->name,
	    .key = key,
	    .value = value,
	    .file = parser->file,
	    .line = parser->line,
	    .column = column};
}

/* `[section]` or `[section "name"]` */
static int
parse_section(struct parser *parser, const char *at)
{
	char *section, *name = NULL;

	at = skip_blanks(at + 1);
	section = parse_word(parser, &at);
	if (section == NULL)
		return fail(parser->error, parser->file, parser->line,
		    "expected [section] or [section \"name\"]");
	at = skip_blanks(at);
	if (*at == '"') {
		name = parse_quoted(parser, &at);
		if (name == NULL || *name == '\0')
			return fail(parser->error, parser->file, parser->line,
			    "malformed name in [%s \"…\"]", section);
		at = skip_blanks(at);
	}
	if (*at != ']' || !at_end(at + 1))
		return fail(parser->error, parser->file, parser->line,
		    "expected [section] or [section \"name\"]");
	for (char *c = section; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	parser->section = section;
	parser->name = name;
	add_entry(parser, NULL, NULL, 0);
	return 0;
}

/* The column of a value that begins here, if it stands there as it is. */
static int
column_of(const struct parser *parser, const char *start, const char *value)
{
	bool joined = parser->line_next > parser->line + 1;

	return joined || strncmp(start, value, strlen(value)) != 0
		   ? 0
		   : (int)(start - parser->text) + 1;
}

/* `key = value` */
static int
parse_setting(struct parser *parser, const char *at)
{
	char *key = parse_word(parser, &at), *value;
	const char *start;

	at = skip_blanks(at);
	if (key == NULL || *at != '=')
		return fail(parser->error, parser->file, parser->line,
		    "expected [section] or key = value");
	if (parser->section == NULL)
		return fail(parser->error, parser->file, parser->line,
		    "key \"%s\" before any [section]", key);
	at = skip_blanks(at + 1);
	start = at + (*at == '"');
	if (*at == '"') {
		value = parse_quoted(parser, &at);
		if (value == NULL || !at_end(at))
			return fail(parser->error, parser->file, parser->line,
			    "key \"%s\": malformed quotes; inside them, "
			    "write \\\" \\\\ \\n \\t",
			    key);
	} else {
		value = at_end(at) && (*at == '\0' || blank(at[-1]))
			    ? ""
			    : parse_plain(parser, at);
		if (strchr(value, '"') != NULL)
			return fail(parser->error, parser->file, parser->line,
			    "key \"%s\": a quote in mid-value; quote the "
			    "whole value",
			    key);
	}
	add_entry(parser, key, value, column_of(parser, start, value));
	return 0;
}

/*
 * The next line, in the buffer, joined with those that its \ joins to it.
 * A comment joins nothing.  0 at the end of the text, -1 with error.
 */
static int
next_line(struct parser *parser, struct buf *line)
{
	bool joined = false;

	buf_clear(line);
	buf_text(line, "");
	parser->line = parser->line_next;
	if (*parser->next == '\0')
		return 0;
	do {
		size_t bytes = strcspn(parser->next, "\n");
		size_t kept = bytes;

		if (*parser->next == '\0')
			return fail(parser->error, parser->file, parser->line,
			    "the file ends in a line that goes on");
		if (kept > 0 && parser->next[bytes] == '\n' &&
		    parser->next[kept - 1] == '\r')
			kept--;
		joined = kept > 0 && parser->next[kept - 1] == '\\' &&
			 (line->bytes > 0 || !at_end(parser->next));
		buf_add(line, parser->next, kept - (joined ? 1 : 0));
		parser->next += bytes + (parser->next[bytes] == '\n');
		parser->line_next++;
	} while (joined);
	for (const char *c = line->data; *c != '\0'; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == '\x7f')
			return fail(parser->error, parser->file, parser->line,
			    "a control character");
	return 1;
}

/* Add the entries of a text that the conf's arena holds the name of. */
static int
parse(struct conf *conf, const char *name, const char *text,
    struct conf_error *error)
{
	struct parser parser = {.conf = conf,
	    .error = error,
	    .file = name,
	    .next = text,
	    .line_next = 1};
	struct buf line = BUF_INIT(FILE_BYTES_MAX);
	int result;

	while ((result = next_line(&parser, &line)) == 1) {
		const char *at = skip_blanks(line.data);

		parser.text = line.data;
		if (at_end(at))
			continue;
		result = *at == '[' ? parse_section(&parser, at)
				    : parse_setting(&parser, at);
		if (result != 0)
			break;
	}
	buf_free(&line);
	return result;
}

int
conf_read_text(struct conf *conf, const char *name, const char *text,
    struct conf_error *error)
{
	if (strlen(text) > FILE_BYTES_MAX)
		return fail(error, name, 0, "larger than 1 MB");
	return parse(conf, arena_text(conf->arena, name), text, error);
}

/* Read the file whole; 0, or an errno. */
static int
read_whole(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char piece[4096];
	ssize_t got = -1;
	int failed;

	while (fd >= 0 && !text->overflow &&
	       ((got = read(fd, piece, sizeof(piece))) > 0 ||
		   (got < 0 && errno == EINTR)))
		if (got > 0)
			buf_add(text, piece, (size_t)got);
	failed = got < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return failed;
}

int
conf_read(struct conf *conf, const char *path, struct conf_error *error)
{
	struct buf text = BUF_INIT(FILE_BYTES_MAX);
	int failed = read_whole(path, &text), result;
	int line = 1;

	buf_text(&text, "");
	if (failed != 0) {
		result = fail(error, path, 0, "%s", strerror(failed));
	} else if (text.overflow) {
		result = fail(error, path, 0, "larger than 1 MB");
	} else if (strlen(text.data) != text.bytes) {
		for (const char *c = text.data; *c != '\0'; c++)
			line += *c == '\n';
		result = fail(error, path, line, "a NUL byte");
	} else {
		result = conf_read_text(conf, path, text.data, error);
	}
	buf_free(&text);
	return result;
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
same_name(const char *a, const char *b)
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
		return fail(error, entry->file, entry->line, "%s", message);
	return fail(error, entry->file, entry->line, "%s; did you mean \"%s\"?",
	    message, near);
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
		fail(error, entry->file, entry->line, "key \"%s\": expected %s",
		    entry->key, buf_string(&expected));
	else
		fail(error, entry->file, entry->line,
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
		return fail(error, entry->file, entry->line,
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
			return fail(error, header != NULL ? header->file : NULL,
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
		    !same_name(entries[i].name, name))
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
conf_check_taken(struct conf *conf, const char *const *known_sections,
    struct conf_error *error)
{
	const struct conf_entry *entries = conf->entries.data;
	size_t known = 0, at;

	while (known_sections[known] != NULL)
		known++;
	for (size_t i = 0; i < conf->entries.count; i++) {
		const struct conf_entry *entry = &entries[i];
		const char *header =
		    header_text(conf, entry->section, entry->name);

		if (entry->taken)
			continue;
		for (at = 0; at < known; at++)
			if (strcmp(known_sections[at], entry->section) == 0)
				break;
		if (at == known)
			return fail_unknown(error, entry,
			    arena_printf(
				conf->arena, "unknown section %s", header),
			    conf_nearest(
				entry->section, known_sections, known));
		return fail(error, entry->file, entry->line,
		    entry->name != NULL ? "section %s takes no name"
					: "section %s needs a name",
		    header);
	}
	return 0;
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
