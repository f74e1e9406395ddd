/*
 * The rungs of the ladders, as tables.
 */
#include "care/escalation.h"

#include <string.h>

#include "care/answer.h"
#include "care/reply_label.h"

#define TEAM (CARE_ROLE_BIT(CARE_NURSE) | CARE_ROLE_BIT(CARE_PHARMACIST))
#define DOCTOR CARE_ROLE_BIT(CARE_DOCTOR)

#define WORK_FROM_S (8 * 3600)
#define WORK_UNTIL_S (20 * 3600)
#define DIGEST_S (WORK_FROM_S + 30 * 60)

/* What comes in so short a time goes as one message. */
#define TOGETHER_URGENT_US MINUTE_US
#define TOGETHER_US HOUR_US

struct rung {
	uint32_t roles;
	bool at_once;
	int64_t wait_us;
};

#define ANSWER_US (15 * MINUTE_US)

static const struct rung emergency[] = {
    {TEAM, true, ANSWER_US},
    {DOCTOR, true, ANSWER_US},
    {TEAM | DOCTOR, true, ANSWER_US},
    {TEAM | DOCTOR, true, ANSWER_US},
    {TEAM | DOCTOR, true, ANSWER_US},
    {TEAM | DOCTOR, true, AT_NEVER},
};

static const struct rung adverse_event[] = {
    {TEAM, true, HOUR_US},
    {DOCTOR, false, DAY_US},
    {TEAM | DOCTOR, false, DAY_US},
    {TEAM | DOCTOR, false, AT_NEVER},
};

static const struct rung other[] = {
    {TEAM, false, DAY_US},
    {DOCTOR, false, DAY_US},
    {DOCTOR, false, DAY_US},
    {DOCTOR, false, DAY_US},
    {DOCTOR, false, DAY_US},
    {DOCTOR, false, DAY_US},
    {DOCTOR, false, DAY_US},
    {DOCTOR, false, AT_NEVER},
};

static const char *const role_words[] = {
    [CARE_NURSE] = "nurse",
    [CARE_PHARMACIST] = "pharmacist",
    [CARE_DOCTOR] = "doctor",
};

void
escalation_rung(
    enum kind kind, int32_t slot, int32_t rung, struct escalation *escalation)
{
	const struct rung *rungs = other;
	int32_t count = COUNT(other);
	enum stage stage = STAGE_TEAM_TASKS;

	if (kind == KIND_ANSWER && slot == REPLY_EMERGENCY) {
		rungs = emergency;
		count = COUNT(emergency);
		stage = STAGE_TEAM_EMERGENCY;
	} else if (kind == KIND_ANSWER && slot == REPLY_ADVERSE_EVENT) {
		rungs = adverse_event;
		count = COUNT(adverse_event);
		stage = STAGE_TEAM_ADVERSE_EVENT;
	}
	*escalation = (struct escalation){.wait_us = AT_NEVER};
	if (rung < 0 || rung >= count)
		return;
	*escalation = (struct escalation){
	    .roles = rungs[rung].roles,
	    .stage = stage,
	    .at_once = rungs[rung].at_once,
	    .wait_us = rungs[rung].wait_us,
	};
}

/* A message of that sort to that address, owed or sent. */
static bool
is_like(const struct said *said, const struct escalation *escalation,
    int32_t contact_no)
{
	return said->kind == KIND_ANSWER && !said->task &&
	       said->slot == (int32_t)escalation->stage &&
	       said->contact_no == contact_no && said->reason == REASON_NONE &&
	       said->state != DELIVERY_REJECTED;
}

static int64_t
hours_from(
    const struct escalation *escalation, const struct zone *zone, int64_t now)
{
	bool digest = escalation->stage == STAGE_TEAM_TASKS &&
		      escalation->roles == DOCTOR;
	int32_t time_s, date_on = zone_local(zone, now, &time_s);
	int32_t begin_s = digest ? DIGEST_S : WORK_FROM_S;

	if (escalation->at_once ||
	    (!digest && time_s >= WORK_FROM_S && time_s < WORK_UNTIL_S))
		return now;
	return zone_instant(zone, date_on + (time_s > begin_s), begin_s);
}

bool
escalation_owe(const struct care_member *member,
    const struct escalation *escalation, int64_t now, int64_t *at)
{
	int64_t together =
	    escalation->at_once ? TOGETHER_URGENT_US : TOGETHER_US;
	int64_t last = AT_UNKNOWN;

	for (uint32_t i = 0; i < member->said_count; i++) {
		const struct said *said = &member->said[i];

		if (is_like(said, escalation, member->contact_no) &&
		    said->at > last)
			last = said->at;
	}
	*at = now;
	if (last != AT_UNKNOWN && last + together > now)
		*at = last + together;
	*at = hours_from(escalation, member->zone, *at);
	/* one that is still to go says it, too */
	for (uint32_t i = 0; i < member->said_count; i++) {
		const struct said *said = &member->said[i];

		if (is_like(said, escalation, member->contact_no) &&
		    said->state == DELIVERY_HELD && said->at <= *at &&
		    said->at + ANSWER_VALID_US > now) {
			*at = said->at;
			return false;
		}
	}
	return true;
}

const char *
care_role_word(enum care_role role)
{
	return role < CARE_NURSE || role > CARE_DOCTOR ? NULL
						       : role_words[role];
}

enum care_role
care_role_from_word(const char *word)
{
	for (enum care_role role = CARE_NURSE; role <= CARE_DOCTOR; role++)
		if (strcmp(role_words[role], word) == 0)
			return role;
	return 0;
}
