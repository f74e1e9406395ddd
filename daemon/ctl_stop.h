#ifndef ADHERD_CTL_STOP_H
#define ADHERD_CTL_STOP_H

#include "care/stop.h"
#include "ctl.h"

/*
 * Operators' stops, as the verbs `stop`, `stop list` and `resume` speak of
 * them.
 */
struct stop_row { /* of table stop */
	struct stop stop;
	const char *tenant; /* its name; NULL: every tenant */
	const char *reason, *began_by, *ended_by;
	int64_t began_at, ended_at; /* AT_NEVER: it stands */
};

struct stop_wish {  /* the command line */
	bool named; /* something is; else the stop is empty */
	struct stop stop;
	const char *tenant;
	const char *reason, *by;
	int32_t number; /* 0: none given */
	bool yes, list;
};

/* Read the whole line; exits with the usage where it is not right. */
void stop_wish_read(struct ctl *ctl, const struct ctl_verb *verb, int argc,
    char **argv, struct stop_wish *wish);
/* --by, else whoever runs this. */
const char *stop_by(struct ctl *ctl, const char *by);
/* The rows that stand, or all of them, oldest first, in the ctl's arena. */
uint32_t stop_rows_load(
    struct ctl *ctl, bool ended_too, const struct stop_row **rows);
bool stop_same(const struct stop *a, const struct stop *b);
/* A row for people, or as a JSON line. */
void stop_row_print(struct ctl *ctl, const struct stop_row *row);

/*
 * ctl_resume.c: --yes, or a person at a terminal says so to "DEED? [y/N]".
 * false: nothing is to be done, and where nobody could be asked that was
 * said.
 */
must_check bool resume_confirmed(bool yes, const char *deed);

/* ctl_assume.c: resume --assume-sent-until TIME [--yes] [--by NAME]. */
int ctl_assume_sent(struct ctl *ctl, int argc, char **argv);

#endif
