#ifndef ADHERD_FLOW_DISPATCH_H
#define ADHERD_FLOW_DISPATCH_H

#include "flow/gateway_host.h"
#include "flow/outcome.h"
#include "flow/rule_book.h"
#include "flow/stop_book.h"

/*
 * Dispatch: deliveries that are committed as `sending` leave through their
 * gateway, as its window allows, and come back as outcomes.  Nothing leaves
 * after its time, against a stop that was read since, or when the lease
 * ends before the answer must be there.
 */
struct dispatch;

struct round {               /* what was written in one transaction */
	struct arena *arena; /* of all in it; freed with its last outcome */
	int64_t batch_ref;
	int64_t lease_until; /* unmoved */
	uint32_t open;       /* deliveries without an outcome */
};

struct delivery { /* in memory, from plan to outcome */
	struct delivery_key key;
	struct round *round;
	struct gateway *gateway;
	int64_t not_before; /* unmoved; claimed ahead of it */
	int64_t not_after;  /* unmoved */
	int64_t due_at;     /* care time */
	int32_t contact_no;
	const char *credit; /* template of the one it spends, or NULL */
	int32_t attempts;   /* this one included */
	const struct gw_message *message; /* NULL: could not be written */
	const char *problem;              /* why: a fixed code */
	bool urgent;                      /* leaves before what is not */
	bool alone; /* its batch was refused as a whole: send it singly */
	/* what it speaks of, for stops that came after it was planned */
	int32_t tenant_id;
	enum stage stage;
	const char *const *drugs; /* one an item; NULL of a visit */
	uint32_t drug_count;
	struct delivery *next; /* in its gateway's queue, or held */
};

struct dispatch *dispatch_create(struct loop *loop, const struct clock *clock,
    struct gateways *gateways, struct outcomes *outcomes,
    const struct rule_book *rules, const struct stop_book *stops,
    int64_t request_us);
/*
 * The gateways were changed, and perhaps how long a request may take: new
 * ones get a queue, what waits for retired ones is given back.
 */
void dispatch_reload(struct dispatch *dispatch, int64_t request_us);
/* Called whenever a gateway has room again. */
void dispatch_on_room(
    struct dispatch *dispatch, void (*room)(void *arg), void *arg);
/*
 * Send a committed round; queued was counted at each gateway when it was
 * planned.  The round is dispatch's from now on.
 */
void dispatch_round(struct dispatch *dispatch, struct round *round,
    struct delivery *const *deliveries, size_t count);
/*
 * Ask the provider about an unknown delivery, if its gateway can, once its
 * window has room; where too many wait nothing happens: plan asks again.
 * Where a repeat is safe and nobody can be asked, it counts as asked.
 */
void dispatch_ask(struct dispatch *dispatch, struct gateway *gateway,
    const struct delivery_key *key, const char *address,
    const char *provider_id, int64_t sent_at);
/*
 * Something about this person was committed, or about somebody (-1): what is
 * held of them until its instant is given back, and planned anew.
 */
void dispatch_touched(
    struct dispatch *dispatch, int16_t bucket, int64_t patient_id);
/* What waits for longer than its lease goes back: call each second. */
void dispatch_look(struct dispatch *dispatch);
/* Accounts have more to send: go on. */
void dispatch_pump(struct dispatch *dispatch);
/* Give back what is not on its way: an orderly stop. */
void dispatch_drain(struct dispatch *dispatch);
bool dispatch_idle(const struct dispatch *dispatch);

#endif
