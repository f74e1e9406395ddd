#ifndef ADHERD_CTL_VECTORS_H
#define ADHERD_CTL_VECTORS_H

#include "base/json.h"
#include "base/zone.h"
#include "ctl.h"

/*
 * The pure verbs' way in and out: vectors on stdin, as an object with
 * `vectors`, an array, one alone, or several values one after the other
 * (JSON lines); one JSON line of answer for each.
 */
struct vector {
	const struct json *json; /* an object */
	const struct json *file; /* the object that holds `vectors`; or NULL */
	struct arena *arena;     /* of this vector */
	struct json_writer *out; /* the answer, open after its id */
	bool silent;             /* no line for this one */
};

/* Write the rest of one answer. */
typedef void vector_answer(struct vector *vector);

/*
 * Answer all of stdin.  Exit status: 0, or EXIT_DATA where there was no
 * JSON at all.  Exits where the input is over its bounds.
 */
int vectors_answer(struct ctl *ctl, vector_answer *answer);
/* "error": {"code", "at"}, and "message" for people. */
void vector_refuse(
    struct vector *vector, const char *code, const char *at, const char *text);
/*
 * A date in the zone (local midnight) or an instant; has_time may be NULL.
 * False, refused, where it is neither, or absent.
 */
must_check bool vector_moment(struct vector *vector, const struct json *json,
    const char *at, const struct zone *zone, int64_t *moment, bool *has_time);

#endif
