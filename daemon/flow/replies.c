/*
 * Replies.  The event's row is locked first, then the agenda rows of all
 * whose address it is, as by an import; what is written about them is
 * written before their next plan.  Danger goes first.  One that fails is tried
 * again, less and less often, and set aside in the end; the others go on.
 */
#include "flow/replies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"
#include "care/reply_effect.h"
#include "care/reply_rules.h"
#include "flow/inbox.h"
#include "flow/reply_sorting.h"
#include "flow/reply_work.h"
#include "flow/seal.h"
#include "flow/statements.h"

#define PEOPLE_MAX 1000        /* contact points of one address */
#define TRY_US (5 * SECOND_US) /* doubled at each try, to an hour */
#define KEPT_US (6 * HOUR_US)  /* then it is set aside */
#define HELD_US (SECOND_US / 2)
#define HELD_SHIFT_MAX 4 /* no row is held for long */

struct replies {
	struct db *db;
	const struct clock *clock;
	struct keyring *keyring;
	const struct gateways *gateways;
	const struct reply_rules *rules;
	struct arena *rules_arena;
	int64_t until; /* clock_boot(): of this look */
	bool busy;
	bool found; /* an event: work is about it */
	size_t locked;
	struct sorting sorting;
	struct reply_work work;
};

struct replies *
replies_create(struct db *db, const struct clock *clock,
    struct keyring *keyring, const struct gateways *gateways)
{
	struct replies *replies = mem_alloc(sizeof(*replies));
	struct findings findings;

	*replies = (struct replies){
	    .db = db,
	    .clock = clock,
	    .keyring = keyring,
	    .gateways = gateways,
	    .rules_arena = arena_create(),
	    .work = {.arena = arena_create()},
	};
	mem_keep_less();
	findings_init(&findings, replies->rules_arena);
	replies->rules =
	    reply_rules_read(reply_files, reply_file_count, &findings);
	assert(findings.error_count == 0); /* a test reads them, too */
	for (size_t i = 0; i < reply_file_count; i++)
		mem_forget(reply_files[i].text, strlen(reply_files[i].text));
	mem_keep();
	mem_return();
	sorting_init(&replies->sorting, db, keyring, replies->rules);
	return replies;
}

bool
replies_idle(const struct replies *replies)
{
	return !replies->busy;
}

/* ---- the end ---- */

static void claim(struct replies *replies);

static void
end_work(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct replies *replies = arg;

	(void)outcome;
	(void)sqlstate;
	replies->busy = false;
}

static void
on_set_aside(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	if (outcome == DB_OK)
		metric_add(METRIC_REPLIES, "failed", NULL, 1);
	end_work(outcome, sqlstate, arg);
}

/*
 * Nothing of it stays; it comes again, later each time, so that it stands in
 * nobody's way: for ever where that may pass by itself.
 */
static void
give_up(struct replies *replies, enum db_outcome outcome, const char *sqlstate)
{
	int64_t tries = replies->work.tries;
	int64_t wait = TRY_US << (tries < 10 ? tries : 10);
	struct db_unit *unit;
	bool passes, last;

	if (outcome == DB_LOST) {
		replies->busy = false;
		return;
	}
	passes = db_sqlstate_passes(sqlstate);
	last =
	    !passes && replies->work.now - replies->work.received_at > KEPT_US;
	log_warning("reply.work_failed", log_s(SQLSTATE, sqlstate),
	    log_n(COUNT, tries + 1));
	unit = db_unit_begin(replies->db);
	db_unit_add(unit, "rollback", NULL, NULL);
	if (!replies->found) {
		db_unit_send(unit, end_work, replies);
		return;
	}
	if (passes && wait > MINUTE_US)
		wait = MINUTE_US;
	inbox_add_done(unit, replies->work.event_key,
	    last ? INBOX_UNMATCHED : INBOX_NEW,
	    clock_unmoved(replies->clock) + wait);
	db_unit_send(unit, last ? on_set_aside : end_work, replies);
}

/* The next one, as long as this look lasts. */
static void
go_on(struct replies *replies)
{
	if (clock_boot() < replies->until)
		claim(replies);
	else
		replies->busy = false;
}

static void
on_put_back(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	if (outcome == DB_OK)
		go_on(arg);
	else
		give_up(arg, outcome, sqlstate);
}

/* Somebody plans for one of its people, or holds their rows: soon again. */
static void
put_back(struct replies *replies)
{
	struct db_unit *unit = db_unit_begin(replies->db);
	int64_t shift = replies->work.tries < HELD_SHIFT_MAX
			    ? replies->work.tries
			    : HELD_SHIFT_MAX;

	inbox_add_done(unit, replies->work.event_key, INBOX_NEW,
	    clock_unmoved(replies->clock) + (HELD_US << shift));
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, on_put_back, replies);
}

static void
on_committed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct replies *replies = arg;

	if (outcome != DB_OK) {
		give_up(replies, outcome, sqlstate);
		return;
	}
	fault_point(REPLY_AFTER_COMMIT);
	metric_add(METRIC_REPLIES,
	    replies->work.from_team ? "care_team"
	    : replies->work.people.count == 0
		? "unmatched"
		: reply_label_row(replies->work.reply.primary)->name,
	    NULL, 1);
	go_on(replies);
}

static void
commit(struct replies *replies, struct db_unit *unit, enum inbox_state state)
{
	inbox_add_done(unit, replies->work.event_key, state,
	    clock_unmoved(replies->clock));
	db_unit_add(unit, "commit", NULL, NULL);
	fault_point(REPLY_BEFORE_COMMIT);
	db_unit_send(unit, on_committed, replies);
}

/* ---- whom it is about ---- */

static size_t
count_role(
    const struct reply_work *work, enum care_role from, enum care_role to)
{
	const struct reply_person *people = work->people.data;
	size_t count = 0;

	for (size_t i = 0; i < work->people.count; i++)
		count += people[i].role >= from && people[i].role <= to;
	return count;
}

static void
keep_role(struct reply_work *work, enum care_role from, enum care_role to)
{
	struct reply_person *people = work->people.data;
	size_t kept = 0;

	for (size_t i = 0; i < work->people.count; i++)
		if (people[i].role >= from && people[i].role <= to)
			people[kept++] = people[i];
	work->people.count = kept;
}

/*
 * Members of the care team are no patients; false: nobody else is there.  At
 * a number that is a patient's, too, a word may be that patient's: it takes no
 * task, for danger might be taken unseen.  Who once was nobody is nobody any
 * more, once a record knows the number.
 */
static bool
hear_team(struct reply_work *work, struct db_unit *unit)
{
	const struct reply_person *people = work->people.data;

	if (count_role(work, 0, CARE_DOCTOR) > 0)
		keep_role(work, 0, CARE_DOCTOR);
	work->from_team = count_role(work, CARE_UNLISTED, 0) == 0;
	for (size_t i = 0; i < work->people.count && work->from_team; i++)
		reply_write_team(work, &people[i], unit);
	keep_role(work, CARE_UNLISTED, 0);
	return !work->from_team;
}

static void
on_known(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct replies *replies = arg;
	struct reply_person *people = replies->work.people.data;
	const struct reply_person *meant;
	struct db_unit *unit;

	if (outcome != DB_OK) {
		give_up(replies, outcome, sqlstate);
		return;
	}
	unit = db_unit_begin(replies->db);
	if (!hear_team(&replies->work, unit)) {
		commit(replies, unit, INBOX_DONE);
		return;
	}
	for (size_t i = 0; i < replies->work.people.count; i++)
		reply_find_questions(&people[i], replies->work.received_at);
	meant = reply_meant(&replies->work);
	reply_read(&replies->work, replies->rules, replies->keyring, meant);
	if (replies->work.cancels && reply_dialled(&replies->work) == NULL &&
	    reply_who_ordered(&replies->work) != NULL)
		meant = reply_who_ordered(&replies->work);
	reply_write(&replies->work, meant, unit);
	commit(replies, unit, INBOX_DONE);
}

static struct reply_person *
find_person(struct replies *replies, const struct db_result *result, int row)
{
	struct reply_person *people = replies->work.people.data;
	int64_t bucket = db_i64(result, row, 0);
	int64_t patient_id = db_i64(result, row, 1);

	for (size_t i = 0; i < replies->work.people.count; i++)
		if (people[i].bucket == bucket &&
		    people[i].patient_id == patient_id)
			return &people[i];
	return NULL;
}

static void
take_recent(const struct db_result *result, void *arg)
{
	struct replies *replies = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct reply_person *person = find_person(replies, result, row);
		const uint8_t *recent;
		size_t bytes;

		recent = db_bytes(result, row, 2, &bytes);
		if (person == NULL)
			continue;
		recent = arena_copy(replies->work.arena, recent, bytes);
		if (said_decode(recent, bytes, replies->work.arena,
			&person->said, &person->said_count) < 0)
			person->said_count = 0;
	}
}

static void
take_numbers(const struct db_result *result, void *arg)
{
	struct replies *replies = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct reply_person *person = find_person(replies, result, row);

		if (person == NULL)
			continue;
		person->next_no = (int32_t)db_i64(result, row, 2);
		person->product =
		    arena_text(replies->work.arena, db_text(result, row, 3));
		person->held = db_bool(result, row, 4);
		person->role = (enum care_role)db_i64(result, row, 5);
		person->told = db_bool(result, row, 6);
	}
}

static void
take_answer(struct replies *replies, struct reply_person *person,
    const struct db_result *result, int row)
{
	int64_t kind = db_i64(result, row, 3);
	int64_t at = db_at(result, row, 4);
	int32_t no = (int32_t)db_i64(result, row, 6);
	bool here = reply_is_at(person, (int32_t)db_i64(result, row, 2));

	if (db_bool(result, row, 5) && kind > 0 && kind <= KIND_ANSWER &&
	    here && at > person->answered_at[kind])
		person->answered_at[kind] = at;
	if (((here && db_bool(result, row, 9)) || db_bool(result, row, 10)) &&
	    no > person->decided_no) {
		person->decided_no = no;
		person->refused = db_bool(result, row, 9);
	}
	person->ordered |= db_bool(result, row, 7);
	if (db_bool(result, row, 8) && at >= person->order_at &&
	    at > replies->work.received_at - ORDER_WAIT_US) {
		person->order_no = no;
		person->order_at = at;
	}
}

static void
take_answers(const struct db_result *result, void *arg)
{
	struct replies *replies = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct reply_person *person = find_person(replies, result, row);

		if (person != NULL)
			take_answer(replies, person, result, row);
	}
}

/* From here on nobody plans for them: their rows are ours. */
static void
load_people(struct replies *replies)
{
	struct db_unit *unit = db_unit_begin(replies->db);

	db_unit_add(unit, "agenda_touch", NULL, NULL);
	reply_keys(&replies->work, unit);
	db_param_at(unit, clock_care(replies->clock));
	db_param_i16(unit, CLASS_URGENT);
	db_unit_add(unit, "agenda_recent", take_recent, replies);
	reply_keys(&replies->work, unit);
	db_unit_add(unit, "reply_numbers", take_numbers, replies);
	reply_keys(&replies->work, unit);
	db_param_at(unit, replies->work.received_at - REPLY_TOLD_US);
	db_param_at(unit, replies->work.received_at);
	db_unit_add(unit, "reply_recent", take_answers, replies);
	reply_keys(&replies->work, unit);
	db_param_at(unit, replies->work.received_at - REPLY_QUESTION_US);
	db_param_i32(unit, REPLY_ORDERS);
	db_param_i16(unit, REPLY_REFILL_YES);
	db_param_i32(unit, REPLY_DENIES);
	db_param_i32(unit, REPLY_PERMITS);
	db_unit_send(unit, on_known, replies);
}

/* ---- whose it is ---- */

/* A second row of the patient, such as the guardian's of the same phone. */
static void
add_contact(
    struct reply_person *person, const struct db_result *result, int row)
{
	if (person->also_count == COUNT(person->also))
		return;
	person->also[person->also_count++] = (int32_t)db_i64(result, row, 2);
	person->usable |= db_bool(result, row, 5);
}

/* Several rows of one patient: the own one goes first. */
static void
take_people(const struct db_result *result, void *arg)
{
	struct replies *replies = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct reply_person *person = find_person(replies, result, row);

		if (person != NULL) {
			add_contact(person, result, row);
			continue;
		}
		person = list_add(&replies->work.people);
		*person = (struct reply_person){
		    .bucket = (int16_t)db_i64(result, row, 0),
		    .patient_id = db_i64(result, row, 1),
		    .contact_no = (int32_t)db_i64(result, row, 2),
		    .channel = (enum channel)db_i64(result, row, 3),
		    .owner = (enum owner)db_i64(result, row, 4),
		    .usable = db_bool(result, row, 5),
		};
		for (unsigned i = 0; i < COUNT(person->answered_at); i++)
			person->answered_at[i] = AT_UNKNOWN;
	}
}

static void
count_locked(const struct db_result *result, void *arg)
{
	((struct replies *)arg)->locked = (size_t)db_rows(result);
}

static void
on_locked(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct replies *replies = arg;

	if (outcome != DB_OK)
		give_up(replies, outcome, sqlstate);
	else if (replies->locked < replies->work.people.count)
		put_back(replies);
	else
		load_people(replies);
}

/* Without waiting: others' replies are behind this one. */
static void
lock_people(struct replies *replies)
{
	struct db_unit *unit = db_unit_begin(replies->db);

	db_unit_add(unit, "agenda_lock_free", count_locked, replies);
	reply_keys(&replies->work, unit);
	db_unit_send(unit, on_locked, replies);
}

static void
on_stranger(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	if (outcome == DB_OK)
		lock_people(arg);
	else
		give_up(arg, outcome, sqlstate);
}

/* Without an address, or with too many of them, operators are told. */
static void
on_number(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct replies *replies = arg;
	struct reply_work *work = &replies->work;
	const struct gateway *gateway =
	    gateways_find(replies->gateways, work->gateway);
	const char *address = NULL;
	struct db_unit *unit;

	if (outcome != DB_OK) {
		give_up(replies, outcome, sqlstate);
		return;
	}
	if (work->address_sealed != NULL)
		address = seal_open_inbox_address(replies->keyring,
		    work->tenant_id, work->event_key, work->address_sealed,
		    work->address_bytes, work->arena);
	unit = db_unit_begin(replies->db);
	if (gateway != NULL && address != NULL &&
	    reply_add_stranger(
		work, gateway->channel, address, replies->keyring, unit)) {
		db_unit_send(unit, on_stranger, replies);
		return;
	}
	log_warning("reply.stranger_in_danger", log_s(GATEWAY, work->gateway));
	metric_add(METRIC_REPLIES, "unmatched_harm", NULL, 1);
	commit(replies, unit, INBOX_UNMATCHED);
}

/* Does a rule say so? */
static bool
reply_tells_of_harm(const struct reply *reply)
{
	for (unsigned i = 0; i < reply->intent_count; i++)
		if (reply_label_row(reply->intents[i].label)->harm &&
		    !reply->intents[i].likely)
			return true;
	return false;
}

/*
 * Nobody's number: whoever tells of danger there is answered all the same, if
 * a rule says so.
 */
static void
leave_unmatched(struct replies *replies)
{
	struct db_unit *unit = db_unit_begin(replies->db);

	reply_read(&replies->work, replies->rules, replies->keyring, NULL);
	if (!reply_tells_of_harm(&replies->work.reply)) {
		commit(replies, unit, INBOX_UNMATCHED);
		return;
	}
	reply_ask_number(&replies->work, unit);
	db_unit_send(unit, on_number, replies);
}

static void
on_people(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct replies *replies = arg;

	if (outcome != DB_OK)
		give_up(replies, outcome, sqlstate);
	else if (replies->work.people.count == 0)
		leave_unmatched(replies);
	else
		lock_people(replies);
}

static void
find_people(struct replies *replies)
{
	struct db_unit *unit = db_unit_begin(replies->db);

	if (replies->work.address_index == NULL) {
		commit(replies, unit, INBOX_UNMATCHED);
		return;
	}
	db_unit_add(unit, "reply_people", take_people, replies);
	db_param_bytes(unit, replies->work.address_index, 16);
	db_param_i32(unit, replies->work.tenant_id);
	db_param_i32(unit, PEOPLE_MAX);
	db_unit_send(unit, on_people, replies);
}

/* ---- the event ---- */

/* The last three digits of the number that was written to. */
static int
read_code(const struct replies *replies, const char *extension)
{
	const struct gateway *gateway =
	    gateways_find(replies->gateways, replies->work.gateway);
	size_t bytes = extension == NULL ? 0 : strlen(extension);

	if (gateway == NULL || !gateway->reply_codes || bytes < 3 ||
	    strspn(extension, "0123456789") != bytes)
		return 0;
	return atoi(extension + bytes - 3);
}

static void
take_event(const struct db_result *result, void *arg)
{
	struct replies *replies = arg;
	const struct clock *clock = replies->clock;
	const uint8_t *data;
	size_t bytes;

	if (db_rows(result) == 0)
		return;
	data = db_bytes(result, 0, 0, &bytes);
	assert(bytes == INBOX_KEY_BYTES);
	replies->found = true;
	replies->work.event_key = arena_copy(replies->work.arena, data, bytes);
	replies->work.tenant_id = (int32_t)db_i64(result, 0, 1);
	replies->work.gateway =
	    arena_text(replies->work.arena, db_text(result, 0, 2));
	replies->work.received_at =
	    db_at(result, 0, 3) - clock_unmoved(clock) + clock_care(clock);
	data = db_bytes(result, 0, 4, &bytes);
	if (data != NULL && bytes == 16)
		replies->work.address_index =
		    arena_copy(replies->work.arena, data, 16);
	data = db_bytes(result, 0, 5, &replies->work.text_bytes);
	if (data != NULL)
		replies->work.text_sealed = arena_copy(
		    replies->work.arena, data, replies->work.text_bytes);
	replies->work.opted_out = db_bool(result, 0, 6);
	replies->work.tries = db_i64(result, 0, 7);
	data = db_bytes(result, 0, 9, &replies->work.address_bytes);
	if (data != NULL)
		replies->work.address_sealed = arena_copy(
		    replies->work.arena, data, replies->work.address_bytes);
	replies->work.code = read_code(replies, db_text(result, 0, 8));
}

static void
on_claimed(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct replies *replies = arg;
	struct db_unit *unit;

	if (outcome != DB_OK) {
		give_up(replies, outcome, sqlstate);
		return;
	}
	if (replies->found) {
		find_people(replies);
		return;
	}
	unit = db_unit_begin(replies->db);
	db_unit_add(unit, "commit", NULL, NULL);
	db_unit_send(unit, end_work, replies);
}

static void
claim(struct replies *replies)
{
	struct db_unit *unit = db_unit_begin(replies->db);

	arena_reset(replies->work.arena);
	list_init(&replies->work.people, replies->work.arena,
	    sizeof(struct reply_person));
	replies->found = false;
	replies->work.now = clock_care(replies->clock);
	replies->work.from_team = false;
	replies->work.address_index = replies->work.text_sealed = NULL;
	replies->work.address_sealed = NULL;
	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "reply_claim", take_event, replies);
	db_param_at(unit, clock_unmoved(replies->clock));
	db_unit_send(unit, on_claimed, replies);
}

static void
on_sorted(void *arg)
{
	struct replies *replies = arg;

	replies->until = clock_boot() + REPLIES_US;
	claim(replies);
}

bool
replies_look(struct replies *replies)
{
	if (replies->busy || !db_idle(replies->db) || !replies->clock->synced)
		return false;
	replies->busy = true;
	sorting_run(&replies->sorting, clock_unmoved(replies->clock), on_sorted,
	    replies);
	return true;
}
