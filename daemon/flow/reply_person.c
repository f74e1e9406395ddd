/*
 * The people at an address: whom a reply is about, and what it answers.
 */
#include "care/reply_effect.h"
#include "flow/replies.h"
#include "flow/reply_work.h"

#define REPLY_CODE_FIRST 100
#define REPLY_CODES 900

int
reply_code(int64_t patient_id)
{
	return REPLY_CODE_FIRST + (int)(patient_id % REPLY_CODES);
}

void
reply_keys(struct reply_work *work, struct db_unit *unit)
{
	const struct reply_person *people = work->people.data;
	struct db_array bucket, patient_id;

	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	for (size_t i = 0; i < work->people.count; i++) {
		db_array_i64(&bucket, people[i].bucket);
		db_array_i64(&patient_id, people[i].patient_id);
	}
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_array_free(&bucket);
	db_array_free(&patient_id);
}

bool
reply_is_at(const struct reply_person *person, int32_t contact_no)
{
	for (uint32_t i = 0; i < person->also_count; i++)
		if (person->also[i] == contact_no)
			return true;
	return person->contact_no == contact_no;
}

/* A message about something that waits for a word, to this address. */
static bool
is_question(
    const struct reply_person *person, const struct said *said, int64_t now)
{
	return said->leads && !said->task && said->kind != KIND_ANSWER &&
	       said->channel != CHANNEL_NONE &&
	       reply_is_at(person, said->contact_no) &&
	       said->state != DELIVERY_REJECTED &&
	       said->state != DELIVERY_HELD && said->at <= now &&
	       said->at > now - REPLY_QUESTION_US &&
	       said->at > person->answered_at[said->kind];
}

/* The last of each kind is open until it is answered. */
void
reply_find_questions(struct reply_person *person, int64_t now)
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
enum reply_context
reply_asked(const struct reply_person *meant)
{
	if (meant == NULL)
		return REPLY_ON_NONE;
	if (meant->order_no != 0 &&
	    (meant->question == NULL || meant->question->at < meant->order_at))
		return REPLY_ON_REFILL;
	return meant->question == NULL ? REPLY_ON_NONE
				       : context_of(meant->question->kind);
}

const struct reply_person *
reply_who_ordered(const struct reply_work *work)
{
	const struct reply_person *people = work->people.data, *found = NULL;

	for (size_t i = 0; i < work->people.count; i++) {
		if (people[i].order_no == 0)
			continue;
		if (found != NULL)
			return NULL;
		found = &people[i];
	}
	return found;
}

const struct reply_person *
reply_dialled(const struct reply_work *work)
{
	const struct reply_person *people = work->people.data, *found = NULL;

	for (size_t i = 0; i < work->people.count && work->code != 0; i++) {
		if (reply_code(people[i].patient_id) != work->code ||
		    !people[i].usable)
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
const struct reply_person *
reply_meant(const struct reply_work *work)
{
	const struct reply_person *people = work->people.data, *asked = NULL;

	if (work->people.count == 1)
		return people->usable ? people : NULL;
	if (reply_dialled(work) != NULL)
		return reply_dialled(work);
	for (size_t i = 0; i < work->people.count; i++) {
		if (people[i].questions == 0 || !people[i].usable)
			continue;
		if (asked != NULL)
			return NULL;
		asked = &people[i];
	}
	return asked;
}
