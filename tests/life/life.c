/*
 * Random lives: the facts of a person drawn from bytes, then look after
 * look on a virtual clock, and after each the promises of plan checked
 * against a ledger that this file keeps for itself.
 */
#include "tests/life/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "care/plan.h"
#include "care/timing.h"

#define LOOKS_MAX 40
#define SENT_MAX 4096
#define ROWS_MAX 7 /* of each kind */
#define SMS_DAY 3  /* the caps of program.md 2 */
#define SMS_WEEK 10
#define OTHER_DAY 8

#define must(condition) \
	do { \
		if (!(condition)) \
			fail(#condition, __LINE__); \
	} while (0)

struct input {
	const uint8_t *at;
	size_t left;
};

struct sent { /* one item of a message */
	enum kind kind;
	enum channel channel;
	enum stage stage;
	int32_t source, occurrence_on, slot;
	int64_t at;
	bool leads;
};

struct life {
	struct input in;
	struct arena *arena;   /* of the whole life */
	struct arena *scratch; /* of the looks beside the real ones */
	struct rules rules;
	struct gateways_view gateways;
	struct dossier dossier;
	struct life_tally *tally;
	int64_t now, planned_through;
	struct sent sent[SENT_MAX];
	uint32_t sent_count;
};

static uint64_t under_way; /* which life of this run, from 0 */

static _Noreturn void
fail(const char *condition, int line)
{
	fprintf(stderr, "# life %llu, life.c:%d: not kept: %s\n",
	    (unsigned long long)under_way, line, condition);
	abort();
}

static const char *const timings[] = {
    "{\"repeat\":{\"frequency\":1,\"period\":1,\"periodUnit\":\"d\"}}",
    "{\"repeat\":{\"frequency\":3,\"period\":1,\"periodUnit\":\"d\"}}",
    "{\"repeat\":{\"frequency\":1,\"period\":3,\"periodUnit\":\"h\"}}",
    "{\"repeat\":{\"frequency\":1,\"period\":1,\"periodUnit\":\"d\","
    "\"timeOfDay\":[\"23:00:00\"]}}",
    "{\"repeat\":{\"frequency\":1,\"period\":1,\"periodUnit\":\"d\","
    "\"timeOfDay\":[\"10:00:00\",\"10:10:00\"]}}",
    "{\"repeat\":{\"boundsDuration\":{\"value\":7,\"unit\":\"d\","
    "\"system\":\"http://unitsofmeasure.org\",\"code\":\"d\"},"
    "\"frequency\":2,\"period\":1,\"periodUnit\":\"d\"}}",
};

static uint32_t
take(struct input *in, uint32_t below)
{
	uint32_t value = 0;

	for (int i = 0; i < 2 && in->left > 0; i++, in->left--)
		value = value << 8 | *in->at++;
	return below == 0 ? 0 : value % below;
}

/* An instant within some weeks around the first look, or an extreme. */
static int64_t
take_at(struct input *in, int64_t base, int64_t extreme)
{
	uint32_t which = take(in, 8);
	int64_t at = base + ((int64_t)take(in, 60 * 24) - 30 * 24) * HOUR_US;

	return which == 0 ? extreme : at + (int64_t)take(in, 60) * MINUTE_US;
}

static const char *
take_id(struct input *in, struct arena *arena, uint32_t no)
{
	return arena_printf(arena, "%c%u", 'a' + (int)take(in, 20), no);
}

static void
make_people(
    struct input *in, struct dossier *d, struct arena *arena, int64_t base)
{
	struct contact *contacts =
	    arena_array(arena, ROWS_MAX, sizeof(*contacts));
	struct consent *consents =
	    arena_array(arena, ROWS_MAX, sizeof(*consents));

	d->contact_count = take(in, ROWS_MAX);
	for (uint32_t i = 0; i < d->contact_count; i++)
		contacts[i] = (struct contact){
		    .no = (int32_t)i + 1,
		    .channel = 1 + take(in, 4),
		    .owner = take(in, 6) == 0 ? 1 + take(in, 3) : 1,
		    .rank = (int32_t)take(in, 3),
		    .from_at = AT_UNKNOWN,
		    .until_at = take_at(in, base, AT_NEVER),
		    .usable = take(in, 8) != 0,
		};
	d->consent_count = take(in, ROWS_MAX);
	for (uint32_t i = 0; i < d->consent_count; i++)
		consents[i] = (struct consent){
		    .no = (int32_t)i,
		    .given_at = take_at(in, base, AT_UNKNOWN),
		    .from_at = take_at(in, base, AT_UNKNOWN),
		    .until_at = take_at(in, base, AT_NEVER),
		    .permit = take(in, 5) != 0,
		    .withdrawn = take(in, 5) == 0,
		    .withdrawn_at = take_at(in, base, AT_UNKNOWN),
		    .topics = take(in, 2) == 0 ? TOPIC_ALL : take(in, 32),
		    .channels = take(in, 2) == 0 ? CHANNEL_ALL : take(in, 32),
		    .actor = OWNER_SELF,
		};
	d->contacts = contacts;
	d->consents = consents;
}

static const struct timing *
make_timing(struct input *in, struct arena *arena)
{
	const char *text = timings[take(in, COUNT(timings))];
	struct json_error json_error;
	struct timing_error error;
	const struct json *json =
	    json_parse(text, strlen(text), NULL, arena, &json_error);

	return json == NULL ? NULL : timing_parse(json, arena, &error);
}

static void
make_medicine(
    struct input *in, struct dossier *d, struct arena *arena, int64_t base)
{
	struct prescription *list = arena_array(arena, ROWS_MAX, sizeof(*list));
	struct fill *fills = arena_array(arena, ROWS_MAX, sizeof(*fills));

	d->prescription_count = take(in, ROWS_MAX);
	for (uint32_t i = 0; i < d->prescription_count; i++) {
		struct dosage *dosages =
		    arena_array(arena, 2, sizeof(*dosages));
		uint32_t dosage_count = 1 + take(in, 2);

		for (uint32_t k = 0; k < dosage_count; k++)
			dosages[k] = (struct dosage){
			    .sequence = (int32_t)take(in, 3),
			    .dose_micro = (int64_t)take(in, 5) * 500000 - 1,
			    .dose_unit = take(in, 8) == 0 ? "mL" : "TAB",
			    .as_needed = take(in, 8) == 0,
			    .timing = make_timing(in, arena),
			};
		list[i] = (struct prescription){
		    .no = (int32_t)i + 1,
		    .id = take_id(in, arena, i),
		    .status = take(in, 3) == 0 ? 1 + take(in, 6) : 1,
		    .status_at = take_at(in, base, AT_UNKNOWN),
		    .course = take(in, 4),
		    .drug = arena_printf(arena, "%u", take(in, 4)),
		    .name = take(in, 8) == 0 ? "other" : "name",
		    .prescriber = take(in, 2) == 0 ? "S1" : NULL,
		    .authored_at = take_at(in, base, AT_UNKNOWN),
		    .quantity_micro = -1,
		    .supply_days = -1,
		    .initial_quantity_micro = -1,
		    .initial_days = -1,
		    .repeats_allowed = (int32_t)take(in, 4) - 1,
		    .valid_from_on = ON_UNKNOWN,
		    .valid_until_on = ON_NEVER,
		    .interval_days = -1,
		    .prior_no = (int32_t)take(in, 4),
		    .dosages = dosages,
		    .dosage_count = dosage_count,
		};
	}
	d->fill_count = d->prescription_count == 0 ? 0 : take(in, ROWS_MAX);
	for (uint32_t i = 0; i < d->fill_count; i++) {
		uint32_t of = take(in, d->prescription_count);

		fills[i] = (struct fill){
		    .no = (int32_t)i + 1,
		    .prescription_no = (int32_t)of + 1,
		    .status = take(in, 5) == 0 ? 1 + take(in, 4) : 1,
		    .drug = list[of].drug,
		    .quantity_micro = (int64_t)take(in, 100) * 1000000 - 1,
		    .quantity_unit = "TAB",
		    .days_supply = (int32_t)take(in, 40) - 1,
		    .handed_over_at = take_at(in, base, AT_NEVER),
		};
	}
	d->prescriptions = list;
	d->fills = fills;
}

static void
make_visits(
    struct input *in, struct dossier *d, struct arena *arena, int64_t base)
{
	struct visit *visits = arena_array(arena, ROWS_MAX, sizeof(*visits));
	struct stay *stays = arena_array(arena, ROWS_MAX, sizeof(*stays));

	d->visit_count = take(in, ROWS_MAX);
	for (uint32_t i = 0; i < d->visit_count; i++)
		visits[i] = (struct visit){
		    .no = (int32_t)i + 1,
		    .id = take_id(in, arena, i),
		    .status = take(in, 2) == 0 ? 1 + take(in, 5) : 1,
		    .start_at = take_at(in, base, AT_NEVER),
		    .start_has_time = true,
		    .previous_start_at = take(in, 3) == 0
					     ? take_at(in, base, AT_NEVER)
					     : AT_NEVER,
		    .moved_at = take_at(in, base, AT_NEVER),
		    .status_at = take_at(in, base, AT_UNKNOWN),
		    .replaces_no = take(in, 4) == 0
				       ? (int32_t)take(in, d->visit_count) + 1
				       : 0,
		    .practitioners = "S1 S2",
		};
	d->stay_count = take(in, 3);
	for (uint32_t i = 0; i < d->stay_count; i++)
		stays[i] = (struct stay){(int32_t)i + 1,
		    take_at(in, base, AT_UNKNOWN), take_at(in, base, AT_NEVER)};
	d->visits = visits;
	d->stays = stays;
}

static void
make_dossier(
    struct input *in, struct dossier *d, struct arena *arena, int64_t base)
{
	static const char *const zones[] = {
	    "Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"};

	*d = (struct dossier){
	    .patient_id = (int64_t)take(in, 1000),
	    .zone = zone_open(zones[take(in, 4)]),
	    .active = take(in, 8) != 0,
	    .inactive_at = take_at(in, base, AT_UNKNOWN),
	    .deceased_at =
		take(in, 4) == 0 ? take_at(in, base, AT_NEVER) : AT_NEVER,
	    .paused_until =
		take(in, 4) == 0 ? take_at(in, base, AT_NEVER) : AT_UNKNOWN,
	    .safety_hold = take(in, 16) == 0,
	    .adverse_event = take(in, 16) == 0,
	    .birth_on = ON_UNKNOWN,
	    .profile = DAY_PROFILE_DEFAULT,
	};
	make_people(in, d, arena, base);
	make_medicine(in, d, arena, base);
	make_visits(in, d, arena, base);
}

static void
make_gateways(struct input *in, struct gateways_view *view)
{
	*view = *gateways_view_free();
	for (enum channel ch = CHANNEL_WECHAT_MINI; ch < CHANNEL_COUNT; ch++) {
		struct gateway_view *g = &view->channels[ch];

		g->exists = take(in, 16) != 0;
		g->paused = take(in, 16) == 0;
		g->full = take(in, 16) == 0;
		g->lane = (int16_t)ch;
		if (take(in, 16) == 0)
			memset(g->approved, 0, sizeof(g->approved));
	}
}

static void
make_rules(struct input *in, struct rules *rules, int64_t base)
{
	static const struct stop list[] = {
	    {.drug = "1"},
	    {.kind = KIND_DOSE},
	    {.kind = KIND_REFILL},
	    {.kind = KIND_RENEWAL},
	    {.kind = KIND_FOLLOW_UP},
	    {.stage = STAGE_M3},
	};
	static const struct stops stops[] = {{&list[0], 1}, {&list[1], 1},
	    {&list[2], 1}, {&list[3], 1}, {&list[4], 1}, {&list[4], 2}};

	*rules = *program_default();
	rules->each_hold = take(in, 2) == 0;
	rules->attendance_fed = take(in, 2) == 0;
	if (rules->each_hold)
		rules->handled_before = base;
	if (take(in, 16) == 0)
		rules->stops = &stops[take(in, COUNT(stops))];
}

/* Did some rule permit this channel that nobody had withdrawn? */
static bool
ever_permitted(const struct dossier *d, const struct plan_step *step)
{
	for (uint32_t i = 0; i < d->consent_count; i++) {
		const struct consent *c = &d->consents[i];

		if (c->permit && (c->channels & CHANNEL_BIT(step->channel)) &&
		    (c->topics & topic_of_kind(step->kind)) &&
		    c->given_at <= step->at && step->at < c->until_at &&
		    !(c->withdrawn && c->withdrawn_at <= step->at))
			return true;
	}
	return false;
}

/* For whoever looks for the fault. */
static void
tell(const struct life *life, const struct plan_step *step)
{
	const char *channel = channel_word(step->channel);
	const char *reason = reason_word(step->reason);
	char at[32], due[32];

	zone_format(life->dossier.zone, step->at, at, sizeof(at));
	zone_format(life->dossier.zone, step->due_at, due, sizeof(due));
	fprintf(stderr, "# %s action %d %s %s of %s due %s %s %s\n", at,
	    step->action, kind_word(step->kind), stage_word(step->stage),
	    step->items[0].reference, due, channel == NULL ? "" : channel,
	    reason == NULL ? "" : reason);
}

static void
check_hours(const struct life *life, const struct plan_step *step)
{
	const struct dossier *d = &life->dossier;
	const struct program *program = &life->rules.kinds[step->kind];
	bool any_hour = false;
	int32_t time_s;

	(void)zone_local(d->zone, step->at, &time_s);
	for (uint32_t i = 0; i < d->consent_count; i++)
		any_hour |= (d->consents[i].topics & TOPIC_ANY_HOUR) != 0;
	must((step->kind == KIND_DOSE && any_hour) ||
	     (program->hours_from_s <= time_s &&
		 time_s < program->hours_until_s));
}

static void
check_caps(const struct life *life, const struct plan_step *step)
{
	const struct zone *zone = life->dossier.zone;
	int32_t today = zone_local(zone, step->at, NULL), day = 0, week = 0;

	if (step->kind == KIND_DOSE || step->stage == STAGE_MOVED)
		return;
	for (uint32_t i = 0; i < life->sent_count; i++) {
		const struct sent *s = &life->sent[i];
		int32_t on = zone_local(zone, s->at, NULL);

		if (!s->leads || s->channel != step->channel ||
		    s->kind == KIND_DOSE)
			continue;
		day += on == today;
		week += on > today - 7;
	}
	must(day < (step->channel == CHANNEL_SMS ? SMS_DAY : OTHER_DAY));
	must(step->channel != CHANNEL_SMS || week < SMS_WEEK);
}

/* Nothing twice, nothing within two minutes on one channel. */
static void
check_repeats(const struct life *life, const struct plan_step *step)
{
	for (uint32_t k = 0; k < step->item_count; k++) {
		const struct plan_item *item = &step->items[k];

		for (uint32_t i = 0; i < life->sent_count; i++) {
			const struct sent *s = &life->sent[i];

			must(s->kind != step->kind || s->source != item->no ||
			     s->occurrence_on != item->occurrence_on ||
			     s->slot != item->slot);
			must(s->channel != step->channel ||
			     step->at - s->at >= 2 * MINUTE_US);
		}
	}
}

static bool
stopped(const struct life *life, const struct plan_step *step)
{
	for (uint32_t i = 0; i < step->item_count; i++) {
		const struct prescription *p =
		    step->kind == KIND_FOLLOW_UP
			? NULL
			: dossier_prescription(
			      &life->dossier, step->items[i].no);

		if (stops_find(life->rules.stops, life->dossier.tenant_id,
			step->kind, step->stage,
			p == NULL ? NULL : p->drug) != NULL)
			return true;
	}
	return false;
}

static void
check_send(struct life *life, const struct plan_step *step)
{
	const struct dossier *d = &life->dossier;

	must(step->channel > CHANNEL_NONE && step->channel < CHANNEL_COUNT);
	must(d->deceased_at > step->at && step->at >= d->paused_until);
	must(d->active || d->inactive_at > step->at);
	must(!d->safety_hold && ever_permitted(d, step));
	must(!d->adverse_event || step->kind != KIND_REFILL);
	for (uint32_t i = 0; i < d->stay_count; i++)
		must(step->at < d->stays[i].from_at ||
		     step->at >= d->stays[i].until_at);
	must(!stopped(life, step));
	must(step->not_after > step->at && step->due_at <= step->at);
	must(life->gateways.channels[step->channel].exists);
	must(!life->gateways.channels[step->channel].paused);
	must(!life->gateways.channels[step->channel].full);
	must(life->gateways.channels[step->channel]
		 .approved[step->kind][step->stage]);
	check_hours(life, step);
	check_caps(life, step);
	check_repeats(life, step);
	for (uint32_t k = 0; k < step->item_count; k++) {
		must(life->sent_count < SENT_MAX);
		life->sent[life->sent_count++] =
		    (struct sent){step->kind, step->channel, step->stage,
			step->items[k].no, step->items[k].occurrence_on,
			step->items[k].slot, step->at, k == 0};
	}
}

static void
check_plan(struct life *life, const struct plan *plan)
{
	const struct dossier *d = &life->dossier;

	must(plan->next_at > life->now &&
	     plan->next_at <= life->now + 7 * DAY_US);
	must(plan->step_count <= 512 && plan->said_count <= 512);
	life->tally->looks++;
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		must(step->item_count > 0 && step->items[0].reference != NULL);
		must(step->stage > STAGE_NONE && step->stage < STAGE_COUNT);
		life->tally->actions[step->action]++;
		life->tally->reasons[step->reason]++;
		life->tally->stages[step->kind][step->stage]++;
		if (step->action == PLAN_SEND)
			check_send(life, step);
		else if (step->action == PLAN_HOLD)
			must(step->reason != REASON_NONE);
		else
			must(d->deceased_at > life->now &&
			     (d->active || d->inactive_at > life->now));
	}
}

/* With LIFE_TRACE in the environment each look tells what it thought. */
static void
tell_look(const struct life *life, const struct plan *plan)
{
	char now[32], next[32];

	zone_format(life->dossier.zone, life->now, now, sizeof(now));
	zone_format(life->dossier.zone, plan->next_at, next, sizeof(next));
	fprintf(stderr, "# look at %s, next %s\n", now, next);
	for (uint32_t i = 0; i < plan->trace_count; i++)
		fprintf(stderr, "#   %s\n", plan->trace[i]);
}

static void
look(struct life *life, const struct dossier *dossier, int64_t at,
    struct arena *arena, struct plan *plan)
{
	bool trace = getenv("LIFE_TRACE") != NULL;

	plan_person(dossier, &life->rules, &life->gateways,
	    life->planned_through, at, trace, arena, plan);
	if (trace)
		tell_look(life, plan);
}

static bool
same_step(const struct plan_step *a, const struct plan_step *b)
{
	if (a->action != b->action || a->kind != b->kind ||
	    a->stage != b->stage || a->channel != b->channel ||
	    a->reason != b->reason || a->source != b->source ||
	    a->occurrence_on != b->occurrence_on || a->slot != b->slot ||
	    a->contact_no != b->contact_no || a->due_at != b->due_at ||
	    a->not_after != b->not_after || a->valid_until != b->valid_until ||
	    a->final != b->final || a->standing != b->standing ||
	    a->sensitive != b->sensitive || a->item_count != b->item_count)
		return false;
	for (uint32_t i = 0; i < a->item_count; i++)
		if (a->items[i].no != b->items[i].no ||
		    a->items[i].occurrence_on != b->items[i].occurrence_on ||
		    a->items[i].slot != b->items[i].slot ||
		    a->items[i].at != b->items[i].at)
			return false;
	return true;
}

static void
check_same(const struct plan *a, const struct plan *b)
{
	must(a->step_count == b->step_count);
	for (uint32_t i = 0; i < a->step_count; i++)
		must(same_step(&a->steps[i], &b->steps[i]));
	must(a->next_at == b->next_at && a->park_lane == b->park_lane);
	must(a->standing == b->standing && a->said_count == b->said_count);
	must(a->close_count == b->close_count && a->ask_count == b->ask_count);
}

#define REVERSE(rows, count) \
	reverse((rows), (count), sizeof(*(rows)), life->scratch)

static void *
reverse(const void *rows, uint32_t count, size_t row_bytes, struct arena *arena)
{
	char *out = arena_array(arena, count + 1, row_bytes);

	for (uint32_t i = 0; i < count; i++)
		memcpy(out + i * row_bytes,
		    (const char *)rows + (count - 1 - i) * row_bytes,
		    row_bytes);
	return out;
}

/* The same person with every list the other way round. */
static struct dossier
turned(const struct life *life)
{
	struct dossier d = life->dossier;

	d.contacts = REVERSE(d.contacts, d.contact_count);
	d.consents = REVERSE(d.consents, d.consent_count);
	d.prescriptions = REVERSE(d.prescriptions, d.prescription_count);
	d.fills = REVERSE(d.fills, d.fill_count);
	d.visits = REVERSE(d.visits, d.visit_count);
	d.stays = REVERSE(d.stays, d.stay_count);
	return d;
}

/* Nobody looks before next_at: whoever did would find nothing to do. */
static void
check_early(struct life *life, const struct plan *plan)
{
	int64_t wait = plan->next_at - life->now;
	/* within the second, on the way, at the last moment */
	int64_t steps[] = {SECOND_US / 2, wait / 2, wait - 1};
	struct dossier later = life->dossier;

	later.said = plan->said;
	later.said_count = plan->said_count;
	for (unsigned i = 0; i < COUNT(steps); i++) {
		struct plan early;

		if (steps[i] <= 0 || steps[i] >= wait)
			continue;
		plan_person(&later, &life->rules, &life->gateways, life->now,
		    life->now + steps[i], false, life->scratch, &early);
		for (uint32_t k = 0; k < early.step_count; k++) {
			/* under an obstacle on record, hours may end too */
			bool nothing = early.steps[k].action == PLAN_HOLD &&
				       !life->rules.each_hold;

			if (!nothing)
				tell(life, &early.steps[k]);
			must(nothing);
		}
		must(early.close_count == 0);
	}
}

static void
live(struct life *life)
{
	for (int i = 0; i < LOOKS_MAX; i++) {
		struct plan plan, again;
		struct dossier other;

		arena_reset(life->scratch);
		look(life, &life->dossier, life->now, life->arena, &plan);
		check_plan(life, &plan);
		if (i % 2 == 0) {
			other = turned(life);
			look(life, &other, life->now, life->scratch, &again);
			check_same(&plan, &again);
		} else if (plan.park_lane == 0) {
			check_early(life, &plan);
		}
		life->dossier.said = plan.said;
		life->dossier.said_count = plan.said_count;
		life->planned_through = life->now;
		life->now = plan.next_at;
		/* the daemon may come late, up to hours */
		if (!life->rules.each_hold && take(&life->in, 4) == 1)
			life->now += (int64_t)take(&life->in, 600) * MINUTE_US;
		/* what stood in the way of a gateway may be over */
		if (take(&life->in, 8) == 1)
			make_gateways(&life->in, &life->gateways);
	}
}

void
life_live(const uint8_t *data, size_t bytes, struct life_tally *tally)
{
	struct life *life = mem_alloc(sizeof(*life));
	int64_t base;

	life->in = (struct input){data, bytes};
	life->arena = arena_create();
	life->scratch = arena_create();
	life->tally = tally;
	under_way = tally->lives;
	/* around both changes of clock in New York and Berlin */
	base = zone_instant(zone_open("UTC"),
		   civil_to_days((struct civil){2026, 3, 1}), 0) +
	       (int64_t)take(&life->in, 30) * DAY_US;
	life->now = life->planned_through = base;
	make_rules(&life->in, &life->rules, base);
	make_gateways(&life->in, &life->gateways);
	make_dossier(&life->in, &life->dossier, life->arena, base);
	live(life);
	arena_free(life->scratch);
	arena_free(life->arena);
	free(life);
	tally->lives++;
}
