/*
 * What follows of a reply, as statements of one transaction: the reply with
 * its task, holds, pauses, consent, corrections, and the answer that is owed.
 */
#include <assert.h>

#include "care/answer.h"
#include "care/reply_effect.h"
#include "care/reply_json.h"
#include "flow/inbox.h"
#include "flow/reply_work.h"

/* What a patient says is left: more is a mistake, and a person asks. */
#define DAYS_LEFT_MAX 180
/* A question about a refill is answered so late. */
#define CYCLE_US (21 * DAY_US)
#define UNITS_LEFT_MAX (INT64_C(1000) * 1000000)

/*
 * A refusal is obeyed from anyone, so that it counts whoever's consent
 * decides: the patient's own or, of a child, the guardian's.
 */
static void
add_denials(struct reply_work *work, struct db_unit *unit,
    const struct reply_person *person, const struct reply_effects *effects)
{
	db_unit_add(unit, "reply_deny", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_at(unit, work->now);
	db_param_i32(unit, (int32_t)effects->denied_topics);
	db_param_i32(unit, (int32_t)effects->denied_channels);
	db_param_text(unit, "reply");
}

/* Consent comes from the patient's own address, or the guardian's. */
static void
add_permit(struct reply_work *work, struct db_unit *unit,
    const struct reply_person *person)
{
	db_unit_add(unit, "reply_permit", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	/* what was refused since is refused */
	db_param_at(unit, work->received_at);
	db_param_i32(unit, TOPIC_DOSE | TOPIC_REFILL | TOPIC_FOLLOW_UP);
	db_param_i32(unit, (int32_t)CHANNEL_BIT(person->channel));
	db_param_i16(unit, (int16_t)person->owner);
	db_param_text(unit, "reply");
}

static void
add_bad_contact(struct db_unit *unit, const struct reply_person *person)
{
	struct db_array bucket, patient_id, contact_no;

	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	db_array_init(&contact_no, DB_I32);
	for (uint32_t i = 0; i <= person->also_count; i++) {
		db_array_i64(&bucket, person->bucket);
		db_array_i64(&patient_id, person->patient_id);
		db_array_i64(&contact_no,
		    i == 0 ? person->contact_no : person->also[i - 1]);
	}
	db_unit_add(unit, "contact_bad", NULL, NULL);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_param_array(unit, &contact_no);
	db_array_free(&bucket);
	db_array_free(&patient_id);
	db_array_free(&contact_no);
}

/* Does it say how much is left of what, within reason? */
static bool
corrects_supply(
    const struct reply_work *work, const struct reply_person *person)
{
	const struct reply_slots *slots = &work->reply.slots;

	return person->product != NULL &&
	       (slots->days_left >= 0
		       ? slots->days_left <= DAYS_LEFT_MAX
		       : slots->units_left_micro >= 0 &&
			     slots->units_left_micro <= UNITS_LEFT_MAX);
}

static void
add_correction(struct reply_work *work, struct db_unit *unit,
    const struct reply_person *person)
{
	const struct reply_slots *slots = &work->reply.slots;
	bool days = slots->days_left >= 0;

	db_unit_add(unit, "reply_correct", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_text(unit, person->product);
	db_param_at(unit, work->received_at);
	db_param_i32(unit, days ? slots->days_left : -1);
	db_param_i64(unit, days ? -1 : slots->units_left_micro);
	db_param_text(unit, days ? NULL : slots->unit);
}

static void
add_cancel(struct reply_work *work, struct db_unit *unit,
    const struct reply_person *person)
{
	db_unit_add(unit, "reply_cancel", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_i32(unit, person->order_no);
	db_param_i16(unit, REPLY_REFILL_YES);
	db_param_at(unit, work->now);
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

		if ((row->answers >= 0 || row->harm) &&
		    !reply->intents[i].likely)
			return true;
	}
	return false;
}

static void
add_reply(struct reply_work *work, struct db_unit *unit,
    const struct reply_person *person, bool certain,
    const struct reply_effects *effects, enum stage answer)
{
	/* what nobody knows the sender of answers nobody's question */
	const struct said *question = certain ? person->question : NULL;
	struct buf slots = BUF_INIT(0);
	bool task = (effects->effects & REPLY_TASK) != 0;
	bool orders = (effects->effects & REPLY_ORDERS) != 0 &&
		      effects->task == REPLY_REFILL_YES;

	reply_slots_json(&work->reply.slots, &slots);
	db_unit_add(unit, "reply_store", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_at(unit, work->received_at);
	db_param_text(unit, work->gateway);
	db_param_i32(unit, person->contact_no);
	db_param_bool(unit, certain);
	db_param_i16(unit, question == NULL ? 0 : (int16_t)question->kind);
	db_param_i32(unit, question == NULL ? 0 : question->source);
	db_param_on(
	    unit, question == NULL ? ON_UNKNOWN : question->occurrence_on);
	add_labels(&work->reply, unit);
	db_param_text(unit, buf_string(&slots));
	db_param_i32(unit, (int32_t)effects->effects);
	db_param_i16(unit, (int16_t)answer);
	db_param_bytes(unit, work->event_key, INBOX_KEY_BYTES);
	if (work->text_sealed == NULL)
		db_param_null(unit);
	else
		db_param_bytes(unit, work->text_sealed, work->text_bytes);
	db_param_bool(unit, (effects->effects & REPLY_HOLDS_ALL) != 0);
	db_param_bool(unit, (effects->effects & REPLY_HOLDS_REFILLS) != 0);
	db_param_bool(unit, (effects->effects & REPLY_PAUSES) != 0);
	db_param_i16(unit, task ? (int16_t)effects->task : -1);
	db_param_on(unit, (int32_t)(work->received_at / DAY_US));
	db_param_i16(unit, KIND_ANSWER);
	db_param_bool(unit, question != NULL && is_answered(&work->reply));
	db_param_at(unit, work->received_at + (orders ? ORDER_WAIT_US : 0));
	buf_free(&slots);
}

/* So many answers a day: the number may be another machine's. */
static bool
may_answer(const struct reply_work *work, enum stage stage)
{
	const struct reply_person *people = work->people.data;
	int count = 0;

	for (size_t i = 0; i < work->people.count; i++)
		for (uint32_t k = 0; k < people[i].said_count; k++)
			count += reply_is_at(&people[i],
				     people[i].said[k].contact_no) &&
				 answer_counts(&people[i].said[k], stage,
				     work->received_at);
	return count < ANSWERS_A_DAY;
}

/* What was said of late, with what is owed or over now. */
static void
add_recent(struct db_unit *unit, const struct reply_person *person)
{
	struct buf recent = BUF_INIT(0);

	said_encode(person->said, person->said_count, &recent);
	db_unit_add(unit, "agenda_remember", NULL, NULL);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_bytes(unit, recent.data, recent.bytes);
	buf_free(&recent);
}

static void
remember(struct reply_work *work, struct reply_person *person, struct said said)
{
	person->said =
	    answer_owing(person->said, &person->said_count, said, work->arena);
}

/* The answer is owed: the next plan sends it. */
static void
owe_answer(
    struct reply_work *work, struct reply_person *person, enum stage answer)
{
	remember(work, person,
	    answer_owe(person->next_no, answer, person->contact_no, work->now));
}

static bool
is_refill(const struct said *said, int64_t now)
{
	return (said->kind == KIND_REFILL || said->kind == KIND_RENEWAL) &&
	       said->at > now - CYCLE_US;
}

/* Of a visit that is still to come; the calendar's day may be another. */
static bool
is_visit(const struct said *said, int64_t now)
{
	return said->kind == KIND_FOLLOW_UP && said->slot != STAGE_MISSED &&
	       said->occurrence_on >= (int32_t)(now / DAY_US) - 1;
}

/* The last message of those; NULL: none. */
static const struct said *
last_asked(const struct reply_work *work, const struct reply_person *person,
    bool (*is)(const struct said *said, int64_t now))
{
	const struct said *last = NULL;

	for (uint32_t i = 0; i < person->said_count; i++) {
		const struct said *said = &person->said[i];

		if (!said->task && said->channel != CHANNEL_NONE &&
		    is(said, work->now) &&
		    (last == NULL || said->at > last->at))
			last = said;
	}
	return last;
}

/*
 * What that message named leaves its ladder, as it does at the task at the
 * ladder's end; false: nothing was asked.
 */
static bool
end_ladder(struct reply_work *work, struct reply_person *person,
    bool (*is)(const struct said *said, int64_t now))
{
	const struct said *last = last_asked(work, person, is);
	const struct said *said = person->said;
	uint32_t count = person->said_count;

	for (uint32_t i = 0; i < count && last != NULL; i++) {
		struct said over = said[i];

		if (said[i].task || said[i].at != last->at ||
		    said[i].kind != last->kind ||
		    said[i].channel != last->channel)
			continue;
		over.state = DELIVERY_EXPIRED;
		over.channel = CHANNEL_NONE;
		over.reason = REASON_NONE;
		over.task = true;
		over.leads = false;
		over.slot = STAGE_P14;
		over.contact_no = 0;
		over.at = work->received_at;
		remember(work, person, over);
	}
	return last != NULL;
}

/* The order that ended them is cancelled. */
static void
reopen_cycles(struct reply_work *work, struct reply_person *person)
{
	struct said *kept =
	    arena_array(work->arena, person->said_count + 1, sizeof(*kept));
	uint32_t count = 0;

	for (uint32_t i = 0; i < person->said_count; i++) {
		const struct said *said = &person->said[i];

		if (!(said->task && said->state == DELIVERY_EXPIRED &&
			said->at == person->order_at))
			kept[count++] = *said;
	}
	person->said = kept;
	person->said_count = count;
}

/* within: of the effects only these, where it is about somebody else. */
static void
add_person(struct reply_work *work, struct db_unit *unit,
    const struct reply_person *person, bool certain, uint32_t within,
    bool answers)
{
	struct reply_person after = *person;
	struct reply_effects effects;

	reply_effects(&work->reply, certain, &effects);
	effects.effects &= within;
	/* first: what is asked below stays asked */
	if (person->order_no != 0)
		reply_effects_with_order(&work->reply, &effects);
	else if (person->ordered && work->cancels)
		reply_effects_ask(&effects, REPLY_REFILL_NO);
	if ((effects.effects & REPLY_CORRECTS_SUPPLY) != 0 &&
	    !corrects_supply(work, person)) {
		effects.effects &= ~(uint32_t)REPLY_CORRECTS_SUPPLY;
		reply_effects_ask(&effects, REPLY_HAVE_SUPPLY);
	}
	if ((effects.effects & REPLY_PERMITS) != 0 &&
	    person->owner == OWNER_CAREGIVER) {
		effects.effects &= ~(uint32_t)REPLY_PERMITS;
		reply_effects_ask(&effects, REPLY_OPT_IN);
	}
	if (person->held && effects.answer == STAGE_ORDER)
		effects.answer = STAGE_HANDED_OVER;
	/* a refusal has one confirmation, however often it is said */
	answers = answers && may_answer(work, effects.answer) &&
		  !(person->refused && effects.answer == STAGE_OPT_OUT &&
		      (effects.effects & REPLY_DENIES) != 0);
	/* an order that is not echoed cannot be cancelled: a person sees to it */
	if (!answers && (effects.effects & REPLY_ORDERS) != 0)
		effects.effects &=
		    ~(uint32_t)(REPLY_ORDERS | REPLY_ENDS_CYCLE);
	if ((effects.effects & REPLY_CANCELS) != 0)
		reopen_cycles(work, &after);
	if ((effects.effects & REPLY_ENDS_CYCLE) != 0 &&
	    !end_ladder(work, &after, is_refill))
		effects.effects &= ~(uint32_t)REPLY_ENDS_CYCLE;
	if ((effects.effects & REPLY_ENDS_VISIT) != 0 &&
	    !end_ladder(work, &after, is_visit))
		effects.effects &= ~(uint32_t)REPLY_ENDS_VISIT;
	if (answers)
		owe_answer(work, &after, effects.answer);
	add_reply(work, unit, person, certain, &effects,
	    answers ? effects.answer : STAGE_NONE);
	if (after.said != person->said)
		add_recent(unit, &after);
	if ((effects.effects & (REPLY_DENIES | REPLY_DENIES_PART)) != 0)
		add_denials(work, unit, person, &effects);
	if ((effects.effects & REPLY_PERMITS) != 0)
		add_permit(work, unit, person);
	if ((effects.effects & REPLY_CORRECTS_SUPPLY) != 0)
		add_correction(work, unit, person);
	if ((effects.effects & REPLY_CANCELS) != 0)
		add_cancel(work, unit, person);
	if ((effects.effects & REPLY_ENDS_ADDRESS) != 0)
		add_bad_contact(unit, person);
}

/*
 * What concerns the others at the address, though it seems to be about one: a
 * refusal, and danger that nobody dialled a number for.
 */
static uint32_t
effects_on_others(const struct reply_work *work)
{
	uint32_t effects = 0;

	for (unsigned i = 0; i < work->reply.intent_count; i++) {
		if (work->reply.intents[i].label == REPLY_OPT_OUT)
			effects |= REPLY_DENIES;
		if (work->reply.intents[i].label == REPLY_EMERGENCY &&
		    work->code == 0)
			effects |= REPLY_HOLDS_ALL | REPLY_TASK;
	}
	return effects;
}

/* The team's word is no patient's: it says that somebody sees to it. */
void
reply_write_team(struct reply_work *work, const struct reply_person *member,
    struct db_unit *unit)
{
	struct reply_person after = *member;
	struct db_array bucket, patient_id;

	db_unit_add(unit, "notice_answer", NULL, NULL);
	db_param_i16(unit, member->bucket);
	db_param_i64(unit, member->patient_id);
	db_param_at(unit, work->received_at - REPLY_TOLD_US);
	db_param_at(unit, work->received_at);
	if (!member->told || !may_answer(work, STAGE_TEAM_TAKEN))
		return;
	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	db_array_i64(&bucket, member->bucket);
	db_array_i64(&patient_id, member->patient_id);
	db_unit_add(unit, "care_number", NULL, NULL);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	owe_answer(work, &after, STAGE_TEAM_TAKEN);
	add_recent(unit, &after);
	db_unit_add(unit, "agenda_notify_people", NULL, NULL);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_array_free(&bucket);
	db_array_free(&patient_id);
}

/*
 * Where it is not clear whom it is about it stands with everybody at the
 * address.
 */
void
reply_write(struct reply_work *work, const struct reply_person *meant,
    struct db_unit *unit)
{
	const struct reply_person *people = work->people.data;
	uint32_t others = effects_on_others(work);

	assert(people != NULL);

	for (size_t i = 0; i < work->people.count; i++) {
		bool its = meant == NULL || meant == &people[i];

		if (its || others != 0)
			add_person(work, unit, &people[i], meant == &people[i],
			    its ? UINT32_MAX : others,
			    meant == NULL ? i == 0 : its);
	}
	db_unit_add(unit, "dossier_rebuild", NULL, NULL);
	reply_keys(work, unit);
	db_unit_add(unit, "agenda_notify_people", NULL, NULL);
	reply_keys(work, unit);
}
