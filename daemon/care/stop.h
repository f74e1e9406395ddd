#ifndef ADHERD_CARE_STOP_H
#define ADHERD_CARE_STOP_H

#include "care/dossier.h"

/*
 * What an operator stopped: nothing leaves that matches all that a stop
 * names, of whatever it does not name.
 */
struct stop {
	int32_t stop_id;
	int32_t tenant_id; /* 0: every tenant */
	enum kind kind;    /* 0: every kind */
	enum stage stage;  /* STAGE_NONE: every stage */
	/* a drug's key, or its code after the bar; NULL: visits too */
	const char *drug;
};

struct stops {
	const struct stop *list;
	uint32_t count;
};

/*
 * The first stop that holds a message of that kind and stage about a drug,
 * or NULL.  Kind 0, STAGE_NONE and a NULL drug are matched by those stops
 * alone that do not name one: what holds them holds all.  stops may be NULL.
 */
const struct stop *stops_find(const struct stops *stops, int32_t tenant_id,
    enum kind kind, enum stage stage, const char *drug);

#endif
