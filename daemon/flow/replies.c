/*
 * Replies.  The event's row is locked first, then the agenda rows of all
 * whose address it is, as by an import; what is written about them is
 * written before their next plan.  One that fails is tried again, less and
 * less often, and set aside in the end; the others go on.
 */
#include "flow/replies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"
#include "care/answer.h"
#include "care/reply_effect.h"
#include "care/reply_json.h"
#include "care/reply_rules.h"
#include "flow/inbox.h"
#include "flow/seal.h"
#include "flow/statements.h"

#define REPLY_CODE_FIRST 100
#define REPLY_CODES 900
#define PEOPLE_MAX 50              /* at one address */
#define QUESTION_US (48 * HOUR_US) /* so long is a question open */
#define TRY_US (5 * SECOND_US)     /* doubled at each try, to an hour */
#define TRIES_MAX 12               /* then it is set aside: seven hours */

struct person { /* whose address it is */
	int16_t bucket;
	int64_t patient_id;
	int32_t contact_no;
	enum channel channel;
	enum owner owner;
	const struct said *said;
	uint32_t said_count;
	int64_t answered_at[KIND_ANSWER + 1]; /* the last, of each kind */
	const struct said *question;          /* the one open; NULL: none */
	int questions;                        /* how many are open */
	int32_t next_no;                      /* the reply's */
	const char *product; /* the only one that is taken, or NULL */
	int32_t order_no;    /* of the reply whose order waits; 0: none */
	int64_t order_at;
};

struct replies {
	struct db *db;
	const struct clock *clock;
	struct keyring *keyring;
	const struct gateways *gateways;
	const struct reply_rules *rules;
	struct arena *rules_arena;
	struct arena *arena; /* of the reply under way */
	int64_t until;       /* clock_boot(): of this look */
	bool busy;
	/* the event */
	bool found;
	const uint8_t *event_key;
	int32_t tenant_id;
	const char *gateway;
	int code;                     /* dialled, of reply_code(); 0: none */
	int64_t received_at;          /* care time */
	const uint8_t *address_index; /* NULL: it says none */
	const uint8_t *text_sealed;
	size_t text_bytes;
	bool opted_out; /* the provider says so, whatever the text */
	int64_t tries;
	/* what comes of it */
	struct list people; /* struct person */
	struct reply reply;
};

int
reply_code(int64_t patient_id)
{
	return REPLY_CODE_FIRST + (int)(patient_id % REPLY_CODES);
}

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
	    .arena = arena_create(),
	};
	findings_init(&findings, replies->rules_arena);
	replies->rules =
	    reply_rules_read(reply_files, reply_file_count, &findings);
	assert(findings.error_count == 0); /* a test reads them, too */
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
add_done(struct replies *replies, struct db_unit *unit, enum inbox_state state,
    int64_t next_at)
{
	struct db_array key, states, at;

	db_array_init(&key, DB_BYTES);
	db_array_init(&states, DB_I16);
	db_array_init(&at, DB_AT);
	db_array_bytes(&key, replies->event_key, INBOX_KEY_BYTES);
	db_array_i64(&states, state);
	db_array_at(&at, next_at);
	db_unit_add(unit, "inbox_done", NULL, NULL);
	db_param_array(unit, &key);
	db_param_array(unit, &states);
	db_param_array(unit, &at);
	db_array_free(&key);
	db_array_free(&states);
	db_array_free(&at);
}

static void
on_set_aside(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	if (outcome == DB_OK)
		metric_add(METRIC_REPLIES, "failed", NULL, 1);
	end_work(outcome, sqlstate, arg);
}

/* Nothing of it stays; it comes again, later each time. */
static void
give_up(struct replies *replies, enum db_outcome outcome, const char *sqlstate)
{
	int64_t now = clock_unmoved(replies->clock);
	bool last = replies->tries + 1 >= TRIES_MAX;
	struct db_unit *unit;

	if (outcome == DB_LOST) {
		replies->busy = false;
		return;
	}
	log_warning("reply.work_failed", log_s(SQLSTATE, sqlstate),
	    log_n(COUNT, replies->tries + 1));
	unit = db_unit_begin(replies->db);
	db_unit_add(unit, "rollback", NULL, NULL);
	if (!replies->found || db_sqlstate_passes(sqlstate)) {
		db_unit_send(unit, end_work, replies);
		return;
	}
	add_done(replies, unit, last ? INBOX_UNMATCHED : INBOX_NEW,
	    now + (TRY_US << (replies->tries < 10 ? replies->tries : 10)));
	db_unit_send(unit, last ? on_set_aside : end_work, replies);
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
	    replies->people.count == 0
		? "unmatched"
		: reply_label_row(replies->reply.primary)->name,
	    NULL, 1);
	if (clock_boot() < replies->until)
		claim(replies);
	else
		replies->busy = false;
}

static void
commit(struct replies *replies, struct db_unit *unit, enum inbox_state state)
{
	add_done(replies, unit, state, clock_unmoved(replies->clock));
	db_unit_add(unit, "commit", NULL, NULL);
	fault_point(REPLY_BEFORE_COMMIT);
	db_unit_send(unit, on_committed, replies);
}

/* ---- what follows ---- */

static void
add_keys(struct replies *replies, struct db_unit *unit)
{
	const struct person *people = replies->people.data;
	struct db_array bucket, patient_id;

	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	for (size_t i = 0; i < replies->people.count; i++) {
		db_array_i64(&bucket, people[i].bucket);
		db_array_i64(&patient_id, people[i].patient_id);
	}
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_array_free(&bucket);
	db_array_free(&patient_id);
}

/*
 * A refusal is obeyed from anyone, so that it counts whoever's consent
 * decides: the patient's own or, of a child, the guardian's.
 */
static void
add_denials(struct replies *replies, struct db_unit *unit,
    const struct person *person, const struct reply_effects *effects)
{
	static const enum owner actors[] = {OWNER_SELF, OWNER_GUARDIAN};

	for (unsigned i = 0; i < COUNT(actors); i++) {
		db_unit_add(unit, "consent_store", NULL, NULL);
		db_param_i16(unit, person->bucket);
		db_param_i64(unit, person->patient_id);
		db_param_at(unit, clock_care(replies->clock));
		db_param_bool(unit, false);
		db_param_i32(unit, (int32_t)effects->denied_topics);
		db_param_i32(unit, (int32_t)effects->denied_channels);
		db_param_i16(unit, (int16_t)actors[i]);
		db_param_text(unit, "reply");
	}
}

/* Consent comes from the patient's own address, or the guardian's. */
static void
add_permit(
    struct replies *replies, struct db_unit *unit, const struct person *person)
{
	db_unit_add(unit, "reply_permit", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_at(unit, clock_care(replies->clock));
	db_param_i32(unit, TOPIC_DOSE | TOPIC_REFILL | TOPIC_FOLLOW_UP);
	db_param_i32(unit, (int32_t)CHANNEL_BIT(person->channel));
	db_param_i16(unit, (int16_t)person->owner);
	db_param_text(unit, "reply");
}

static void
add_bad_contact(struct db_unit *unit, const struct person *person)
{
	struct db_array bucket, patient_id, contact_no;

	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	db_array_init(&contact_no, DB_I32);
	db_array_i64(&bucket, person->bucket);
	db_array_i64(&patient_id, person->patient_id);
	db_array_i64(&contact_no, person->contact_no);
	db_unit_add(unit, "contact_bad", NULL, NULL);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_param_array(unit, &contact_no);
	db_array_free(&bucket);
	db_array_free(&patient_id);
	db_array_free(&contact_no);
}

/* Does it say how much is left of what?  Else a person asks. */
static bool
corrects_supply(const struct replies *replies, const struct person *person)
{
	const struct reply_slots *slots = &replies->reply.slots;

	return person->product != NULL &&
	       (slots->days_left >= 0 || slots->units_left_micro >= 0);
}

static void
add_correction(
    struct replies *replies, struct db_unit *unit, const struct person *person)
{
	const struct reply_slots *slots = &replies->reply.slots;
	bool days = slots->days_left >= 0;

	db_unit_add(unit, "reply_correct", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_text(unit, person->product);
	db_param_at(unit, replies->received_at);
	db_param_i32(unit, days ? slots->days_left : -1);
	db_param_i64(unit, days ? -1 : slots->units_left_micro);
	db_param_text(unit, days ? NULL : slots->unit);
}

static void
add_cancel(
    struct replies *replies, struct db_unit *unit, const struct person *person)
{
	db_unit_add(unit, "reply_cancel", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_i32(unit, person->order_no);
	db_param_i16(unit, REPLY_REFILL_YES);
	db_param_at(unit, clock_care(replies->clock));
}

/* The labels and the rules behind them, as parameters. */
static void
add_labels(const struct reply *reply, struct db_unit *unit)
{
	struct db_array labels, rules;

	db_array_init(&labels, DB_I16);
	db_array_init(&rules, DB_TEXT);
	for (unsigned i = 0; i < reply->intent_count; i++) {
		db_array_i64(&labels, reply->intents[i].label);
		db_array_text(&rules, reply->intents[i].rule);
	}
	db_param_array(unit, &labels);
	db_param_array(unit, &rules);
	db_array_free(&labels);
	db_array_free(&rules);
}

/* A word back that is no answer leaves the question open. */
static bool
is_answered(const struct reply *reply)
{
	for (unsigned i = 0; i < reply->intent_count; i++) {
		const struct reply_label_row *row =
		    reply_label_row(reply->intents[i].label);

		if (row->answers >= 0 || row->harm)
			return true;
	}
	return false;
}

static void
add_reply(struct replies *replies, struct db_unit *unit,
    const struct person *person, bool certain,
    const struct reply_effects *effects, enum stage answer)
{
	/* what nobody knows the sender of answers nobody's question */
	const struct said *question = certain ? person->question : NULL;
	struct buf slots = BUF_INIT(0);
	bool task = (effects->effects & REPLY_TASK) != 0;
	bool orders = (effects->effects & REPLY_ORDERS) != 0 &&
		      effects->task == REPLY_REFILL_YES;

	reply_slots_json(&replies->reply.slots, &slots);
	db_unit_add(unit, "reply_store", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_at(unit, replies->received_at);
	db_param_text(unit, replies->gateway);
	db_param_i32(unit, person->contact_no);
	db_param_bool(unit, certain);
	db_param_i16(unit, question == NULL ? 0 : (int16_t)question->kind);
	db_param_i32(unit, question == NULL ? 0 : question->source);
	db_param_on(
	    unit, question == NULL ? ON_UNKNOWN : question->occurrence_on);
	add_labels(&replies->reply, unit);
	db_param_text(unit, buf_string(&slots));
	db_param_i32(unit, (int32_t)effects->effects);
	db_param_i16(unit, (int16_t)answer);
	db_param_bytes(unit, replies->event_key, INBOX_KEY_BYTES);
	if (replies->text_sealed == NULL)
		db_param_null(unit);
	else
		db_param_bytes(unit, replies->text_sealed, replies->text_bytes);
	db_param_bool(unit, (effects->effects & REPLY_HOLDS_ALL) != 0);
	db_param_bool(unit, (effects->effects & REPLY_HOLDS_REFILLS) != 0);
	db_param_bool(unit, (effects->effects & REPLY_PAUSES) != 0);
	db_param_i16(unit, task ? (int16_t)effects->task : -1);
	db_param_on(unit, (int32_t)(replies->received_at / DAY_US));
	db_param_i16(unit, KIND_ANSWER);
	db_param_bool(unit, question != NULL && is_answered(&replies->reply));
	db_param_at(unit, replies->received_at + (orders ? ORDER_WAIT_US : 0));
	buf_free(&slots);
}

/* So many answers a day: the number may be another machine's. */
static bool
may_answer(const struct replies *replies, enum stage stage)
{
	const struct person *people = replies->people.data;
	int count = 0;

	for (size_t i = 0; i < replies->people.count; i++)
		for (uint32_t k = 0; k < people[i].said_count; k++)
			count += people[i].said[k].contact_no ==
				     people[i].contact_no &&
				 answer_counts(&people[i].said[k], stage,
				     replies->received_at);
	return count < ANSWERS_A_DAY;
}

/* The answer is remembered as owed: the next plan sends it. */
static void
add_answer(struct replies *replies, struct db_unit *unit,
    const struct person *person, enum stage answer)
{
	uint32_t count = person->said_count;
	struct said *said =
	    arena_array(replies->arena, count + 1, sizeof(*said));
	struct buf recent = BUF_INIT(0);

	/* the oldest makes room */
	if (count >= SAID_ENTRIES_MAX)
		count = SAID_ENTRIES_MAX - 1;
	if (count > 0)
		memcpy(said, person->said + (person->said_count - count),
		    count * sizeof(*said));
	said[count] = answer_owe(person->next_no, answer, person->contact_no,
	    clock_care(replies->clock));
	said_encode(said, count + 1, &recent);
	db_unit_add(unit, "agenda_remember", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_bytes(unit, recent.data, recent.bytes);
	buf_free(&recent);
}

/* others: it is about somebody else, and binds all the same. */
static void
add_person(struct replies *replies, struct db_unit *unit,
    const struct person *person, bool certain, bool others, bool answers)
{
	struct reply_effects effects;

	reply_effects(&replies->reply, certain, &effects);
	if (others)
		effects.effects &= REPLY_DENIES;
	if ((effects.effects & REPLY_CORRECTS_SUPPLY) != 0 &&
	    !corrects_supply(replies, person)) {
		effects.effects &= ~(uint32_t)REPLY_CORRECTS_SUPPLY;
		reply_effects_ask(&effects, REPLY_HAVE_SUPPLY);
	}
	if (person->order_no != 0)
		reply_effects_with_order(&replies->reply, &effects);
	answers = answers && may_answer(replies, effects.answer);
	add_reply(replies, unit, person, certain, &effects,
	    answers ? effects.answer : STAGE_NONE);
	if (answers)
		add_answer(replies, unit, person, effects.answer);
	if (effects.denied_topics != 0)
		add_denials(replies, unit, person, &effects);
	if ((effects.effects & REPLY_PERMITS) != 0 &&
	    person->owner != OWNER_CAREGIVER)
		add_permit(replies, unit, person);
	if ((effects.effects & REPLY_CORRECTS_SUPPLY) != 0)
		add_correction(replies, unit, person);
	if ((effects.effects & REPLY_CANCELS) != 0)
		add_cancel(replies, unit, person);
	if ((effects.effects & REPLY_ENDS_ADDRESS) != 0)
		add_bad_contact(unit, person);
}

/* The only one with the code that was dialled. */
static const struct person *
who_has_code(const struct replies *replies)
{
	const struct person *people = replies->people.data, *found = NULL;

	for (size_t i = 0; i < replies->people.count && replies->code != 0;
	     i++) {
		if (reply_code(people[i].patient_id) != replies->code)
			continue;
		if (found != NULL)
			return NULL;
		found = &people[i];
	}
	return found;
}

/*
 * The only one there, or whose number was dialled, or to whom a question is
 * open.
 */
static const struct person *
who_is_meant(const struct replies *replies)
{
	const struct person *people = replies->people.data, *asked = NULL;

	if (replies->people.count == 1)
		return people;
	if (who_has_code(replies) != NULL)
		return who_has_code(replies);
	for (size_t i = 0; i < replies->people.count; i++) {
		if (people[i].questions == 0)
			continue;
		if (asked != NULL)
			return NULL;
		asked = &people[i];
	}
	return asked;
}

static bool
refuses_all(const struct reply *reply)
{
	for (unsigned i = 0; i < reply->intent_count; i++)
		if (reply->intents[i].label == REPLY_OPT_OUT)
			return true;
	return false;
}

/*
 * Where it is not clear whom it is about it stands with everybody at the
 * address; a refusal does so in any case.
 */
static void
write_effects(struct replies *replies, const struct person *meant)
{
	const struct person *people = replies->people.data;
	const struct reply *reply = &replies->reply;
	struct db_unit *unit = db_unit_begin(replies->db);

	for (size_t i = 0; i < replies->people.count; i++)
		if (meant == NULL || meant == &people[i] || refuses_all(reply))
			add_person(replies, unit, &people[i],
			    meant == &people[i],
			    meant != NULL && meant != &people[i],
			    meant == NULL ? i == 0 : meant == &people[i]);
	db_unit_add(unit, "dossier_rebuild", NULL, NULL);
	add_keys(replies, unit);
	db_unit_add(unit, "agenda_notify_people", NULL, NULL);
	add_keys(replies, unit);
	commit(replies, unit, INBOX_DONE);
}

/* ---- what it answers, what it means ---- */

/* A message about something that waits for a word, to this address. */
static bool
is_question(const struct person *person, const struct said *said, int64_t now)
{
	return said->leads && !said->task && said->kind != KIND_ANSWER &&
	       said->channel != CHANNEL_NONE &&
	       said->contact_no == person->contact_no &&
	       said->state != DELIVERY_REJECTED &&
	       said->state != DELIVERY_HELD && said->at <= now &&
	       said->at > now - QUESTION_US &&
	       said->at > person->answered_at[said->kind];
}

/* The last of each kind is open until it is answered. */
static void
find_questions(struct person *person, int64_t now)
{
	const struct said *last[KIND_ANSWER + 1] = {NULL};

	for (uint32_t i = 0; i < person->said_count; i++) {
		const struct said *said = &person->said[i];

		if (is_question(person, said, now) &&
		    (last[said->kind] == NULL ||
			said->at >= last[said->kind]->at))
			last[said->kind] = said;
	}
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++)
		if (last[kind] != NULL) {
			person->question = last[kind];
			person->questions++;
		}
	if (person->questions != 1)
		person->question = NULL;
}

static enum reply_context
context_of(enum kind kind)
{
	switch (kind) {
	case KIND_DOSE:
		return REPLY_ON_DOSE;
	case KIND_REFILL:
	case KIND_RENEWAL:
		return REPLY_ON_REFILL;
	case KIND_FOLLOW_UP:
		return REPLY_ON_FOLLOWUP;
	case KIND_ANSWER:
		break;
	}
	return REPLY_ON_NONE;
}

/* An order that was echoed asks whether it may go on. */
static enum reply_context
asked_of(const struct person *meant)
{
	if (meant == NULL)
		return REPLY_ON_NONE;
	if (meant->order_no != 0 &&
	    (meant->question == NULL || meant->question->at < meant->order_at))
		return REPLY_ON_REFILL;
	return meant->question == NULL ? REPLY_ON_NONE
				       : context_of(meant->question->kind);
}

/* A text that none of our keys opens is for a person. */
static void
understand(struct replies *replies, const struct person *meant)
{
	const char *text =
	    replies->text_sealed == NULL
		? ""
		: seal_open_inbox_text(replies->keyring, replies->tenant_id,
		      replies->event_key, replies->text_sealed,
		      replies->text_bytes, replies->arena);
	struct reply_question question = {.context = asked_of(meant)};
	struct reply *reply = &replies->reply;

	reply_understand(replies->rules, text == NULL ? "" : text,
	    text == NULL ? 0 : strlen(text), &question, replies->arena, reply);
	if (!replies->opted_out)
		return;
	*reply = (struct reply){
	    .primary = REPLY_OPT_OUT,
	    .intents = {{REPLY_OPT_OUT, "provider"}},
	    .intent_count = 1,
	    .slots = reply->slots,
	};
}

static void
on_known(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct replies *replies = arg;
	struct person *people = replies->people.data;
	const struct person *meant;

	if (outcome != DB_OK) {
		give_up(replies, outcome, sqlstate);
		return;
	}
	for (size_t i = 0; i < replies->people.count; i++)
		find_questions(&people[i], replies->received_at);
	meant = who_is_meant(replies);
	understand(replies, meant);
	write_effects(replies, meant);
}

static struct person *
find_person(struct replies *replies, const struct db_result *result, int row)
{
	struct person *people = replies->people.data;
	int64_t bucket = db_i64(result, row, 0);
	int64_t patient_id = db_i64(result, row, 1);

	for (size_t i = 0; i < replies->people.count; i++)
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
		struct person *person = find_person(replies, result, row);
		const uint8_t *recent;
		size_t bytes;

		recent = db_bytes(result, row, 2, &bytes);
		if (person == NULL)
			continue;
		recent = arena_copy(replies->arena, recent, bytes);
		if (said_decode(recent, bytes, replies->arena, &person->said,
			&person->said_count) < 0)
			person->said_count = 0;
	}
}

static void
take_numbers(const struct db_result *result, void *arg)
{
	struct replies *replies = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct person *person = find_person(replies, result, row);

		if (person == NULL)
			continue;
		person->next_no = (int32_t)db_i64(result, row, 2);
		person->product =
		    arena_text(replies->arena, db_text(result, row, 3));
	}
}

static void
take_answer(struct replies *replies, struct person *person,
    const struct db_result *result, int row)
{
	int64_t kind = db_i64(result, row, 3);
	int64_t at = db_at(result, row, 4);

	if (db_bool(result, row, 5) && kind > 0 && kind <= KIND_ANSWER &&
	    db_i64(result, row, 2) == person->contact_no &&
	    at > person->answered_at[kind])
		person->answered_at[kind] = at;
	if (db_bool(result, row, 7) && at >= person->order_at &&
	    at > replies->received_at - ORDER_WAIT_US) {
		person->order_no = (int32_t)db_i64(result, row, 6);
		person->order_at = at;
	}
}

static void
take_answers(const struct db_result *result, void *arg)
{
	struct replies *replies = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct person *person = find_person(replies, result, row);

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
	add_keys(replies, unit);
	db_param_at(unit, clock_care(replies->clock));
	db_param_i16(unit, CLASS_URGENT);
	db_unit_add(unit, "agenda_recent", take_recent, replies);
	add_keys(replies, unit);
	db_unit_add(unit, "reply_numbers", take_numbers, replies);
	add_keys(replies, unit);
	db_unit_add(unit, "reply_recent", take_answers, replies);
	add_keys(replies, unit);
	db_param_at(unit, replies->received_at - QUESTION_US);
	db_param_i32(unit, REPLY_ORDERS);
	db_param_i16(unit, REPLY_REFILL_YES);
	db_unit_send(unit, on_known, replies);
}

/* ---- whose it is ---- */

/* Several rows of one patient: the own one goes first. */
static void
take_people(const struct db_result *result, void *arg)
{
	struct replies *replies = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct person *person;

		if (find_person(replies, result, row) != NULL)
			continue;
		person = list_add(&replies->people);
		*person = (struct person){
		    .bucket = (int16_t)db_i64(result, row, 0),
		    .patient_id = db_i64(result, row, 1),
		    .contact_no = (int32_t)db_i64(result, row, 2),
		    .channel = (enum channel)db_i64(result, row, 3),
		    .owner = (enum owner)db_i64(result, row, 4),
		};
		for (unsigned i = 0; i < COUNT(person->answered_at); i++)
			person->answered_at[i] = AT_UNKNOWN;
	}
}

static void
on_people(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct replies *replies = arg;

	if (outcome != DB_OK)
		give_up(replies, outcome, sqlstate);
	else if (replies->people.count == 0)
		commit(replies, db_unit_begin(replies->db), INBOX_UNMATCHED);
	else
		load_people(replies);
}

static void
find_people(struct replies *replies)
{
	struct db_unit *unit = db_unit_begin(replies->db);

	if (replies->address_index == NULL) {
		commit(replies, unit, INBOX_UNMATCHED);
		return;
	}
	db_unit_add(unit, "reply_people", take_people, replies);
	db_param_bytes(unit, replies->address_index, 16);
	db_param_i32(unit, replies->tenant_id);
	db_param_i32(unit, PEOPLE_MAX);
	db_unit_send(unit, on_people, replies);
}

/* ---- the event ---- */

/* The last three digits of the number that was written to. */
static int
read_code(const struct replies *replies, const char *extension)
{
	const struct gateway *gateway =
	    gateways_find(replies->gateways, replies->gateway);
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
	replies->event_key = arena_copy(replies->arena, data, bytes);
	replies->tenant_id = (int32_t)db_i64(result, 0, 1);
	replies->gateway = arena_text(replies->arena, db_text(result, 0, 2));
	replies->received_at =
	    db_at(result, 0, 3) - clock_unmoved(clock) + clock_care(clock);
	data = db_bytes(result, 0, 4, &bytes);
	if (data != NULL && bytes == 16)
		replies->address_index = arena_copy(replies->arena, data, 16);
	data = db_bytes(result, 0, 5, &replies->text_bytes);
	if (data != NULL)
		replies->text_sealed =
		    arena_copy(replies->arena, data, replies->text_bytes);
	replies->opted_out = db_bool(result, 0, 6);
	replies->tries = db_i64(result, 0, 7);
	replies->code = read_code(replies, db_text(result, 0, 8));
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

	arena_reset(replies->arena);
	list_init(&replies->people, replies->arena, sizeof(struct person));
	replies->found = false;
	replies->address_index = replies->text_sealed = NULL;
	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "reply_claim", take_event, replies);
	db_param_at(unit, clock_unmoved(replies->clock));
	db_unit_send(unit, on_claimed, replies);
}

bool
replies_look(struct replies *replies)
{
	if (replies->busy || !db_idle(replies->db) || !replies->clock->synced)
		return false;
	replies->busy = true;
	replies->until = clock_boot() + REPLIES_US;
	claim(replies);
	return true;
}
