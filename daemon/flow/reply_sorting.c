/*
 * A few replies at a time, in transactions of their own.  What cannot be
 * opened or stored stays where it was: its turn comes all the same.
 */
#include "flow/reply_sorting.h"

#include <string.h>

#include "base/clock.h"
#include "flow/inbox.h"
#include "flow/seal.h"

#define AT_ONCE 100                  /* replies */
#define RUN_US SECOND_US             /* then some are worked on */
#define LOOK_US (INT64_C(10) * 1000) /* of the loop, before the next one */

enum urgency { URGENCY_NONE = 0, URGENCY_HARM = 1, URGENCY_EMERGENCY = 2 };

void
sorting_init(struct sorting *sorting, struct db *db, struct keyring *keyring,
    const struct reply_rules *rules)
{
	*sorting = (struct sorting){
	    .db = db,
	    .keyring = keyring,
	    .rules = rules,
	    .arena = arena_create(),
	};
	db_array_init(&sorting->keys, DB_BYTES);
	db_array_init(&sorting->urgencies, DB_I16);
}

/* Nothing but the text is known: not who wrote it, nor what was asked. */
static enum urgency
urgency_of(struct sorting *sorting, const char *text)
{
	struct reply_question question = {.context = REPLY_ON_NONE};
	struct reply reply;

	reply_understand(sorting->rules, text, strlen(text), &question,
	    sorting->arena, &reply);
	return reply.primary == REPLY_EMERGENCY       ? URGENCY_EMERGENCY
	       : reply_label_row(reply.primary)->harm ? URGENCY_HARM
						      : URGENCY_NONE;
}

static void
take_unsorted(const struct db_result *result, void *arg)
{
	struct sorting *sorting = arg;
	int64_t until = clock_boot() + LOOK_US;
	int row = 0;

	for (; row < db_rows(result) && (row == 0 || clock_boot() < until);
	     row++) {
		size_t bytes, sealed_bytes;
		const uint8_t *key = db_bytes(result, row, 0, &bytes);
		const uint8_t *sealed = db_bytes(result, row, 2, &sealed_bytes);
		const char *text =
		    sealed == NULL || bytes != INBOX_KEY_BYTES
			? NULL
			: seal_open_inbox_text(sorting->keyring,
			      (int32_t)db_i64(result, row, 1), key, sealed,
			      sealed_bytes, sorting->arena);
		enum urgency urgency =
		    text == NULL ? URGENCY_NONE : urgency_of(sorting, text);

		db_array_bytes(&sorting->keys, key, bytes);
		db_array_i64(&sorting->urgencies, urgency);
		sorting->urgent |= urgency != URGENCY_NONE;
		arena_reset(sorting->arena);
	}
	sorting->more = row < db_rows(result) || row == AT_ONCE;
}

static void begin(struct sorting *sorting);

static void
on_ended(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct sorting *sorting = arg;

	(void)sqlstate;
	if (outcome == DB_OK && sorting->more && !sorting->failed &&
	    clock_boot() < sorting->until)
		begin(sorting);
	else
		sorting->done(sorting->arg);
}

/* The work on replies tells of a database that refuses. */
static void
roll_back(struct sorting *sorting)
{
	struct db_unit *unit = db_unit_begin(sorting->db);

	sorting->failed = true;
	db_unit_add(unit, "rollback", NULL, NULL);
	db_unit_send(unit, on_ended, sorting);
}

static void
on_stored(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	if (outcome == DB_FAILED)
		roll_back(arg);
	else
		on_ended(outcome, sqlstate, arg);
}

/* One that is alone, and of no danger, needs no sorting. */
static void
on_read(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct sorting *sorting = arg;
	struct db_unit *unit;

	if (outcome == DB_LOST) {
		on_ended(outcome, sqlstate, sorting);
		return;
	}
	if (outcome == DB_FAILED ||
	    (sorting->keys.count < 2 && !sorting->urgent)) {
		roll_back(sorting);
		return;
	}
	unit = db_unit_begin(sorting->db);
	db_unit_add(unit, "reply_sorted", NULL, NULL);
	db_param_array(unit, &sorting->keys);
	db_param_array(unit, &sorting->urgencies);
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, on_stored, sorting);
}

static void
begin(struct sorting *sorting)
{
	struct db_unit *unit = db_unit_begin(sorting->db);

	db_array_clear(&sorting->keys);
	db_array_clear(&sorting->urgencies);
	sorting->urgent = false;
	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "reply_unsorted", take_unsorted, sorting);
	db_param_at(unit, sorting->now);
	db_param_i32(unit, AT_ONCE);
	db_unit_send(unit, on_read, sorting);
}

void
sorting_run(
    struct sorting *sorting, int64_t now, void (*done)(void *arg), void *arg)
{
	sorting->now = now;
	sorting->done = done;
	sorting->arg = arg;
	sorting->failed = false;
	sorting->until = clock_boot() + RUN_US;
	begin(sorting);
}
