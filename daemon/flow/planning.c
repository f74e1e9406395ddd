/*
 * From a claimed person to what is to be done about them.  A dossier that
 * cannot be read sets its person aside for an hour and stops nobody else.
 */
#include "flow/planning.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"

#define UNREADABLE_US HOUR_US /* until a broken dossier is tried again */
/* Ours and the database's may differ by half of an answer's way. */
#define CLOCK_ERROR_US 1000
#define USES_KEPT_US (9 * DAY_US) /* a week of local days, in any zone */

/* Audience and dossier of the person being planned. */
struct planning {
	struct planner *planner;
	struct look_round *round;
	const struct person *person;
	const struct audience *audience;
	struct dossier dossier;
};

void
planning_add_recent(const struct person *person, struct arena *arena,
    struct delivery_keys *keys)
{
	const struct said *said;
	uint32_t count;

	/* one that is damaged is told of when it is planned */
	if (said_decode(person->recent, person->recent_bytes, arena, &said,
		&count) != 0)
		return;
	for (uint32_t i = 0; i < count; i++)
		if (said_may_be_open(&said[i]))
			delivery_keys_add(
			    keys, &(struct delivery_key){
				      .bucket = person->bucket,
				      .patient_id = person->patient_id,
				      .occurrence_on = said[i].occurrence_on,
				      .kind = said[i].kind,
				      .source = said[i].source,
				      .slot = said[i].slot,
				      .channel = said[i].channel,
				  });
}

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

/* What a message speaks of, for stops that come before it leaves. */
static void
note_drugs(const struct planning *p, const struct plan_step *step,
    struct arena *arena, struct delivery *delivery)
{
	const char **drugs =
	    arena_array(arena, step->item_count, sizeof(*drugs));

	for (uint32_t i = 0; i < step->item_count; i++) {
		const struct prescription *prescription =
		    step->kind == KIND_FOLLOW_UP
			? NULL
			: dossier_prescription(&p->dossier, step->items[i].no);

		if (prescription != NULL)
			drugs[i] = arena_text(arena, prescription->drug);
	}
	delivery->tenant_id = p->dossier.tenant_id;
	delivery->stage = step->stage;
	delivery->drugs = drugs;
	delivery->drug_count = step->item_count;
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
	if (p->person->ahead_at > 0)
		delivery->not_before =
		    p->person->ahead_at - offset + CLOCK_ERROR_US;
	delivery->due_at = step->due_at;
	delivery->urgent = p->person->urgent;
	delivery->contact_no = step->contact_no;
	note_drugs(p, step, arena, delivery);
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

static void
take_plan(struct planning *p, const struct plan *plan)
{
	struct writing *writing = p->round->writing;
	struct looked looked = {
	    .bucket = p->person->bucket,
	    .patient_id = p->person->patient_id,
	    .next_at = plan->next_at,
	    .lane = plan->park_lane,
	    .attention = plan->attention,
	    .standing_before = p->person->standing,
	    .standing = plan->standing,
	    .stopped = plan->stopped,
	    .urgent = p->person->urgent,
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

	metric_add(METRIC_DOSSIERS_UNREADABLE, NULL, NULL, 1);
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
		.stopped = person->stopped,
		.said = p->dossier.said,
		.said_count = p->dossier.said_count,
	    });
}

/* ---- put off ---- */

/* Planned, but the caps of shared addresses are not known yet. */
struct put_off {
	struct planning planning;
	struct plan plan;
	uint32_t generation; /* of the audience */
	/* where its messages have a slot meanwhile */
	struct gateway **gateways;
	size_t gateway_count;
};

static bool
is_capped(const struct plan_step *step)
{
	return step->action == PLAN_SEND && !step->attempt_again &&
	       step->kind != KIND_DOSE && step->kind != KIND_ANSWER;
}

static bool
any_capped(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->step_count; i++)
		if (is_capped(&plan->steps[i]))
			return true;
	return false;
}

static bool
goes_to(const struct plan *plan, int32_t contact_no)
{
	for (uint32_t i = 0; i < plan->step_count; i++)
		if (is_capped(&plan->steps[i]) &&
		    plan->steps[i].contact_no == contact_no)
			return true;
	return false;
}

/* To an address that was not asked about with the plan before. */
static bool
goes_elsewhere(const struct plan *plan, const struct plan *before)
{
	for (uint32_t i = 0; i < plan->step_count; i++)
		if (is_capped(&plan->steps[i]) &&
		    !goes_to(before, plan->steps[i].contact_no))
			return true;
	return false;
}

/* The addresses that a plan uses; NULL: all that may be used. */
static void
add_sharers(const struct planning *p, const struct plan *plan)
{
	for (uint32_t i = 0; i < p->dossier.contact_count; i++) {
		const struct contact *contact = &p->dossier.contacts[i];

		if (plan != NULL ? goes_to(plan, contact->no) : contact->usable)
			sharing_add(p->round->sharing,
			    &(struct sharer){
				.bucket = p->dossier.bucket,
				.patient_id = p->dossier.patient_id,
				.tenant_id = p->dossier.tenant_id,
				.contact_no = contact->no,
				.index = contact->index,
			    });
	}
}

static void
put_off(const struct planning *p, const struct plan *plan)
{
	struct put_off *put_off = list_add(&p->round->put_off);

	*put_off = (struct put_off){
	    .planning = *p,
	    .plan = *plan,
	    .generation = messages_generation(p->planner->messages),
	    .gateways = arena_array(p->round->arena, plan->step_count + 1,
		sizeof(struct gateway *)),
	};
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->action != PLAN_SEND)
			continue;
		put_off->gateways[put_off->gateway_count++] =
		    p->audience->gateways[step->channel];
		p->audience->gateways[step->channel]->queued++;
	}
	add_sharers(p, plan);
}

void
planning_begin(struct look_round *round)
{
	round->sharing = sharing_create(round->arena);
	list_init(&round->put_off, round->arena, sizeof(struct put_off));
}

void
planning_widen(struct look_round *round)
{
	const struct put_off *list = round->put_off.data;
	const struct sharing *used = round->sharing;

	round->sharing = sharing_create(round->arena);
	for (size_t i = 0; i < round->put_off.count; i++) {
		const struct planning *p = &list[i].planning;

		if (sharing_of(used, p->dossier.bucket, p->dossier.patient_id))
			add_sharers(p, NULL);
	}
}

static void
release(struct put_off *put_off)
{
	for (size_t i = 0; i < put_off->gateway_count; i++)
		put_off->gateways[i]->queued--;
	put_off->gateway_count = 0;
}

void
planning_drop(struct look_round *round)
{
	struct put_off *list = round->put_off.data;

	for (size_t i = 0; i < round->put_off.count; i++)
		release(&list[i]);
}

/* ---- planning ---- */

/* Who is claimed ahead is looked at as of the instant that is due. */
static int64_t
looked_at(const struct planning *p)
{
	return p->person->ahead_at > 0 ? p->person->ahead_at
				       : p->round->care_now;
}

static void
decide(struct planning *p, const struct rules *rules, struct plan *plan)
{
	struct gateways_view view;

	p->audience = messages_audience(
	    p->planner->messages, p->dossier.tenant_id, p->dossier.locale);
	messages_view(
	    p->audience, p->person->urgent ? 0 : p->round->urgent_ahead, &view);
	plan_person(&p->dossier, rules, &view, p->person->planned_through,
	    looked_at(p), false, p->round->arena, plan);
}

/* Whom we die of is found in the state file. */
static void
begin_person(const struct planner *planner, const struct person *person)
{
	if (planner->state != NULL)
		state_file_planning(
		    planner->state, person->bucket, person->patient_id);
	fault_poison(person->patient_id);
}

static void
end_person(const struct planner *planner)
{
	if (planner->state != NULL)
		state_file_planned(planner->state);
}

static void
plan_one(struct planner *planner, struct look_round *round,
    const struct person *person)
{
	struct planning p = {
	    .planner = planner, .round = round, .person = person};
	const char *error;
	struct plan plan;

	if (read_dossier(&p, &error) != 0) {
		skip_person(&p, error);
		return;
	}
	decide(&p, rules_of(planner->rules, p.dossier.tenant_id), &plan);
	if (any_capped(&plan))
		put_off(&p, &plan);
	else
		take_plan(&p, &plan);
}

void
planning_plan(struct planner *planner, struct look_round *round,
    const struct person *person)
{
	begin_person(planner, person);
	plan_one(planner, round, person);
	end_person(planner);
	round->urgent_ahead -= person->urgent;
}

/* Once more, with what others got at the same addresses. */
static void
decide_again(struct planning *p, const struct address_use *uses,
    uint32_t use_count, struct plan *plan)
{
	struct rules rules = *rules_of(p->planner->rules, p->dossier.tenant_id);

	rules.address_uses = uses;
	rules.address_use_count = use_count;
	decide(p, &rules, plan);
}

/* What was planned stands, or is planned anew.  False: not now. */
static bool
finish(struct planner *planner, struct look_round *round,
    const struct put_off *put_off)
{
	struct planning p = put_off->planning;
	struct plan plan = put_off->plan;
	const struct address_use *uses;
	uint32_t use_count;
	enum sharing_answer answer =
	    sharing_uses(round->sharing, p.dossier.bucket, p.dossier.patient_id,
		round->care_now - USES_KEPT_US, round->care_now, round->arena,
		&uses, &use_count);

	if (answer == SHARING_LATER)
		return false;
	if (answer == SHARING_SHARED ||
	    put_off->generation != messages_generation(planner->messages))
		decide_again(&p, uses, use_count, &plan);
	/* all the addresses of who shares were asked about */
	if (answer == SHARING_ALONE && goes_elsewhere(&plan, &put_off->plan))
		return false;
	take_plan(&p, &plan);
	sharing_planned(round->sharing, p.dossier.bucket, p.dossier.patient_id,
	    plan.said, plan.said_count);
	return true;
}

bool
planning_finish(struct planner *planner, struct look_round *round)
{
	struct put_off *list = round->put_off.data;
	bool all = true;

	for (size_t i = 0; i < round->put_off.count; i++) {
		release(&list[i]);
		begin_person(planner, list[i].planning.person);
		if (!finish(planner, round, &list[i]))
			all = false; /* and still due */
		end_person(planner);
	}
	return all;
}
