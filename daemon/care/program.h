#ifndef ADHERD_CARE_PROGRAM_H
#define ADHERD_CARE_PROGRAM_H

#include "care/stop.h"

/*
 * A program: the numbers of program.md 2 as data.  One per tenant, kind and
 * product class; program_default() gives the defaults that the dry run and
 * the tests assume.
 */
#define PROGRAM_STAGES_MAX 12

struct program_stage {
	enum stage stage;
	int32_t day; /* relative to the anchor; -7 is a week before */
	bool task;   /* for people: hand over to the care team */
};

struct program { /* of one kind, and of one class of products */
	enum kind kind;
	const char *product_class; /* "": every product without its own */
	int32_t version; /* of the newest document in it; 0: defaults */
	struct program_stage stages[PROGRAM_STAGES_MAX];
	uint32_t stage_count;
	int32_t stage_time_s;                /* 10:00 */
	int32_t hours_from_s, hours_until_s; /* allowed: [from, until) */
	/* doses 60 min; missed notice 7 days; ladders: at most, 0: by stage */
	int64_t valid_us;
	int64_t fallback_us; /* 0: no fallback */
	bool repeat_after_unknown;
	int32_t credit_reserve;   /* left to kinds that keep fewer */
	int32_t merge_s;          /* doses: 15 min */
	int32_t merge_days;       /* ladders: 7 */
	int32_t cap_day;          /* doses: 6 a day */
	int32_t cycle_shift_days; /* 3: more opens a new cycle */
	enum channel channels[CHANNEL_PATIENT_END - 1]; /* first is preferred */
	uint32_t channel_count;
};

#define PROGRAM_CAP_MAX 200 /* no cap is higher */

struct program_caps { /* all kinds but doses and answers */
	int32_t sms_day, sms_week, other_day;
};

/*
 * A message that another patient got at an address that this one uses too:
 * the caps of an address count it.
 */
struct address_use {
	int32_t contact_no; /* this patient's contact */
	int64_t at;
};

struct rules {
	int32_t version; /* of the tenant-wide document; 0: defaults */
	struct program kinds[KIND_ANSWER + 1]; /* by enum kind */
	const struct program *classes; /* with a product class; borrowed */
	uint32_t class_count;
	struct program_caps caps;
	int64_t gap_us;       /* 2 min between messages on one channel */
	int64_t retry_us[4];  /* 1, 5, 15, 60 min */
	int64_t ask_after_us; /* 5 min; then a provider's "nothing" counts */
	int64_t look_max_us;  /* 7 days */
	int32_t spread_min;   /* 0 */
	int32_t guardian_age; /* 14 */
	bool attendance_fed;  /* tenant declares that it feeds attendance */
	bool each_hold;       /* list each stage under a standing obstacle */
	const struct stops *stops; /* operators'; borrowed, or NULL */
	/*
	 * What was due before this instant counts as handled: neither sent nor
	 * mentioned, but remembered as told.  The dry run sets local midnight
	 * of its first day; AT_UNKNOWN: nothing is.
	 */
	int64_t handled_before;
	const struct address_use *address_uses; /* shared addresses; or NULL */
	uint32_t address_use_count;
};

const struct rules *program_default(void);
/*
 * The program of a kind for products of that class (NULL: none).  Two
 * products climb one ladder, or share one message, where it is the same.
 */
const struct program *program_for(
    const struct rules *rules, enum kind kind, const char *product_class);

/*
 * Where a send spends a credit of the recipient: of which template, and which
 * other kinds spend the same.
 */
struct credit_needs {
	/* NULL: none is spent */
	const char *code[KIND_ANSWER + 1][STAGE_COUNT];
	uint8_t sharers[KIND_ANSWER + 1][STAGE_COUNT]; /* 1 << kind */
};

/* Who can take a message now: a snapshot, one entry per channel. */
struct gateway_view {
	bool exists;   /* some gateway serves this channel */
	bool paused;   /* by operator, breaker, quota */
	bool full;     /* no slot now: park in `lane` */
	bool receipts; /* they come: their absence means something */
	bool abroad;   /* carries data abroad: asks for consent to that */
	int16_t lane;
	/* borrowed; NULL: a send spends no credit, or they count as there */
	const struct credit_needs *credits;
	bool approved[KIND_ANSWER + 1][STAGE_COUNT]; /* template usable */
};

struct gateways_view {
	struct gateway_view channels[CHANNEL_COUNT];
};

/* Every gateway free, every template approved: the dry run's. */
const struct gateways_view *gateways_view_free(void);

#endif
