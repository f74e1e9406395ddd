#ifndef ADHERD_BASE_LOG_H
#define ADHERD_BASE_LOG_H

#include "base/mem.h"

/*
 * One line per event to stderr or to the journal, with the <N> priority prefix
 * of sd-daemon(3): "<6>worker.round count=12 gateway=sms-ali". Only the fields
 * of this enum can be printed: no name, address, drug, text or secret has one,
 * so none can be logged.  Values are cut at 200 bytes; what is not one plain
 * word stands in quotes: key="adherd write", with \" \\ and \xNN in it.
 */
enum log_field {
	LOG_FIELD_BATCH,
	LOG_FIELD_BUCKET,
	LOG_FIELD_BY, /* an operator, as adherctl --by has it */
	LOG_FIELD_CHANNEL,
	LOG_FIELD_CODE,
	LOG_FIELD_COUNT,
	LOG_FIELD_COPY,
	LOG_FIELD_DELIVERY,
	LOG_FIELD_ERROR,
	LOG_FIELD_FILE,
	LOG_FIELD_GATEWAY,
	LOG_FIELD_HELD,
	LOG_FIELD_KEY,
	LOG_FIELD_KIND,
	LOG_FIELD_LINE,
	LOG_FIELD_MS,
	LOG_FIELD_PATIENT,
	LOG_FIELD_PORT,
	LOG_FIELD_REASON,
	LOG_FIELD_SCOPE,
	LOG_FIELD_SENT,
	LOG_FIELD_SENT_UNTIL, /* an instant, RFC 3339 */
	LOG_FIELD_SIGNAL,
	LOG_FIELD_SQLSTATE,
	LOG_FIELD_STATE,
	LOG_FIELD_STATEMENT,
	LOG_FIELD_STATUS,
	LOG_FIELD_TASKS,
	LOG_FIELD_TENANT,
	LOG_FIELD_VERDICT,
	LOG_FIELD_VERSION,
	LOG_FIELD_COUNT_
};

enum log_level { /* syslog(3) numbers */
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

struct log_pair {
	enum log_field field;
	bool is_number;
	int64_t number;
	const char *text; /* for the duration of the call; NULL: "-" */
};

#define log_n(f, n) ((struct log_pair){LOG_FIELD_##f, true, (int64_t)(n), NULL})
#define log_s(f, s) ((struct log_pair){LOG_FIELD_##f, false, 0, (s)})

/*
 * At the start, before anything is opened: see to it that descriptors 0, 1
 * and 2 are open, and where stderr is the journal ($JOURNAL_STREAM) send it
 * lines as entries with fields: MESSAGE, PRIORITY, MESSAGE_ID of what alarms
 * tell of, ADHERD_EVENT, ADHERD_DELIVERY …, with the values as they are; what
 * it does not take goes to stderr.  socket_path: NULL for journald's own.
 */
void log_open(const char *socket_path);
/* Lines that nobody took: stderr is closed, full, or not read. */
uint64_t log_dropped(void);
void log_level_set(enum log_level level); /* default LOG_LEVEL_INFO */
void log_write(enum log_level level, const char *event,
    const struct log_pair *pairs, size_t count);

#define log_at(level, event, ...) \
	log_write(level, event, (const struct log_pair[]){__VA_ARGS__}, \
	    sizeof((const struct log_pair[]){__VA_ARGS__}) / \
		sizeof(struct log_pair))
#define log_error(event, ...) log_at(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_at(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_notice(event, ...) log_at(LOG_LEVEL_NOTICE, event, __VA_ARGS__)
#define log_info(event, ...) log_at(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_at(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* Start-up only: print "adherd: …" to stderr and exit with status. */
_Noreturn void fatal(int status, const char *format, ...) printf_like(2, 3);

/* Exit statuses, sysexits(3). */
enum {
	EXIT_USAGE_ = 64,
	EXIT_DEPENDENCY = 69,
	EXIT_INTERNAL = 70,
	EXIT_TRY_AGAIN = 75,
	EXIT_CONFIGURATION = 78
};

#endif
