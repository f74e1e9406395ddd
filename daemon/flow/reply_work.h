#ifndef ADHERD_FLOW_REPLY_WORK_H
#define ADHERD_FLOW_REPLY_WORK_H

#include "base/db.h"
#include "base/keyring.h"
#include "care/dossier.h"
#include "care/escalation.h"
#include "care/reply.h"

/*
 * The reply under way, as replies.c loads it: the event, the people at its
 * address, what it means.  Everything lives in the arena.
 */
#define REPLY_QUESTION_US (48 * HOUR_US) /* so long is a question open */
#define REPLY_CONTACTS_MAX 4             /* beside the first */
#define REPLY_TOLD_US DAY_US /* what the team was told, a word is about */

struct reply_person { /* whose address it is */
	int16_t bucket;
	int64_t patient_id;
	int32_t contact_no;               /* of several, the patient's own */
	int32_t also[REPLY_CONTACTS_MAX]; /* the patient's others with it */
	uint32_t also_count;
	enum channel channel;
	enum owner owner;
	bool usable; /* its address was not given up: it may order, opt in */
	bool held;   /* orders wait: unwell */
	enum care_role role;
	bool told; /* a member: of what nobody took yet */
	const struct said *said;
	uint32_t said_count;
	int64_t answered_at[KIND_ANSWER + 1]; /* the last, of each kind */
	const struct said *question;          /* the one open; NULL: none */
	int questions;                        /* how many are open */
	int32_t next_no;                      /* the reply's */
	const char *product; /* the only one that is taken, or NULL */
	int32_t order_no;    /* of the reply whose order waits; 0: none */
	int64_t order_at;
	bool ordered; /* within 48 hours, whatever became of it */
	/* within 48 hours: the reply that refused everything, or consented */
	int32_t decided_no;
	bool refused; /* which was told here that it is obeyed */
};

struct reply_stranger {     /* who gets a row, as their tenant has it */
	int64_t patient_id; /* 0: none is made */
	const char *zone, *locale;
};

struct reply_work {
	struct arena *arena;
	int64_t now; /* care time */
	/* the event */
	const uint8_t *event_key;
	int32_t tenant_id;
	const char *gateway;
	int code;                     /* dialled, of reply_code(); 0: none */
	int64_t received_at;          /* care time */
	const uint8_t *address_index; /* 16 bytes; NULL: it says none */
	const uint8_t *text_sealed;   /* NULL: none */
	size_t text_bytes;
	const uint8_t *address_sealed; /* NULL: none */
	size_t address_bytes;
	bool opted_out; /* the provider says so, whatever the text */
	int64_t tries;
	/* what comes of it */
	struct list people; /* struct reply_person */
	struct reply reply;
	bool from_team; /* nobody but members of the care team is there */
	bool cancels;   /* it says no to what was ordered of late */
	struct reply_stranger stranger;
};

/* ---- reply_person.c ---- */
/* Is this contact of theirs the one that wrote, or one of the same address? */
bool reply_is_at(const struct reply_person *person, int32_t contact_no);
/* The messages of the last 48 hours that wait for a word, one a kind. */
void reply_find_questions(struct reply_person *person, int64_t now);
/* The only one with the code that was dialled; NULL: none, or not one. */
const struct reply_person *reply_dialled(const struct reply_work *work);
/* The only one there, or dialled, or asked; NULL: it is not clear who. */
const struct reply_person *reply_meant(const struct reply_work *work);
/* The only one whose order waits, or NULL. */
const struct reply_person *reply_who_ordered(const struct reply_work *work);
/* What the reply is read as an answer to; meant may be NULL. */
enum reply_context reply_asked(const struct reply_person *meant);
/* Two parameters, as most statements want them: bucket and patient id. */
void reply_keys(struct reply_work *work, struct db_unit *unit);

/* ---- reply_reading.c ---- */
/*
 * Understand the text, into work->reply and work->cancels; meant may be NULL.
 * One that no key opens is read as if it were empty, which is for a person.
 */
void reply_read(struct reply_work *work, const struct reply_rules *rules,
    struct keyring *keyring, const struct reply_person *meant);

/* ---- reply_stranger.c ---- */
/* Ask for the number of a new person, into work->stranger. */
void reply_ask_number(struct reply_work *work, struct db_unit *unit);
/*
 * Nobody has this address: whoever wrote from it becomes the one person of
 * the work, once the unit is done.  false: no number was given, for there are
 * too many of them.
 */
bool reply_add_stranger(struct reply_work *work, enum channel channel,
    const char *address, struct keyring *keyring, struct db_unit *unit);

/* ---- reply_writing.c ---- */
/*
 * All that follows, by the table of care/reply_effect.h.  Where it is not
 * clear whom it is about it stands with everybody at the address; a refusal
 * does so in any case.
 */
void reply_write(struct reply_work *work, const struct reply_person *meant,
    struct db_unit *unit);
/* What that member of the care team was told of is taken up. */
void reply_write_team(struct reply_work *work,
    const struct reply_person *member, struct db_unit *unit);

#endif
