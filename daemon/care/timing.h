#ifndef ADHERD_CARE_TIMING_H
#define ADHERD_CARE_TIMING_H

#include "base/json.h"
#include "care/dossier.h"

/*
 * FHIR Timing to instants: the reference expansion of fhir.md 3.5.
 */
struct timing; /* a compiled rule, immutable, in its arena */

struct timing_error {
	const char *code; /* "invariant", "value", "structure" */
	const char *at;   /* "repeat.durationUnit", in the arena or fixed */
	char text[160];
};

/* NULL with *error for what breaks an invariant (tim-1 to 10) or the shape. */
must_check const struct timing *timing_parse(
    const struct json *timing, struct arena *arena, struct timing_error *error);
struct shorthand {                   /* what a text says; all in the arena */
	const struct timing *timing; /* NULL: not clear */
	bool as_needed;              /* prn, sos */
	int64_t dose_micro;          /* each time; -1: not said */
	const char *dose_unit;       /* as written, like the next; NULL */
	const char *route;
	const char *method;  /* "冲服" */
	const char *reason;  /* what it is needed for: "疼痛时" */
	const char *confirm; /* words whose usual reading somebody confirms */
	const char *review;  /* why a person must look at it, with the words */
};
/*
 * Chinese and Latin shorthand (fhir.md 3.6).  Every word must be
 * understood and none may contradict another; never guessed.
 */
void timing_read_text(
    const char *text, struct arena *arena, struct shorthand *out);
/*
 * The rule alone; NULL when it is not clear.  *as_needed is set for prn,
 * sos.  "As directed" is a rule that needs review.
 */
must_check const struct timing *timing_parse_text(
    const char *text, struct arena *arena, bool *as_needed);
/*
 * The members of a FHIR Timing, or of a Dosage where more than a schedule
 * was said, into an open object; or needs_review.
 */
void timing_write_text(
    const struct shorthand *shorthand, struct json_writer *writer);
/* A fixed phrase if the rule is legal but must be looked at by a person, else
 * NULL. */
const char *timing_needs_review(const struct timing *timing);

/*
 * Read a patient's day as vectors-timing.json writes it ("breakfast":
 * "06:30", "meal_lead_min": 15, "daily": {"2": ["09:00", "21:00"]} …) over
 * what *profile says.  False with *error, below "profile".
 */
must_check bool timing_read_profile(const struct json *json,
    struct arena *arena, struct day_profile *profile,
    struct timing_error *error);

struct timing_start { /* anchor where the rule has none */
	int64_t at;
	bool has_time; /* false: a local date */
};

/*
 * The doses in [from, to), ascending, no duplicates.  At most 100,000
 * (more: -1).  as_needed rules and those that need review have none.
 */
must_check int timing_expand(const struct timing *timing,
    struct timing_start start, const struct zone *zone,
    const struct day_profile *profile, int64_t from, int64_t to,
    struct arena *arena, const int64_t **doses);
/*
 * Doses a day as a rational number, for days' supply: false if it is not
 * constant or not known.  E.g. 1 per 8 h = 3/1, Mondays = 1/7.
 */
must_check bool timing_daily(const struct timing *timing,
    const struct day_profile *profile, int64_t *numerator,
    int64_t *denominator);
/* The anchor: no dose comes before it. */
int64_t timing_begin(const struct timing *timing, struct timing_start start,
    const struct zone *zone);
/* First instant after which it has no doses (AT_NEVER: open-ended). */
int64_t timing_end(const struct timing *timing, struct timing_start start,
    const struct zone *zone, const struct day_profile *profile);

/* The rule as stored in dosage.rule, first byte a format; and back. */
void timing_encode(const struct timing *timing, struct buf *out);
must_check const struct timing *timing_decode(
    const uint8_t *rule, size_t bytes, struct arena *arena);

#endif
