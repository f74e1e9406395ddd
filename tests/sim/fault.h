#ifndef ADHERD_TESTS_SIM_FAULT_H
#define ADHERD_TESTS_SIM_FAULT_H

#include "tests/sim/door.h"
#include "tests/sim/sim.h"

/*
 * The fault switches.  Each is on or off for an endpoint or for all, with
 * a rate and a count of how often it still strikes; one seed decides.
 */
enum fault_kind {
	FAULT_DELAY,         /* ms: answer late */
	FAULT_STATUS,        /* status, retry_after, ratelimit, code: refuse */
	FAULT_RESET_BEFORE,  /* reset, nothing taken */
	FAULT_SILENT_BEFORE, /* no answer, nothing taken */
	FAULT_CODE,          /* code, message: a business refusal */
	FAULT_RESET_AFTER,   /* taken, then reset */
	FAULT_SILENT,        /* taken, no answer */
	FAULT_GARBAGE,       /* form: taken, unusable 200 */
	FAULT_TRICKLE,       /* taken, a byte each second */
	FAULT_RECEIPTS_OFF,
	FAULT_RECEIPTS_DOUBLE,
	FAULT_RECEIPTS_TRIPLE,
	FAULT_RECEIPTS_SHUFFLED,
	FAULT_RECEIPTS_LATE,        /* ms */
	FAULT_RECEIPTS_EARLY,       /* before the answer */
	FAULT_RECEIPTS_UNKNOWN,     /* one more, for an id nobody knows */
	FAULT_RECEIPTS_UNDELIVERED, /* code */
	FAULT_COUNT
};

struct fault {
	bool on[ENDPOINT_COUNT];
	int64_t rate_micro;
	int64_t count; /* -1: without end */
	int64_t taken; /* how often it struck */
	int64_t ms;
	int status;
	char code[64];
	char message[128];
	char retry_after[64];
	char ratelimit[96];
	char form[16];
};

/* What strikes one request. */
struct fault_choice {
	enum endpoint endpoint;
	const struct fault *refusal; /* NULL: the request is handled */
	enum fault_kind refusal_kind;
	const struct fault *spoil; /* NULL: the answer leaves as it is */
	enum fault_kind spoil_kind;
	const struct fault *code; /* NULL: no business refusal */
	int64_t delay_us;
};

struct faults *faults_create(struct sim *sim);
void faults_free(struct faults *faults);
/* Does this fault strike now?  NULL, or its settings. */
const struct fault *fault_strikes(
    struct faults *faults, enum fault_kind kind, enum endpoint endpoint);
struct fault_choice fault_choose(struct faults *faults, enum endpoint endpoint);
/* A word for the ledger: what became of the answer. */
const char *fault_outcome_word(const struct fault_choice *choice);
/* Make reply the refusal chosen. */
void fault_refuse(const struct fault_choice *choice, struct door_reply *reply);
/* Spoil or delay the answer that stands in reply. */
void fault_spoil(const struct fault_choice *choice, struct door_reply *reply);
/* GET and POST /control; arg is struct faults. */
void fault_control(
    const struct door_request *request, struct door_reply *reply, void *arg);

#endif
