/*
 * Gathers outcomes into pages and writes one page at a time.  A page that
 * could not be written is kept and tried again: all its statements name the
 * state that they believe in, so writing twice changes nothing.  Where
 * somebody else holds a row of it the page is halved, and at last that row
 * waits behind all others: nobody waits for another's lock.
 */
#include "flow/outcome.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"

#define GATHER_US (20 * 1000) /* from the first outcome to the write */
#define PAGE_ROWS_MAX 1000
#define AGAIN_US (200 * 1000) /* after a write that failed */

struct pause_row {
	const char *gateway, *scope, *code;
	int64_t until_at;
};

struct halves {              /* pages that were one */
	size_t open;         /* not written yet */
	struct arena *arena; /* of its own */
	struct list rounds;  /* int64_t: over when the last is written */
};

struct page {
	struct page *next;     /* in the order of writing */
	struct halves *halves; /* NULL: it is whole */
	struct arena *arena;
	struct list outcomes; /* struct outcome */
	struct list asked;    /* struct asked */
	struct list rounds;   /* int64_t */
	struct list pauses;   /* struct pause_row */
};

struct outcomes {
	struct loop *loop;
	struct db *db;
	const struct clock *clock;
	struct loop_timer *timer;
	struct page *filling;
	/* the first is sent, or to be sent again; NULL: none */
	struct page *writing;
	bool under_way;
};

static void write_soon(void *arg);

static struct page *
page_create(void)
{
	struct arena *arena = arena_create();
	struct page *page = arena_alloc(arena, sizeof(*page));

	page->arena = arena;
	list_init(&page->outcomes, arena, sizeof(struct outcome));
	list_init(&page->asked, arena, sizeof(struct asked));
	list_init(&page->rounds, arena, sizeof(int64_t));
	list_init(&page->pauses, arena, sizeof(struct pause_row));
	return page;
}

static bool
page_empty(const struct page *page)
{
	return page->outcomes.count + page->asked.count + page->rounds.count +
		   page->pauses.count ==
	       0;
}

struct outcomes *
outcomes_create(struct loop *loop, struct db *db, const struct clock *clock)
{
	struct outcomes *outcomes = mem_alloc(sizeof(*outcomes));

	outcomes->loop = loop;
	outcomes->db = db;
	outcomes->clock = clock;
	outcomes->timer = loop_timer_create(loop, write_soon, outcomes);
	outcomes->filling = page_create();
	return outcomes;
}

/* ---- gathering ---- */

static void
added(struct outcomes *outcomes)
{
	if (outcomes->writing != NULL)
		return;
	if (outcomes->filling->outcomes.count >= PAGE_ROWS_MAX)
		loop_timer_arm(outcomes->timer, 0);
	else if (!loop_timer_armed(outcomes->timer))
		loop_timer_arm(outcomes->timer, GATHER_US);
}

static void
copy_outcome(struct page *page, const struct outcome *outcome)
{
	struct outcome *copy = list_add(&page->outcomes);

	*copy = *outcome;
	copy->provider_id = arena_text(page->arena, outcome->provider_id);
	copy->code = arena_text(page->arena, outcome->code);
	copy->credit = arena_text(page->arena, outcome->credit);
}

static void
copy_asked(struct page *page, const struct asked *asked)
{
	struct asked *copy = list_add(&page->asked);

	*copy = *asked;
	copy->provider_id = arena_text(page->arena, asked->provider_id);
	copy->code = arena_text(page->arena, asked->code);
}

void
outcomes_add(struct outcomes *outcomes, const struct outcome *outcome)
{
	assert(outcome->state == DELIVERY_UNCONFIRMED ||
	       delivery_may_become(DELIVERY_SENDING, outcome->state));
	copy_outcome(outcomes->filling, outcome);
	added(outcomes);
}

void
outcomes_add_asked(struct outcomes *outcomes, const struct asked *asked)
{
	assert(asked->state == DELIVERY_UNKNOWN ||
	       delivery_may_become(DELIVERY_UNKNOWN, asked->state));
	copy_asked(outcomes->filling, asked);
	added(outcomes);
}

void
outcomes_round_done(struct outcomes *outcomes, int64_t batch_ref)
{
	*(int64_t *)list_add(&outcomes->filling->rounds) = batch_ref;
	added(outcomes);
}

void
outcomes_add_pause(struct outcomes *outcomes, const char *gateway,
    const char *scope, const char *code, int64_t until_at)
{
	struct page *page = outcomes->filling;

	*(struct pause_row *)list_add(&page->pauses) = (struct pause_row){
	    .gateway = arena_text(page->arena, gateway),
	    .scope = arena_text(page->arena, scope),
	    .code = arena_text(page->arena, code == NULL ? "" : code),
	    .until_at = until_at,
	};
	added(outcomes);
}

bool
outcomes_idle(const struct outcomes *outcomes)
{
	return outcomes->writing == NULL && page_empty(outcomes->filling);
}

/* ---- writing ---- */

static int
compare_outcomes(const void *left, const void *right)
{
	const struct outcome *a = left, *b = right;

	return delivery_key_compare(&a->key, &b->key);
}

static int
compare_asked(const void *left, const void *right)
{
	const struct asked *a = left, *b = right;

	return delivery_key_compare(&a->key, &b->key);
}

/* Whom to look at again, and when. */
struct people {
	struct db_array bucket, patient_id, at;
};

static void
people_add(struct people *people, const struct delivery_key *key, int64_t at)
{
	db_array_i64(&people->bucket, key->bucket);
	db_array_i64(&people->patient_id, key->patient_id);
	db_array_at(&people->at, at);
}

static void
people_gather(struct people *people, const struct page *page, int64_t care_now)
{
	const struct outcome *outcomes = page->outcomes.data;
	const struct asked *asked = page->asked.data;

	db_array_init(&people->bucket, DB_I16);
	db_array_init(&people->patient_id, DB_I64);
	db_array_init(&people->at, DB_AT);
	for (size_t i = 0; i < page->outcomes.count; i++) {
		if (outcomes[i].state == DELIVERY_RETRY)
			people_add(
			    people, &outcomes[i].key, outcomes[i].retry_at);
		else if (outcomes[i].state == DELIVERY_UNKNOWN ||
			 outcomes[i].state == DELIVERY_REJECTED)
			people_add(people, &outcomes[i].key, care_now);
	}
	for (size_t i = 0; i < page->asked.count; i++)
		people_add(people, &asked[i].key, care_now);
}

static void
people_free(struct people *people)
{
	db_array_free(&people->bucket);
	db_array_free(&people->patient_id);
	db_array_free(&people->at);
}

static void
add_outcome_statement(
    struct db_unit *unit, const struct page *page, int64_t now)
{
	const struct outcome *rows = page->outcomes.data;
	struct db_array ref, state, provider_id, code, retry_at, sent_at;
	struct delivery_keys keys;

	delivery_keys_init(&keys);
	db_array_init(&ref, DB_I64);
	db_array_init(&state, DB_I16);
	db_array_init(&provider_id, DB_TEXT);
	db_array_init(&code, DB_TEXT);
	db_array_init(&retry_at, DB_AT);
	db_array_init(&sent_at, DB_AT);
	for (size_t i = 0; i < page->outcomes.count; i++) {
		delivery_keys_add(&keys, &rows[i].key);
		db_array_i64(&ref, rows[i].batch_ref);
		db_array_i64(&state, rows[i].state);
		db_array_text(&provider_id, rows[i].provider_id);
		db_array_text(&code, rows[i].code);
		if (rows[i].state == DELIVERY_RETRY)
			db_array_at(&retry_at, rows[i].retry_at);
		else
			db_array_null(&retry_at);
		db_array_at(&sent_at, rows[i].sent_at);
	}
	db_unit_add(unit, "delivery_outcome", NULL, NULL);
	delivery_keys_params(&keys, unit);
	db_param_array(unit, &ref);
	db_param_array(unit, &state);
	db_param_array(unit, &provider_id);
	db_param_array(unit, &code);
	db_param_array(unit, &retry_at);
	db_param_array(unit, &sent_at);
	db_param_at(unit, now);
	delivery_keys_free(&keys);
	db_array_free(&ref);
	db_array_free(&state);
	db_array_free(&provider_id);
	db_array_free(&code);
	db_array_free(&retry_at);
	db_array_free(&sent_at);
}

/* Is what this spent not spent after all? */
static bool
returns_credit(const struct outcome *outcome)
{
	return outcome->credit != NULL &&
	       (outcome->state == DELIVERY_RETRY ||
		   outcome->state == DELIVERY_REJECTED);
}

/* Before the outcomes: it goes by what the deliveries are until then. */
static void
add_credit_statement(struct db_unit *unit, const struct page *page)
{
	const struct outcome *rows = page->outcomes.data;
	struct db_array ref, state, contact_no, code, gone;
	struct delivery_keys keys;

	delivery_keys_init(&keys);
	db_array_init(&ref, DB_I64);
	db_array_init(&state, DB_I16);
	db_array_init(&contact_no, DB_I32);
	db_array_init(&code, DB_TEXT);
	db_array_init(&gone, DB_BOOL);
	for (size_t i = 0; i < page->outcomes.count; i++) {
		if (!returns_credit(&rows[i]))
			continue;
		delivery_keys_add(&keys, &rows[i].key);
		db_array_i64(&ref, rows[i].batch_ref);
		db_array_i64(&state, rows[i].state);
		db_array_i64(&contact_no, rows[i].contact_no);
		db_array_text(&code, rows[i].credit);
		db_array_bool(&gone, rows[i].credits_gone);
	}
	if (ref.count > 0) {
		db_unit_add(unit, "credit_return", NULL, NULL);
		delivery_keys_params(&keys, unit);
		db_param_array(unit, &ref);
		db_param_array(unit, &state);
		db_param_array(unit, &contact_no);
		db_param_array(unit, &code);
		db_param_array(unit, &gone);
		db_unit_add(unit, "dossier_rebuild", NULL, NULL);
		db_param_array(unit, &keys.bucket);
		db_param_array(unit, &keys.patient_id);
	}
	delivery_keys_free(&keys);
	db_array_free(&ref);
	db_array_free(&state);
	db_array_free(&contact_no);
	db_array_free(&code);
	db_array_free(&gone);
}

static void
add_asked_statement(struct db_unit *unit, const struct page *page, int64_t now)
{
	const struct asked *rows = page->asked.data;
	struct db_array state, nothing, provider_id, code;
	struct delivery_keys keys;

	delivery_keys_init(&keys);
	db_array_init(&state, DB_I16);
	db_array_init(&nothing, DB_BOOL);
	db_array_init(&provider_id, DB_TEXT);
	db_array_init(&code, DB_TEXT);
	for (size_t i = 0; i < page->asked.count; i++) {
		delivery_keys_add(&keys, &rows[i].key);
		db_array_i64(&state, rows[i].state);
		db_array_bool(&nothing, rows[i].nothing);
		db_array_text(&provider_id, rows[i].provider_id);
		db_array_text(&code, rows[i].code);
	}
	db_unit_add(unit, "delivery_asked", NULL, NULL);
	delivery_keys_params(&keys, unit);
	db_param_array(unit, &state);
	db_param_array(unit, &nothing);
	db_param_array(unit, &provider_id);
	db_param_array(unit, &code);
	db_param_at(unit, now);
	delivery_keys_free(&keys);
	db_array_free(&state);
	db_array_free(&nothing);
	db_array_free(&provider_id);
	db_array_free(&code);
}

static void
add_contact_statements(struct db_unit *unit, const struct page *page)
{
	const struct outcome *rows = page->outcomes.data;
	struct contacts_bad bad;

	contacts_bad_init(&bad);
	for (size_t i = 0; i < page->outcomes.count; i++)
		if (rows[i].contact_bad)
			contacts_bad_add(
			    &bad, &rows[i].key, rows[i].contact_no);
	contacts_bad_statements(&bad, unit);
	contacts_bad_free(&bad);
}

static void
add_pause_statement(struct db_unit *unit, const struct page *page, int64_t now)
{
	const struct pause_row *rows = page->pauses.data;
	struct db_array gateway, scope, code, until;

	db_array_init(&gateway, DB_TEXT);
	db_array_init(&scope, DB_TEXT);
	db_array_init(&code, DB_TEXT);
	db_array_init(&until, DB_AT);
	for (size_t i = 0; i < page->pauses.count; i++) {
		db_array_text(&gateway, rows[i].gateway);
		db_array_text(&scope, rows[i].scope);
		db_array_text(&code, rows[i].code);
		db_array_at(&until, rows[i].until_at);
	}
	db_unit_add(unit, "gateway_pause", NULL, NULL);
	db_param_array(unit, &gateway);
	db_param_array(unit, &scope);
	db_param_array(unit, &code);
	db_param_array(unit, &until);
	db_param_at(unit, now);
	db_array_free(&gateway);
	db_array_free(&scope);
	db_array_free(&code);
	db_array_free(&until);
}

static void
add_rounds_statement(struct db_unit *unit, const struct page *page)
{
	const int64_t *refs = page->rounds.data;
	struct db_array ref;

	db_array_init(&ref, DB_I64);
	for (size_t i = 0; i < page->rounds.count; i++)
		db_array_i64(&ref, refs[i]);
	db_unit_add(unit, "batch_done", NULL, NULL);
	db_param_array(unit, &ref);
	db_array_free(&ref);
}

/* ---- what cannot be written ---- */

static size_t
page_rows(const struct page *page)
{
	return page->outcomes.count + page->asked.count;
}

/* Somebody else holds what it wants: that need not be so of all its rows. */
static bool
is_conflict(const char *sqlstate)
{
	return strcmp(sqlstate, "40001") == 0 ||
	       strcmp(sqlstate, "40P01") == 0 || strcmp(sqlstate, "55P03") == 0;
}

/* The rounds of a page are over when all that it was split into is written. */
static struct halves *
halves_of(struct page *page)
{
	struct halves *halves = page->halves;
	struct arena *arena;

	if (halves != NULL)
		return halves;
	arena = arena_create();
	halves = arena_alloc(arena, sizeof(*halves));
	halves->arena = arena;
	halves->open = 1;
	list_init(&halves->rounds, arena, sizeof(int64_t));
	for (size_t i = 0; i < page->rounds.count; i++)
		*(int64_t *)list_add(&halves->rounds) =
		    ((int64_t *)page->rounds.data)[i];
	page->rounds.count = 0;
	page->halves = halves;
	return halves;
}

/* The first half stays, the second comes behind it. */
static void
page_split(struct page *page)
{
	struct page *second = page_create();
	size_t outcomes = page->outcomes.count / 2;
	size_t asked = page->asked.count / 2;

	if (page->outcomes.count == 1 && page->asked.count == 1)
		outcomes = 1;
	for (size_t i = outcomes; i < page->outcomes.count; i++)
		copy_outcome(
		    second, &((struct outcome *)page->outcomes.data)[i]);
	for (size_t i = asked; i < page->asked.count; i++)
		copy_asked(second, &((struct asked *)page->asked.data)[i]);
	page->outcomes.count = outcomes;
	page->asked.count = asked;
	second->halves = halves_of(page);
	second->halves->open++;
	second->next = page->next;
	page->next = second;
}

static void take_filling(struct outcomes *outcomes);

/* Behind all the others, and those that came meanwhile. */
static void
put_last(struct outcomes *outcomes)
{
	struct page *page = outcomes->writing, **end;

	outcomes->writing = page->next;
	page->next = NULL;
	if (!page_empty(outcomes->filling))
		take_filling(outcomes);
	end = &outcomes->writing;
	while (*end != NULL)
		end = &(*end)->next;
	*end = page;
}

static void
on_failed(struct outcomes *outcomes, const char *sqlstate)
{
	struct page *page = outcomes->writing;
	uint32_t random;

	metric_add(METRIC_OUTCOME_WRITES_FAILED, NULL, NULL, 1);
	log_warning("outcome.write_failed",
	    log_s(SQLSTATE, sqlstate == NULL ? "lost" : sqlstate),
	    log_n(COUNT, page->outcomes.count));
	crypto_random(&random, sizeof(random));
	if (sqlstate == NULL || !is_conflict(sqlstate)) {
		loop_timer_arm(outcomes->timer, AGAIN_US);
		return;
	}
	if (page_rows(page) > 1)
		page_split(page);
	else
		put_last(outcomes);
	loop_timer_arm(outcomes->timer, random % AGAIN_US);
}

/* The last of what was one page: its rounds are over. */
static void
end_halves(struct outcomes *outcomes, struct halves *halves)
{
	const int64_t *refs = halves->rounds.data;

	if (--halves->open > 0)
		return;
	for (size_t i = 0; i < halves->rounds.count; i++)
		*(int64_t *)list_add(&outcomes->filling->rounds) = refs[i];
	arena_free(halves->arena);
}

static void
on_written(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct outcomes *outcomes = arg;
	struct page *page = outcomes->writing;

	outcomes->under_way = false;
	if (outcome != DB_OK) {
		on_failed(outcomes, outcome == DB_FAILED ? sqlstate : NULL);
		return;
	}
	fault_point(AFTER_OUTCOME);
	outcomes->writing = page->next;
	if (page->halves != NULL)
		end_halves(outcomes, page->halves);
	arena_free(page->arena);
	if (outcomes->writing != NULL)
		loop_timer_arm(outcomes->timer, 0);
	else if (!page_empty(outcomes->filling))
		added(outcomes);
}

static void
write_page(struct outcomes *outcomes)
{
	struct page *page = outcomes->writing;
	int64_t now = clock_unmoved(outcomes->clock);
	struct db_unit *unit = db_unit_begin(outcomes->db);
	struct people people;

	people_gather(&people, page, clock_care(outcomes->clock));
	if (people.bucket.count > 0) {
		db_unit_add(unit, "agenda_lock", NULL, NULL);
		db_param_array(unit, &people.bucket);
		db_param_array(unit, &people.patient_id);
	}
	add_credit_statement(unit, page);
	if (page->outcomes.count > 0)
		add_outcome_statement(unit, page, now);
	if (page->asked.count > 0)
		add_asked_statement(unit, page, now);
	add_contact_statements(unit, page);
	if (people.bucket.count > 0) {
		db_unit_add(unit, "agenda_wake", NULL, NULL);
		db_param_array(unit, &people.bucket);
		db_param_array(unit, &people.patient_id);
		db_param_array(unit, &people.at);
	}
	if (page->pauses.count > 0)
		add_pause_statement(unit, page, now);
	if (page->rounds.count > 0)
		add_rounds_statement(unit, page);
	people_free(&people);
	outcomes->under_way = true;
	fault_point(BEFORE_OUTCOME);
	db_unit_send(unit, on_written, outcomes);
	fault_point(MID_OUTCOME);
}

/* What was gathered is the next page, before those that wait. */
static void
take_filling(struct outcomes *outcomes)
{
	struct page *page = outcomes->filling;

	/* in key order, so that two writers cannot lock crosswise */
	if (page->outcomes.count > 1)
		qsort(page->outcomes.data, page->outcomes.count,
		    sizeof(struct outcome), compare_outcomes);
	if (page->asked.count > 1)
		qsort(page->asked.data, page->asked.count, sizeof(struct asked),
		    compare_asked);
	page->next = outcomes->writing;
	outcomes->writing = page;
	outcomes->filling = page_create();
}

static void
write_soon(void *arg)
{
	struct outcomes *outcomes = arg;

	if (outcomes->under_way)
		return;
	if (!db_ready(outcomes->db)) {
		loop_timer_arm(outcomes->timer, AGAIN_US);
		return;
	}
	if (outcomes->writing == NULL) {
		if (page_empty(outcomes->filling))
			return;
		take_filling(outcomes);
	}
	write_page(outcomes);
}

void
outcomes_flush(struct outcomes *outcomes)
{
	if (!outcomes->under_way && !outcomes_idle(outcomes))
		loop_timer_arm(outcomes->timer, 0);
}
