/*
 * Log lines to stderr, or to the journal with a field for each value.
 *
 * Only values of enum log_field can be printed.  In a line they are plain
 * ASCII, in quotes where they are more than one plain word; what could forge
 * a line or a terminal's state is written \xNN.  The journal's own fields
 * hold the value as it is, with its length where it is not plain.
 * A line is one write(2), so that lines of several copies do not mix; if
 * nobody reads them, they are lost and counted, and the work goes on.  Owns
 * the socket to the journal; allocates nothing.
 */
#include "base/log.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fault.h"

#define LINE_BYTES_MAX 4096 /* PIPE_BUF: all of a line, or nothing */
#define ENTRY_BYTES_MAX (4 * LINE_BYTES_MAX)
#define VALUE_BYTES_MAX 200
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static const char *const field_names[LOG_FIELD_COUNT_] = {
    [LOG_FIELD_BATCH] = "batch",
    [LOG_FIELD_BUCKET] = "bucket",
    [LOG_FIELD_BY] = "by",
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
    [LOG_FIELD_SENT_UNTIL] = "sent_until",
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

/*
 * What an alarm or an operator looks for keeps its id for ever: `journalctl
 * MESSAGE_ID=…`.
 */
static const struct {
	const char *event, *id;
} message_ids[] = {
    {"account.ask_failed", "45fd202931ce45a7839c1a346fba1314"},
    {"account.budget_low", "0c19c56c8f3e4807a9abacd2a2974047"},
    {"account.quota_again", "17c4aef10cdb40c0807ed76c3d6ad578"},
    {"account.quota_spent", "e82630a0f9cd45be86c13fb6f6ae4636"},
    {"batch.damaged", "d1ac460d4c824e6288404264510ca877"},
    {"batch.take_over_failed", "7c7220239b0e462ca3d9ecf64c03736c"},
    {"batch.taken_over", "04450f87977c44459240a2f2e0f433c5"},
    {"callback.refused", "d4f6db5d9feb4d6088a4b2184a706af4"},
    {"clock.agrees", "97c90c4ca49245bb93e3343d3ecd15bd"},
    {"clock.apart", "81ebb354498145f38136b01d02364b4b"},
    {"clock.moved", "7f0d11237f744caf9bb20a8271542ec4"},
    {"copy.named_twice", "2c7e3481b41e43b6adf9f09f905cc9f6"},
    {"database.behind", "8aed5799985d4865ae7139901eb9bd5c"},
    {"database.settled", "aed6590e914b4794b91732338fae4077"},
    {"db.down", "1c00ed6650d64503b5a4e0d04ae4f4c3"},
    {"db.ready", "952fe8cf957348b4a91e84c05931c2ce"},
    {"dossier.unreadable", "6850e7078afd490f8b6ab923baf87d25"},
    {"gateway.balance_enough", "24311b31adc84828b7229f5ca399d1d0"},
    {"gateway.balance_low", "8151ae4ba8ee4a8f9f18f5ef2730f943"},
    {"gateway.paused", "e494a78ee3f54e2d8519f0750a57cbaa"},
    {"gateway.quarantined", "db0717cf5d20476480bda9c0b6fc2f16"},
    {"gateway.resumed", "3c0d4608640b4c15a30f5b55a28dc908"},
    {"gateway.url_refused", "fb7b694fd5794284801c901677ebfc24"},
    {"inbox.store_failed", "95368683c9be4202b4a618c6a12edb73"},
    {"inbox.stores_again", "05522f64292246bdb51bce928dda7fd9"},
    {"inbox.work_failed", "ee70c647a1c548aa99dbe3fba417d834"},
    {"intake.failed", "29c18e1612b746e8856b312e5e1334d2"},
    {"message.load_failed", "30315a93c1214fd1b32462952e306a5c"},
    {"metrics.refused", "efdc087995e5486b896152fc19ae1a17"},
    {"outcome.write_failed", "2212172203d3428cae063f9fa254b70b"},
    {"program.refused", "1c241696f74b457a81467b5d07e785ca"},
    {"ready", "535c57d9140b4652b6f9754b9f9e04de"},
    {"reload.done", "4655fea1e77246e18006c0019c6a2af4"},
    {"reload.refused", "51b660a237b44e2a8ba4071b86af62ae"},
    {"reply.stranger_in_danger", "f5547b692498fc88bde39288ae366430"},
    {"reply.work_failed", "3f6e51424f0391b2615628d0f8726065"},
    {"stopped", "a29b7fff8c0449f994027142a186e2cb"},
    {"stopping", "6f5fce857ca1496b9b1ecd54fb9e88c5"},
    {"stops.changed", "c2feb9e7ce174957b4c17b0a788b8794"},
    {"template.unapproved", "e6b6e4e9e3c94e4493bd68c7510b6d1f"},
    {"worker.commit_in_doubt", "793f3ca2f19b4abd849fecf9c86e3cd8"},
    {"worker.round_failed", "cfdcba01138a4fb08e2f7c361cf35698"},
    {"worker.set_aside", "5098bf27803447969108860bd790e809"},
};

static enum log_level level_max = LOG_LEVEL_INFO;
static int journal = -1; /* stderr is not the journal */
static struct sockaddr_un journal_address;
static uint64_t dropped;

struct line {
	char data[ENTRY_BYTES_MAX];
	size_t bytes;
	size_t bytes_max;
};

/* ---- opening ---- */

/* $JOURNAL_STREAM names the device and inode of the stream we were given. */
static bool
is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream != NULL &&
	       sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(fd, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void
log_open(const char *socket_path)
{
	int fd;

	/* else the next file opened would be taken for stderr */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	if (journal != -1)
		close(journal);
	journal = -1;
	if (socket_path == NULL)
		socket_path = JOURNAL_SOCKET;
	if (!is_journal(STDERR_FILENO) ||
	    strlen(socket_path) >= sizeof(journal_address.sun_path))
		return;
	journal_address.sun_family = AF_UNIX;
	memcpy(journal_address.sun_path, socket_path, strlen(socket_path) + 1);
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

uint64_t
log_dropped(void)
{
	return dropped;
}

void
log_level_set(enum log_level level)
{
	level_max = level;
}

/* ---- lines ---- */

static void
line_init(struct line *line, size_t bytes_max)
{
	line->bytes = 0;
	line->bytes_max = bytes_max;
}

/* Append, as far as it fits with the newline. */
static void
line_add(struct line *line, const char *data, size_t bytes)
{
	size_t room = line->bytes_max - 1 - line->bytes;

	if (bytes > room)
		bytes = room;
	memcpy(line->data + line->bytes, data, bytes);
	line->bytes += bytes;
}

static void
line_add_text(struct line *line, const char *text)
{
	line_add(line, text, strlen(text));
}

/* A value, cut: valid as long as *number. */
struct value {
	const char *text;
	size_t bytes;
	bool cut;
};

#define NUMBER_BYTES 24

static struct value
value_of(const struct log_pair *pair, char number[NUMBER_BYTES])
{
	const char *text = pair->text != NULL ? pair->text : "-";
	size_t bytes;

	if (pair->is_number) {
		snprintf(number, NUMBER_BYTES, "%" PRId64, pair->number);
		text = number;
	}
	bytes = strnlen(text, VALUE_BYTES_MAX + 1);
	return bytes > VALUE_BYTES_MAX
		   ? (struct value){text, VALUE_BYTES_MAX, true}
		   : (struct value){text, bytes, false};
}

static bool
is_printable(unsigned char byte)
{
	return byte >= ' ' && byte < 0x7f;
}

/* One word, which can be told from the next pair without quotes. */
static bool
is_word(const struct value *value)
{
	for (size_t i = 0; i < value->bytes; i++) {
		unsigned char byte = (unsigned char)value->text[i];

		if (!is_printable(byte) || strchr(" \"\\=", byte) != NULL)
			return false;
	}
	return value->bytes > 0;
}

/* Append a value that somebody else may have chosen. */
static void
line_add_value(struct line *line, const struct value *value)
{
	bool word = is_word(value);
	char escaped[5];

	if (!word)
		line_add(line, "\"", 1);
	for (size_t i = 0; i < value->bytes; i++) {
		unsigned char byte = (unsigned char)value->text[i];

		if (byte == '"' || byte == '\\')
			line_add(line, "\\", 1);
		if (is_printable(byte)) {
			line_add(line, value->text + i, 1);
			continue;
		}
		snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
		line_add(line, escaped, 4);
	}
	if (value->cut)
		line_add(line, "...", 3);
	if (!word)
		line_add(line, "\"", 1);
}

static void
line_add_pair(struct line *line, const struct log_pair *pair)
{
	char number[NUMBER_BYTES];
	struct value value = value_of(pair, number);

	line_add(line, " ", 1);
	line_add_text(line, field_names[pair->field]);
	line_add(line, "=", 1);
	line_add_value(line, &value);
}

/* ---- the journal ---- */

/*
 * A field (systemd.io/JOURNAL_NATIVE_PROTOCOL): NAME=value and a line end,
 * or, where the value might hold one, NAME, a line end, the value's length in
 * eight bytes, the least first, and the value.
 */
static void
entry_add_field(struct line *entry, const char *name, const struct value *value)
{
	static const char dots[] = "...";
	size_t bytes = value->bytes + (value->cut ? strlen(dots) : 0);
	bool plain = true;

	for (size_t i = 0; i < value->bytes; i++)
		plain &= is_printable((unsigned char)value->text[i]);
	line_add_text(entry, name);
	line_add(entry, plain ? "=" : "\n", 1);
	for (unsigned i = 0; i < 8 && !plain; i++)
		line_add(entry, &(char){(char)((uint64_t)bytes >> (8 * i))}, 1);
	line_add(entry, value->text, value->bytes);
	line_add(entry, dots, value->cut ? strlen(dots) : 0);
	line_add(entry, "\n", 1);
}

/* The value as it is; what does not fit as a whole is left out. */
static void
entry_add_pair(struct line *entry, const struct log_pair *pair)
{
	char number[NUMBER_BYTES], name[32] = "ADHERD_";
	struct value value = value_of(pair, number);
	size_t begin = entry->bytes, at = strlen(name);

	for (const char *c = field_names[pair->field];
	     *c != '\0' && at < sizeof(name) - 1; c++)
		name[at++] = (char)toupper((unsigned char)*c);
	entry_add_field(entry, name, &value);
	if (entry->bytes == entry->bytes_max - 1)
		entry->bytes = begin;
}

static void
entry_add_head(struct line *entry, enum log_level level, const char *event)
{
	char head[64];

	snprintf(head, sizeof(head), "PRIORITY=%d\nSYSLOG_IDENTIFIER=adherd\n",
	    (int)level);
	line_add_text(entry, head);
	for (size_t i = 0; i < COUNT(message_ids); i++)
		if (strcmp(message_ids[i].event, event) == 0) {
			line_add_text(entry, "MESSAGE_ID=");
			line_add_text(entry, message_ids[i].id);
			line_add(entry, "\n", 1);
		}
	line_add_text(entry, "ADHERD_EVENT=");
	line_add_text(entry, event);
	line_add_text(entry, "\nMESSAGE=");
}

/* message is the line without prefix and newline.  False: not taken. */
static bool
journal_send(enum log_level level, const char *event,
    const struct log_pair *pairs, size_t count, const char *message,
    size_t bytes)
{
	struct line entry;
	ssize_t sent;

	line_init(&entry, ENTRY_BYTES_MAX);
	entry_add_head(&entry, level, event);
	line_add(&entry, message, bytes);
	line_add(&entry, "\n", 1);
	for (size_t i = 0; i < count; i++)
		entry_add_pair(&entry, &pairs[i]);
	do
		sent = sendto(journal, entry.data, entry.bytes,
		    MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)&journal_address,
		    sizeof(journal_address));
	while (sent == -1 && errno == EINTR);
	return sent == (ssize_t)entry.bytes;
}

/* ---- writing ---- */

/*
 * Never wait for a reader: a pipe that says that it is writable takes a
 * whole line.
 */
static bool
stderr_write(const struct line *line)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t written;

	if (fault_fails(WRITE))
		return false;
	if (poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0)
		return false;
	do
		written = write(STDERR_FILENO, line->data, line->bytes);
	while (written == -1 && errno == EINTR);
	return written == (ssize_t)line->bytes;
}

void
log_write(enum log_level level, const char *event, const struct log_pair *pairs,
    size_t count)
{
	char prefix[3] = {'<', (char)('0' + level), '>'};
	struct line line;
	int saved = errno;

	assert(level >= LOG_LEVEL_ERROR && level <= LOG_LEVEL_DEBUG);
	if (level > level_max)
		return;
	line_init(&line, LINE_BYTES_MAX);
	line_add(&line, prefix, sizeof(prefix));
	line_add_text(&line, event);
	for (size_t i = 0; i < count; i++) {
		assert((unsigned)pairs[i].field < LOG_FIELD_COUNT_);
		line_add_pair(&line, &pairs[i]);
	}
	if (journal == -1 ||
	    !journal_send(level, event, pairs, count,
		line.data + sizeof(prefix), line.bytes - sizeof(prefix))) {
		line.data[line.bytes++] = '\n';
		if (!stderr_write(&line))
			dropped++;
	}
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
