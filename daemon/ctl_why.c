/*
 * adherctl why: what was decided about a patient, by which program, from
 * which data, and what comes next.  Of a day: what is on record of it, and,
 * where nothing is, the day planned with what is known today.  Reads only.
 */
#include "ctl_why.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_stop.h"

#define DAYS 14 /* looked ahead */

static int run(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_why = {
    .words = "why",
    .usage = "PATIENT [--on DATE] [--days N] [--at INSTANT] "
	     "[--tenant NAME] [--json]",
    .help = "what was decided about a patient and why, and what is next\n"
	    "  PATIENT        the resource's id, system|value, or "
	    "bucket/number\n"
	    "  --on DATE      that day alone: what was decided, what was not\n"
	    "  --days N       how far to look ahead; 14\n"
	    "  --at INSTANT   as if it were then; now\n"
	    "  --tenant NAME  where the id occurs in several",
    .run = run,
};

/* ---- what plan says ---- */

static void
print_line(struct why *why, const char *what, const struct dry_line *line)
{
	if (why->ctl->json) {
		ctl_line_step(&why->out, what, line);
		return;
	}
	dry_line_table(line, 0, &why->out);
	(void)printf("  %s", buf_string(&why->out));
	buf_clear(&why->out);
}

/* What plan says now, and how it came to that. */
static void
tell_now(struct why *why, struct plan *plan)
{
	const struct ctl_person *person = why->person;
	struct rules rules = *why->rules;
	struct dry_line line;

	rules.each_hold = true;
	plan_person(&person->dossier, &rules, why->gateways,
	    person->planned ? person->planned_through : AT_UNKNOWN, why->now,
	    true, why->ctl->arena, plan);
	if (!why->ctl->json)
		(void)printf(
		    "now%s\n", plan->step_count == 0 ? ": nothing to do" : "");
	for (uint32_t i = 0; i < plan->step_count; i++) {
		dry_line_set(&line, &plan->steps[i], person->label, why->zone,
		    why->ctl->arena);
		print_line(why, "plan", &line);
	}
	for (uint32_t i = 0; i < plan->trace_count; i++) {
		if (why->ctl->json) {
			struct json_writer w =
			    ctl_line_begin(&why->out, "trace");

			json_write_member(&w, "text", plan->trace[i]);
			ctl_line_end(&w);
		} else {
			(void)printf("  %s\n", plan->trace[i]);
		}
	}
}

/* The next dose of each schedule, and whatever else comes. */
static void
tell_next(struct why *why)
{
	const struct dry_line *lines;
	struct dry_patient patient;
	uint32_t count, doses = 0;

	ctl_person_dry(why->person, why->rules, why->now + 1,
	    why->now + why->days * DAY_US, why->ctl->arena, &patient);
	patient.gateways = why->gateways;
	count = dry_run(&patient, 1, why->rules, why->ctl->arena, &lines);
	if (!why->ctl->json)
		(void)printf("next, within %d days%s\n", (int)why->days,
		    count == 0 ? ": nothing" : "");
	for (uint32_t i = 0; i < count; i++) {
		bool later = false;

		for (uint32_t k = 0; k < i && !why->ctl->json; k++)
			later |=
			    lines[i].kind == KIND_DOSE &&
			    lines[k].kind == KIND_DOSE &&
			    strcmp(lines[i].items[0], lines[k].items[0]) == 0;
		if (later)
			doses++;
		else
			print_line(why, "next", &lines[i]);
	}
	if (doses > 0)
		(void)printf("  and more doses: %u\n", doses);
}

/* ---- a day ---- */

/* Is it the same occurrence?  Doses have their stage alone in common. */
static bool
is_about(const struct decision *d, const struct dry_line *line)
{
	int64_t apart = d->due_at - line->at;

	if (d->kind != line->kind || d->stage != line->stage ||
	    (d->kind == KIND_DOSE && (apart < -HOUR_US || apart > HOUR_US)))
		return false;
	for (uint32_t i = 0; i < d->item_count; i++)
		if (strcmp(d->items[i], line->items[0]) == 0)
			return true;
	return false;
}

/* Is there a row of that day that says the same or another thing of it? */
static bool
is_on_record(const struct why *why, const struct dry_line *line)
{
	const struct decision *d = why->decided.data;

	for (size_t i = 0; i < why->decided.count; i++)
		if (is_about(&d[i], line))
			return true;
	return false;
}

/* Drop what was said from the day's beginning on. */
static void
forget(const struct why *why, struct dry_patient *patient)
{
	struct said *said = arena_array(
	    why->ctl->arena, patient->said_count + 1, sizeof(*said));
	uint32_t kept = 0;

	for (uint32_t i = 0; i < patient->said_count; i++)
		if (patient->said[i].at < why->from)
			said[kept++] = patient->said[i];
	patient->said = said;
	patient->said_count = kept;
}

/* The stops that stood on that past day, not those of today. */
static void
stops_of_day(const struct why *why, struct stops *stops)
{
	const struct stop_row *rows;
	uint32_t count = stop_rows_load(why->ctl, true, &rows);
	struct stop *list =
	    arena_array(why->ctl->arena, count + 1, sizeof(*list));

	*stops = (struct stops){list, 0};
	for (uint32_t i = 0; i < count; i++)
		if (rows[i].began_at < why->until &&
		    rows[i].ended_at >= why->from)
			list[stops->count++] = rows[i].stop;
}

/*
 * That day as plan has it: a future one from now on, a past one, for which
 * nothing was recorded, from its midnight.
 */
static void
tell_day(struct why *why)
{
	bool past = why->until <= why->now;
	const struct dry_line *lines;
	struct rules rules = *why->rules;
	struct dry_patient patient;
	uint32_t count, told = 0;
	struct stops stops;

	ctl_person_dry(why->person, past ? NULL : why->rules,
	    past ? why->from : why->now, why->until, why->ctl->arena, &patient);
	patient.gateways = past ? NULL : why->gateways;
	if (past) {
		patient.handled_before = why->from;
		patient.planned_through = why->from;
		forget(why, &patient);
		stops_of_day(why, &stops);
		rules.stops = &stops;
	}
	count = dry_run(&patient, 1, &rules, why->ctl->arena, &lines);
	if (!why->ctl->json)
		(void)puts(past ? "not on record, but planned today for that "
				  "day from what is known now"
				: "still to come that day, by what is known "
				  "now");
	for (uint32_t i = 0; i < count; i++) {
		if (lines[i].at < why->from || is_on_record(why, &lines[i]))
			continue;
		print_line(why, past ? "replayed" : "next", &lines[i]);
		told++;
	}
	if (told == 0 && !why->ctl->json)
		(void)puts("  nothing");
}

/* ---- the whole ---- */

/* When the daemon looks next, by its row and by what plan says now. */
static void
tell_agenda(struct why *why, const struct plan *plan)
{
	const struct ctl_person *person = why->person;
	int64_t next_at = person->planned ? person->next_at : AT_NEVER;
	const char *standing = reason_word(person->standing);
	char row[32], said[32];

	if (why->ctl->json) {
		struct json_writer w = ctl_line_begin(&why->out, "agenda");

		ctl_line_at(&w, "next", why->zone, next_at);
		ctl_line_at(&w, "next_by_plan", why->zone, plan->next_at);
		ctl_line_number(&w, "class", person->class);
		ctl_line_number(&w, "lane", person->lane);
		json_write_member(&w, "standing", standing);
		json_write_key(&w, "stopped");
		json_write_bool(&w, person->stopped);
		ctl_line_end(&w);
		return;
	}
	(void)printf("looks next at %s (class %d, lane %d%s%s%s); by what is "
		     "known now, at %s\n",
	    ctl_show_at(why->zone, next_at, row), (int)person->class,
	    (int)person->lane, standing == NULL ? "" : ", standing ",
	    standing == NULL ? "" : standing,
	    person->stopped ? ", waits for the end of a stop" : "",
	    ctl_show_at(why->zone, plan->next_at, said));
}

static void
tell(struct why *why)
{
	struct plan plan;

	why_load_record(why);
	why_tell_facts(why);
	why_tell_assumed(why);
	why_tell_record(why);
	why_tell_replies(why);
	if (why->of_a_day) {
		tell_day(why);
	} else {
		why_tell_open(why);
		tell_now(why, &plan);
		why_tell_channels(why, &plan);
		tell_next(why);
		tell_agenda(why, &plan);
	}
	ctl_world_warn(why->world);
}

static int32_t
parse_date(const char *text)
{
	int32_t date_on;

	if (!civil_parse(text, &date_on))
		ctl_fail(EXIT_USAGE_, "\"%s\" is no date", text);
	return date_on;
}

/* Who was found, and when it is about. */
static void
load(struct why *why, const char *at)
{
	struct ctl *ctl = why->ctl;
	const struct dossier *d = &why->person->dossier;

	ctl_person_load(ctl, why->person);
	why->world = ctl_world_load(ctl);
	why->rules = ctl_world_rules(why->world, d->tenant_id);
	why->gateways = ctl_world_gateways(why->world, d->tenant_id, d->locale);
	why->zone = d->zone;
	why->now = ctl_now(ctl, at);
	why->of_a_day = why->date_on != ON_UNKNOWN;
	if (!why->of_a_day)
		why->date_on = zone_local(why->zone, why->now, NULL);
	why->from = why->of_a_day ? zone_instant(why->zone, why->date_on, 0)
				  : AT_UNKNOWN;
	why->until = why->of_a_day
			 ? zone_instant(why->zone, why->date_on + 1, 0)
			 : AT_NEVER;
	why->as_of = why->until <= why->now ? why->until - 1 : why->now;
	list_init(&why->decided, ctl->arena, sizeof(struct decision));
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_why;
	const char *name = NULL, *at = NULL, *tenant = NULL, *value;
	struct ctl_person person;
	struct why why = {
	    .ctl = ctl,
	    .person = &person,
	    .date_on = ON_UNKNOWN,
	    .days = DAYS,
	};

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--on")) != NULL)
			why.date_on = parse_date(value);
		else if ((value = ctl_option(verb, argc, argv, &i, "--days")))
			why.days = ctl_days(value);
		else if ((value = ctl_option(verb, argc, argv, &i, "--at")))
			at = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--tenant")))
			tenant = value;
		else if (name == NULL && argv[i][0] != '-')
			name = argv[i];
		else
			ctl_stray(verb, argv[i]);
	}
	if (name == NULL)
		ctl_usage(verb);
	ctl_person_find(ctl, tenant, name, &person);
	load(&why, at);
	tell(&why);
	ctl_world_free(why.world);
	buf_free(&why.out);
	return 0;
}
