#ifndef ADHERD_FLOW_OUTCOME_H
#define ADHERD_FLOW_OUTCOME_H

#include "flow/delivery.h"

/*
 * Outcomes: what became of what was sent, gathered and written set-wise on
 * a connection of their own.  Each write is one transaction: the agenda
 * rows of whoever must be looked at again are locked first, then the
 * deliveries change, each only where its state is as believed, then the
 * batch rows of finished rounds go.  While the database is away outcomes
 * are kept; the gateways' queues bound how many there can be.
 */
struct outcomes;

struct outcome { /* the verdict on one send */
	struct delivery_key key;
	int64_t batch_ref;
	/* ACCEPTED, UNCONFIRMED (accepted, and no receipt will come),
	 * REJECTED, RETRY, UNKNOWN */
	enum delivery_state state;
	const char *provider_id; /* copied; may be NULL */
	const char *code;        /* copied; may be NULL */
	int64_t retry_at;        /* RETRY: care time */
	int64_t sent_at;         /* unmoved */
	int32_t contact_no;
	bool contact_bad;   /* stop using this address */
	const char *credit; /* copied; template of the one spent, or NULL */
	bool credits_gone;  /* the provider says: there was none */
};

struct asked { /* the provider's word on an unknown delivery */
	struct delivery_key key;
	/* UNKNOWN: still not known; ACCEPTED, DELIVERED, UNDELIVERED */
	enum delivery_state state;
	bool nothing;                   /* it has no such message */
	const char *provider_id, *code; /* copied; may be NULL */
};

struct outcomes *outcomes_create(
    struct loop *loop, struct db *db, const struct clock *clock);
void outcomes_add(struct outcomes *outcomes, const struct outcome *outcome);
void outcomes_add_asked(struct outcomes *outcomes, const struct asked *asked);
/* The round's last outcome was added: its batch row goes with that write. */
void outcomes_round_done(struct outcomes *outcomes, int64_t batch_ref);
/* Other copies learn that this scope of a gateway is paused. */
void outcomes_add_pause(struct outcomes *outcomes, const char *gateway,
    const char *scope, const char *code, int64_t until_at);
void outcomes_flush(struct outcomes *outcomes);      /* now rather than soon */
bool outcomes_idle(const struct outcomes *outcomes); /* all is written */

#endif
