#ifndef ADHERD_FLOW_WORKER_H
#define ADHERD_FLOW_WORKER_H

#include "flow/aftermath.h"
#include "flow/message.h"

/*
 * The worker: one round after another, agenda → dossier → plan → deliveries
 * → dispatch.  While one is written the next is planned, on connections of
 * their own; sending and recording go on meanwhile.
 */
struct worker;

#define WORKER_ROUNDS 2

struct worker_settings {
	const char *copy; /* owner of batches */
	int64_t look_us;
	int64_t ahead_us; /* how early who will be due is claimed */
	int64_t lease_us;
	uint32_t claim_max;
};

struct worker *worker_create(struct loop *loop,
    struct db *const dbs[WORKER_ROUNDS], const struct clock *clock,
    struct gateways *gateways, struct messages *messages,
    struct dispatch *dispatch, struct stop_book *stops, struct rule_book *rules,
    const struct worker_settings *settings);
/* Both borrowed, NULL for nothing; before the start. */
void worker_remember(struct worker *worker, struct state_file *state,
    struct aftermath *aftermath);
void worker_start(struct worker *worker);
/* Other settings from the next round on, or other gateways. */
void worker_reload(
    struct worker *worker, const struct worker_settings *settings);
void worker_wake(struct worker *worker); /* somebody may be due */
void worker_room(struct worker *worker); /* a gateway may have room again */
void worker_stop(struct worker *worker); /* no new round */
bool worker_idle(const struct worker *worker);

#endif
