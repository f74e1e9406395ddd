/*
 * From a claimed person to what is to be done about them.  A dossier that
 * cannot be read sets its person aside for an hour and stops nobody else.
 */
#include "flow/planning.h"

#include "base/log.h"

#define UNREADABLE_US HOUR_US /* until a broken dossier is tried again */

/* Audience and dossier of the person being planned. */
struct planning {
	struct planner *planner;
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
	int64_t offset = p->planner->clock->care_offset;

	delivery->key = writing_step_key(&p->dossier, step);
	delivery->gateway = p->audience->gateways[step->channel];
	delivery->not_after =
	    step->not_after == AT_NEVER ? AT_NEVER : step->not_after - offset;
	delivery->contact_no = step->contact_no;
	open = find_open(p->person, &delivery->key);
	delivery->attempts = open == NULL ? 1 : open->open.attempts + 1;
	messages_write(p->planner->messages, p->audience, &p->dossier, step,
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
		: gateways_find(p->planner->gateways, open->gateway);
	const char *address;
	struct ask *ask;

	if (gateway == NULL)
		return;
	address = messages_address(p->planner->messages, &p->dossier,
	    open->contact_no, p->round->arena);
	if (address == NULL)
		return;
	ask = list_add(&p->round->asks);
	*ask = (struct ask){
	    .gateway = gateway,
	    .key = key,
	    .address = address,
	    .provider_id = open->provider_id,
	    .sent_at = open->open.sent_at - p->planner->clock->care_offset,
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

void
planning_plan(struct planner *planner, struct look_round *round,
    const struct person *person)
{
	struct planning p = {
	    .planner = planner, .round = round, .person = person};
	struct gateways_view view;
	const char *error;
	struct plan plan;

	if (read_dossier(&p, &error) != 0) {
		skip_person(&p, error);
		return;
	}
	p.audience = messages_audience(
	    planner->messages, p.dossier.tenant_id, p.dossier.locale);
	messages_view(p.audience, &view);
	planner->rules.attendance_fed = p.audience->attendance_fed;
	plan_person(&p.dossier, &planner->rules, &view, person->planned_through,
	    round->care_now, false, round->arena, &plan);
	take_plan(&p, &plan);
}
