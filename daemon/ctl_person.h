#ifndef ADHERD_CTL_PERSON_H
#define ADHERD_CTL_PERSON_H

#include "care/dossier.h"
#include "ctl.h"

/*
 * One patient out of the database, for the verbs that speak of one.
 */
struct ctl_person {
	int16_t bucket;
	int64_t patient_id;
	const char *label; /* the resource's id, else "bucket/patient_id" */
	struct dossier dossier; /* with what was said, and open deliveries */
	bool planned;           /* has an agenda row */
	int32_t class;
	int32_t lane;
	int64_t next_at, planned_through;
	enum reason standing;
};

/*
 * Find by resource id, "bucket/patient_id" or "system|value"; exits with a
 * message where there is none or more than one.  Fills in the numbers only.
 */
void ctl_person_find(
    struct ctl *ctl, const char *name, struct ctl_person *person);
/* Load what is known and planned; everything lives in the ctl's arena. */
void ctl_person_load(struct ctl *ctl, struct ctl_person *person);
/* Add two parameters, as most statements want them: [bucket], [patient_id]. */
void ctl_person_keys(struct db_unit *unit, const struct ctl_person *person);
/* Care time: the database's, or the instant given (NULL: none is). */
int64_t ctl_now(struct ctl *ctl, const char *given);

#endif
