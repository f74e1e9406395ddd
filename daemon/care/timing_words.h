#ifndef ADHERD_CARE_TIMING_WORDS_H
#define ADHERD_CARE_TIMING_WORDS_H

#include "care/timing_rule.h"

/*
 * What the words of a shorthand text say: known by timing_phrases.c, gathered
 * by timing_text.c step by step (timing_scan.c), the times of the day among
 * them settled by timing_moments.c, and all made into a rule, or into a
 * question, by timing_sense.c.  Internal to these.
 */
enum { TEXT_BYTES_MAX = 200 };
#define W(name) WHEN_BIT(WHEN_##name)

enum mark { /* bits */
	MARK_NEEDED = 1,
	MARK_ONCE = 2,
	MARK_DIRECTED = 4,
	MARK_FASTING = 8,
	MARK_DAILY = 16,   /* every day, but not how often */
	MARK_NIGHTLY = 32, /* every night */
	MARK_WHOLE = 64,   /* a day's amount at one time */
	MARK_REASON = 128, /* what it is needed for */
	MARK_METHOD = 256, /* how it is taken */
	MARK_SILENT = 512
};

enum route {
	ROUTE_NONE = 0,
	ROUTE_MOUTH,
	ROUTE_TONGUE, /* under it */
	ROUTE_CHEEK,
	ROUTE_VEIN,
	ROUTE_DRIP,
	ROUTE_MUSCLE,
	ROUTE_SKIN, /* under it */
	ROUTE_LUNG,
	ROUTE_TOPICAL,
	ROUTE_EYE,
	ROUTE_EAR,
	ROUTE_NOSE,
	ROUTE_RECTUM,
	ROUTE_VAGINA
};

struct phrase {
	const char *text;
	int32_t frequency, period; /* 0: says nothing of it */
	enum unit unit;
	uint32_t when;  /* named times */
	uint32_t meals; /* all three of them */
	unsigned mark;
	enum route route;
};

/* How a time hangs together with the one named before it. */
enum join {
	JOIN_APART = 0,
	JOIN_LISTED, /* "早、晚" */
	JOIN_SPACED, /* "晚 睡前": a blank may stand for either */
	JOIN_DIRECT  /* "晚上睡前": the same one, or its meal */
};

enum moment_kind { MOMENT_NAMED, MOMENT_MEALS, MOMENT_FASTING, MOMENT_CLOCK };

struct moment { /* a time of the day, as it was said */
	enum moment_kind kind;
	enum join join;
	uint32_t when;      /* NAMED, MEALS */
	int32_t offset_min; /* -1: none */
	int32_t time_s;     /* CLOCK */
	bool bare;          /* "早", to which a meal behind it may belong */
	bool vague;         /* "8点": of the morning or of the evening */
};

struct span { /* bytes of the tidied text */
	const char *from, *to;
};

struct words {
	struct arena *arena;
	const char *original; /* as it was written */
	char tidied[TEXT_BYTES_MAX + 1];
	uint16_t origin[TEXT_BYTES_MAX + 1]; /* of each byte of it */
	const char *at;           /* what is left of the tidied text */
	struct list said, unread; /* struct span: understood, or not */
	bool contradicts;
	unsigned marks;

	int32_t frequency, period;
	enum unit unit;
	int32_t total_period; /* the amount is that of so many units */
	enum unit total_unit; /* NONE: it is that of a dose */
	bool per_day;         /* whether the next amount is a day's */
	uint32_t weekdays;
	int32_t bound; /* 0: none */
	enum unit bound_unit;

	struct list moments;   /* struct moment, as they were said */
	const char *moment_to; /* where the last of them ended; NULL */
	/* what timing_moments.c makes of them */
	uint32_t when, meals;
	int32_t offset_min; /* -1: none */
	int32_t *times;     /* ascending */
	uint32_t time_count;

	int64_t dose_micro;    /* -1 */
	const char *dose_word; /* its unit, of the table */
	bool dose_whole;       /* in pieces, rather than measured */
	bool dose_first;       /* before any time of the day */
	int32_t dose_count;    /* how often an amount was said */
	bool each;             /* "各", "每次": it is that of one dose */
	enum route route_kind;
	/* as written; NULL */
	const char *dose_unit, *route, *method, *fasting, *reason;
};

bool words_is_digit(char c);
bool words_is_alnum(char c); /* of a Latin word, or a number */
/* Does the text go on with that word?  A Latin one must end there. */
bool words_go_on(const char *at, const char *word);
/* Step over a word, blanks before it too. */
bool words_eat(struct words *words, const char *word);
/* The one of a list that was stepped over, or NULL. */
const char *words_eat_any(
    struct words *words, const char *const *list, size_t count);
#define EAT_ANY(words, list) words_eat_any((words), (list), COUNT(list))
/*
 * 1..999 in digits, 1..99 in characters.  0: no such number, and nothing
 * was stepped over, so that "0" is never taken for none.
 */
int32_t words_eat_number(struct words *words);
/* "1", "1.5", "1/2", "半", "两" in millionths; 0: no amount. */
int64_t words_eat_amount(struct words *words);
/* UNIT_NONE: none.  "天", "h", or either. */
enum unit words_eat_unit(struct words *words);
enum unit words_eat_latin_unit(struct words *words);
enum unit words_eat_any_unit(struct words *words);
/* The longest phrase that the text goes on with, or NULL. */
const struct phrase *words_find_phrase(const char *at);
/* Read the tidied text to its end. */
void words_read(struct words *words);
/*
 * Settle which times of the day were named.  NULL, or the question that
 * they leave open.
 */
const char *words_settle_moments(struct words *words);
/* What stands between two places of the tidied text, as it was written. */
const char *words_original(
    const struct words *words, const char *from, const char *to);
/* Note what was stepped over since `from`; neighbours become one. */
void words_say(struct words *words, struct list *spans, const char *from);

#define WORDS_MISMATCH "does not fit together"

#endif
