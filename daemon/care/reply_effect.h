#ifndef ADHERD_CARE_REPLY_EFFECT_H
#define ADHERD_CARE_REPLY_EFFECT_H

#include "care/dossier.h"
#include "care/reply.h"

/*
 * What a reply leads to: one table, a row for each label, which adherd(8)
 * shows as well.  Pure.  Nobody is declared dead, and no status is set, by a
 * text message: such a reply pauses, and a person decides.
 */
enum reply_effect {                  /* bits */
	REPLY_HOLDS_ALL = 1,         /* safety_hold: all else waits */
	REPLY_HOLDS_REFILLS = 2,     /* adverse_event */
	REPLY_PAUSES = 4,            /* until a person ends it */
	REPLY_ENDS_ADDRESS = 8,      /* it is used no more */
	REPLY_DENIES = 16,           /* all topics and channels */
	REPLY_DENIES_PART = 32,      /* a topic, or a channel */
	REPLY_PERMITS = 64,          /* on the channel that it came by */
	REPLY_CORRECTS_SUPPLY = 128, /* where one product alone is meant */
	REPLY_TASK = 256,            /* for the care team */
	/* concerns every patient at the address where it is not clear whom */
	REPLY_OF_ALL = 512,
	REPLY_ORDERS = 1024,  /* the task waits, cancellable, ORDER_WAIT_US */
	REPLY_CANCELS = 2048, /* the order that waits */
	/* nothing more is asked about these run-outs until the next fill */
	REPLY_ENDS_CYCLE = 4096,
	/* nothing more about that visit, unless it moves */
	REPLY_ENDS_VISIT = 8192
};

struct reply_effect_row {
	uint32_t effects;
	enum stage answer;   /* the text that is sent back */
	const char *meaning; /* of the effects, for people */
};

const struct reply_effect_row *reply_effect_row(enum reply_label label);
/* "safety_hold"; NULL for what is no single effect that people see. */
const char *reply_effect_word(uint32_t effect);

#define ORDER_WAIT_US (15 * MINUTE_US)

/* All that one reply leads to. */
struct reply_effects {
	uint32_t effects;                        /* of all its labels */
	enum stage answer;                       /* of its primary */
	uint32_t denied_topics, denied_channels; /* of DENIES, DENIES_PART */
	enum reply_label
	    task; /* what a TASK is about: the first that wants one */
};

/*
 * certain: it is known which patient is meant.  Where it is not, only what
 * concerns all stays, and a person is asked; as where a label is only likely,
 * unless it is harm or a refusal of everything.
 */
void reply_effects(
    const struct reply *reply, bool certain, struct reply_effects *effects);
/* A person is asked about this label, unless one is asked already. */
void reply_effects_ask(struct reply_effects *effects, enum reply_label label);
/* The same beside an order that waits: it is cancelled, or not doubled. */
void reply_effects_with_order(
    const struct reply *reply, struct reply_effects *effects);

#endif
