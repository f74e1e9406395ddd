#ifndef ADHERD_FLOW_SHARING_H
#define ADHERD_FLOW_SHARING_H

#include "base/db.h"
#include "care/program.h"

/*
 * Addresses that several patients share: the caps of an address count what
 * all of them were sent there.  Asked only for the addresses that messages
 * which caps count are about to go to: one index look-up each.  Of people who
 * share theirs the others are asked about as well, for they may be used in
 * its place.  One that more than 1,000 patients have is told of in the
 * journal, and gets nothing that caps count.
 *
 * Two copies may be at work on two sharers at once.  Whoever asks locks the
 * others' agenda rows that are free, which keeps them from being claimed;
 * where one is held by somebody else, who may not know yet that the address
 * is shared, the person waits for another look.  Nobody waits for a lock, so
 * no circle closes; the looks after that begin at random.
 */
struct sharing;

struct sharer { /* somebody about to be written to */
	int16_t bucket;
	int64_t patient_id;
	int32_t tenant_id, contact_no;
	const uint8_t *index; /* 16 bytes, borrowed */
};

/* In the arena of the round. */
struct sharing *sharing_create(struct arena *arena);
/* Before the question; sharers in the order of people's keys. */
void sharing_add(struct sharing *sharing, const struct sharer *sharer);
bool sharing_empty(const struct sharing *sharing);
/* Who else has these addresses? */
void sharing_ask(struct sharing *sharing, struct db_unit *unit);
/* False: nobody has. */
bool sharing_found(const struct sharing *sharing);
/* Has somebody else one of this patient's? */
bool sharing_of(
    const struct sharing *sharing, int16_t bucket, int64_t patient_id);
/* Where somebody has: what were they sent? */
void sharing_ask_recent(struct sharing *sharing, struct db_unit *unit);
/* Somebody was planned in this round: the others count what they get. */
void sharing_planned(struct sharing *sharing, int16_t bucket,
    int64_t patient_id, const struct said *said, uint32_t count);
enum sharing_answer {
	SHARING_ALONE,  /* nobody shares an address of theirs */
	SHARING_SHARED, /* *uses has what the others got, from since_at on */
	/* another copy is at work on one of the others, or there are too many
	 */
	SHARING_LATER
};
enum sharing_answer sharing_uses(const struct sharing *sharing, int16_t bucket,
    int64_t patient_id, int64_t since_at, int64_t now, struct arena *arena,
    const struct address_use **uses, uint32_t *count);

#endif
