/*
 * Log lines to stderr.
 *
 * Only values of enum log_field can be printed, and only as plain ASCII:
 * what could forge a line, a field or a terminal's state is written \xNN.
 * A line is one write(2), so that lines of several copies do not mix; if
 * nobody reads them, they are lost, and the work goes on.
 */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096
#define VALUE_BYTES_MAX 200

static const char *const field_names[LOG_FIELD_COUNT_] = {
    [LOG_FIELD_BATCH] = "batch",
    [LOG_FIELD_BUCKET] = "bucket",
    [LOG_FIELD_CHANNEL] = "channel",
    [LOG_FIELD_CODE] = "code",
    [LOG_FIELD_COUNT] = "count",
    [LOG_FIELD_COPY] = "copy",
    [LOG_FIELD_DELIVERY] = "delivery",
    [LOG_FIELD_ERROR] = "error",
    [LOG_FIELD_FILE] = "file",
    [LOG_FIELD_GATEWAY] = "gateway",
    [LOG_FIELD_HELD] = "held",
    [LOG_FIELD_KEY] = "key",
    [LOG_FIELD_KIND] = "kind",
    [LOG_FIELD_LINE] = "line",
    [LOG_FIELD_MS] = "ms",
    [LOG_FIELD_PATIENT] = "patient",
    [LOG_FIELD_PORT] = "port",
    [LOG_FIELD_REASON] = "reason",
    [LOG_FIELD_SCOPE] = "scope",
    [LOG_FIELD_SENT] = "sent",
    [LOG_FIELD_SIGNAL] = "signal",
    [LOG_FIELD_SQLSTATE] = "sqlstate",
    [LOG_FIELD_STATE] = "state",
    [LOG_FIELD_STATEMENT] = "statement",
    [LOG_FIELD_STATUS] = "status",
    [LOG_FIELD_TASKS] = "tasks",
    [LOG_FIELD_TENANT] = "tenant",
    [LOG_FIELD_VERDICT] = "verdict",
    [LOG_FIELD_VERSION] = "version",
};

static enum log_level level_max = LOG_LEVEL_INFO;

struct line {
	char data[LINE_BYTES_MAX];
	size_t bytes;
};

void
log_level_set(enum log_level level)
{
	level_max = level;
}

/* Append, as far as it fits with the newline. */
static void
line_add(struct line *line, const char *data, size_t bytes)
{
	size_t room = sizeof(line->data) - 1 - line->bytes;

	if (bytes > room)
		bytes = room;
	memcpy(line->data + line->bytes, data, bytes);
	line->bytes += bytes;
}

/* Append a value that somebody else may have chosen. */
static void
line_add_value(struct line *line, const char *text)
{
	size_t bytes = strnlen(text, VALUE_BYTES_MAX + 1);
	bool cut = bytes > VALUE_BYTES_MAX;

	if (cut)
		bytes = VALUE_BYTES_MAX;
	for (size_t i = 0; i < bytes; i++) {
		unsigned char byte = (unsigned char)text[i];
		char escaped[5];

		if (byte > ' ' && byte < 0x7f && byte != '\\') {
			line_add(line, text + i, 1);
			continue;
		}
		snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
		line_add(line, escaped, 4);
	}
	if (cut)
		line_add(line, "...", 3);
}

static void
line_add_pair(struct line *line, const struct log_pair *pair)
{
	const char *name = field_names[pair->field];
	char number[24];

	line_add(line, " ", 1);
	line_add(line, name, strlen(name));
	line_add(line, "=", 1);
	if (pair->is_number) {
		snprintf(number, sizeof(number), "%" PRId64, pair->number);
		line_add_value(line, number);
	} else {
		line_add_value(line, pair->text != NULL ? pair->text : "-");
	}
}

void
log_write(enum log_level level, const char *event, const struct log_pair *pairs,
    size_t count)
{
	char prefix[3] = {'<', (char)('0' + level), '>'};
	struct line line = {.bytes = 0};
	int saved = errno;
	ssize_t written;

	assert(level >= LOG_LEVEL_ERROR && level <= LOG_LEVEL_DEBUG);
	if (level > level_max)
		return;
	line_add(&line, prefix, sizeof(prefix));
	line_add_value(&line, event);
	for (size_t i = 0; i < count; i++) {
		assert((unsigned)pairs[i].field < LOG_FIELD_COUNT_);
		line_add_pair(&line, &pairs[i]);
	}
	line.data[line.bytes++] = '\n';
	do
		written = write(STDERR_FILENO, line.data, line.bytes);
	while (written == -1 && errno == EINTR);
	errno = saved;
}

void
fatal(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("adherd: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(status);
}
