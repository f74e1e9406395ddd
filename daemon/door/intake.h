#ifndef ADHERD_DOOR_INTAKE_H
#define ADHERD_DOOR_INTAKE_H

#include "base/db.h"
#include "base/keyring.h"
#include "door/fhir.h"

/*
 * Intake: records, whatever format they came in → the database.  A
 * transaction bundle is stored as a whole or not at all; of anything else
 * each patient is a transaction of its own.  Patients are matched by
 * identifiers alone.  What was stored before in the same version, or in a
 * newer one, changes nothing.
 */
enum intake_outcome {
	INTAKE_PENDING = 0, /* not decided: the database failed */
	INTAKE_CREATED,
	INTAKE_UPDATED,
	INTAKE_UNCHANGED, /* known like this, or a conditional create that found
			     it */
	INTAKE_OLDER,     /* a newer version is known */
	INTAKE_SKIPPED,   /* a kind that is not kept */
	INTAKE_REFUSED,   /* a problem says why, its own or the transaction's */
	INTAKE_OUTCOME_COUNT
};

struct intake_settings { /* borrowed, like all it points to */
	struct loop *loop;
	struct db *db; /* not shared: a transaction spans several units */
	struct keyring *keyring;
	int32_t tenant_id;
	const struct zone *zone; /* of patients who state none */
	const char *locale;
	const char *source; /* whose ids and versions these are */
};

/*
 * Store what fhir_parse() read, as of `now` (care time).  What is refused
 * here becomes a problem of fhir.  The records' marks are intake's.
 * done() is called once, from the loop: DB_OK where every record was
 * decided; DB_FAILED where even the look-up was refused; DB_LOST where the
 * connection went: some may be stored then, and to store all of it again is
 * safe.  Memory is the fhir's arena.
 */
void intake_start(const struct intake_settings *settings, struct fhir *fhir,
    int64_t now, void (*done)(enum db_outcome outcome, void *arg), void *arg);

/* What became of a record; after done(). */
enum intake_outcome intake_outcome(const struct record *record);

#endif
