/*
 * The round.  Claim people who are due, load their dossiers, plan each,
 * write everything in one transaction, and after its COMMIT hand the
 * messages to dispatch.  A COMMIT without an answer is in doubt: the
 * deliveries are read back before anything is sent.
 */
#include "flow/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/log.h"
#include "flow/writing.h"

#define BUCKETS 1024
#define SLICE 64              /* buckets of a claim while there is a backlog */
#define BLOCKED_PEOPLE 100    /* looked at a round while a gateway is paused */
#define AGAIN_US (200 * 1000) /* after a round that failed */
#define UNREADABLE_US HOUR_US /* until a broken dossier is tried again */

struct person { /* claimed */
	int16_t bucket;
	int64_t patient_id;
	int32_t tenant_id;
	int64_t planned_through;
	bool attention;
	enum reason standing;
	const uint8_t *recent;
	size_t recent_bytes;
	const uint8_t *doc; /* NULL: there is none */
	size_t doc_bytes;
	int64_t version;
	struct list open; /* struct open_row */
};

struct open_row {
	struct open_delivery open;
	const char *gateway, *provider_id;
	int32_t contact_no;
};

struct ask { /* a question for after the COMMIT */
	struct gateway *gateway;
	struct delivery_key key;
	const char *address, *provider_id;
	int64_t sent_at;
};

struct look_round {             /* one round, from claim to dispatch */
	struct arena *arena;    /* freed with the round */
	struct list people;     /* struct person */
	struct round *sending;  /* its arena holds the messages */
	struct list deliveries; /* struct delivery *, in the order written */
	struct list asks;       /* struct ask */
	struct writing *writing;
	bool *mine; /* read back: which deliveries are ours */
	int64_t now, care_now;
};

struct worker {
	struct loop *loop;
	struct db *db;
	const struct clock *clock;
	struct gateways *gateways;
	struct messages *messages;
	struct dispatch *dispatch;
	struct worker_settings settings;
	struct rules rules;
	struct loop_timer *timer;
	struct look_round *round; /* NULL: between rounds */
	struct db_array slice;
	int first_bucket; /* of the next slice; -1: all at once */
	int quiet_slices; /* in a row that gave less than was asked */
	uint32_t limit;   /* people a round; halved when one is poison */
	uint32_t asked, asked_bulk; /* of the claim under way */
	bool backlog;               /* the last claim gave all that was asked */
	bool short_of_room; /* the last claim asked for less than limit */
	bool woken, stopping;
	int64_t rounds;
};

static void look(void *arg);

struct worker *
worker_create(struct loop *loop, struct db *db, const struct clock *clock,
    struct gateways *gateways, struct messages *messages,
    struct dispatch *dispatch, const struct worker_settings *settings)
{
	struct worker *worker = mem_alloc(sizeof(*worker));

	worker->loop = loop;
	worker->db = db;
	worker->clock = clock;
	worker->gateways = gateways;
	worker->messages = messages;
	worker->dispatch = dispatch;
	worker->settings = *settings;
	worker->rules = *program_default();
	worker->rules.ask_after_us = settings->ask_after_us;
	worker->timer = loop_timer_create(loop, look, worker);
	worker->limit = settings->claim_max;
	worker->first_bucket = -1;
	db_array_init(&worker->slice, DB_I16);
	return worker;
}

void
worker_free(struct worker *worker)
{
	assert(worker->round == NULL);
	loop_timer_free(worker->timer);
	db_array_free(&worker->slice);
	free(worker);
}

void
worker_start(struct worker *worker)
{
	loop_timer_arm(worker->timer, 0);
}

void
worker_wake(struct worker *worker)
{
	worker->woken = true;
	if (worker->round == NULL && !worker->stopping)
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
	return worker->round == NULL;
}

int64_t
worker_rounds(const struct worker *worker)
{
	return worker->rounds;
}

/* ---- the end of a round ---- */

static void
end_round(struct worker *worker, int64_t pause_us)
{
	struct look_round *round = worker->round;

	if (round->writing != NULL)
		writing_free(round->writing);
	if (round->sending != NULL) /* nothing was handed to dispatch */
		arena_free(round->sending->arena);
	arena_free(round->arena);
	worker->round = NULL;
	if (worker->stopping)
		return;
	if (worker->woken)
		pause_us = pause_us < 1000 ? pause_us : 1000;
	worker->woken = false;
	loop_timer_arm(worker->timer, pause_us);
}

/* Nobody holds what was planned for these gateways any more. */
static void
unreserve(struct look_round *round, const bool *keep)
{
	struct delivery **list = round->deliveries.data;

	for (size_t i = 0; i < round->deliveries.count; i++)
		if (keep == NULL || !keep[i])
			list[i]->gateway->queued--;
}

static bool
is_passing(const char *sqlstate)
{
	static const char *const classes[] = {"08", "40", "53", "55", "57"};

	for (unsigned i = 0; i < COUNT(classes); i++)
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

static void
rolled_back(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct worker *worker = arg;

	(void)outcome;
	(void)sqlstate;
	end_round(worker, AGAIN_US);
}

/* Alone, and still it cannot be written: set aside, with a line for people. */
static void
set_aside(struct worker *worker, struct db_unit *unit)
{
	const struct person *person = worker->round->people.data;

	log_error("worker.set_aside", log_n(BUCKET, person->bucket),
	    log_n(PATIENT, person->patient_id));
	db_unit_add(unit, "agenda_set_aside", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_at(unit, worker->round->care_now + UNREADABLE_US);
}

/* The transaction failed: what passes is tried again, what stays is halved. */
static void
fail_round(struct worker *worker, const char *sqlstate)
{
	struct look_round *round = worker->round;
	struct db_unit *unit = db_unit_begin(worker->db);

	log_warning("worker.round_failed", log_s(SQLSTATE, sqlstate),
	    log_n(COUNT, round->people.count));
	unreserve(round, NULL);
	db_unit_add(unit, "rollback", NULL, NULL);
	if (!is_passing(sqlstate)) {
		if (round->people.count == 1)
			set_aside(worker, unit);
		worker->limit = worker->limit > 1 ? worker->limit / 2 : 1;
	}
	db_unit_send(unit, rolled_back, worker);
}

/* ---- after the COMMIT ---- */

static void
dispatch_all(struct worker *worker)
{
	struct look_round *round = worker->round;
	struct delivery **list = round->deliveries.data;
	struct ask *asks = round->asks.data;
	size_t kept = 0;

	unreserve(round, round->mine);
	for (size_t i = 0; i < round->deliveries.count; i++)
		if (round->mine[i])
			list[kept++] = list[i];
	if (kept > 0) {
		struct round *sending = round->sending;

		round->sending = NULL;
		dispatch_round(worker->dispatch, sending, list, kept);
	}
	for (size_t i = 0; i < round->asks.count; i++)
		dispatch_ask(worker->dispatch, asks[i].gateway, &asks[i].key,
		    asks[i].address, asks[i].provider_id, asks[i].sent_at);
	worker->rounds++;
	if (worker->limit < worker->settings.claim_max)
		worker->limit *= 2;
	end_round(worker, worker->backlog ? 0 : worker->settings.look_us);
}

static void ask_mine(void *arg);

static void
on_mine(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct worker *worker = arg;

	(void)sqlstate;
	if (outcome == DB_OK)
		dispatch_all(worker);
	else
		ask_mine(worker);
}

/*
 * Read back which rows are ours.  The database may be away for long: by
 * then the lease is over, dispatch sends nothing and gives all back.
 */
static void
ask_mine(void *arg)
{
	struct worker *worker = arg;
	struct look_round *round = worker->round;
	struct db_unit *unit = db_unit_begin(worker->db);

	memset(round->mine, 0, round->deliveries.count * sizeof(bool));
	writing_ask_mine(round->writing, unit, round->mine);
	db_unit_send(unit, on_mine, worker);
}

static void
on_written(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct worker *worker = arg;
	struct look_round *round = worker->round;

	if (outcome == DB_FAILED) {
		fail_round(worker, sqlstate);
		return;
	}
	round->mine = arena_array(
	    round->arena, round->deliveries.count + 1, sizeof(bool));
	if (outcome == DB_LOST && round->deliveries.count > 0) {
		log_warning("worker.commit_in_doubt",
		    log_n(COUNT, round->deliveries.count));
		ask_mine(worker);
		return;
	}
	if (outcome == DB_LOST) {
		end_round(worker, AGAIN_US);
		return;
	}
	if (!writing_complete(round->writing)) {
		ask_mine(worker);
		return;
	}
	for (size_t i = 0; i < round->deliveries.count; i++)
		round->mine[i] = true;
	dispatch_all(worker);
}

/* ---- planning ---- */

/* Audience and dossier of the person being planned. */
struct planning {
	struct worker *worker;
	struct look_round *round;
	const struct person *person;
	const struct audience *audience;
	struct dossier dossier;
};

static const struct open_row *
find_open(const struct person *person, const struct delivery_key *key)
{
	const struct open_row *rows = person->open.data;

	for (size_t i = 0; i < person->open.count; i++) {
		const struct open_delivery *o = &rows[i].open;

		if (o->kind == key->kind && o->source == key->source &&
		    o->occurrence_on == key->occurrence_on &&
		    o->slot == key->slot && o->channel == key->channel)
			return &rows[i];
	}
	return NULL;
}

static void
take_send(struct planning *p, const struct plan_step *step)
{
	struct look_round *round = p->round;
	struct arena *arena = round->sending->arena;
	struct delivery *delivery = arena_alloc(arena, sizeof(*delivery));
	const struct open_row *open;
	int64_t offset = p->worker->clock->care_offset;

	delivery->key = writing_step_key(&p->dossier, step);
	delivery->gateway = p->audience->gateways[step->channel];
	delivery->not_after =
	    step->not_after == AT_NEVER ? AT_NEVER : step->not_after - offset;
	delivery->contact_no = step->contact_no;
	open = find_open(p->person, &delivery->key);
	delivery->attempts = open == NULL ? 1 : open->open.attempts + 1;
	messages_write(p->worker->messages, p->audience, &p->dossier, step,
	    arena, delivery);
	delivery->gateway->queued++;
	*(struct delivery **)list_add(&round->deliveries) = delivery;
	writing_add_send(round->writing, p->dossier.tenant_id, delivery, step,
	    open == NULL ? DELIVERY_SENDING : open->open.state,
	    dossier_contact(&p->dossier, step->contact_no));
}

static void
take_ask(struct planning *p, const struct plan_ask *planned)
{
	struct delivery_key key =
	    writing_open_key(&p->dossier, planned->delivery);
	const struct open_row *open = find_open(p->person, &key);
	struct gateway *gateway =
	    open == NULL || open->gateway == NULL
		? NULL
		: gateways_find(p->worker->gateways, open->gateway);
	const char *address;
	struct ask *ask;

	if (gateway == NULL)
		return;
	address = messages_address(p->worker->messages, &p->dossier,
	    open->contact_no, p->round->arena);
	if (address == NULL)
		return;
	ask = list_add(&p->round->asks);
	*ask = (struct ask){
	    .gateway = gateway,
	    .key = key,
	    .address = address,
	    .provider_id = open->provider_id,
	    .sent_at = open->open.sent_at - p->worker->clock->care_offset,
	};
}

/* Is something left that the next look must load? */
static bool
needs_attention(const struct planning *p, const struct plan *plan)
{
	uint32_t over = plan->close_count;

	for (uint32_t i = 0; i < plan->step_count; i++)
		over += plan->steps[i].attempt_again;
	return p->person->open.count > over;
}

static void
take_plan(struct planning *p, const struct plan *plan)
{
	struct writing *writing = p->round->writing;
	struct looked looked = {
	    .bucket = p->person->bucket,
	    .patient_id = p->person->patient_id,
	    .next_at = plan->next_at,
	    .lane = plan->park_lane,
	    .attention = needs_attention(p, plan),
	    .standing_before = p->person->standing,
	    .standing = plan->standing,
	    .said = plan->said,
	    .said_count = plan->said_count,
	};

	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->action == PLAN_SEND)
			take_send(p, step);
		else if (step->action == PLAN_HOLD)
			writing_add_hold(writing, &p->dossier, step);
		else
			writing_add_task(writing, &p->dossier, step);
	}
	for (uint32_t i = 0; i < plan->close_count; i++)
		writing_add_close(writing, &p->dossier, &plan->closes[i]);
	for (uint32_t i = 0; i < plan->ask_count; i++)
		take_ask(p, &plan->asks[i]);
	writing_add_looked(writing, &looked);
}

static int
read_dossier(struct planning *p, const char **error)
{
	const struct person *person = p->person;
	struct arena *arena = p->round->arena;
	struct open_delivery *open;
	const struct said *said;
	uint32_t said_count;
	int status = 0;

	*error = "no dossier";
	if (person->doc == NULL ||
	    dossier_decode(
		person->doc, person->doc_bytes, arena, &p->dossier, error) != 0)
		status = -1;
	/* what was said must survive a dossier that cannot be read */
	if (said_decode(person->recent, person->recent_bytes, arena, &said,
		&said_count) == 0) {
		p->dossier.said = said;
		p->dossier.said_count = said_count;
	} else {
		*error = "damaged memory";
		status = -1;
	}
	if (status != 0)
		return -1;
	open = arena_array(arena, person->open.count + 1, sizeof(*open));
	for (size_t i = 0; i < person->open.count; i++)
		open[i] = ((struct open_row *)person->open.data)[i].open;
	p->dossier.open = open;
	p->dossier.open_count = (uint32_t)person->open.count;
	p->dossier.bucket = person->bucket;
	p->dossier.patient_id = person->patient_id;
	p->dossier.version = person->version;
	return 0;
}

/* Looked at again in an hour; an alarm says whom it concerns. */
static void
skip_person(struct planning *p, const char *error)
{
	const struct person *person = p->person;

	log_error("dossier.unreadable", log_n(BUCKET, person->bucket),
	    log_n(PATIENT, person->patient_id), log_s(ERROR, error));
	writing_add_looked(p->round->writing,
	    &(struct looked){
		.bucket = person->bucket,
		.patient_id = person->patient_id,
		.next_at = p->round->care_now + UNREADABLE_US,
		.attention = person->attention,
		.standing_before = person->standing,
		.standing = person->standing,
		.said = p->dossier.said,
		.said_count = p->dossier.said_count,
	    });
}

static void
plan_one(struct worker *worker, const struct person *person)
{
	struct planning p = {
	    .worker = worker, .round = worker->round, .person = person};
	struct gateways_view view;
	const char *error;
	struct plan plan;

	if (read_dossier(&p, &error) != 0) {
		skip_person(&p, error);
		return;
	}
	p.audience = messages_audience(
	    worker->messages, p.dossier.tenant_id, p.dossier.locale);
	messages_view(p.audience, &view);
	worker->rules.attendance_fed = p.audience->attendance_fed;
	plan_person(&p.dossier, &worker->rules, &view, person->planned_through,
	    worker->round->care_now, false, worker->round->arena, &plan);
	take_plan(&p, &plan);
}

static void
plan_all(struct worker *worker)
{
	struct look_round *round = worker->round;
	struct person *people = round->people.data;
	struct arena *arena = arena_create();
	struct db_unit *unit;

	round->sending = arena_alloc(arena, sizeof(*round->sending));
	round->sending->arena = arena;
	round->sending->lease_until = round->now + worker->settings.lease_us;
	crypto_random(&round->sending->batch_ref, sizeof(int64_t));
	round->sending->batch_ref &= INT64_MAX;
	round->writing = writing_create(worker->settings.copy, round->care_now,
	    round->now, round->sending->batch_ref, round->sending->lease_until);
	for (size_t i = 0; i < round->people.count; i++)
		plan_one(worker, &people[i]);
	unit = db_unit_begin(worker->db);
	writing_statements(round->writing, unit);
	db_unit_send(unit, on_written, worker);
}

/* ---- loading ---- */

static int
compare_people(const void *left, const void *right)
{
	const struct person *a = left, *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return (a->patient_id > b->patient_id) -
	       (a->patient_id < b->patient_id);
}

static struct person *
find_person(struct look_round *round, const struct db_result *result, int row)
{
	struct person key = {
	    .bucket = (int16_t)db_i64(result, row, 0),
	    .patient_id = db_i64(result, row, 1),
	};

	return bsearch(&key, round->people.data, round->people.count,
	    sizeof(key), compare_people);
}

static void
take_dossiers(const struct db_result *result, void *arg)
{
	struct look_round *round = ((struct worker *)arg)->round;

	for (int row = 0; row < db_rows(result); row++) {
		struct person *person = find_person(round, result, row);
		const uint8_t *doc;
		size_t bytes;

		if (person == NULL)
			continue;
		doc = db_bytes(result, row, 3, &bytes);
		person->version = db_i64(result, row, 2);
		person->doc = arena_copy(round->arena, doc, bytes);
		person->doc_bytes = bytes;
	}
}

static void
take_open(const struct db_result *result, void *arg)
{
	struct worker *worker = arg;
	struct look_round *round = worker->round;
	int64_t offset = worker->clock->care_offset;

	for (int row = 0; row < db_rows(result); row++) {
		struct person *person = find_person(round, result, row);
		struct delivery_key key = delivery_key_read(result, row, 0);
		struct open_row *o;

		if (person == NULL)
			continue;
		o = list_add(&person->open);
		o->open = (struct open_delivery){
		    .kind = key.kind,
		    .channel = key.channel,
		    .state = (enum delivery_state)db_i64(result, row, 7),
		    .source = key.source,
		    .occurrence_on = key.occurrence_on,
		    .slot = key.slot,
		    .attempts = (int32_t)db_i64(result, row, 8),
		    .repeated = db_bool(result, row, 9),
		    .asked = (int32_t)db_i64(result, row, 10),
		    .due_at = db_at(result, row, 11),
		    /* stored unmoved; plan lives in care time */
		    .sent_at = db_null(result, row, 12)
				   ? round->care_now
				   : db_at(result, row, 12) + offset,
		    .retry_at = db_null(result, row, 13)
				    ? round->care_now
				    : db_at(result, row, 13),
		    .valid_until = db_at(result, row, 14),
		};
		o->gateway = arena_text(round->arena, db_text(result, row, 15));
		o->provider_id =
		    arena_text(round->arena, db_text(result, row, 16));
		o->contact_no = (int32_t)db_i64(result, row, 17);
	}
}

static void
on_loaded(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct worker *worker = arg;

	if (outcome == DB_OK)
		plan_all(worker);
	else if (outcome == DB_FAILED)
		fail_round(worker, sqlstate);
	else
		end_round(worker, AGAIN_US);
}

static void
load(struct worker *worker)
{
	struct look_round *round = worker->round;
	struct person *people = round->people.data;
	struct db_unit *unit = db_unit_begin(worker->db);
	struct db_array buckets[2], ids[2]; /* all; with open deliveries */

	qsort(people, round->people.count, sizeof(*people), compare_people);
	for (int i = 0; i < 2; i++) {
		db_array_init(&buckets[i], DB_I16);
		db_array_init(&ids[i], DB_I64);
	}
	for (size_t i = 0; i < round->people.count; i++)
		for (int j = 0; j <= (people[i].attention ? 1 : 0); j++) {
			db_array_i64(&buckets[j], people[i].bucket);
			db_array_i64(&ids[j], people[i].patient_id);
		}
	db_unit_add(unit, "dossier_load", take_dossiers, worker);
	db_param_array(unit, &buckets[0]);
	db_param_array(unit, &ids[0]);
	if (buckets[1].count > 0) {
		db_unit_add(unit, "delivery_open", take_open, worker);
		db_param_array(unit, &buckets[1]);
		db_param_array(unit, &ids[1]);
	}
	for (int i = 0; i < 2; i++) {
		db_array_free(&buckets[i]);
		db_array_free(&ids[i]);
	}
	db_unit_send(unit, on_loaded, worker);
}

/* ---- claiming ---- */

static void
take_people(const struct db_result *result, void *arg)
{
	struct look_round *round = ((struct worker *)arg)->round;

	for (int row = 0; row < db_rows(result); row++) {
		struct person *person = list_add(&round->people);
		const uint8_t *recent;

		person->bucket = (int16_t)db_i64(result, row, 0);
		person->patient_id = db_i64(result, row, 1);
		person->tenant_id = (int32_t)db_i64(result, row, 2);
		person->planned_through = db_at(result, row, 4);
		person->attention = db_bool(result, row, 5);
		person->standing = (enum reason)db_i64(result, row, 6);
		recent = db_bytes(result, row, 7, &person->recent_bytes);
		person->recent =
		    arena_copy(round->arena, recent, person->recent_bytes);
		list_init(&person->open, round->arena, sizeof(struct open_row));
	}
}

/* The timed ones decide whether there is more where these came from. */
static void
take_timed(const struct db_result *result, void *arg)
{
	struct worker *worker = arg;
	bool full = (uint32_t)db_rows(result) >= worker->asked;

	if (full) {
		worker->quiet_slices = 0;
		if (worker->first_bucket < 0)
			worker->first_bucket = 0;
	} else if (worker->first_bucket >= 0 &&
		   ++worker->quiet_slices >= BUCKETS / SLICE) {
		worker->first_bucket = -1;
		worker->quiet_slices = 0;
	}
	worker->backlog = full || worker->first_bucket >= 0;
	take_people(result, arg);
}

static void
take_bulk(const struct db_result *result, void *arg)
{
	struct worker *worker = arg;

	if ((uint32_t)db_rows(result) >= worker->asked_bulk)
		worker->backlog = true;
	take_people(result, arg);
}

static void
on_nothing(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct worker *worker = arg;

	(void)outcome;
	(void)sqlstate;
	end_round(worker, worker->backlog ? 0 : worker->settings.look_us);
}

static void
on_claimed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct worker *worker = arg;
	struct db_unit *unit;

	if (outcome == DB_LOST) {
		end_round(worker, AGAIN_US);
		return;
	}
	if (outcome == DB_FAILED) {
		fail_round(worker, sqlstate);
		return;
	}
	if (worker->round->people.count > 0) {
		load(worker);
		return;
	}
	unit = db_unit_begin(worker->db);
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, on_nothing, worker);
}

/* The buckets of this claim: all, or the next slice of a backlog. */
static void
next_slice(struct worker *worker)
{
	int first = worker->first_bucket < 0 ? 0 : worker->first_bucket;
	int count = worker->first_bucket < 0 ? BUCKETS : SLICE;

	db_array_clear(&worker->slice);
	for (int i = 0; i < count; i++)
		db_array_i64(&worker->slice, first + i);
	if (worker->first_bucket >= 0)
		worker->first_bucket = (first + SLICE) % BUCKETS;
}

/* How many people may be looked at: as many as gateways can take. */
static uint32_t
room(const struct worker *worker)
{
	uint64_t sum =
	    gateways_count(worker->gateways) == 0 ? BLOCKED_PEOPLE : 0;

	for (size_t i = 0; i < gateways_count(worker->gateways); i++) {
		const struct gateway *g = gateways_at(worker->gateways, i);

		sum += gateway_paused(g, "") ? BLOCKED_PEOPLE : gateway_room(g);
	}
	return sum < worker->limit ? (uint32_t)sum : worker->limit;
}

static void
add_parked_claims(struct worker *worker, struct db_unit *unit)
{
	for (size_t i = 0; i < gateways_count(worker->gateways); i++) {
		const struct gateway *g = gateways_at(worker->gateways, i);
		uint32_t free_slots = gateway_room(g);

		if (free_slots == 0)
			continue;
		db_unit_add(unit, "agenda_claim_parked", take_people, worker);
		db_param_i16(unit, g->lane);
		db_param_at(unit, worker->round->care_now);
		db_param_i32(unit,
		    (int32_t)(free_slots < worker->limit ? free_slots
							 : worker->limit));
	}
}

static void
add_claim(struct worker *worker, struct db_unit *unit, int16_t class,
    uint32_t limit, void (*take)(const struct db_result *, void *))
{
	db_unit_add(unit, "agenda_claim", take, worker);
	db_param_array(unit, &worker->slice);
	db_param_i16(unit, class);
	db_param_at(unit, worker->round->care_now);
	db_param_i32(unit, (int32_t)limit);
}

static void
claim(struct worker *worker, uint32_t limit)
{
	struct db_unit *unit = db_unit_begin(worker->db);

	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "agenda_claim_urgent", take_people, worker);
	db_param_at(unit, worker->round->care_now);
	db_param_i32(unit, (int32_t)worker->limit);
	add_parked_claims(worker, unit);
	if (limit > 0) {
		next_slice(worker);
		worker->asked = limit;
		worker->asked_bulk = limit < 5 ? 1 : limit / 5;
		add_claim(worker, unit, 1, worker->asked, take_timed);
		add_claim(worker, unit, 2, worker->asked_bulk, take_bulk);
	}
	db_unit_send(unit, on_claimed, worker);
}

static void
look(void *arg)
{
	struct worker *worker = arg;
	struct look_round *round;
	struct arena *arena;

	if (worker->round != NULL || worker->stopping)
		return;
	if (!db_ready(worker->db) || !worker->clock->synced) {
		loop_timer_arm(worker->timer, AGAIN_US);
		return;
	}
	arena = arena_create();
	round = arena_alloc(arena, sizeof(*round));
	round->arena = arena;
	round->now = clock_unmoved(worker->clock);
	round->care_now = clock_care(worker->clock);
	list_init(&round->people, arena, sizeof(struct person));
	list_init(&round->deliveries, arena, sizeof(struct delivery *));
	list_init(&round->asks, arena, sizeof(struct ask));
	worker->round = round;
	worker->woken = false;
	worker->backlog = false;
	worker->short_of_room = room(worker) < worker->limit;
	claim(worker, room(worker));
}
