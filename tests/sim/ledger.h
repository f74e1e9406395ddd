#ifndef ADHERD_TESTS_SIM_LEDGER_H
#define ADHERD_TESTS_SIM_LEDGER_H

#include "tests/sim/sim.h"

/*
 * The ledger: every message that was taken, also where the answer was
 * withheld.  The last 200,000 are kept; a file has all of them.
 */
#define LEDGER_KEPT_MAX 200000

enum receipt_state { /* what became of it on the way to the phone */
	RECEIPT_WAITING,
	RECEIPT_DELIVERED,
	RECEIPT_UNDELIVERED
};

struct entry { /* texts are borrowed by ledger_add, owned by the ledger after */
	uint64_t seq; /* from 1 */
	int64_t at;   /* wall clock */
	enum endpoint endpoint;
	uint64_t request; /* entries of one request share it */
	const char *reference;
	const char *address; /* E.164 */
	const char *channel;
	const char *template;
	const char *signature; /* "" if none */
	const char *text;      /* as the phone shows it */
	const char *params;    /* JSON */
	const char *outcome;   /* what became of the answer; a constant */
	const char *message_id;
	const char *extension;      /* of the sender's number; NULL: none */
	enum receipt_state receipt; /* from receipt_at on */
	int64_t receipt_at;       /* when it reached the phone, or failed to */
	bool receipt_stored;      /* our callback was acknowledged */
	const char *receipt_code; /* owned by the receipts */
	/* chains, newest first; 0 ends them */
	uint64_t previous_of_phone;
	uint64_t previous_of_limit;
};

/* path NULL: no file.  NULL with a message in error. */
struct ledger *ledger_open(const char *path, char *error, size_t bytes);
void ledger_close(struct ledger *ledger); /* the file reaches the disk */
/* Add a copy; seq and the chains are filled in.  Valid until evicted. */
struct entry *ledger_add(struct ledger *ledger, const struct entry *entry);
/* Hand what was added to the kernel; once a request, before its answer. */
void ledger_flush(struct ledger *ledger);
struct entry *ledger_get(struct ledger *ledger, uint64_t seq); /* NULL: gone */
uint64_t ledger_last(const struct ledger *ledger);
enum receipt_state entry_receipt(const struct entry *entry); /* as of now */
const char *entry_receipt_word(const struct entry *entry);
/* The newest message of this phone, or NULL. */
struct entry *ledger_phone(struct ledger *ledger, const char *address);
/* Sent to this number with this signature and template since, at most max. */
int64_t ledger_sent_since(struct ledger *ledger, const char *address,
    const char *signature, const char *template, int64_t since, int64_t max);

void ledger_write_entry(
    struct json_writer *writer, const struct entry *entry, struct arena *arena);
/* {"entries":[…],"next":seq,"forgotten":n} */
void ledger_write(struct ledger *ledger, uint64_t since, uint64_t limit,
    struct buf *out, struct arena *arena);
void ledger_write_summary(struct ledger *ledger, struct json_writer *writer);
void ledger_write_duplicates(
    struct ledger *ledger, struct buf *out, struct arena *arena);

#endif
