#ifndef ADHERD_CARE_TIMING_RULE_H
#define ADHERD_CARE_TIMING_RULE_H

#include "care/timing.h"

/*
 * The compiled rule, shared by those who read one (timing_read.c from FHIR,
 * timing_text.c from shorthand, timing_store.c from stored bytes), who
 * expand it (timing.c, timing_day.c) and who write it (timing_fhir.c). Internal
 * to timing*.c.
 */
enum {
	TIMES_MAX = 100, /* times of one day; doses of one period */
	EVENTS_MAX = 1000,
	COUNT_MAX = 10000,
	OFFSET_MIN_MAX = 24 * 60
};
#define MICRO INT64_C(1000000)

enum unit { /* values are stored */
	UNIT_NONE = 0,
	UNIT_S = 1,
	UNIT_MIN = 2,
	UNIT_H = 3,
	UNIT_D = 4,
	UNIT_WK = 5,
	UNIT_MO = 6,
	UNIT_A = 7,
	UNIT_COUNT = 8
};

enum when { /* places in timing_day.c's table; bits of `when`, stored */
	WHEN_MORN = 0,
	WHEN_MORN_EARLY,
	WHEN_MORN_LATE,
	WHEN_NOON,
	WHEN_AFT,
	WHEN_AFT_EARLY,
	WHEN_AFT_LATE,
	WHEN_EVE,
	WHEN_EVE_EARLY,
	WHEN_EVE_LATE,
	WHEN_NIGHT,
	WHEN_PHS,
	WHEN_HS,
	WHEN_WAKE,
	WHEN_CM,
	WHEN_CD,
	WHEN_CV,
	WHEN_ACM,
	WHEN_ACD,
	WHEN_ACV,
	WHEN_PCM,
	WHEN_PCD,
	WHEN_PCV,
	WHEN_AM,
	WHEN_PM, /* the codes of Timing.code */
	WHEN_COUNT
};
#define WHEN_BIT(when) (1u << (when))
#define WHEN_C (WHEN_BIT(WHEN_CM) | WHEN_BIT(WHEN_CD) | WHEN_BIT(WHEN_CV))
#define WHEN_AC (WHEN_BIT(WHEN_ACM) | WHEN_BIT(WHEN_ACD) | WHEN_BIT(WHEN_ACV))
#define WHEN_PC (WHEN_BIT(WHEN_PCM) | WHEN_BIT(WHEN_PCD) | WHEN_BIT(WHEN_PCV))

enum unclear { /* what a reader saw and nobody can schedule; stored */
	UNCLEAR_NOT = 0,
	UNCLEAR_CODE = 1,
	UNCLEAR_AS_DIRECTED = 2,
	UNCLEAR_BOUND = 3,
	UNCLEAR_COUNT = 4
};

/* A FHIR dateTime: without a time it is a date in the patient's zone. */
struct moment_rule {
	bool given, has_time;
	int64_t at; /* has_time */
	int32_t on; /* else */
};

enum timing_mode {     /* how it expands: derived, never stored */
	MODE_NONE = 0, /* as needed, or for review */
	MODE_EVENTS,   /* the events alone */
	MODE_SINGLE,   /* one dose at the anchor */
	MODE_ELAPSED,  /* fixed steps of absolute time */
	MODE_BLOCKS,   /* days within blocks of days */
	MODE_MONTHS    /* every so many months */
};

struct timing {
	/* as it was written */
	bool as_needed;
	enum unclear unclear;
	int32_t frequency;    /* 0: absent */
	int64_t period_micro; /* periodMax where given; -1: absent */
	enum unit unit;
	int32_t count;        /* 0: absent */
	uint32_t weekdays;    /* bits from Monday; 0: absent */
	uint32_t when;        /* WHEN_BIT()s */
	int32_t offset_min;   /* -1: absent */
	const int32_t *times; /* timeOfDay, seconds since midnight */
	uint32_t time_count;
	const struct moment_rule *events;
	uint32_t event_count;
	struct moment_rule from, until; /* boundsPeriod */
	int64_t bound_micro; /* boundsDuration, boundsRange.high; -1: none */
	enum unit bound_unit;

	/* what timing_settle() makes of it */
	const char *review;
	enum timing_mode mode;
	int64_t step_us; /* ELAPSED: frequency doses in each */
	int32_t step_doses;
	int32_t block_days; /* BLOCKS: day i of uses is i * span / uses */
	int32_t block_uses, block_span;
	bool from_monday;    /* of the anchor's week */
	int32_t step_months; /* MONTHS */
	int32_t per_day;     /* doses on a day without times; 0: "once" */
};

/* Nothing said. */
#define TIMING_INIT \
	{ \
		.period_micro = -1, .offset_min = -1, .bound_micro = -1 \
	}

/*
 * Derive how the rule expands.  Whatever stands in the fields, afterwards
 * expansion is safe: what is out of bounds is for review.
 */
void timing_settle(struct timing *timing);

/*
 * The times of a day with doses, seconds from its midnight, ascending, each
 * once; from a day before (an offset) to some hours after the next.
 */
uint32_t timing_day_times(const struct timing *timing,
    const struct day_profile *profile, int32_t times[TIMES_MAX]);
/* When something without a word on when is taken. */
int32_t timing_once_s(const struct day_profile *profile);

struct timing_word {
	const char *word;
	uint32_t bits;
};

/* Codes of repeat.when, dayOfWeek and periodUnit; these last by unit. */
extern const struct timing_word timing_when_words[];
extern const size_t timing_when_count;
extern const char *const timing_weekday_words[7];
extern const char *const timing_unit_words[UNIT_COUNT];

#endif
