#ifndef ADHERD_CARE_SUPPLY_WALK_H
#define ADHERD_CARE_SUPPLY_WALK_H

#include "care/supply.h"

/*
 * One walk over the fills of a patient, drug by drug; internal to
 * supply*.c.
 */
enum { SUPPLY_DAYS_MAX = 3660 }; /* of one fill; beyond the last one */

struct pause { /* days in hospital; until exclusive */
	int32_t from_on, until_on;
};

struct item { /* a fill that counts, or what the patient counted */
	const struct fill *fill;                 /* NULL: a correction */
	const struct correction *correction;     /* NULL: a fill */
	const struct prescription *prescription; /* NULL: not known */
	int64_t at;
	int32_t given_on;
};

struct rate { /* micro units a day, exact */
	int64_t numerator, denominator;
};

struct walk {
	const struct dossier *dossier;
	int64_t now;
	struct arena *arena;
	struct pause *pauses; /* ascending, apart */
	uint32_t pause_count;
	int32_t open_on;          /* the first day of a stay without an end */
	const struct item *items; /* of the drug at hand, by date */
	uint32_t item_count;
	struct supply *supply;     /* being filled in */
	struct supply_fill *fills; /* the supply's, one place an item */
	int32_t *unclear;
};

/* The row of an item, without its days. */
struct supply_fill supply_row(const struct item *item);
/* Days without own supply: those of every stay that is known. */
void supply_find_pauses(struct walk *walk);
bool supply_paused(const struct walk *walk, int32_t date_on);
/* Days in [from_on, until_on) that are not paused. */
int32_t supply_count_days(
    const struct walk *walk, int32_t from_on, int32_t until_on);
/* The prescription of a fill; where it names none, the drug's newest then. */
const struct prescription *supply_prescription(
    const struct dossier *dossier, const struct fill *fill);
/*
 * The units of a fill, its own or else those prescribed for each, or of a
 * correction; -1.
 */
int64_t supply_quantity(
    const struct dossier *dossier, const struct item *item, const char **unit);
/*
 * Days' supply, the first that is present: stated with the fill or counted,
 * expected by the prescription, quantity by daily amount; -1: cannot be
 * worked out.
 */
int32_t supply_days(
    const struct dossier *dossier, const struct item *item, bool *from_units);
/* Does one dosage follow another, or end before it? */
bool supply_takes_turns(
    const struct dossier *dossier, const struct prescription *prescription);
/*
 * What is taken a day, in one unit: false unless it is stated and the same
 * from the first day to the last.
 */
must_check bool supply_steady_rate(const struct dossier *dossier,
    const struct prescription *prescription, struct rate *rate);
/*
 * Fill in the supply by units, where the dose changes and units agree;
 * false, with nothing changed that counts, where they do not.
 */
must_check bool supply_walk_units(struct walk *walk);

#endif
