#ifndef ADHERD_TESTS_LIFE_H
#define ADHERD_TESTS_LIFE_H

#include "care/dossier.h"

/*
 * What plan promises whatever the facts: nothing outside its hours, over a
 * cap, to the dead or the withdrawn, against a stop, twice, or within two
 * minutes on one channel; always a next look, before which there is nothing
 * to do; the same for the same facts in any order.
 */
struct life_tally { /* what was reached */
	uint64_t lives, looks;
	uint64_t actions[4]; /* enum plan_action */
	uint64_t reasons[REASON_COUNT];
	uint64_t stages[KIND_ANSWER + 1][STAGE_COUNT];
};

/*
 * Live one life, drawn from the bytes; adds to the tally.  A promise that
 * is not kept is named on stderr and aborts.
 */
void life_live(const uint8_t *data, size_t bytes, struct life_tally *tally);

#endif
