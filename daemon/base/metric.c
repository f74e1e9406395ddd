/*
 * The registry of metrics.  Owns the label sets of every metric from their
 * first use to the end of the process; a cleared one keeps its memory.  One
 * thread, no I/O.
 */
#include "base/metric.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 2
#define LABEL_BYTES_MAX 64
#define SETS_MAX 256  /* label sets of one metric */
#define BOUNDS_MAX 16 /* of a histogram, +Inf not counted */
#define OTHER "other"

enum type { COUNTER, GAUGE, HISTOGRAM };

struct row {
	const char *name; /* behind adherd_ */
	enum type type;
	const char *labels[LABELS_MAX];
	const double *bounds; /* of a histogram, rising, ended by INFINITY */
	const char *help;
};

static const double latency_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, INFINITY};
/* from a claim ahead of time to a night's outage */
static const double lag_bounds[] = {0.001, 0.01, 0.1, 0.5, 1, 2, 5, 15, 60, 300,
    900, 3600, 14400, 86400, INFINITY};

static const struct row rows[METRIC_COUNT] = {
    [METRIC_BUILD_INFO] = {"build_info", GAUGE, {"version"}, NULL,
	"The version that runs; always 1."},
    [METRIC_PROCESS_START] = {"process_start_time_seconds", GAUGE, {0}, NULL,
	"When the process began, in seconds since 1970."},
    [METRIC_PROCESS_CPU] = {"process_cpu_seconds_total", COUNTER, {0}, NULL,
	"Processor time that the process used."},
    [METRIC_PROCESS_RESIDENT] = {"process_resident_memory_bytes", GAUGE, {0},
	NULL, "Resident memory of the process."},
    [METRIC_PROCESS_OPEN_FDS] = {"process_open_fds", GAUGE, {0}, NULL,
	"Descriptors that the process has open."},
    [METRIC_PROCESS_MAX_FDS] = {"process_max_fds", GAUGE, {0}, NULL,
	"Descriptors that the process may open."},
    [METRIC_LOOP_LAG] = {"event_loop_lag_seconds", HISTOGRAM, {0},
	latency_bounds,
	"How much later than asked for a timer of the event loop fired."},
    [METRIC_LOG_DROPPED] = {"log_lines_dropped_total", COUNTER, {0}, NULL,
	"Log lines that nobody took."},

    [METRIC_SENDING_PAUSED] = {"sending_paused", GAUGE, {"reason"}, NULL,
	"1 while this copy sends nothing for that reason."},
    [METRIC_CLOCK_WALL_AHEAD] = {"clock_wall_ahead_seconds", GAUGE, {0}, NULL,
	"Wall clock of the machine minus the database's time."},
    [METRIC_CLOCK_DATABASE_GAP] = {"clock_database_gap_seconds", GAUGE, {0},
	NULL, "The database's time minus ours, while it is not followed."},
    [METRIC_DATABASE_UP] = {"database_up", GAUGE, {"connection"}, NULL,
	"1 while that connection to the database is usable."},
    [METRIC_DATABASE_RECONNECTS] = {"database_reconnects_total", COUNTER,
	{"connection"}, NULL,
	"Connections to the database that were made anew after a loss."},
    [METRIC_DATABASE_BEHIND] = {"database_behind", GAUGE, {0}, NULL,
	"1 while the database lacks what this copy remembers to have sent."},
    [METRIC_GATHER_AGE] = {"database_metrics_age_seconds", GAUGE, {0}, NULL,
	"How old the numbers are that come from the database."},

    [METRIC_ROUNDS] = {"rounds_total", COUNTER, {0}, NULL,
	"Rounds that found somebody to look at."},
    [METRIC_ROUNDS_FAILED] = {"rounds_failed_total", COUNTER, {0}, NULL,
	"Rounds that the database refused; their people come again."},
    [METRIC_LOOKS] = {"looks_total", COUNTER, {0}, NULL, "People looked at."},
    [METRIC_PLANNING_CPU] = {"planning_cpu_seconds_total", COUNTER, {0}, NULL,
	"CPU time of looks: dossiers, plans, texts, rows to write."},
    [METRIC_DOSSIERS_UNREADABLE] = {"dossiers_unreadable_total", COUNTER, {0},
	NULL, "Looks at people whose dossier cannot be read."},
    [METRIC_LAG] = {"lag_seconds", HISTOGRAM, {0}, lag_bounds,
	"From the instant a message was due to its first leaving."},
    [METRIC_SEND_TIME] = {"send_seconds", HISTOGRAM, {"gateway"},
	latency_bounds, "From a request's leaving to its outcome."},
    [METRIC_MESSAGES] = {"messages_total", COUNTER, {"gateway", "outcome"},
	NULL, "Messages that left, by what the provider made of them."},
    [METRIC_GIVEN_BACK] = {"messages_given_back_total", COUNTER,
	{"gateway", "reason"}, NULL,
	"Messages that were planned and then did not leave."},
    [METRIC_OUTCOME_WRITES_FAILED] = {"outcome_writes_failed_total", COUNTER,
	{0}, NULL, "Writes of outcomes that are tried again."},
    [METRIC_BATCHES_TAKEN_OVER] = {"batches_taken_over_total", COUNTER, {0},
	NULL, "Rounds whose owner did not finish them in time."},
    [METRIC_ORPHANS] = {"orphans_total", COUNTER, {0}, NULL,
	"Messages that became unknown when their round was taken over."},
    [METRIC_CALLBACKS] = {"callbacks_total", COUNTER, {"gateway", "status"},
	NULL, "Callbacks, by what became of them."},
    [METRIC_RECEIPTS_UNMATCHED] = {"receipts_unmatched_total", COUNTER, {0},
	NULL, "Receipts that were given up: they fit no message."},
    [METRIC_REPLIES] = {"replies_total", COUNTER, {"label"}, NULL,
	"Replies, by what they were taken for; unmatched: a stranger's."},
    [METRIC_ESCALATIONS] = {"escalations_total", COUNTER, {"to"}, NULL,
	"Tasks that the care team was told of: team, doctor or nobody."},
    [METRIC_DOOR_REFUSED] = {"http_door_refused_total", COUNTER, {"reason"},
	NULL, "Requests and connections refused before any handler saw them."},
    [METRIC_HTTP_CALLS_FAILED] = {"http_calls_failed_total", COUNTER,
	{"reason"}, NULL, "Our requests to others that had no whole answer."},

    [METRIC_GATEWAY_WINDOW] = {"gateway_window", GAUGE, {"gateway"}, NULL,
	"Requests that may be on their way at once."},
    [METRIC_GATEWAY_ROOM] = {"gateway_room", GAUGE, {"gateway"}, NULL,
	"Messages that may be planned for it; 0: its lane is closed."},
    [METRIC_GATEWAY_IN_FLIGHT] = {"gateway_in_flight", GAUGE, {"gateway"}, NULL,
	"Requests on their way."},
    [METRIC_GATEWAY_QUEUED] = {"gateway_queued", GAUGE, {"gateway"}, NULL,
	"Messages planned and not yet answered."},
    [METRIC_GATEWAY_PAUSED] = {"gateway_paused", GAUGE, {"gateway"}, NULL,
	"1 while nothing is sent through it."},
    [METRIC_GATEWAY_PAUSED_FOR] = {"gateway_pauses_total", COUNTER,
	{"gateway", "reason"}, NULL,
	"Pauses that this copy began: slower, failed, refused."},
    [METRIC_GATEWAY_BREAKER_OPEN] = {"gateway_breaker_open", GAUGE, {"gateway"},
	NULL, "1 while only a probe is sent now and then."},
    [METRIC_GATEWAY_QUOTA] = {"gateway_quota", GAUGE, {"gateway"}, NULL,
	"Messages that the account may send a day."},
    [METRIC_GATEWAY_QUOTA_LEFT] = {"gateway_quota_left", GAUGE, {"gateway"},
	NULL, "Messages that the account may still send today."},
    [METRIC_GATEWAY_BUDGET_RATIO] = {"gateway_budget_ratio", GAUGE, {"gateway"},
	NULL, "Part of the account's budget that is spent, 1: all."},
    [METRIC_GATEWAY_BALANCE] = {"gateway_balance", GAUGE, {"gateway"}, NULL,
	"What the provider says is left on the account, in its own unit."},
    [METRIC_GATEWAY_BALANCE_LOW] = {"gateway_balance_low", GAUGE, {"gateway"},
	NULL, "Below that the balance is an alarm: the setting balance-low."},
    [METRIC_GATEWAY_TOKEN_EXPIRES] = {"gateway_token_expires_in_seconds", GAUGE,
	{"gateway"}, NULL, "How long the provider's token still lasts."},
    [METRIC_GATEWAY_PARKED] = {"gateway_parked", GAUGE, {"gateway"}, NULL,
	"People who wait for its room, counted up to 10,000."},
    [METRIC_PAUSES] = {"gateway_pauses", GAUGE, {"gateway", "scope"}, NULL,
	"Pauses that stand: of the gateway, of senders, of templates."},

    [METRIC_AGENDA_LATE] = {"agenda_late_seconds", GAUGE, {"class"}, NULL,
	"How long the person who is due longest has been due."},
    [METRIC_SET_ASIDE] = {"people_set_aside", GAUGE, {0}, NULL,
	"People whose planning failed, counted up to 10,000."},
    [METRIC_SENDING_OLDEST] = {"sending_oldest_seconds", GAUGE, {0}, NULL,
	"How long the oldest round of sending has been under way."},
    [METRIC_BATCHES] = {"batches", GAUGE, {0}, NULL,
	"Rounds of sending under way, of all copies."},
    [METRIC_BATCHES_LAPSED] = {"batches_lapsed", GAUGE, {0}, NULL,
	"Rounds past their lease that nobody has taken over yet."},
    [METRIC_COPIES] = {"copies", GAUGE, {"state"}, NULL,
	"Copies alive, silent without a goodbye, of a name that another has."},
    [METRIC_INBOX_RECEIPTS] = {"inbox_receipts", GAUGE, {"state"}, NULL,
	"Receipts not yet worked on, and unknown ones, up to 10,000 each."},
    [METRIC_INBOX_REPLY_OLDEST] = {"inbox_reply_oldest_seconds", GAUGE, {0},
	NULL, "How long the oldest reply waits that nothing was made of yet."},
    [METRIC_TASKS_OPEN] = {"tasks_open", GAUGE, {"urgency"}, NULL,
	"Tasks that nobody has done, counted up to 10,000."},
    [METRIC_TASKS_OLDEST] = {"tasks_oldest_seconds", GAUGE, {"urgency"}, NULL,
	"How long the oldest open task has been due."},
    [METRIC_STOPS] = {"stops", GAUGE, {0}, NULL,
	"Operators' stops that stand."},
    [METRIC_PARTITIONS_AHEAD] = {"partitions_ahead_seconds", GAUGE, {0}, NULL,
	"How far ahead days have a partition for their deliveries."},
    [METRIC_DOSSIER_DIFFERENCES] = {"dossier_differences", GAUGE, {0}, NULL,
	"Dossiers that differed from the tables at the last check."},
    [METRIC_MAINTENANCE_AGE] = {"maintenance_age_seconds", GAUGE, {0}, NULL,
	"How long ago adherctl maintain was done."},
};

struct series {
	char labels[LABELS_MAX][LABEL_BYTES_MAX];
	bool shown;
	double value;                    /* of a histogram the sum */
	uint64_t counts[BOUNDS_MAX + 1]; /* not yet added up */
	struct series *next;
};

static struct series *first[METRIC_COUNT];

/* ---- counting ---- */

/* As far as it fits; a name that long is cut, not refused. */
static void
copy_label(char to[LABEL_BYTES_MAX], const char *label)
{
	size_t bytes = label == NULL ? 0 : strnlen(label, LABEL_BYTES_MAX - 1);

	if (bytes > 0)
		memcpy(to, label, bytes);
	to[bytes] = '\0';
}

static bool
same_label(const char *kept, const char *label)
{
	return strncmp(kept, label == NULL ? "" : label, LABEL_BYTES_MAX - 1) ==
	       0;
}

static bool
is_other(const char *label1, const char *label2)
{
	return same_label(OTHER, label1) &&
	       (label2 == NULL || same_label(OTHER, label2));
}

/* The label set; NULL where it is new and make is false. */
static struct series *
find(enum metric metric, const char *label1, const char *label2, bool make)
{
	struct series **link = &first[metric];
	const struct row *row = &rows[metric];
	size_t count = 0;

	assert((unsigned)metric < METRIC_COUNT);
	assert((label1 != NULL) == (row->labels[0] != NULL));
	assert((label2 != NULL) == (row->labels[1] != NULL));
	for (; *link != NULL; link = &(*link)->next, count++)
		if (same_label((*link)->labels[0], label1) &&
		    same_label((*link)->labels[1], label2))
			return *link;
	if (!make)
		return NULL;
	/* the last place is kept for all that has none */
	if (count + 1 >= SETS_MAX && !is_other(label1, label2))
		return find(
		    metric, OTHER, row->labels[1] == NULL ? NULL : OTHER, true);
	*link = mem_alloc(sizeof(**link));
	copy_label((*link)->labels[0], label1);
	copy_label((*link)->labels[1], label2);
	return *link;
}

void
metric_add(enum metric metric, const char *label1, const char *label2, double n)
{
	struct series *series = find(metric, label1, label2, true);

	assert(rows[metric].type == COUNTER && n >= 0);
	series->value += n;
	series->shown = true;
}

void
metric_set(
    enum metric metric, const char *label1, const char *label2, double value)
{
	struct series *series = find(metric, label1, label2, true);

	assert(rows[metric].type != HISTOGRAM);
	series->value = value;
	series->shown = true;
}

void
metric_observe(enum metric metric, const char *label1, double value)
{
	struct series *series = find(metric, label1, NULL, true);
	const double *bounds = rows[metric].bounds;
	size_t i = 0;

	assert(rows[metric].type == HISTOGRAM);
	while (value > bounds[i])
		i++;
	series->counts[i]++;
	series->value += value;
	series->shown = true;
}

void
metric_clear(enum metric metric)
{
	for (struct series *each = first[metric]; each != NULL;
	     each = each->next) {
		each->shown = false;
		each->value = 0;
	}
}

double
metric_value(enum metric metric, const char *label1, const char *label2)
{
	const struct series *series = find(metric, label1, label2, false);
	uint64_t count = 0;

	if (series == NULL || rows[metric].type != HISTOGRAM)
		return series == NULL ? 0 : series->value;
	for (size_t i = 0; i <= BOUNDS_MAX; i++)
		count += series->counts[i];
	return (double)count;
}

/* ---- telling ---- */

/* name="value", as the text format quotes it. */
static void
write_label(struct buf *text, char before, const char *name, const char *value)
{
	buf_char(text, before);
	buf_text(text, name);
	buf_text(text, "=\"");
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			buf_text(text, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			buf_char(text, '\\');
		buf_char(text, *value);
	}
	buf_char(text, '"');
}

static void
write_number(struct buf *text, double value)
{
	if (isnan(value))
		buf_text(text, "NaN");
	else if (isinf(value))
		buf_text(text, value > 0 ? "+Inf" : "-Inf");
	else if (fabs(value) < 1e15 && value == floor(value))
		buf_printf(text, "%.0f", value);
	else
		buf_printf(text, "%.9g", value);
}

/* One line: name, suffix, the series' labels and a histogram's bound. */
static void
write_sample(struct buf *text, const struct row *row,
    const struct series *series, const char *suffix, const double *bound,
    double value)
{
	char before = '{';

	buf_printf(text, "adherd_%s%s", row->name, suffix);
	for (size_t i = 0; i < LABELS_MAX && row->labels[i] != NULL; i++) {
		write_label(text, before, row->labels[i], series->labels[i]);
		before = ',';
	}
	if (bound != NULL) {
		buf_printf(text, "%cle=\"", before);
		write_number(text, *bound);
		buf_char(text, '"');
		before = ',';
	}
	buf_text(text, before == ',' ? "} " : " ");
	write_number(text, value);
	buf_char(text, '\n');
}

static void
write_histogram(
    struct buf *text, const struct row *row, const struct series *series)
{
	uint64_t count = 0;

	for (size_t i = 0;; i++) {
		count += series->counts[i];
		write_sample(text, row, series, "_bucket", &row->bounds[i],
		    (double)count);
		if (isinf(row->bounds[i]))
			break;
	}
	write_sample(text, row, series, "_sum", NULL, series->value);
	write_sample(text, row, series, "_count", NULL, (double)count);
}

static void
write_series(
    struct buf *text, const struct row *row, const struct series *series)
{
	static const struct series nothing = {.value = 0};

	/* a count begins at 0, so that its first step is one */
	if (series == NULL && row->type == COUNTER && row->labels[0] == NULL)
		write_sample(text, row, &nothing, "", NULL, 0);
	for (; series != NULL; series = series->next) {
		if (!series->shown)
			continue;
		if (row->type == HISTOGRAM)
			write_histogram(text, row, series);
		else
			write_sample(
			    text, row, series, "", NULL, series->value);
	}
}

void
metric_expose(struct buf *text)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct row *row = &rows[i];

		buf_printf(text, "# HELP adherd_%s %s\n# TYPE adherd_%s %s\n",
		    row->name, row->help, row->name, types[row->type]);
		write_series(text, row, first[i]);
	}
}
