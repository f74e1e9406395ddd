/*
 * Heartbeats.  A new copy waits until the others have counted it before it
 * uses its share, so that the sum of the shares is never more than the rate.
 * A copy's first heartbeat takes away the rows of its name: one that died is
 * not counted any more, and one that lives, a mistake, puts its own back.
 */
#include "flow/copies.h"

#include <stdlib.h>

#include "base/log.h"

#define ALIVE_US (3 * COPIES_BEAT_US + SECOND_US)
#define KNOWN_US (COPIES_BEAT_US + SECOND_US) /* to all others */

struct copies {
	struct db *db;
	const struct clock *clock;
	struct accounts *accounts;
	const char *name, *role;
	int64_t started_at; /* unmoved; AT_UNKNOWN before the first heartbeat */
	int64_t joined_at;  /* unmoved, of the first that came; AT_UNKNOWN */
	int64_t beat_at;    /* of the one under way */
	bool named_twice;   /* another lives under our name */
	bool under_way;
};

struct copies *
copies_create(struct db *db, const struct clock *clock,
    struct accounts *accounts, const char *name, const char *role)
{
	struct copies *copies = mem_alloc(sizeof(*copies));

	*copies = (struct copies){
	    .db = db,
	    .clock = clock,
	    .accounts = accounts,
	    .name = name,
	    .role = role,
	    .started_at = AT_UNKNOWN,
	    .joined_at = AT_UNKNOWN,
	};
	/* before the first count nobody knows how many there are */
	accounts_set_copies(accounts, 1, true);
	return copies;
}

/* What the first heartbeat finds may be of the copy before us. */
static void
take_others(const struct db_result *result, void *arg)
{
	struct copies *copies = arg;
	bool found =
	    copies->joined_at != AT_UNKNOWN && db_i64(result, 0, 0) > 0;

	if (found && !copies->named_twice)
		log_error("copy.named_twice", log_s(COPY, copies->name));
	copies->named_twice = found;
}

static void
take_count(const struct db_result *result, void *arg)
{
	struct copies *copies = arg;
	int64_t count = db_i64(result, 0, 0);

	if (copies->joined_at == AT_UNKNOWN)
		copies->joined_at = copies->beat_at;
	accounts_set_copies(copies->accounts, count,
	    count > 1 && copies->beat_at < copies->joined_at + KNOWN_US);
}

static void
on_beaten(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	(void)outcome; /* the next one follows soon */
	(void)sqlstate;
	((struct copies *)arg)->under_way = false;
}

void
copies_beat(struct copies *copies)
{
	struct db_unit *unit;

	if (copies->under_way || !copies->clock->synced ||
	    !db_ready(copies->db))
		return;
	copies->under_way = true;
	copies->beat_at = clock_unmoved(copies->clock);
	if (copies->started_at == AT_UNKNOWN)
		copies->started_at = copies->beat_at;
	unit = db_unit_begin(copies->db);
	db_unit_add(unit, "copy_heartbeat", take_others, copies);
	db_param_text(unit, copies->name);
	db_param_text(unit, copies->role);
	db_param_at(unit, copies->started_at);
	db_param_at(unit, copies->beat_at);
	db_param_at(unit, copies->beat_at - ALIVE_US);
	db_param_bool(unit, copies->joined_at == AT_UNKNOWN);
	db_unit_add(unit, "copies_live", take_count, copies);
	db_param_at(unit, copies->beat_at - ALIVE_US);
	db_unit_send(unit, on_beaten, copies);
}

bool
copies_joined(const struct copies *copies)
{
	return copies->joined_at != AT_UNKNOWN;
}

void
copies_leave(struct copies *copies, struct db_unit *unit)
{
	accounts_give_back(copies->accounts, unit);
	db_unit_add(unit, "copy_gone", NULL, NULL);
	db_param_text(unit, copies->name);
	db_param_at(unit, copies->started_at);
}
