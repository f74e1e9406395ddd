#ifndef ADHERD_FLOW_PLANNING_H
#define ADHERD_FLOW_PLANNING_H

#include "flow/message.h"
#include "flow/rule_book.h"
#include "flow/sharing.h"
#include "flow/state_file.h"
#include "flow/writing.h"

/*
 * Planning one person of a round: the dossier decoded, plan asked, and what
 * it decided turned into rows to write, messages to send and questions to
 * ask.  Nothing is written or sent here.
 */
struct person { /* claimed */
	int16_t bucket;
	int64_t patient_id;
	int32_t tenant_id;
	int64_t ahead_at; /* its instant, of who was claimed before it; or 0 */
	int64_t planned_through;
	bool attention;
	enum reason standing;
	bool stopped; /* something waited for a stop's end */
	bool urgent;  /* class 0 */
	const uint8_t *recent;
	size_t recent_bytes;
	const uint8_t *doc; /* NULL: there is none */
	size_t doc_bytes;
	int64_t version;
	struct list open; /* struct open_row */
};

struct open_row {
	struct open_delivery open;
	const char *gateway, *provider_id;
	int32_t contact_no;
};

struct ask { /* a question for after the COMMIT */
	struct gateway *gateway;
	struct delivery_key key;
	const char *address, *provider_id;
	int64_t sent_at;
};

struct look_round {             /* one round, from claim to dispatch */
	struct arena *arena;    /* freed with the round */
	struct list people;     /* struct person */
	struct round *sending;  /* its arena holds the messages */
	struct list deliveries; /* struct delivery *, in the order written */
	struct list asks;       /* struct ask */
	struct writing *writing;
	struct sharing *sharing; /* addresses of people who are put off */
	struct list put_off;     /* struct put_off: planned, not taken yet */
	bool *mine;              /* read back: which deliveries are ours */
	int64_t now, care_now;
	int64_t sent_until;    /* care time: all of it is due before then */
	uint32_t urgent_ahead; /* urgent people not planned yet */
};

struct planner { /* what planning needs besides the round */
	const struct clock *clock;
	struct gateways *gateways;
	struct messages *messages;
	const struct rule_book *rules;
	struct state_file *state; /* NULL: who is planned is not remembered */
};

/* Keys of the deliveries that a claimed person's memory calls open. */
void planning_add_recent(const struct person *person, struct arena *arena,
    struct delivery_keys *keys);
/* Before the first person of a round. */
void planning_begin(struct look_round *round);
/*
 * Plan a claimed and loaded person; the round gets what came of it.  Whoever
 * is about to get a message that caps count is put off until the round knows
 * with whom they share the address.
 */
void planning_plan(struct planner *planner, struct look_round *round,
    const struct person *person);
/* Some do: their other addresses are to be asked about, too. */
void planning_widen(struct look_round *round);
/*
 * That is known: the rest.  False where somebody must be looked at again:
 * another copy is at work on one with the same address, or the gateways
 * changed meanwhile and another address would be used.
 */
must_check bool planning_finish(
    struct planner *planner, struct look_round *round);
/* The round failed before that. */
void planning_drop(struct look_round *round);

#endif
