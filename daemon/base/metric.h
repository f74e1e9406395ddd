#ifndef ADHERD_BASE_METRIC_H
#define ADHERD_BASE_METRIC_H

#include "base/buf.h"

/*
 * Numbers about this process, for Prometheus.  One registry, a row of the
 * table in metric.c for each metric.  Label values are names from the
 * configuration or words of our own, never anything of a patient; a metric
 * has a fixed number of label sets, and what does not fit is counted under
 * "other".  Nothing is allocated but a label set, when it is first seen.
 */
enum metric {
	/* the process */
	METRIC_BUILD_INFO,
	METRIC_PROCESS_START,
	METRIC_PROCESS_CPU,
	METRIC_PROCESS_RESIDENT,
	METRIC_PROCESS_OPEN_FDS,
	METRIC_PROCESS_MAX_FDS,
	METRIC_LOOP_LAG,
	METRIC_LOG_DROPPED,
	/* what it may do */
	METRIC_SENDING_PAUSED,
	METRIC_CLOCK_WALL_AHEAD,
	METRIC_CLOCK_DATABASE_GAP,
	METRIC_DATABASE_UP,
	METRIC_DATABASE_RECONNECTS,
	METRIC_DATABASE_BEHIND,
	METRIC_GATHER_AGE,
	/* the way of a reminder */
	METRIC_ROUNDS,
	METRIC_ROUNDS_FAILED,
	METRIC_LOOKS,
	METRIC_PLANNING_CPU,
	METRIC_DOSSIERS_UNREADABLE,
	METRIC_LAG,
	METRIC_SEND_TIME,
	METRIC_MESSAGES,
	METRIC_GIVEN_BACK,
	METRIC_OUTCOME_WRITES_FAILED,
	METRIC_BATCHES_TAKEN_OVER,
	METRIC_ORPHANS,
	METRIC_CALLBACKS,
	METRIC_RECEIPTS_UNMATCHED,
	METRIC_REPLIES,
	METRIC_ESCALATIONS,
	METRIC_DOOR_REFUSED,
	METRIC_HTTP_CALLS_FAILED,
	/* gateways */
	METRIC_GATEWAY_WINDOW,
	METRIC_GATEWAY_ROOM,
	METRIC_GATEWAY_IN_FLIGHT,
	METRIC_GATEWAY_QUEUED,
	METRIC_GATEWAY_PAUSED,
	METRIC_GATEWAY_PAUSED_FOR,
	METRIC_GATEWAY_BREAKER_OPEN,
	METRIC_GATEWAY_QUOTA,
	METRIC_GATEWAY_QUOTA_LEFT,
	METRIC_GATEWAY_BUDGET_RATIO,
	METRIC_GATEWAY_BALANCE,
	METRIC_GATEWAY_BALANCE_LOW,
	METRIC_GATEWAY_TOKEN_EXPIRES,
	METRIC_GATEWAY_PARKED,
	METRIC_PAUSES,
	/* as the database has it, for all copies */
	METRIC_AGENDA_LATE,
	METRIC_SET_ASIDE,
	METRIC_SENDING_OLDEST,
	METRIC_BATCHES,
	METRIC_BATCHES_LAPSED,
	METRIC_COPIES,
	METRIC_INBOX_RECEIPTS,
	METRIC_INBOX_REPLY_OLDEST,
	METRIC_TASKS_OPEN,
	METRIC_TASKS_OLDEST,
	METRIC_STOPS,
	METRIC_PARTITIONS_AHEAD,
	METRIC_DOSSIER_DIFFERENCES,
	METRIC_MAINTENANCE_AGE,
	METRIC_COUNT
};

/* Labels in the order of the metric's row; NULL for those it has not. */
void metric_add(
    enum metric metric, const char *label1, const char *label2, double n);
void metric_set(
    enum metric metric, const char *label1, const char *label2, double value);
void metric_observe(enum metric metric, const char *label1, double value);
/* Forget its label sets: what is not known is not shown. */
void metric_clear(enum metric metric);
/* 0 where there is no such label set; of a histogram the count. */
double metric_value(enum metric metric, const char *label1, const char *label2);
/* All of them in text format 0.0.4, metrics without a value as a heading. */
void metric_expose(struct buf *text);

#endif
