#ifndef ADHERD_CARE_POLICY_H
#define ADHERD_CARE_POLICY_H

#include "care/look.h"

/*
 * Whether somebody may be written to: status, stops, safety hold, consent,
 * channels, hours and caps, in the order of judging of program.md 2.
 */

/* The obstacle that stands between us and this person at all, or NONE. */
enum reason policy_person_obstacle(const struct look *look);
/*
 * The first obstacle of one item before merging: status, operator's stop,
 * safety hold.  drug may be NULL; with STAGE_NONE too, what holds the kind
 * as a whole.  *final: it fell into a hospital stay and is not sent later.
 */
enum reason policy_item_obstacle(const struct look *look, enum kind kind,
    enum stage stage, const char *drug, int64_t due_at, bool *final);
/* Status, no consent, no channel: what holds until somebody changes it. */
bool policy_reason_stands(enum reason reason);

/* Does the deciding Consent allow this topic bit on that channel now? */
bool policy_consented(
    const struct look *look, uint32_t topic, enum channel channel);
bool policy_consented_to_nothing(const struct look *look);
/* Some channel's dose consent says "any hour". */
bool policy_any_hour(const struct look *look);
/* Tasks for people: not for the dead, the inactive, or without any consent. */
bool policy_tasks_allowed(const struct look *look);

/* Allowed hours of a program, [from, until) of the local day. */
bool policy_in_hours(
    const struct look *look, const struct program *program, int64_t at);
/* The first instant from `at` on that lies within them. */
int64_t policy_next_hours(
    const struct look *look, const struct program *program, int64_t at);
/* The end of the allowed hours that `at` lies in. */
int64_t policy_hours_end(
    const struct look *look, const struct program *program, int64_t at);

/* Does what was said count for the caps of where it went? */
bool policy_counts_for_caps(const struct said *said);

struct choice {
	enum channel channel; /* CHANNEL_NONE: none can be used */
	int32_t contact_no;
	enum reason reason; /* of CHANNEL_NONE: on the first channel */
	bool capped;        /* some channel failed on its cap alone */
	bool standing;      /* no channel has both consent and contact */
	bool full;          /* its gateway has no slot: wait in `lane` */
	bool later;   /* a gateway is paused, a template not approved yet */
	int16_t lane; /* of the gateway that is full or paused */
};

/* The first channel, in their order, without an obstacle. */
void policy_choose(const struct look *look, enum kind kind, enum stage stage,
    bool any_hour, bool past_caps, struct choice *choice);
/* The same without the channels in `except`, CHANNEL_BIT()s. */
void policy_choose_except(const struct look *look, enum kind kind,
    enum stage stage, bool any_hour, bool past_caps, uint32_t except,
    struct choice *choice);

/* The obstacle on one channel, or NONE with the contact to use. */
enum reason policy_channel_obstacle(const struct look *look, enum kind kind,
    enum stage stage, enum channel channel, bool any_hour, bool past_caps,
    int32_t *contact_no);

/*
 * The earliest instant at which a message that was ready at ready_at may
 * leave on that channel: the gap on one channel, and behind what was sent
 * since it became ready.  `except` may be NULL: an earlier attempt of the
 * same message does not stand in its own way.
 */
int64_t policy_gap_end(const struct look *look, enum channel channel,
    int64_t ready_at, const struct said *except);

/* The next instant after now at which a fact of the dossier takes effect. */
int64_t policy_facts_next_at(const struct look *look);

#endif
