#ifndef ADHERD_CARE_FINDING_H
#define ADHERD_CARE_FINDING_H

#include "base/conf.h"

/*
 * What is wrong with files that people write: all of it, not the first.
 * An error keeps the daemon from using the file; a warning is for a person
 * to judge.
 */
enum severity { SEVERITY_ERROR = 1, SEVERITY_WARNING };

struct place {
	const char *file;
	int line;   /* 0: the file as a whole */
	int column; /* in bytes from 1; 0: the line as a whole */
};

struct finding {
	struct place place;
	enum severity severity;
	const char *rule; /* "unknown-variable": a fixed word */
	const char *text;
};

struct findings {
	struct arena *arena; /* of the texts; places are borrowed */
	struct list list;    /* struct finding */
	uint32_t error_count;
};

void findings_init(struct findings *findings, struct arena *arena);
void findings_add(struct findings *findings, const struct place *place,
    enum severity severity, const char *rule, const char *format, ...)
    printf_like(5, 6);
/* By file, line and column; what stands at one place keeps its order. */
void findings_sort(struct findings *findings);
/* 0 without errors, else -1 and the first one as "FILE:LINE: TEXT". */
must_check int findings_fail(
    const struct findings *findings, struct conf_error *error);
const char *severity_word(enum severity severity); /* "error" */

#endif
