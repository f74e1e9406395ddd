#ifndef ADHERD_DOOR_FHIR_THING_H
#define ADHERD_DOOR_FHIR_THING_H

#include "door/fhir_dossier.h"

/*
 * What records are about: a resource with its versions, each known from an
 * instant on.  Internal to fhir_gather.c and fhir_dossier.c.
 */
struct version {
	struct record *record;
	struct thing *related; /* what it refers to; NULL */
	int64_t known_at;      /* AT_UNKNOWN: from the beginning */
};

struct thing {
	enum record_type type;
	int32_t no;
	const char *id;       /* the first that was stated, or a fallback */
	struct list versions; /* struct version, oldest first */
	struct fhir_person *person;
	struct thing *replaced; /* the Appointment that this one takes over */
};

/* By its place, the oldest first. */
struct version *fhir_version(const struct thing *thing, size_t index);

#endif
