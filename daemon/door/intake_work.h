#ifndef ADHERD_DOOR_INTAKE_WORK_H
#define ADHERD_DOOR_INTAKE_WORK_H

#include "door/intake.h"

/*
 * What the files of intake share: intake.c leads the way through the
 * database, intake_state.c decides what a patient's records change, and
 * intake_write.c makes statements of it.
 */
struct key {                /* an identifier, and for whom it means something */
	const char *source; /* "" where a system is named */
	const char *system;
	const char *value;
};

struct row {        /* a thing of a patient that its identifiers name */
	int32_t no; /* 0: the patient */
	bool is_new;
	bool has_id; /* an id of our source names it */
	const char *taken_from;
	const char *version; /* NULL: none */
	int64_t source_at;
	uint8_t hash[32];
	struct entry *entry; /* the last that changes it now; NULL */
};

struct entry { /* a record on its way; its mark */
	struct intake *intake;
	struct record *record;
	struct key *keys; /* the one that decides first */
	uint32_t key_count;
	struct person *person; /* of this attempt */
	struct row *row;
	int32_t related_no; /* prescription, prior one, visit replaced; 0 */
	enum intake_outcome decided; /* not yet committed */
	enum intake_outcome outcome;
};

struct contact_row {
	int32_t no;
	enum channel channel;
	enum owner owner;
	uint8_t index[16];
	int32_t rank;
	int64_t from_at, until_at;
	int64_t *stated_by; /* numbers of the resources that state it */
	uint32_t stated_count;
	const char *address; /* of a new one; NULL */
	bool changed;
	const struct entry *seen; /* the last entry that stated it */
};

struct person {
	int16_t bucket;
	int64_t patient_id;
	bool is_new;
	bool changed;
	struct list keys;        /* struct key: new ones */
	struct list entries;     /* struct entry *, patients first */
	const struct zone *zone; /* NULL until stated or loaded */
	const char *locale;
	int32_t birth_from_on, birth_on; /* ON_UNKNOWN */
	int32_t next_no;
	struct key_index *rows;    /* struct row, by type and key */
	struct key_index *numbers; /* struct row, by type and number */
	struct list contacts;      /* struct contact_row * */
};

struct intake {
	const struct intake_settings *settings;
	struct fhir *fhir;
	struct arena *arena; /* the fhir's */
	int64_t now;
	bool atomic;                     /* a transaction bundle */
	struct entry *entries;           /* one a record */
	struct list persons;             /* struct person *, of this attempt */
	struct key_index *people;        /* struct person, by key */
	size_t piece_first, piece_count; /* the persons in hand */
	struct list known;  /* struct person *: of the piece, stored before */
	struct list wanted; /* struct wanted: what was asked for */
	bool in_transaction;
	bool refused; /* something of a transaction bundle was */
	unsigned attempts;
	char sqlstate[6]; /* why the piece failed; "" */
	struct loop_timer *timer;
	void (*done)(enum db_outcome outcome, void *arg);
	void *arg;
};

struct wanted { /* a key that the database is asked for */
	const struct key *key;
	const char *type;
	struct person *person; /* NULL while looking for people */
};

/* The text under which a key is found. */
const char *intake_key_text(
    struct arena *arena, const char *type, const struct key *key);
/* The identifier as a key of this source. */
struct key intake_key(
    const struct intake *intake, const struct identifier *identifier);
/* Refuse an entry; element ("subject") may be "". */
void intake_refuse(struct entry *entry, const char *code, const char *element,
    const char *text);
/* Since when it is known: never later than now. */
int64_t intake_known_at(const struct entry *entry);
static inline bool
intake_takes(const struct entry *entry)
{
	return entry->decided == INTAKE_CREATED ||
	       entry->decided == INTAKE_UPDATED;
}

/* intake_state.c: the keys by which a person's things are looked up. */
void intake_want_rows(struct intake *intake, struct person *person);
/* What the database knows under one of them. */
void intake_add_row(
    struct intake *intake, const struct wanted *wanted, struct row *row);
/* Decide each entry; false if nothing of the person changes. */
bool intake_decide(struct intake *intake, struct person *person);

/* intake_write.c: all that changed of a person; the agenda is touched. */
void intake_write(const struct intake *intake, struct db_unit *unit,
    const struct person *person);

#endif
