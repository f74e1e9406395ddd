#ifndef ADHERD_CARE_TEMPLATE_SAMPLE_H
#define ADHERD_CARE_TEMPLATE_SAMPLE_H

#include "care/template.h"

/*
 * Values to try a text with: as one may expect them, as long as the renderer
 * lets them become, and where nothing may be said.
 *
 *          who          sender          what             dates     numbers
 * usual    4 zh, 12 en  7 zh, 14 en     7 zh, 16 en      28 Dec    1, 7
 * longest  the text's own limit, 8 to 35 characters      28 Dec    99, 999
 * Latin    as usual, in Latin letters: what no Chinese field takes
 * discreet neutral words of the locale                   28 Dec    1, 7
 */
enum template_sample {
	SAMPLE_USUAL,
	SAMPLE_LONGEST,
	SAMPLE_LATIN,
	SAMPLE_DISCREET,
	SAMPLE_COUNT
};

/* Values in that language; nothing to free. */
struct template_values template_sample(
    const struct template_words *words, enum template_sample which);

#endif
