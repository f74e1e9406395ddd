/*
 * Random patients, looked at for some days on a virtual clock, by the dry
 * run's rules and the daemon's: whatever the facts, nothing leaves outside
 * its hours, to the dead or the withdrawn, twice, over a cap or too soon
 * after the one before, and every look says when to look again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "care/plan.h"
#include "care/timing.h"

#define LOOKS_MAX 160
#define SENT_MAX 2048
#define ROWS_MAX 7 /* of each kind */

#define must(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct input {
	const uint8_t *at;
	size_t left;
};

struct sent {
	enum kind kind;
	enum channel channel;
	enum stage stage;
	int32_t source, occurrence_on, slot;
	int64_t at;
};

struct ledger {
	struct sent sent[SENT_MAX];
	uint32_t count;
};

static const char *const rules[] = {
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
	const char *text = rules[take(in, COUNT(rules))];
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
	    .profile = {-1, -1, -1, -1, -1},
	};
	make_people(in, d, arena, base);
	make_medicine(in, d, arena, base);
	make_visits(in, d, arena, base);
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

static void
check_hours(const struct dossier *d, const struct plan_step *step)
{
	const struct program *program = &program_default()->kinds[step->kind];
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
check_send(const struct dossier *d, const struct plan_step *step,
    struct ledger *ledger)
{
	int32_t today = zone_local(d->zone, step->at, NULL), same_day = 0;

	must(step->channel > CHANNEL_NONE && step->channel < CHANNEL_COUNT);
	must(d->deceased_at > step->at && step->at >= d->paused_until);
	must(d->active || d->inactive_at > step->at);
	must(!d->safety_hold && ever_permitted(d, step));
	must(step->not_after > step->at && step->due_at <= step->at);
	check_hours(d, step);
	for (uint32_t i = 0; i < ledger->count; i++) {
		const struct sent *s = &ledger->sent[i];

		must(s->kind != step->kind || s->source != step->source ||
		     s->occurrence_on != step->occurrence_on ||
		     s->slot != step->slot);
		must(s->channel != step->channel ||
		     step->at - s->at >= 2 * MINUTE_US);
		same_day += s->channel == step->channel &&
			    s->kind != KIND_DOSE &&
			    zone_local(d->zone, s->at, NULL) == today;
	}
	if (step->channel == CHANNEL_SMS && step->kind != KIND_DOSE &&
	    step->stage != STAGE_MOVED)
		must(same_day < 3);
	if (ledger->count < SENT_MAX)
		ledger->sent[ledger->count++] = (struct sent){step->kind,
		    step->channel, step->stage, step->source,
		    step->occurrence_on, step->slot, step->at};
}

static void
check_plan(const struct dossier *d, const struct plan *plan, int64_t now,
    struct ledger *ledger)
{
	must(plan->next_at > now && plan->next_at <= now + 7 * DAY_US);
	must(plan->step_count <= 512 && plan->said_count <= 512);
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		must(step->item_count > 0 && step->items[0].reference != NULL);
		must(step->stage > STAGE_NONE && step->stage < STAGE_COUNT);
		if (step->action == PLAN_SEND)
			check_send(d, step, ledger);
		else if (step->action == PLAN_HOLD)
			must(step->reason != REASON_NONE);
		else
			must(d->deceased_at > now &&
			     (d->active || d->inactive_at > now));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct ledger ledger;
	struct input in = {data, bytes};
	struct arena *arena = arena_create();
	struct rules own = *program_default();
	struct dossier d;
	int64_t base, now, through;

	/* around both changes of clock in New York and Berlin */
	base = zone_instant(zone_open("UTC"),
		   civil_to_days((struct civil){2026, 3, 1}), 0) +
	       (int64_t)take(&in, 30) * DAY_US;
	now = through = base;
	own.each_hold = take(&in, 2) == 0;
	own.attendance_fed = take(&in, 2) == 0;
	if (own.each_hold)
		own.handled_before = base;
	make_dossier(&in, &d, arena, base);
	ledger.count = 0;
	for (int look = 0; look < LOOKS_MAX; look++) {
		struct plan plan;

		plan_person(&d, &own, gateways_view_free(), through, now,
		    look % 8 == 0, arena, &plan);
		check_plan(&d, &plan, now, &ledger);
		d.said = plan.said;
		d.said_count = plan.said_count;
		through = now;
		/* the daemon may come late, up to hours */
		now = plan.next_at;
		if (!own.each_hold && take(&in, 4) == 1)
			now += (int64_t)take(&in, 600) * MINUTE_US;
	}
	arena_free(arena);
	return 0;
}
