#ifndef ADHERD_CARE_REPLY_LABEL_H
#define ADHERD_CARE_REPLY_LABEL_H

#include "base/mem.h"

/*
 * What a patient's reply can mean, in the order in which meanings count: the
 * first that holds decides what happens first.
 */
enum reply_label {
	REPLY_EMERGENCY,
	REPLY_ADVERSE_EVENT,
	REPLY_DECEASED,
	REPLY_WRONG_NUMBER,
	REPLY_OPT_OUT,
	REPLY_OPT_OUT_TOPIC,
	REPLY_OPT_IN,
	REPLY_STOPPED,
	REPLY_ITEM_CHOICE,
	REPLY_TAKEN,
	REPLY_NOT_TAKEN,
	REPLY_REFILL_YES,
	REPLY_REFILL_NO,
	REPLY_FOLLOWUP_CONFIRM,
	REPLY_FOLLOWUP_RESCHEDULE,
	REPLY_FOLLOWUP_CANCEL,
	REPLY_HAVE_SUPPLY,
	REPLY_PRICE_OR_INSURANCE,
	REPLY_QUESTION,
	REPLY_CAREGIVER,
	REPLY_THANKS_OR_CHITCHAT,
	REPLY_UNCLEAR,
	REPLY_LABEL_COUNT
};

/* What was last asked. */
enum reply_context {
	REPLY_ON_DOSE,
	REPLY_ON_REFILL,
	REPLY_ON_FOLLOWUP,
	REPLY_ON_MULTI, /* several numbered items */
	REPLY_ON_NONE,
	REPLY_CONTEXT_COUNT
};

struct reply_label_row {
	const char *name;
	int rank;     /* the lower decides; answers share one */
	bool harm;    /* a person must look at it */
	bool refusal; /* of messages: all, or a part */
	bool alone;   /* holds only where nothing else does */
	int answers;  /* the context whose question it answers; -1: none */
	const char *meaning;
};

const struct reply_label_row *reply_label_row(enum reply_label label);
/* The label of that name; false: there is none. */
must_check bool reply_label_find(const char *name, enum reply_label *label);
const char *reply_context_name(enum reply_context context); /* "dose" */
must_check bool reply_context_find(
    const char *name, enum reply_context *context);

#endif
