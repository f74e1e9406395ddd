/*
 * The labels of a reply and the contexts in which it is given, as tables.
 * Pure, without state.
 */
#include "care/reply_label.h"

#include <string.h>

/* Answers are of one rank: the one that answers the question comes first. */
#define RANK_ANSWER 9

static const struct reply_label_row rows[] = {
    [REPLY_EMERGENCY] = {"emergency", 0, true, false, false, -1,
	"needs a person at once"},
    [REPLY_ADVERSE_EVENT] = {"adverse_event", 1, true, false, false, -1,
	"a suspected side effect or harm, however mild"},
    [REPLY_DECEASED] = {"deceased", 2, false, false, false, -1,
	"the patient has died"},
    [REPLY_WRONG_NUMBER] = {"wrong_number", 3, false, false, false, -1,
	"this number does not reach the patient"},
    [REPLY_OPT_OUT] = {"opt_out", 4, false, true, false, -1,
	"stop sending: everything"},
    [REPLY_OPT_OUT_TOPIC] = {"opt_out_topic", 5, false, true, false, -1,
	"stop one kind of message or one channel"},
    [REPLY_OPT_IN] = {"opt_in", 6, false, false, false, -1,
	"start, resume or keep sending"},
    [REPLY_STOPPED] = {"stopped", 7, false, false, false, -1,
	"no longer on this medicine"},
    [REPLY_ITEM_CHOICE] = {"item_choice", 8, false, false, false,
	REPLY_ON_MULTI, "picks among several numbered items"},
    [REPLY_TAKEN] = {"taken", RANK_ANSWER, false, false, false, REPLY_ON_DOSE,
	"took the dose"},
    [REPLY_NOT_TAKEN] = {"not_taken", RANK_ANSWER, false, false, false,
	REPLY_ON_DOSE, "has not taken it, with no wish to stop"},
    [REPLY_REFILL_YES] = {"refill_yes", RANK_ANSWER, false, false, false,
	REPLY_ON_REFILL, "wants to reorder"},
    [REPLY_REFILL_NO] = {"refill_no", RANK_ANSWER, false, false, false,
	REPLY_ON_REFILL, "declines the refill now, or has it from elsewhere"},
    [REPLY_FOLLOWUP_CONFIRM] = {"followup_confirm", RANK_ANSWER, false, false,
	false, REPLY_ON_FOLLOWUP, "will come"},
    [REPLY_FOLLOWUP_RESCHEDULE] = {"followup_reschedule", RANK_ANSWER, false,
	false, false, REPLY_ON_FOLLOWUP, "wants another time"},
    [REPLY_FOLLOWUP_CANCEL] = {"followup_cancel", RANK_ANSWER, false, false,
	false, REPLY_ON_FOLLOWUP, "will not come"},
    [REPLY_HAVE_SUPPLY] = {"have_supply", 10, false, false, false, -1,
	"says what is left"},
    [REPLY_PRICE_OR_INSURANCE] = {"price_or_insurance", 11, false, false, false,
	-1, "asks about cost, insurance, instalments"},
    [REPLY_QUESTION] = {"question", 12, false, false, false, -1,
	"asks what a person must answer, or for a person"},
    [REPLY_CAREGIVER] = {"caregiver", 13, false, false, false, -1,
	"the writer is a relative or carer"},
    [REPLY_THANKS_OR_CHITCHAT] = {"thanks_or_chitchat", 14, false, false, true,
	-1, "thanks, greetings, mere acknowledgement"},
    [REPLY_UNCLEAR] = {"unclear", 15, false, false, true, -1,
	"none of these can be told"},
};

static const char *const contexts[] = {
    [REPLY_ON_DOSE] = "dose",
    [REPLY_ON_REFILL] = "refill",
    [REPLY_ON_FOLLOWUP] = "followup",
    [REPLY_ON_MULTI] = "multi",
    [REPLY_ON_NONE] = "none",
};

const struct reply_label_row *
reply_label_row(enum reply_label label)
{
	return &rows[label];
}

bool
reply_label_find(const char *name, enum reply_label *label)
{
	for (unsigned i = 0; i < COUNT(rows); i++)
		if (strcmp(rows[i].name, name) == 0) {
			*label = (enum reply_label)i;
			return true;
		}
	return false;
}

const char *
reply_context_name(enum reply_context context)
{
	return contexts[context];
}

bool
reply_context_find(const char *name, enum reply_context *context)
{
	for (unsigned i = 0; i < COUNT(contexts); i++)
		if (strcmp(contexts[i], name) == 0) {
			*context = (enum reply_context)i;
			return true;
		}
	return false;
}
