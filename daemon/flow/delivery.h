#ifndef ADHERD_FLOW_DELIVERY_H
#define ADHERD_FLOW_DELIVERY_H

#include "base/db.h"
#include "care/dossier.h"

/*
 * A delivery: something carried over one channel to one person.  Its
 * natural key is the occurrence and the channel; the database holds at most
 * one row of it, and the reference that a provider gets encodes it.
 */
struct delivery_key {
	int16_t bucket;
	int64_t patient_id;
	int32_t occurrence_on;
	enum kind kind;
	int32_t source, slot;
	enum channel channel;
};

#define DELIVERY_REFERENCE_MAX 64 /* bytes, without the NUL */

int delivery_key_compare(const void *left, const void *right);
/*
 * base32 (RFC 4648, lower case, no padding) of a version byte 1 and the
 * key's seven numbers as LEB128 varints, the date zigzagged.
 */
void delivery_reference(
    const struct delivery_key *key, char reference[DELIVERY_REFERENCE_MAX + 1]);
/* False if it is none of ours. */
must_check bool delivery_reference_read(
    const char *reference, struct delivery_key *key);

/* The table of design.md 3: may a delivery go from one state to another? */
bool delivery_may_become(enum delivery_state from, enum delivery_state to);

/* Keys as the seven arrays $1..$7 of the delivery statements. */
struct delivery_keys {
	struct db_array bucket, patient_id, occurrence_on, kind, source, slot,
	    channel;
};

void delivery_keys_init(struct delivery_keys *keys);
void delivery_keys_free(struct delivery_keys *keys);
void delivery_keys_add(
    struct delivery_keys *keys, const struct delivery_key *key);
void delivery_keys_params(
    const struct delivery_keys *keys, struct db_unit *unit);
/*
 * Addresses that a provider refuses: not used again, and the dossiers say
 * so in the same transaction.  The agenda rows are locked before.
 */
struct contacts_bad {
	struct db_array bucket, patient_id, contact_no;
};

void contacts_bad_init(struct contacts_bad *bad);
void contacts_bad_free(struct contacts_bad *bad);
void contacts_bad_add(struct contacts_bad *bad, const struct delivery_key *key,
    int32_t contact_no);
/* Nothing where nobody was added. */
void contacts_bad_statements(
    const struct contacts_bad *bad, struct db_unit *unit);

/* Read the key from seven columns that begin at column. */
struct delivery_key delivery_key_read(
    const struct db_result *result, int row, int column);
/*
 * What plan sees of a row of sql/delivery_recent.sql.  Sending is stored
 * unmoved: care_offset moves it to care time, in which plan lives.  What has
 * no such moment gets null_at.
 */
struct open_delivery delivery_open_read(const struct db_result *result, int row,
    int64_t care_offset, int64_t null_at);

#endif
