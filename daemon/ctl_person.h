#ifndef ADHERD_CTL_PERSON_H
#define ADHERD_CTL_PERSON_H

#include "care/dossier.h"
#include "ctl.h"
#include "door/dry_run.h"

/*
 * One patient out of the database, for the verbs that speak of one.
 */
struct ctl_person {
	int16_t bucket;
	int64_t patient_id;
	const char *label; /* the resource's id, else "bucket/patient_id" */
	bool known;        /* has a dossier */
	struct dossier dossier; /* with what was said, and open deliveries */
	bool planned;           /* has an agenda row */
	int32_t class;
	int32_t lane;
	int64_t next_at, planned_through;
	enum reason standing;
	bool stopped; /* something waits for a stop's end */
};

/*
 * Find by resource id, "bucket/patient_id" or "system|value", in one tenant
 * or (NULL) in all; exits with a message where there is none or more than
 * one.  Fills in the numbers only.
 */
void ctl_person_find(struct ctl *ctl, const char *tenant, const char *name,
    struct ctl_person *person);
/* Load what is known and planned; everything lives in the ctl's arena. */
void ctl_person_load(struct ctl *ctl, struct ctl_person *person);
/* The same for many, in the arena; they are put in key order. */
void ctl_people_load(struct ctl *ctl, struct ctl_person *people, size_t count,
    struct arena *arena);
/*
 * For a dry run of [from, to) with what is stored of that person, who must
 * live as long: it knows now all that it knows, and gateways are free.  What
 * waits for another attempt or channel is part of it; without rules, for a
 * day that is over, nothing is.
 */
void ctl_person_dry(const struct ctl_person *person, const struct rules *rules,
    int64_t from, int64_t to, struct arena *arena, struct dry_patient *patient);
/* Add two parameters, as most statements want them: [bucket], [patient_id]. */
void ctl_person_keys(struct db_unit *unit, const struct ctl_person *person);

#endif
