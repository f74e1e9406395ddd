#ifndef ADHERD_CARE_SUPPLY_H
#define ADHERD_CARE_SUPPLY_H

#include "care/dossier.h"

/*
 * The supply walk of adherence.md 1 and 7: fills, carry-over, hospital days,
 * tapers → run-out date with its derivation.  The only source of refill
 * dates; no supply data, no date.
 */
struct supply_fill {              /* one fill that counts, or one correction */
	int32_t fill_no;          /* the correction's, where it is one */
	bool correction;          /* the patient counted what is left */
	int32_t given_on;         /* local date handed over */
	int32_t start_on, end_on; /* end exclusive */
	int32_t days;
	bool days_from_units;
};

struct supply_need { /* by units: what is needed a day, from a date */
	int32_t from_on;
	int64_t micro;
};

enum { SUPPLY_NEEDS_MAX = 24 };

struct supply { /* of one drug of the patient */
	const char *drug;
	/* the first day without medicine; ON_UNKNOWN: no date */
	int32_t run_out_on;
	int32_t last_start_on; /* start of the last supply (half-supply rule) */
	int32_t last_days;     /* its days' supply */
	int32_t last_fill_on;  /* ON_UNKNOWN: nothing but corrections */
	/* the one that goes on: the newest that is not over */
	int32_t prescription_no;
	const struct supply_fill *fills;
	uint32_t fill_count;
	/* fill nos: completed, but their days cannot be worked out */
	const int32_t *unclear;
	uint32_t unclear_count;
	bool by_units; /* walked in units, day by day */
	/* by_units: at most SUPPLY_NEEDS_MAX */
	const struct supply_need *needs;
	uint32_t need_count;
	int64_t known_at; /* the `now` of the walk */
	/* in hospital with no end known: it runs out some time after that */
	bool paused;
	const struct pause *pauses; /* for supply_left_days() */
	uint32_t pause_count;
};

/*
 * The supplies of all drugs as known at `now`, drug order, in the arena.
 * Only completed fills handed over, and corrections made, at or before now
 * count; a stay counts before it begins, for it is known.
 */
uint32_t supply_walk(const struct dossier *dossier, int64_t now,
    struct arena *arena, const struct supply **supplies);
/*
 * How the date came about, line by line for people, in English and in the
 * arena: who reads it can do the sum again by hand.  A call of its own, for
 * a plan needs the date alone.
 */
uint32_t supply_derive(const struct dossier *dossier,
    const struct supply *supply, struct arena *arena,
    const char *const **lines);
/*
 * The line for what supply_earliest_refill() says of the same arguments;
 * NULL where it has no date.
 */
const char *supply_derive_refill(const struct supply *supply,
    const struct prescription *prescription, int32_t used_pct,
    struct arena *arena);
/* Days of it that are left to use at a local date, less those in hospital. */
int32_t supply_left_days(const struct supply *supply, int32_t date_on);
/* Days on hand at a local date, counting it (0 when out or no date). */
int32_t supply_on_hand_days(const struct supply *supply, int32_t date_on);
/*
 * Earliest refill: run-out − floor((100 − used_pct) % of the last days'
 * supply); the prescription's dispenseInterval overrides it.
 */
int32_t supply_earliest_refill(const struct supply *supply,
    const struct prescription *prescription, int32_t used_pct);
/* Repeats allowed minus the fills after the first; -1: not stated. */
int32_t supply_refills_left(const struct dossier *dossier,
    const struct prescription *prescription, int64_t now);

#endif
