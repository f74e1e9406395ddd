/*
 * The round.  Claim people who are due, load their dossiers, plan each,
 * write everything in one transaction, and after its COMMIT hand the
 * messages to dispatch.  A COMMIT without an answer is in doubt: the
 * deliveries are read back before anything is sent.
 *
 * Two rounds at a time, each on a connection of its own: while one is being
 * written the next one is claimed and planned, so that neither the database
 * nor we wait for the other.  Their COMMITs come one after the other, for the
 * last thing that each writes is its number, in a row of the copy.
 */
#include "flow/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"
#include "flow/claims.h"
#include "flow/loading.h"
#include "flow/planning.h"

#define AGAIN_US (200 * 1000) /* after a round that failed */
#define SET_ASIDE_US HOUR_US  /* for who cannot be written */

enum slot_stage {
	SLOT_FREE,
	SLOT_LOOKING, /* claims, loads, plans: one slot at a time */
	SLOT_WRITING, /* until its messages are handed on */
};

struct slot { /* a round's place */
	struct worker *worker;
	struct db *db;
	enum slot_stage stage;
	struct look_round *round; /* NULL where it is free */
	struct loop_timer *doubt; /* until a COMMIT is asked about again */
	bool contended;           /* somebody waits for another copy's round */
};

struct worker {
	struct loop *loop;
	struct slot slots[WORKER_ROUNDS];
	const struct clock *clock;
	struct gateways *gateways;
	struct messages *messages;
	struct dispatch *dispatch;
	struct stop_book *stops;
	struct rule_book *rules;
	struct worker_settings settings;
	struct planner planner;
	struct state_file *state;    /* NULL: nothing is remembered */
	struct aftermath *aftermath; /* NULL: likewise */
	struct loop_timer *timer;    /* to the next claim */
	struct claims *claims;
	bool failed;        /* the last round */
	uint32_t limit;     /* people a round; halved when one is poison */
	bool short_of_room; /* the last claim asked for less than limit */
	bool busy;          /* with what comes before the first claim */
	bool started; /* never where role = inbox, however often it is woken */
	bool woken, stopping;
};

static void look(void *arg);
static void ask_mine(void *arg);

struct worker *
worker_create(struct loop *loop, struct db *const dbs[WORKER_ROUNDS],
    const struct clock *clock, struct gateways *gateways,
    struct messages *messages, struct dispatch *dispatch,
    struct stop_book *stops, struct rule_book *rules,
    const struct worker_settings *settings)
{
	struct worker *worker = mem_alloc(sizeof(*worker));

	worker->loop = loop;
	for (size_t i = 0; i < WORKER_ROUNDS; i++) {
		struct slot *slot = &worker->slots[i];

		slot->worker = worker;
		slot->db = dbs[i];
		slot->doubt = loop_timer_create(loop, ask_mine, slot);
	}
	worker->clock = clock;
	worker->gateways = gateways;
	worker->messages = messages;
	worker->dispatch = dispatch;
	worker->stops = stops;
	worker->rules = rules;
	worker->settings = *settings;
	worker->planner = (struct planner){
	    .clock = clock,
	    .gateways = gateways,
	    .messages = messages,
	    .rules = rules,
	};
	worker->timer = loop_timer_create(loop, look, worker);
	worker->limit = settings->claim_max;
	worker->claims = claims_create(gateways);
	claims_reload(worker->claims, settings->ahead_us);
	return worker;
}

void
worker_reload(struct worker *worker, const struct worker_settings *settings)
{
	worker->settings = *settings;
	worker->limit = settings->claim_max;
	claims_reload(worker->claims, settings->ahead_us);
	worker_wake(worker);
}

void
worker_remember(struct worker *worker, struct state_file *state,
    struct aftermath *aftermath)
{
	worker->state = worker->planner.state = state;
	worker->aftermath = aftermath;
}

void
worker_start(struct worker *worker)
{
	worker->started = true;
	loop_timer_arm(worker->timer, 0);
}

/* The slot of a new round; NULL where none may begin now. */
static struct slot *
free_slot(struct worker *worker)
{
	struct slot *found = NULL;

	for (size_t i = WORKER_ROUNDS; i-- > 0;) {
		struct slot *slot = &worker->slots[i];

		if (slot->stage == SLOT_FREE)
			found = slot;
		else if (slot->stage != SLOT_WRITING || worker->failed)
			return NULL;
	}
	return found;
}

void
worker_wake(struct worker *worker)
{
	worker->woken = true;
	if (worker->started && !worker->stopping && free_slot(worker) != NULL)
		loop_timer_arm(worker->timer, 0);
}

void
worker_room(struct worker *worker)
{
	for (size_t i = 0; i < gateways_count(worker->gateways); i++) {
		const struct gateway *g = gateways_at(worker->gateways, i);

		if (gateway_room(g) >= g->queued && worker->short_of_room) {
			worker_wake(worker);
			return;
		}
	}
}

void
worker_stop(struct worker *worker)
{
	worker->stopping = true;
	loop_timer_disarm(worker->timer);
}

bool
worker_idle(const struct worker *worker)
{
	for (size_t i = 0; i < WORKER_ROUNDS; i++)
		if (worker->slots[i].stage != SLOT_FREE)
			return false;
	return !worker->busy;
}

/* ---- the end of a round ---- */

static struct slot *
slot_in(struct worker *worker, enum slot_stage stage)
{
	for (size_t i = 0; i < WORKER_ROUNDS; i++)
		if (worker->slots[i].stage == stage)
			return &worker->slots[i];
	return NULL;
}

/* Look again after a pause, or at once if somebody woke us meanwhile. */
static void
look_after(struct worker *worker, int64_t pause_us)
{
	if (worker->stopping)
		return;
	if (worker->woken)
		pause_us = pause_us < 1000 ? pause_us : 1000;
	worker->woken = false;
	loop_timer_arm(worker->timer, pause_us);
}

static void
end_round(struct slot *slot, int64_t pause_us)
{
	struct worker *worker = slot->worker;
	struct look_round *round = slot->round;

	if (round->writing != NULL)
		writing_free(round->writing);
	if (round->sending != NULL) /* nothing was handed to dispatch */
		arena_free(round->sending->arena);
	arena_free(round->arena);
	slot->round = NULL;
	slot->stage = SLOT_FREE;
	look_after(worker, pause_us);
}

/*
 * Until one comes through there are no two at a time.  The look that found no
 * place behind this round does not shorten the pause.
 */
static void
end_failed(struct slot *slot)
{
	slot->worker->failed = true;
	slot->worker->woken = false;
	end_round(slot, AGAIN_US);
}

/* Nobody holds what was planned for these gateways any more. */
static void
unreserve(struct look_round *round, const bool *keep)
{
	struct delivery **list = round->deliveries.data;

	planning_drop(round);
	for (size_t i = 0; i < round->deliveries.count; i++)
		if (keep == NULL || !keep[i])
			list[i]->gateway->queued--;
}

static void
rolled_back(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct slot *slot = arg;

	(void)outcome;
	(void)sqlstate;
	end_failed(slot);
}

/* Alone, and still it cannot be written: set aside, with a line for people. */
static void
set_aside(struct slot *slot, struct db_unit *unit)
{
	const struct person *person = slot->round->people.data;

	log_error("worker.set_aside", log_n(BUCKET, person->bucket),
	    log_n(PATIENT, person->patient_id));
	db_unit_add(unit, "agenda_set_aside", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_at(unit, slot->round->care_now + SET_ASIDE_US);
}

/* The transaction failed: what passes is tried again, what stays is halved. */
static void
fail_round(struct slot *slot, const char *sqlstate)
{
	struct worker *worker = slot->worker;
	struct look_round *round = slot->round;
	struct db_unit *unit = db_unit_begin(slot->db);

	metric_add(METRIC_ROUNDS_FAILED, NULL, NULL, 1);
	log_warning("worker.round_failed", log_s(SQLSTATE, sqlstate),
	    log_n(COUNT, round->people.count));
	unreserve(round, NULL);
	db_unit_add(unit, "rollback", NULL, NULL);
	if (!db_sqlstate_passes(sqlstate)) {
		if (round->people.count == 1)
			set_aside(slot, unit);
		worker->limit = worker->limit > 1 ? worker->limit / 2 : 1;
	}
	db_unit_send(unit, rolled_back, slot);
}

/* ---- after the COMMIT ---- */

/* Until the next round, if nobody wakes us. */
static int64_t
next_pause(const struct slot *slot)
{
	const struct worker *worker = slot->worker;
	uint32_t random;

	if (!slot->contended)
		return claims_backlog(worker->claims)
			   ? 0
			   : worker->settings.look_us;
	/* so that two copies in step fall out of it */
	crypto_random(&random, sizeof(random));
	return random % AGAIN_US;
}

/* Two rounds may come here in another order than that of their COMMITs. */
static void
remember(struct worker *worker, const struct look_round *round)
{
	int64_t sequence = writing_sequence(round->writing);

	if (worker->state != NULL &&
	    sequence > state_file_own(worker->state)->sequence)
		state_file_sent(worker->state, sequence, round->sent_until);
}

static void
dispatch_all(struct slot *slot)
{
	struct worker *worker = slot->worker;
	struct look_round *round = slot->round;
	struct delivery **list = round->deliveries.data;
	struct ask *asks = round->asks.data;
	size_t kept = 0;

	worker->failed = false;
	metric_add(METRIC_ROUNDS, NULL, NULL, 1);
	metric_add(METRIC_LOOKS, NULL, NULL, (double)round->people.count);
	unreserve(round, round->mine);
	for (size_t i = 0; i < round->deliveries.count; i++)
		if (round->mine[i])
			list[kept++] = list[i];
	if (kept > 0) {
		struct round *sending = round->sending;

		remember(worker, round);
		round->sending = NULL;
		dispatch_round(worker->dispatch, sending, list, kept);
	}
	for (size_t i = 0; i < round->asks.count; i++)
		dispatch_ask(worker->dispatch, asks[i].gateway, &asks[i].key,
		    asks[i].address, asks[i].provider_id, asks[i].sent_at);
	worker->limit = worker->limit < worker->settings.claim_max / 2
			    ? worker->limit * 2
			    : worker->settings.claim_max;
	end_round(slot, next_pause(slot));
}

static void
on_mine(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct slot *slot = arg;

	(void)sqlstate;
	if (outcome == DB_OK)
		dispatch_all(slot);
	else
		loop_timer_arm(slot->doubt, AGAIN_US);
}

/*
 * Read back which rows are ours.  The database may be away for long: by
 * then the lease is over, dispatch sends nothing and gives all back.
 */
static void
ask_mine(void *arg)
{
	struct slot *slot = arg;
	struct look_round *round = slot->round;
	struct db_unit *unit = db_unit_begin(slot->db);

	memset(round->mine, 0, round->deliveries.count * sizeof(bool));
	writing_ask_mine(round->writing, unit, round->mine);
	db_unit_send(unit, on_mine, slot);
}

static void
on_written(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct slot *slot = arg;
	struct look_round *round = slot->round;

	if (outcome == DB_FAILED) {
		fail_round(slot, sqlstate);
		return;
	}
	round->mine = arena_array(
	    round->arena, round->deliveries.count + 1, sizeof(bool));
	if (outcome == DB_LOST && round->deliveries.count > 0) {
		log_warning("worker.commit_in_doubt",
		    log_n(COUNT, round->deliveries.count));
		ask_mine(slot);
		return;
	}
	if (outcome == DB_LOST) {
		end_failed(slot);
		return;
	}
	if (!writing_complete(round->writing)) {
		ask_mine(slot);
		return;
	}
	for (size_t i = 0; i < round->deliveries.count; i++)
		round->mine[i] = true;
	fault_point(AFTER_COMMIT);
	dispatch_all(slot);
}

/* ---- planning ---- */

static void
write_round(struct slot *slot)
{
	struct worker *worker = slot->worker;
	struct look_round *round = slot->round;
	struct db_unit *unit = db_unit_begin(slot->db);

	slot->stage = SLOT_WRITING;
	if (worker->state != NULL) {
		const struct state_record *own = state_file_own(worker->state);

		writing_mark(round->writing, own->id, STATE_ID_BYTES,
		    own->sequence, round->sent_until);
	}
	writing_statements(round->writing, unit);
	fault_point(BEFORE_COMMIT);
	db_unit_send(unit, on_written, slot);
	fault_point(MID_COMMIT);
	if (claims_backlog(worker->claims) || worker->woken)
		look_after(worker, 0);
}

static void
count_cpu(int64_t since)
{
	metric_add(METRIC_PLANNING_CPU, NULL, NULL,
	    (double)(clock_cpu() - since) / SECOND_US);
}

static void
write_all(struct slot *slot)
{
	struct worker *worker = slot->worker;
	int64_t begun = clock_cpu();
	bool all = planning_finish(&worker->planner, slot->round);

	count_cpu(begun);
	/* else it may be our own round that is in the way, and soon over */
	slot->contended = !all && slot_in(worker, SLOT_WRITING) == NULL;
	write_round(slot);
}

/* The answer about shared addresses did not come. */
static void
give_up(struct slot *slot, enum db_outcome outcome, const char *sqlstate)
{
	if (outcome == DB_FAILED) {
		fail_round(slot, sqlstate);
		return;
	}
	unreserve(slot->round, NULL);
	end_failed(slot);
}

static void
on_recent(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct slot *slot = arg;

	if (outcome == DB_OK)
		write_all(slot);
	else
		give_up(slot, outcome, sqlstate);
}

static void
on_widened(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct slot *slot = arg;
	struct db_unit *unit;

	if (outcome != DB_OK) {
		give_up(slot, outcome, sqlstate);
		return;
	}
	unit = db_unit_begin(slot->db);
	sharing_ask_recent(slot->round->sharing, unit);
	db_unit_send(unit, on_recent, slot);
}

static void
ask_sharing(struct slot *slot,
    void (*answered)(enum db_outcome outcome, const char *sqlstate, void *arg))
{
	struct db_unit *unit = db_unit_begin(slot->db);

	sharing_ask(slot->round->sharing, unit);
	db_unit_send(unit, answered, slot);
}

static void
on_shared(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct slot *slot = arg;

	if (outcome != DB_OK) {
		give_up(slot, outcome, sqlstate);
	} else if (!sharing_found(slot->round->sharing)) {
		write_all(slot);
	} else {
		planning_widen(slot->round);
		ask_sharing(slot, on_widened);
	}
}

static void
plan_all(struct slot *slot)
{
	struct worker *worker = slot->worker;
	struct look_round *round = slot->round;
	struct person *people = round->people.data;
	struct arena *arena = arena_create();
	int64_t begun;

	round->sending = arena_alloc(arena, sizeof(*round->sending));
	round->sending->arena = arena;
	round->sending->lease_until = round->now + worker->settings.lease_us;
	crypto_random(&round->sending->batch_ref, sizeof(int64_t));
	round->sending->batch_ref &= INT64_MAX;
	round->writing = writing_create(worker->settings.copy, round->care_now,
	    round->now, round->sending->batch_ref, round->sending->lease_until);
	begun = clock_cpu();
	planning_begin(round);
	for (size_t i = 0; i < round->people.count; i++)
		planning_plan(&worker->planner, round, &people[i]);
	count_cpu(begun);
	if (sharing_empty(round->sharing))
		write_all(slot);
	else
		ask_sharing(slot, on_shared);
}

/* ---- loading ---- */

static void
on_loaded(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct slot *slot = arg;

	if (outcome == DB_OK)
		plan_all(slot);
	else if (outcome == DB_FAILED)
		fail_round(slot, sqlstate);
	else
		end_failed(slot);
}

static void
load(struct slot *slot)
{
	struct worker *worker = slot->worker;
	struct look_round *round = slot->round;
	struct db_unit *unit = db_unit_begin(slot->db);

	rule_book_read(worker->rules, unit, round->now);
	loading_add(round, worker->clock, unit);
	db_unit_send(unit, on_loaded, slot);
}

/* ---- claiming ---- */

static void
on_nothing(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct slot *slot = arg;
	struct worker *worker = slot->worker;

	(void)outcome;
	(void)sqlstate;
	end_round(slot,
	    claims_backlog(worker->claims) ? 0 : worker->settings.look_us);
}

/* Is the database known to be the one that we sent from? */
static bool
database_known(const struct worker *worker)
{
	return worker->aftermath == NULL || aftermath_done(worker->aftermath);
}

static void
on_claimed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct slot *slot = arg;
	struct worker *worker = slot->worker;
	struct db_unit *unit;

	if (outcome == DB_LOST) {
		end_failed(slot);
		return;
	}
	if (outcome == DB_FAILED) {
		fail_round(slot, sqlstate);
		return;
	}
	/* the pause is gone: an operator spoke, or it was never stored */
	if (worker->aftermath != NULL && aftermath_behind(worker->aftermath) &&
	    !gateways_all_paused(worker->gateways))
		aftermath_connected(worker->aftermath);
	if (gateways_all_paused(worker->gateways) || !database_known(worker)) {
		unit = db_unit_begin(slot->db);
		db_unit_add(unit, "rollback", NULL, NULL);
		db_unit_send(unit, rolled_back, slot);
		return;
	}
	if (slot->round->people.count > 0) {
		load(slot);
		return;
	}
	/* an alarm about a program waits for nobody to be due */
	unit = db_unit_begin(slot->db);
	rule_book_read(worker->rules, unit, slot->round->now);
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, on_nothing, slot);
}

static void
claim(struct slot *slot, uint32_t limit)
{
	struct worker *worker = slot->worker;
	struct db_unit *unit = db_unit_begin(slot->db);

	db_unit_add(unit, "begin", NULL, NULL);
	claims_add(worker->claims, unit, slot->round, limit, worker->limit);
	/* behind the row locks: what was stopped before is not planned */
	stop_book_read(worker->stops, unit);
	gateways_read_pauses(worker->gateways, unit, slot->round->now);
	rule_book_ask(worker->rules, unit);
	db_unit_send(unit, on_claimed, slot);
}

static void
on_aftermath(void *arg)
{
	struct worker *worker = arg;

	worker->busy = false;
	if (!worker->stopping)
		loop_timer_arm(worker->timer,
		    aftermath_done(worker->aftermath) ? 0 : AGAIN_US);
}

static void
begin_round(struct slot *slot)
{
	struct worker *worker = slot->worker;
	struct arena *arena = arena_create();
	struct look_round *round = arena_alloc(arena, sizeof(*round));
	uint32_t room;

	round->arena = arena;
	round->now = clock_unmoved(worker->clock);
	round->care_now = clock_care(worker->clock);
	round->sent_until = round->care_now + 1;
	list_init(&round->people, arena, sizeof(struct person));
	list_init(&round->deliveries, arena, sizeof(struct delivery *));
	list_init(&round->asks, arena, sizeof(struct ask));
	slot->round = round;
	slot->stage = SLOT_LOOKING;
	worker->woken = false;
	room = claims_room(worker->claims, worker->limit);
	worker->short_of_room = room < worker->limit;
	claim(slot, room);
}

static void
look(void *arg)
{
	struct worker *worker = arg;
	struct slot *slot = free_slot(worker);

	if (worker->stopping || worker->busy)
		return;
	if (slot == NULL) { /* whoever is in the way looks again at once */
		worker->woken = true;
		return;
	}
	if (!db_ready(slot->db) || !clock_agrees(worker->clock)) {
		loop_timer_arm(worker->timer, AGAIN_US);
		return;
	}
	if (database_known(worker)) {
		begin_round(slot);
	} else if (slot_in(worker, SLOT_WRITING) == NULL) {
		worker->busy = true;
		aftermath_run(worker->aftermath, on_aftermath, worker);
	}
}
