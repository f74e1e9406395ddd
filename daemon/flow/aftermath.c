/*
 * Two units before the first claim: deaths, then the comparison.  Deaths are
 * handed out by the state file once; they are kept here until the database
 * has them.
 */
#include "flow/aftermath.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/zone.h"

#define DEATHS_MAX 3             /* then it is set aside */
#define AGAIN_US (5 * SECOND_US) /* who killed one is tried again */
#define ASIDE_US (7 * DAY_US)    /* or when something changes */
#define FORGOTTEN_US DAY_US      /* a plug-in's deaths */
#define EVERYBODY "*"

struct aftermath {
	struct db *db;
	const struct clock *clock;
	struct gateways *gateways;
	struct outcomes *outcomes;
	struct state_file *state;
	const char *copy;
	struct state_death deaths[STATE_RECORDS_MAX];
	uint32_t death_count;
	bool compared; /* on this connection */
	bool behind;
	int64_t behind_at; /* care time of the last that it lacks */
	void (*done)(void *arg);
	void *arg;
};

struct aftermath *
aftermath_create(struct db *db, const struct clock *clock,
    struct gateways *gateways, struct outcomes *outcomes,
    struct state_file *state, const char *copy)
{
	struct aftermath *a = mem_alloc(sizeof(*a));

	a->db = db;
	a->clock = clock;
	a->gateways = gateways;
	a->outcomes = outcomes;
	a->state = state;
	a->copy = copy;
	a->compared = state == NULL;
	if (state != NULL)
		a->death_count = state_file_deaths(state, a->deaths);
	return a;
}

void
aftermath_connected(struct aftermath *a)
{
	a->compared = a->state == NULL;
}

bool
aftermath_done(const struct aftermath *a)
{
	return a->compared && a->death_count == 0;
}

bool
aftermath_behind(const struct aftermath *a)
{
	return a->behind;
}

/* ---- the comparison ---- */

static void
take_behind(const struct db_result *result, void *arg)
{
	struct aftermath *a = arg;

	a->behind = db_rows(result) > 0;
	for (int row = 0; row < db_rows(result); row++)
		if (row == 0 || db_at(result, row, 0) > a->behind_at)
			a->behind_at = db_at(result, row, 0);
}

/*
 * A file that is older than the database, after a power cut, catches up: its
 * numbers would go back, and hide the next restore.
 */
static void
take_own(const struct db_result *result, void *arg)
{
	struct aftermath *a = arg;

	if (db_rows(result) == 1 &&
	    db_i64(result, 0, 0) > state_file_own(a->state)->sequence)
		state_file_sent(
		    a->state, db_i64(result, 0, 0), db_at(result, 0, 1));
}

static void
pause_all(struct aftermath *a)
{
	char until[32];

	/* what to give, at least, to resume --assume-sent-until */
	zone_format(zone_open("UTC"), a->behind_at, until, sizeof(until));
	log_error("database.behind", log_s(SENT_UNTIL, until));
	gateways_pause(a->gateways, EVERYBODY, "", AT_NEVER);
	outcomes_add_pause(
	    a->outcomes, EVERYBODY, "", "database_behind", AT_NEVER);
}

static void
on_compared(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct aftermath *a = arg;

	(void)sqlstate; /* the connection's state is told elsewhere */
	a->compared = outcome == DB_OK;
	if (a->compared && a->behind)
		pause_all(a);
	a->done(a->arg);
}

static void
compare(struct aftermath *a)
{
	struct db_unit *unit = db_unit_begin(a->db);
	struct state_record records[STATE_RECORDS_MAX];
	uint32_t count = state_file_records(a->state, records);
	struct db_array id, sequence, sent_at;

	db_array_init(&id, DB_BYTES);
	db_array_init(&sequence, DB_I64);
	db_array_init(&sent_at, DB_AT);
	for (uint32_t i = 0; i < count; i++) {
		db_array_bytes(&id, records[i].id, STATE_ID_BYTES);
		db_array_i64(&sequence, records[i].sequence);
		db_array_at(&sent_at, records[i].sent_at);
	}
	a->behind = false;
	db_unit_add(unit, "sending_mark_own", take_own, a);
	db_param_bytes(unit, state_file_own(a->state)->id, STATE_ID_BYTES);
	db_unit_add(unit, "sending_mark_check", take_behind, a);
	db_param_array(unit, &id);
	db_param_array(unit, &sequence);
	db_param_array(unit, &sent_at);
	db_param_text(unit, a->copy);
	db_param_at(unit, clock_unmoved(a->clock));
	db_array_free(&id);
	db_array_free(&sequence);
	db_array_free(&sent_at);
	db_unit_send(unit, on_compared, a);
}

/* ---- deaths ---- */

static void
take_person_deaths(const struct db_result *result, void *arg)
{
	const struct state_death *death = arg;
	int64_t deaths = db_rows(result) == 1 ? db_i64(result, 0, 0) : 0;

	log_error(deaths >= DEATHS_MAX ? "worker.set_aside" : "worker.died",
	    log_n(BUCKET, death->bucket), log_n(PATIENT, death->patient_id),
	    log_n(COUNT, deaths));
}

struct strike { /* lives in its unit */
	struct aftermath *aftermath;
	const struct state_death *death;
};

static void
take_strikes(const struct db_result *result, void *arg)
{
	const struct strike *strike = arg;
	const char *gateway = strike->death->gateway;
	int64_t deaths = db_i64(result, 0, 0);

	log_error(
	    "gateway.died", log_s(GATEWAY, gateway), log_n(COUNT, deaths));
	if (deaths < DEATHS_MAX)
		return;
	log_error("gateway.quarantined", log_s(GATEWAY, gateway));
	gateways_pause(strike->aftermath->gateways, gateway, "", AT_NEVER);
	outcomes_add_pause(
	    strike->aftermath->outcomes, gateway, "", "plugin_dies", AT_NEVER);
}

static void
on_told(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct aftermath *a = arg;

	(void)sqlstate;
	if (outcome == DB_OK)
		a->death_count = 0;
	if (outcome == DB_OK && !a->compared)
		compare(a);
	else
		a->done(a->arg);
}

static void
add_death(struct aftermath *a, struct db_unit *unit, struct state_death *death)
{
	int64_t care_now = clock_care(a->clock), now = clock_unmoved(a->clock);
	struct strike *strike;

	if (death->planning) {
		db_unit_add(unit, "person_death", take_person_deaths, death);
		db_param_i16(unit, death->bucket);
		db_param_i64(unit, death->patient_id);
		db_param_at(unit, care_now + AGAIN_US);
		db_param_i32(unit, DEATHS_MAX);
		db_param_at(unit, care_now + ASIDE_US);
	}
	if (death->gateway[0] == '\0')
		return;
	strike = arena_alloc(db_unit_arena(unit), sizeof(*strike));
	*strike = (struct strike){a, death};
	db_unit_add(unit, "gateway_strike", take_strikes, strike);
	db_param_text(unit, death->gateway);
	db_param_at(unit, now);
	db_param_at(unit, now - FORGOTTEN_US);
}

void
aftermath_run(struct aftermath *a, void (*done)(void *arg), void *arg)
{
	struct db_unit *unit;

	a->done = done;
	a->arg = arg;
	if (a->death_count == 0) {
		compare(a);
		return;
	}
	unit = db_unit_begin(a->db);
	for (uint32_t i = 0; i < a->death_count; i++)
		add_death(a, unit, &a->deaths[i]);
	db_unit_send(unit, on_told, a);
}
