/*
 * The words of the dossier's enums, as people, files and JSON have them.
 */
#include <assert.h>
#include <string.h>

#include "care/dossier.h"

static const char *const kind_words[] = {[KIND_DOSE] = "dose",
    [KIND_REFILL] = "refill",
    [KIND_RENEWAL] = "renewal",
    [KIND_FOLLOW_UP] = "follow_up",
    [KIND_ANSWER] = "answer"};

static const char *const channel_words[CHANNEL_COUNT] = {
    [CHANNEL_WECHAT_MINI] = "wechat_mini",
    [CHANNEL_WECHAT_OA] = "wechat_oa",
    [CHANNEL_PUSH] = "push",
    [CHANNEL_SMS] = "sms",
    [CHANNEL_WECOM] = "wecom"};

/* Days that have a stage of their own; stored numbers never change. */
static const int16_t stage_days[STAGE_DAYS] = {[STAGE_M14] = -14,
    [STAGE_M7] = -7,
    [STAGE_M3] = -3,
    [STAGE_M1] = -1,
    [STAGE_D0] = 0,
    [STAGE_P1] = 1,
    [STAGE_P7] = 7,
    [STAGE_P14] = 14};

static const char *const stage_words[STAGE_DAYS] = {[STAGE_DUE] = "due",
    [STAGE_MOVED] = "moved",
    [STAGE_MISSED] = "missed",
    [STAGE_SUPPLY] = "supply"};

#define DAYS_UP(ten) \
	ten "0d", ten "1d", ten "2d", ten "3d", ten "4d", ten "5d", ten "6d", \
	    ten "7d", ten "8d", ten "9d"
#define DAYS_DOWN(ten) \
	ten "9d", ten "8d", ten "7d", ten "6d", ten "5d", ten "4d", ten "3d", \
	    ten "2d", ten "1d", ten "0d"

static const char *const day_words[] = {"-60d", DAYS_DOWN("-5"),
    DAYS_DOWN("-4"), DAYS_DOWN("-3"), DAYS_DOWN("-2"), DAYS_DOWN("-1"), "-9d",
    "-8d", "-7d", "-6d", "-5d", "-4d", "-3d", "-2d", "-1d", "0d", "+1d", "+2d",
    "+3d", "+4d", "+5d", "+6d", "+7d", "+8d", "+9d", DAYS_UP("+1"),
    DAYS_UP("+2"), DAYS_UP("+3"), DAYS_UP("+4"), DAYS_UP("+5"), "+60d"};

_Static_assert(COUNT(day_words) == 2 * STAGE_DAY_MAX + 1 &&
		   STAGE_ANSWERS == STAGE_DAYS + COUNT(day_words),
    "a word for each day");

static const char *const answer_words[STAGE_COUNT - STAGE_ANSWERS] = {
    [STAGE_EMERGENCY - STAGE_ANSWERS] = "emergency",
    [STAGE_ADVERSE_EVENT - STAGE_ANSWERS] = "adverse_event",
    [STAGE_SORRY - STAGE_ANSWERS] = "sorry",
    [STAGE_OPT_OUT - STAGE_ANSWERS] = "opt_out",
    [STAGE_OPT_IN - STAGE_ANSWERS] = "opt_in",
    [STAGE_HANDED_OVER - STAGE_ANSWERS] = "handed_over",
    [STAGE_NOTED - STAGE_ANSWERS] = "noted",
    [STAGE_ORDER - STAGE_ANSWERS] = "order",
    [STAGE_ORDER_CANCELLED - STAGE_ANSWERS] = "order_cancelled",
    [STAGE_CAREGIVER - STAGE_ANSWERS] = "caregiver",
    [STAGE_TEAM_EMERGENCY - STAGE_ANSWERS] = "team_emergency",
    [STAGE_TEAM_ADVERSE_EVENT - STAGE_ANSWERS] = "team_adverse_event",
    [STAGE_TEAM_TASKS - STAGE_ANSWERS] = "team_tasks",
    [STAGE_TEAM_TAKEN - STAGE_ANSWERS] = "team_taken",
    [STAGE_CAREGIVER_SILENCE - STAGE_ANSWERS] = "caregiver_silence",
};

static const char *const reason_words[REASON_COUNT] = {
    [REASON_PATIENT_DECEASED] = "patient_deceased",
    [REASON_PATIENT_INACTIVE] = "patient_inactive",
    [REASON_PATIENT_PAUSED] = "patient_paused",
    [REASON_PATIENT_IN_HOSPITAL] = "patient_in_hospital",
    [REASON_STOPPED_BY_OPERATOR] = "stopped_by_operator",
    [REASON_SAFETY_HOLD] = "safety_hold",
    [REASON_ALREADY_DONE] = "already_done",
    [REASON_EXPIRED] = "expired",
    [REASON_QUIET_HOURS] = "quiet_hours",
    [REASON_NO_CONSENT] = "no_consent",
    [REASON_NO_CHANNEL] = "no_channel",
    [REASON_NO_CREDIT] = "no_credit",
    [REASON_TEMPLATE_UNAPPROVED] = "template_unapproved",
    [REASON_GATEWAY_PAUSED] = "gateway_paused",
    [REASON_CAP] = "cap"};

static const char *const state_words[DELIVERY_STATE_COUNT] = {
    [DELIVERY_SENDING] = "sending",
    [DELIVERY_HELD] = "held",
    [DELIVERY_ACCEPTED] = "accepted",
    [DELIVERY_REJECTED] = "rejected",
    [DELIVERY_RETRY] = "retry",
    [DELIVERY_UNKNOWN] = "unknown",
    [DELIVERY_DELIVERED] = "delivered",
    [DELIVERY_UNDELIVERED] = "undelivered",
    [DELIVERY_UNCONFIRMED] = "unconfirmed",
    [DELIVERY_EXPIRED] = "expired"};

static const char *
word_of(const char *const *words, size_t count, unsigned value)
{
	return value < count ? words[value] : NULL;
}

/* The index of a word, or 0. */
static unsigned
word_find(const char *const *words, size_t count, const char *word)
{
	for (unsigned i = 1; i < count && word != NULL; i++)
		if (words[i] != NULL && strcmp(words[i], word) == 0)
			return i;
	return 0;
}

const char *
kind_word(enum kind kind)
{
	return word_of(kind_words, COUNT(kind_words), kind);
}

const char *
channel_word(enum channel channel)
{
	return word_of(channel_words, COUNT(channel_words), channel);
}

const char *
stage_word(enum stage stage)
{
	int32_t day;

	if (stage_day(stage, &day))
		return day_words[STAGE_DAY_MAX + day];
	if (stage >= STAGE_ANSWERS && stage < STAGE_COUNT)
		return answer_words[stage - STAGE_ANSWERS];
	return word_of(stage_words, COUNT(stage_words), stage);
}

const char *
reason_word(enum reason reason)
{
	return word_of(reason_words, COUNT(reason_words), reason);
}

const char *
delivery_state_word(enum delivery_state state)
{
	return word_of(state_words, COUNT(state_words), state);
}

enum kind
kind_from_word(const char *word)
{
	return (enum kind)word_find(kind_words, COUNT(kind_words), word);
}

enum channel
channel_from_word(const char *word)
{
	return (enum channel)word_find(
	    channel_words, COUNT(channel_words), word);
}

enum channel
patient_channel_from_word(const char *word)
{
	enum channel channel = channel_from_word(word);

	return channel < CHANNEL_PATIENT_END ? channel : CHANNEL_NONE;
}

enum stage
stage_from_word(const char *word)
{
	for (unsigned i = 0; i < COUNT(day_words) && word != NULL; i++)
		if (strcmp(day_words[i], word) == 0)
			return stage_of_day((int32_t)i - STAGE_DAY_MAX);
	for (unsigned i = 0; i < COUNT(answer_words) && word != NULL; i++)
		if (strcmp(answer_words[i], word) == 0)
			return (enum stage)(STAGE_ANSWERS + i);
	return (enum stage)word_find(stage_words, COUNT(stage_words), word);
}

enum stage
stage_of_day(int32_t day)
{
	assert(day >= -STAGE_DAY_MAX && day <= STAGE_DAY_MAX);
	for (unsigned i = STAGE_M14; i <= STAGE_P14; i++)
		if (stage_days[i] == day)
			return (enum stage)i;
	return (enum stage)(STAGE_DAYS + STAGE_DAY_MAX + day);
}

bool
stage_day(enum stage stage, int32_t *day)
{
	if (stage >= STAGE_DAYS && stage < STAGE_ANSWERS)
		*day = (int32_t)stage - STAGE_DAYS - STAGE_DAY_MAX;
	else if (stage >= STAGE_M14 && stage <= STAGE_P14)
		*day = stage_days[stage];
	else
		return false;
	return true;
}

bool
drug_is_named(const char *drug, const char *name)
{
	const char *bar;

	if (drug == NULL)
		return false;
	bar = strchr(drug, '|');
	return strcmp(name, drug) == 0 ||
	       (bar != NULL && strcmp(name, bar + 1) == 0);
}

bool
stage_fits(enum kind kind, enum stage stage)
{
	int32_t day;

	switch (kind) {
	case KIND_DOSE:
		return stage == STAGE_DUE;
	case KIND_REFILL:
	case KIND_RENEWAL:
		return stage_day(stage, &day);
	case KIND_FOLLOW_UP:
		return (stage_day(stage, &day) && day <= 0) ||
		       stage == STAGE_MOVED || stage == STAGE_MISSED;
	case KIND_ANSWER:
		return stage >= STAGE_ANSWERS && stage < STAGE_COUNT;
	}
	return false;
}

uint32_t
topic_from_word(const char *word)
{
	static const char *const words[] = {"dose", "refill", "follow_up",
	    "marketing", "any-hour", "abroad", "caregiver"};

	for (unsigned i = 0; i < COUNT(words) && word != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return 1u << i;
	return 0;
}

uint32_t
topic_of_kind(enum kind kind)
{
	switch (kind) {
	case KIND_DOSE:
		return TOPIC_DOSE;
	case KIND_REFILL:
	case KIND_RENEWAL:
		return TOPIC_REFILL;
	case KIND_FOLLOW_UP:
		return TOPIC_FOLLOW_UP;
	case KIND_ANSWER:
		break;
	}
	return 0;
}
