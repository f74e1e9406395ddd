/*
 * What is known of a patient, as far as decisions rest on it, with the ids
 * of the resources that it came from.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "care/escalation.h"
#include "care/refill.h"
#include "ctl_stop.h"
#include "ctl_why.h"

#define USED_PCT 75 /* of a supply, until it may be refilled */

const char *
why_reference(const struct why *why, enum kind kind, int32_t no)
{
	return dossier_reference(
	    &why->person->dossier, kind, no, why->ctl->arena);
}

/* ---- the person ---- */

static void
add_since(struct why *why, struct list *words, const char *word, int64_t at)
{
	char text[32];

	*(const char **)list_add(words) =
	    at == AT_UNKNOWN || at == AT_NEVER
		? word
		: arena_printf(why->ctl->arena, "%s %s", word,
		      ctl_show_at(why->zone, at, text));
}

static const struct stay *
current_stay(const struct why *why)
{
	const struct dossier *d = &why->person->dossier;

	for (uint32_t i = 0; i < d->stay_count; i++)
		if (d->stays[i].from_at <= why->as_of &&
		    why->as_of < d->stays[i].until_at)
			return &d->stays[i];
	return NULL;
}

/* What stands between us and this person, in the order of judging. */
static void
find_status(struct why *why, struct list *words)
{
	const struct dossier *d = &why->person->dossier;
	const struct stay *stay = current_stay(why);

	list_init(words, why->ctl->arena, sizeof(const char *));
	if (d->deceased_at <= why->as_of)
		add_since(why, words, "deceased", d->deceased_at);
	if (!d->active)
		add_since(why, words, "inactive", d->inactive_at);
	if (why->as_of < d->paused_until)
		add_since(why, words, "paused until", d->paused_until);
	if (stay != NULL)
		add_since(why, words, "in hospital since", stay->from_at);
	if (d->safety_hold)
		add_since(why, words, "safety hold", AT_UNKNOWN);
	if (d->adverse_event)
		add_since(why, words, "adverse event suspected", AT_UNKNOWN);
	if (words->count == 0)
		add_since(why, words, "active", AT_UNKNOWN);
}

static void
tell_patient(struct why *why)
{
	const struct ctl_person *person = why->person;
	const struct dossier *d = &person->dossier;
	const char *number = arena_printf(why->ctl->arena, "%d/%" PRId64,
	    (int)person->bucket, person->patient_id);
	const char *const *status;
	struct list words;

	find_status(why, &words);
	status = words.data;
	if (why->ctl->json) {
		struct json_writer w = ctl_line_begin(&why->out, "patient");

		json_write_member(&w, "patient", person->label);
		json_write_member(&w, "number", number);
		ctl_line_number(&w, "tenant", d->tenant_id);
		json_write_member(&w, "zone", zone_name(d->zone));
		json_write_member(&w, "locale", d->locale);
		json_write_key(&w, "status");
		json_write_array(&w);
		for (size_t i = 0; i < words.count; i++)
			json_write_text(&w, status[i]);
		json_write_end_array(&w);
		ctl_line_number(&w, "dossier_version", d->version);
		ctl_line_end(&w);
		return;
	}
	(void)printf("%s %s (%s): ",
	    d->care_role == 0  ? "patient"
	    : d->care_role < 0 ? "unlisted"
			       : care_role_word((enum care_role)d->care_role),
	    person->label, number);
	for (size_t i = 0; i < words.count; i++)
		(void)printf("%s%s", i == 0 ? "" : ", ", status[i]);
	(void)printf("; tenant %d, %s, %s\n", (int)d->tenant_id,
	    zone_name(d->zone), d->locale);
}

/* ---- stops ---- */

static bool
has_drug(const struct dossier *d, const struct stop *stop)
{
	const struct stops one = {stop, 1};

	if (stop->drug == NULL)
		return true;
	for (uint32_t i = 0; i < d->prescription_count; i++)
		if (stops_find(&one, d->tenant_id, stop->kind, stop->stage,
			d->prescriptions[i].drug) != NULL)
			return true;
	return false;
}

/* The operators' stops that hold, or on that day held, this patient. */
static void
tell_stops(struct why *why)
{
	const struct dossier *d = &why->person->dossier;
	const struct stop_row *rows;
	uint32_t count = stop_rows_load(why->ctl, why->of_a_day, &rows);

	for (uint32_t i = 0; i < count; i++) {
		const struct stop *stop = &rows[i].stop;

		if (rows[i].began_at < why->until &&
		    rows[i].ended_at >= why->from &&
		    (stop->tenant_id == 0 || stop->tenant_id == d->tenant_id) &&
		    has_drug(d, stop))
			stop_row_print(why->ctl, &rows[i]);
	}
}

/* ---- products ---- */

static const char *
status_word(enum prescription_status status)
{
	static const char *const words[] = {[PRESCRIPTION_ACTIVE] = "active",
	    [PRESCRIPTION_ON_HOLD] = "on hold",
	    [PRESCRIPTION_STOPPED] = "stopped",
	    [PRESCRIPTION_COMPLETED] = "completed",
	    [PRESCRIPTION_DRAFT] = "draft",
	    [PRESCRIPTION_ERROR] = "entered in error"};

	return words[status];
}

/* The resources of one drug: its prescriptions and the fills that count. */
static const char *const *
find_sources(const struct why *why, const char *drug, uint32_t *count)
{
	const struct dossier *d = &why->person->dossier;
	struct arena *arena = why->ctl->arena;
	struct list list;

	list_init(&list, arena, sizeof(const char *));
	for (uint32_t i = 0; i < d->prescription_count; i++) {
		const struct prescription *p = &d->prescriptions[i];

		if (look_same(p->drug, drug))
			*(const char **)list_add(&list) = arena_printf(arena,
			    "%s, %s", why_reference(why, KIND_REFILL, p->no),
			    status_word(p->status));
	}
	for (uint32_t i = 0; i < d->fill_count; i++) {
		const struct fill *f = &d->fills[i];
		char on[11];

		if (!look_same(f->drug, drug) || f->status != FILL_COMPLETED)
			continue;
		(void)ctl_show_on(
		    f->handed_over_at == AT_NEVER
			? ON_NEVER
			: zone_local(d->zone, f->handed_over_at, NULL),
		    on);
		*(const char **)list_add(&list) =
		    f->id == NULL
			? arena_printf(arena, "MedicationDispense/%d, %s",
			      (int)f->no, on)
			: arena_printf(
			      arena, "MedicationDispense/%s, %s", f->id, on);
	}
	*count = (uint32_t)list.count;
	return list.data;
}

/* Its row, as far as it is among those that were read; or NULL. */
static const struct decision *
find_row(const struct why *why, const struct said *said)
{
	const struct decision *rows = why->decided.data;
	const char *item = why_reference(why, said->kind, said->source);

	for (size_t i = 0; i < why->decided.count; i++) {
		if (rows[i].channel != said->channel ||
		    rows[i].kind != said->kind || rows[i].at != said->at)
			continue;
		for (uint32_t k = 0; k < rows[i].item_count; k++)
			if (strcmp(rows[i].items[k], item) == 0)
				return &rows[i];
	}
	return NULL;
}

/* It was meant to go out, and did not: what the agenda is not told. */
static bool
never_left(const struct decision *row)
{
	return row != NULL &&
	       (row->state == DELIVERY_REJECTED ||
		   row->state == DELIVERY_EXPIRED ||
		   row->state == DELIVERY_HELD || row->state == DELIVERY_RETRY);
}

/* What was said of one stage of a cycle. */
static const char *
stage_words(const struct why *why, const struct said *said, bool past)
{
	const struct decision *row;
	struct arena *arena = why->ctl->arena;
	char at[32];

	if (said == NULL)
		return past ? "nothing was said" : "to come";
	(void)ctl_show_at(why->zone, said->at, at);
	if (said->task)
		return arena_printf(arena, "a task for people, %s", at);
	if (said->state == DELIVERY_HELD)
		return arena_printf(
		    arena, "held, %s, %s", reason_word(said->reason), at);
	if (said->channel == CHANNEL_NONE &&
	    said->state == DELIVERY_UNCONFIRMED)
		return arena_printf(
		    arena, "assumed sent, not by this database, due %s", at);
	if (said->channel == CHANNEL_NONE)
		return arena_printf(arena, "over, %s", at);
	row = find_row(why, said);
	if (never_left(row))
		return arena_printf(arena, "not sent, %s by %s%s%s, %s",
		    delivery_state_word(row->state),
		    channel_word(said->channel), row->code == NULL ? "" : ": ",
		    row->code == NULL ? "" : row->code, at);
	/* receipts are not told to the agenda: it is out */
	return arena_printf(arena, "%s by %s, %s",
	    said->state == DELIVERY_SENDING ? "sent"
					    : delivery_state_word(said->state),
	    channel_word(said->channel), at);
}

struct cycle { /* of one product */
	const struct product *product;
	const struct said *said[PROGRAM_STAGES_MAX];
	bool past[PROGRAM_STAGES_MAX]; /* by its own run-out */
};

static void
tell_cycle(struct why *why, const struct cycle *cycle)
{
	const struct program *program = cycle->product->program;
	char on[11];

	(void)printf("  %s cycle of %s, program%s%s version %d%s\n",
	    kind_word(program->kind),
	    ctl_show_on(cycle->product->anchor_on, on),
	    program->product_class[0] == '\0' ? "" : " of class ",
	    program->product_class, (int)program->version,
	    program->version == 0 ? " (the defaults)" : "");
	for (uint32_t i = 0; i < program->stage_count; i++)
		(void)printf("    %-5s %s\n",
		    stage_word(program->stages[i].stage),
		    stage_words(why, cycle->said[i], cycle->past[i]));
}

static void
write_cycle(struct why *why, struct json_writer *w, const struct cycle *cycle)
{
	const struct program *program = cycle->product->program;

	json_write_key(w, "cycle");
	json_write_object(w);
	json_write_member(w, "kind", kind_word(program->kind));
	ctl_line_on(w, "of", cycle->product->anchor_on);
	json_write_member(w, "program_class", program->product_class);
	ctl_line_number(w, "program_version", program->version);
	json_write_key(w, "stages");
	json_write_object(w);
	for (uint32_t i = 0; i < program->stage_count; i++)
		json_write_member(w, stage_word(program->stages[i].stage),
		    stage_words(why, cycle->said[i], cycle->past[i]));
	json_write_end_object(w);
	json_write_end_object(w);
}

static void
note_stage(const struct look *look, struct cycle *cycle, uint32_t index)
{
	const struct product *p = cycle->product;
	const struct program_stage *stage = &p->program->stages[index];

	cycle->said[index] = said_find(look, p->kind, p->prescription->no,
	    p->anchor_on, (int32_t)stage->stage, stage->task);
	if (cycle->said[index] != NULL && cycle->said[index]->at > look->now)
		cycle->said[index] = NULL;
	cycle->past[index] = look_stage_at(look, p->program,
				 p->run_out_on + stage->day) <= look->now;
}

/* The open cycle of a drug; false: none is. */
static bool
find_cycle(struct why *why, const struct supply *supplies, uint32_t count,
    const char *drug, struct cycle *cycle)
{
	struct product *products =
	    arena_array(why->ctl->arena, count + 1, sizeof(*products));
	struct look look;

	look_init(&look, &why->person->dossier, why->rules, why->gateways,
	    AT_UNKNOWN, why->as_of, false, why->ctl->arena);
	for (enum kind kind = KIND_REFILL; kind <= KIND_RENEWAL; kind++) {
		uint32_t open =
		    refill_products(&look, kind, supplies, count, products);

		for (uint32_t i = 0; i < open; i++) {
			const struct product *p = &products[i];

			if (!look_same(p->prescription->drug, drug))
				continue;
			*cycle = (struct cycle){.product = p};
			for (uint32_t s = 0; s < p->program->stage_count; s++)
				note_stage(&look, cycle, s);
			return true;
		}
	}
	return false;
}

static const struct supply *
find_supply(const struct supply *supplies, uint32_t count, const char *drug)
{
	for (uint32_t i = 0; i < count; i++)
		if (look_same(supplies[i].drug, drug))
			return &supplies[i];
	return NULL;
}

/* The sum that leads to the run-out, then the earliest refill. */
static uint32_t
find_lines(
    struct why *why, const struct supply *supply, const char *const **lines)
{
	const struct dossier *d = &why->person->dossier;
	struct arena *arena = why->ctl->arena;
	uint32_t count = supply_derive(d, supply, arena, lines);
	const char *refill = supply_derive_refill(supply,
	    dossier_prescription(d, supply->prescription_no), USED_PCT, arena);
	const char **all;

	if (refill == NULL)
		return count;
	all = arena_array(arena, count + 1, sizeof(*all));
	for (uint32_t i = 0; i < count; i++)
		all[i] = (*lines)[i];
	all[count] = refill;
	*lines = all;
	return count + 1;
}

static void
write_lines(struct json_writer *w, const char *key, const char *const *lines,
    uint32_t count)
{
	json_write_key(w, key);
	json_write_array(w);
	for (uint32_t i = 0; i < count; i++)
		json_write_text(w, lines[i]);
	json_write_end_array(w);
}

struct story { /* all there is to tell of one product */
	const struct prescription *prescription;
	const struct supply *supply; /* NULL: none on record */
	const char *const *sources, *const *lines;
	uint32_t source_count, line_count;
	struct cycle cycle;
	bool has_cycle;
};

static void
print_story_json(struct why *why, const struct story *story)
{
	struct json_writer w = ctl_line_begin(&why->out, "supply");
	const struct supply *supply = story->supply;

	json_write_member(&w, "drug", story->prescription->drug);
	json_write_member(&w, "name", story->prescription->name);
	write_lines(&w, "from", story->sources, story->source_count);
	ctl_line_on(
	    &w, "run_out", supply == NULL ? ON_UNKNOWN : supply->run_out_on);
	ctl_line_on(&w, "on", why->date_on);
	ctl_line_number(&w, "on_hand_days",
	    supply == NULL ? 0 : supply_on_hand_days(supply, why->date_on));
	write_lines(&w, "derivation", story->lines, story->line_count);
	if (story->has_cycle)
		write_cycle(why, &w, &story->cycle);
	ctl_line_end(&w);
}

static void
print_story(struct why *why, const struct story *story)
{
	const struct supply *supply = story->supply;
	char on[11];

	(void)printf("product %s, %s\n", story->prescription->drug,
	    story->prescription->name);
	for (uint32_t i = 0; i < story->source_count; i++)
		(void)printf("  from %s\n", story->sources[i]);
	if (supply == NULL)
		(void)puts("  no fill on record: no supply, no run-out date");
	else if (supply->run_out_on != ON_UNKNOWN)
		(void)printf("  days on hand on %s: %d\n",
		    ctl_show_on(why->date_on, on),
		    (int)supply_on_hand_days(supply, why->date_on));
	for (uint32_t i = 0; i < story->line_count; i++)
		(void)printf("  %s\n", story->lines[i]);
	if (story->has_cycle)
		tell_cycle(why, &story->cycle);
}

static void
tell_product(struct why *why, const struct prescription *p,
    const struct supply *supplies, uint32_t count)
{
	struct story story = {
	    .prescription = p,
	    .supply = find_supply(supplies, count, p->drug),
	};

	story.sources = find_sources(why, p->drug, &story.source_count);
	if (story.supply != NULL)
		story.line_count = find_lines(why, story.supply, &story.lines);
	story.has_cycle =
	    find_cycle(why, supplies, count, p->drug, &story.cycle);
	if (why->ctl->json)
		print_story_json(why, &story);
	else
		print_story(why, &story);
}

/* One after the other, by the newest prescription of each drug. */
static void
tell_products(struct why *why)
{
	const struct dossier *d = &why->person->dossier;
	const struct supply *supplies;
	uint32_t count = supply_walk(d, why->as_of, why->ctl->arena, &supplies);

	for (uint32_t i = 0; i < d->prescription_count; i++) {
		bool newer = false;

		for (uint32_t k = i + 1; k < d->prescription_count; k++)
			newer |= look_same(
			    d->prescriptions[i].drug, d->prescriptions[k].drug);
		if (!newer)
			tell_product(
			    why, &d->prescriptions[i], supplies, count);
	}
}

/* ---- visits ---- */

static void
tell_visits(struct why *why)
{
	static const char *const words[] = {[VISIT_PLANNED] = "booked",
	    [VISIT_DONE] = "took place",
	    [VISIT_CANCELLED] = "cancelled",
	    [VISIT_NOSHOW] = "missed",
	    [VISIT_ERROR] = "entered in error",
	    [VISIT_WISHED] = "not agreed to yet"};
	const struct dossier *d = &why->person->dossier;

	for (uint32_t i = 0; i < d->visit_count; i++) {
		const struct visit *v = &d->visits[i];
		const char *reference =
		    why_reference(why, KIND_FOLLOW_UP, v->no);
		char start[32], before[32];

		if (why->ctl->json) {
			struct json_writer w =
			    ctl_line_begin(&why->out, "visit");

			json_write_member(&w, "visit", reference);
			json_write_member(&w, "status", words[v->status]);
			ctl_line_at(&w, "start", why->zone, v->start_at);
			ctl_line_at(
			    &w, "before", why->zone, v->previous_start_at);
			ctl_line_end(&w);
			continue;
		}
		(void)printf("visit %s, %s, %s", reference, words[v->status],
		    ctl_show_at(why->zone, v->start_at, start));
		if (v->previous_start_at != AT_NEVER)
			(void)printf(", moved from %s",
			    ctl_show_at(
				why->zone, v->previous_start_at, before));
		(void)putchar('\n');
	}
}

void
why_tell_facts(struct why *why)
{
	tell_patient(why);
	tell_stops(why);
	tell_products(why);
	tell_visits(why);
}
