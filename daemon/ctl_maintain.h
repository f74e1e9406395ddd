#ifndef ADHERD_CTL_MAINTAIN_H
#define ADHERD_CTL_MAINTAIN_H

#include "ctl.h"

/*
 * One run of adherctl maintain.  All of its work is idempotent and cut into
 * units that are short enough for the copies that wait for them; what cannot
 * be done now is left for the next run and counted.
 */
struct maintenance {
	struct ctl *ctl;
	int32_t today_on; /* UTC, care time */
	int64_t care_now;
	int64_t now;      /* unmoved */
	int64_t until;    /* clock_boot() when no new unit begins */
	bool at_rest;     /* no copy runs: nobody waits for us */
	int32_t compare;  /* buckets whose dossiers are compared */
	int64_t left;     /* pieces of work left for the next run */
	int64_t compared; /* dossiers */
	int64_t differing;
};

/* ---- ctl_maintain.c ---- */

/* May another unit begin?  Counts what is left where the time is over. */
must_check bool maintain_goes_on(struct maintenance *run);
/*
 * Run what fill() puts into a unit, again where what stopped it passes by
 * itself, each time after a longer wait.  fill() gets the number of tries
 * before this one.  False where it failed for good or too often: sqlstate
 * (6 bytes) says why.  Exits where no database can be reached.
 */
must_check bool maintain_unit(struct maintenance *run,
    void (*fill)(struct db_unit *unit, int tried, void *arg), void *arg,
    char *sqlstate);
/* The same for work that must not fail for good; exits with the SQLSTATE. */
must_check bool maintain_unit_or_die(struct maintenance *run,
    void (*fill)(struct db_unit *unit, int tried, void *arg), void *arg);
/*
 * Print that something was done: "deliveries deleted 12", or as JSON
 * {"what": "deliveries", "action": "deleted", "name": …, "count": 12}.
 * name may be NULL.
 */
void maintain_say(struct maintenance *run, const char *what, const char *action,
    const char *name, int64_t count);

/* ---- ctl_maintain_partitions.c ---- */

/* Partitions ahead, and those that nobody keeps any more. */
void maintain_partitions_add(struct maintenance *run);
void maintain_partitions_drop(struct maintenance *run, int32_t kept_from_on);

/* ---- ctl_maintain_rows.c ---- */

/* Old rows of everything else; drops partitions on the way. */
void maintain_rows(struct maintenance *run);

#endif
