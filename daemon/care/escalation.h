#ifndef ADHERD_CARE_ESCALATION_H
#define ADHERD_CARE_ESCALATION_H

#include "care/dossier.h"

/*
 * The ladder of a task: who of the care team hears of it, when, and who next
 * while nobody took it up.  Pure.  Numbers of roles are stored.
 *
 * An emergency goes to nurses and pharmacists at once, after 15 minutes to
 * the doctors, then to all of them each 15 minutes, four times.  A suspected
 * adverse event goes to nurses and pharmacists at once, after an hour to the
 * doctors.  Anything else waits for the hours of work; after a day it stands
 * in the doctors' digest, a week of mornings.
 */
enum care_role {            /* 0: a patient */
	CARE_UNLISTED = -1, /* who told of danger from nobody's number */
	CARE_NURSE = 1,
	CARE_PHARMACIST = 2,
	CARE_DOCTOR = 3
};
#define CARE_ROLE_BIT(role) (1u << (role))

struct escalation {
	uint32_t roles;   /* CARE_ROLE_BIT()s of those who hear now */
	enum stage stage; /* by this text */
	bool at_once;     /* at any hour; else when work begins */
	int64_t wait_us;  /* then the next rung; AT_NEVER: there is none */
};

/* kind and slot: the task's key; rung: from 0, how often it was told of. */
void escalation_rung(
    enum kind kind, int32_t slot, int32_t rung, struct escalation *escalation);
/* A member of the care team, and what that one was sent of late. */
struct care_member {
	const struct zone *zone;
	int32_t contact_no;
	const struct said *said;
	uint32_t said_count;
};

/*
 * When the member is written to: now, or within the hours of work, [08:00,
 * 20:00) of each day; the doctors' digest at 08:30.  What is owed already by
 * then covers it: false, and at is when that was owed.  What was sent a moment ago (a minute if it is
 * urgent, else an hour) has the next one wait, so that they go together.
 */
bool escalation_owe(const struct care_member *member,
    const struct escalation *escalation, int64_t now, int64_t *at);

const char *care_role_word(enum care_role role);      /* "nurse"; NULL: none */
enum care_role care_role_from_word(const char *word); /* 0: none */

#endif
