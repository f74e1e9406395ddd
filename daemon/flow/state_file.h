#ifndef ADHERD_FLOW_STATE_FILE_H
#define ADHERD_FLOW_STATE_FILE_H

#include "base/clock.h"

/*
 * What a copy remembers beyond its own death, and beyond the database: a
 * small file in the state folder, shared by the copies of one machine and
 * mapped into each.  A record in it belongs to a running copy (a lock that
 * the kernel drops with the process).  It holds
 *   the number of the last round that was committed before bytes left, to
 *     know a database that is behind: restored, or failed over to a standby
 *     that did not have it yet;
 *   the person who is being planned, and the gateway whose plug-in runs, to
 *     know who ends us.  A plug-in is blamed for what the process does to
 *     itself meanwhile, not for a kill that came from outside.
 * The kernel keeps what was written when the process dies.  When the machine
 * does, the file may be older than the database, which is harmless.
 */
struct state_file;

#define STATE_ID_BYTES 16
#define STATE_RECORDS_MAX 64
#define STATE_NAME_BYTES 64

struct state_record { /* what the database should know */
	uint8_t id[STATE_ID_BYTES];
	int64_t sequence;
	int64_t sent_at; /* care time: all that it sent was due before */
};

struct state_death { /* how a process before us ended */
	bool planning;
	int16_t bucket;
	int64_t patient_id;
	char gateway[STATE_NAME_BYTES]; /* "": no plug-in is to blame */
};

/*
 * Open the file in that folder and take a free record.  NULL with error: no
 * folder, not ours to write, all records taken, not such a file.
 */
struct state_file *state_file_open(const char *dir, char *error, size_t bytes);
void state_file_close(struct state_file *state);
/* Deaths that nobody has told of yet; each is handed out once. */
uint32_t state_file_deaths(
    struct state_file *state, struct state_death deaths[STATE_RECORDS_MAX]);
/* What all records say that was sent: ours and those of dead copies. */
uint32_t state_file_records(const struct state_file *state,
    struct state_record records[STATE_RECORDS_MAX]);
/* Our own; its next round has its sequence + 1. */
const struct state_record *state_file_own(const struct state_file *state);
/* That round is committed, and its bytes may leave. */
void state_file_sent(struct state_file *state, int64_t sequence, int64_t at);
/* Marks: set before, cleared after. */
void state_file_planning(
    struct state_file *state, int16_t bucket, int64_t patient_id);
void state_file_planned(struct state_file *state);
void state_file_calling(struct state_file *state, const char *gateway);
void state_file_called(struct state_file *state);
/* The end is near, by what is being called; in a signal handler, too. */
void state_file_blame(struct state_file *state);

#endif
