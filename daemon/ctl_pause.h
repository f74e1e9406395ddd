#ifndef ADHERD_CTL_PAUSE_H
#define ADHERD_CTL_PAUSE_H

#include "ctl.h"

/*
 * What keeps messages from leaving, for everybody or for a gateway, as the
 * verbs that explain it say it: `queue` and `why`.
 */
struct pause_row { /* of table gateway_pause */
	const char *gateway, *scope, *code;
	int64_t until_at; /* unmoved; AT_NEVER: until somebody acts */
};

/* Those that stand, in the ctl's arena. */
uint32_t pause_rows_load(struct ctl *ctl, const struct pause_row **rows);
/* "paused by duty until …; adherctl gateway resume sms ends it" */
const char *pause_words(struct ctl *ctl, const struct pause_row *row);
/* The command that ends it. */
const char *pause_end_words(struct ctl *ctl, const struct pause_row *row);
/* Is it the one of all gateways? */
bool pause_is_of_all(const struct pause_row *row);

#endif
