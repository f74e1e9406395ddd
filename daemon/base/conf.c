/*
 * Configuration files: text into entries.  What is done with entries is in
 * conf_take.c.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define WORD_BYTES_MAX CONF_WORD_BYTES_MAX

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

int
conf_fail(struct conf_error *error, const char *file, int line,
    const char *format, ...)
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
		return conf_fail(parser->error, parser->file, parser->line,
		    "expected [section] or [section \"name\"]");
	at = skip_blanks(at);
	if (*at == '"') {
		name = parse_quoted(parser, &at);
		if (name == NULL || *name == '\0')
			return conf_fail(parser->error, parser->file,
			    parser->line, "malformed name in [%s \"…\"]",
			    section);
		at = skip_blanks(at);
	}
	if (*at != ']' || !at_end(at + 1))
		return conf_fail(parser->error, parser->file, parser->line,
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
		return conf_fail(parser->error, parser->file, parser->line,
		    "expected [section] or key = value");
	if (parser->section == NULL)
		return conf_fail(parser->error, parser->file, parser->line,
		    "key \"%s\" before any [section]", key);
	at = skip_blanks(at + 1);
	start = at + (*at == '"');
	if (*at == '"') {
		value = parse_quoted(parser, &at);
		if (value == NULL || !at_end(at))
			return conf_fail(parser->error, parser->file,
			    parser->line,
			    "key \"%s\": malformed quotes; inside them, "
			    "write \\\" \\\\ \\n \\t",
			    key);
	} else {
		value = at_end(at) && (*at == '\0' || blank(at[-1]))
			    ? ""
			    : parse_plain(parser, at);
		if (strchr(value, '"') != NULL)
			return conf_fail(parser->error, parser->file,
			    parser->line,
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
			return conf_fail(parser->error, parser->file,
			    parser->line,
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
			return conf_fail(parser->error, parser->file,
			    parser->line, "a control character");
	if (!json_is_utf8(line->data))
		return conf_fail(
		    parser->error, parser->file, parser->line, "not UTF-8");
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
		return conf_fail(error, name, 0, "larger than 1 MB");
	return parse(conf, arena_text(conf->arena, name), text, error);
}

/* Read the file whole; NULL, or why not. */
static const char *
read_whole(const char *path, struct buf *text)
{
	/* without waiting: what has no end or no writer is refused */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *wrong = NULL;
	struct stat status;
	char piece[4096];
	ssize_t got = 0;

	if (fd < 0 || fstat(fd, &status) != 0)
		wrong = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		wrong = "not a regular file";
	while (wrong == NULL && !text->overflow &&
	       ((got = read(fd, piece, sizeof(piece))) > 0 ||
		   (got < 0 && errno == EINTR)))
		if (got > 0)
			buf_add(text, piece, (size_t)got);
	if (got < 0)
		wrong = strerror(errno);
	if (fd >= 0)
		close(fd);
	return wrong;
}

int
conf_read(struct conf *conf, const char *path, struct conf_error *error)
{
	struct buf text = BUF_INIT(FILE_BYTES_MAX);
	const char *wrong = read_whole(path, &text);
	int line = 1, result;

	buf_text(&text, "");
	if (wrong != NULL) {
		result = conf_fail(error, path, 0, "%s", wrong);
	} else if (text.overflow) {
		result = conf_fail(error, path, 0, "larger than 1 MB");
	} else if (strlen(text.data) != text.bytes) {
		for (const char *c = text.data; *c != '\0'; c++)
			line += *c == '\n';
		result = conf_fail(error, path, line, "a NUL byte");
	} else {
		result = conf_read_text(conf, path, text.data, error);
	}
	buf_free(&text);
	return result;
}
