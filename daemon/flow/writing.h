#ifndef ADHERD_FLOW_WRITING_H
#define ADHERD_FLOW_WRITING_H

#include "care/plan.h"
#include "flow/dispatch.h"

/*
 * What a round of looks came to, gathered row by row and written set-wise
 * in one transaction: deliveries, closed ones, tasks, obstacles, the batch
 * row, the agenda.
 */
struct writing;

struct looked { /* a person of the round, for the agenda row */
	int16_t bucket;
	int64_t patient_id;
	int64_t next_at;
	int16_t lane;
	bool attention;
	enum reason standing_before, standing;
	bool stopped;
	bool urgent;
	const struct said *said;
	uint32_t said_count;
};

/* owner: the copy's name, borrowed. Times: care and unmoved now. */
struct writing *writing_create(const char *owner, int64_t care_now, int64_t now,
    int64_t batch_ref, int64_t lease_until);
void writing_free(struct writing *writing);
/* A message, new or attempted again; contact may not be NULL. */
void writing_add_send(struct writing *writing, int32_t tenant_id,
    const struct delivery *delivery, const struct plan_step *step,
    enum delivery_state believed, const struct contact *contact);
void writing_add_hold(struct writing *writing, const struct dossier *dossier,
    const struct plan_step *step);
void writing_add_task(struct writing *writing, const struct dossier *dossier,
    const struct plan_step *step);
void writing_add_close(struct writing *writing, const struct dossier *dossier,
    const struct plan_close *close);
void writing_add_looked(struct writing *writing, const struct looked *looked);
/* The key of a step, and of an open delivery. */
struct delivery_key writing_step_key(
    const struct dossier *dossier, const struct plan_step *step);
struct delivery_key writing_open_key(
    const struct dossier *dossier, const struct open_delivery *open);

/*
 * If it sends, the round gets the number after this one, and until when it
 * sent, care time; id is borrowed.
 */
void writing_mark(struct writing *writing, const uint8_t *id, size_t bytes,
    int64_t last_sequence, int64_t sent_until);
/* Which it got, known when the statements were done; 0: none. */
int64_t writing_sequence(const struct writing *writing);
/*
 * Add the statements to a unit, COMMIT last.  After it was done,
 * writing_complete() says whether every message's row is ours.
 */
void writing_statements(struct writing *writing, struct db_unit *unit);
bool writing_complete(const struct writing *writing);
/*
 * Which of the messages are ours to send, asked where that is in doubt;
 * mine[] is by the order of writing_add_send().
 */
void writing_ask_mine(
    struct writing *writing, struct db_unit *unit, bool *mine);

#endif
