#ifndef ADHERD_DOOR_FHIR_DOSSIER_H
#define ADHERD_DOOR_FHIR_DOSSIER_H

#include "door/fhir.h"

/*
 * The patients of several FHIR files, and what was known of each of them at
 * any instant of a window.  All files are one source: a later one tells more
 * of the same patients.  Pure; the dry run's way in.
 */
struct fhir_file {
	const char *name;
	struct fhir *fhir; /* parsed; its records' marks are used here */
};

struct fhir_view {
	const struct zone *zone; /* of patients who state none */
	int32_t from_on, days;   /* the window, in each patient's zone */
	uint32_t
	    assume; /* bits of enum topic: consent wherever none is recorded */
};

struct fhir_person {
	const char *id;          /* the resource's id */
	const struct zone *zone; /* at the window's beginning */
	int64_t from, to;        /* the window */
	int32_t number;
	const struct fhir_view *view;
	struct thing *self; /* the Patient */
	struct list things; /* struct thing *: all of this patient's, by no */
};

struct fhir_people {
	struct fhir_person **persons; /* by id */
	uint32_t count;
};

/*
 * Gather the records by patient.  Those whose patient is in none of the
 * files become problems of their file.  Everything lives in the arena and
 * borrows from the files and the view.
 */
const struct fhir_people *fhir_people_create(const struct fhir_file *files,
    size_t count, const struct fhir_view *view, struct arena *arena);

/*
 * Fill in what is known at an instant of the window (program.md 3, "When a
 * fact is known"), in the arena; numbers stay the same from call to call.
 * Returns the next instant at which more is known, or AT_NEVER.
 */
int64_t fhir_person_dossier(const struct fhir_person *person, int64_t at,
    struct arena *arena, struct dossier *dossier);

#endif
