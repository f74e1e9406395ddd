/*
 * adherctl why, queue, consent: what was decided about a patient and why,
 * what waits, and what a patient allows.  Only `consent` writes: the rule
 * and the dossier, in one transaction.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "care/plan.h"
#include "care/supply.h"
#include "ctl_person.h"
#include "door/dry_run.h"
#include "flow/clock_sync.h"

#define DECISIONS_MAX 40
#define QUEUE_DAYS 7 /* of deliveries that are counted */
#define WAYS_MAX 3   /* numbers of an item: no, date, slot */

static int run_why(struct ctl *ctl, int argc, char **argv);
static int run_queue(struct ctl *ctl, int argc, char **argv);
static int run_consent(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_why = {
    .words = "why",
    .usage = "PATIENT [--on DATE] [--at INSTANT] [--json]",
    .help = "what was decided about a patient, what is now, and why",
    .run = run_why,
};

const struct ctl_verb ctl_queue = {
    .words = "queue",
    .usage = "[--json]",
    .help = "who is due or late, what deliveries came to, what is paused",
    .run = run_queue,
};

const struct ctl_verb ctl_consent = {
    .words = "consent",
    .usage = "PATIENT --topic TOPIC,… --channel CHANNEL,… --permit|--deny\n"
	     "           [--evidence TEXT] [--at INSTANT]",
    .help = "record what a patient allows on which channels",
    .run = run_consent,
};

/* ---- output ---- */

/* Print and forget what was written, as one line. */
static void
print_line(struct buf *out)
{
	buf_char(out, '\n');
	(void)fwrite(out->data, 1, out->bytes, stdout);
	buf_clear(out);
}

/* Begin a JSON line: {"what": … */
static struct json_writer
begin_line(struct buf *out, const char *what)
{
	struct json_writer w;

	json_write_init(&w, out);
	json_write_object(&w);
	json_write_member(&w, "what", what);
	return w;
}

static void
end_line(struct json_writer *w)
{
	json_write_end_object(w);
	print_line(w->buf);
}

/* An instant as people read it; "-" for none. */
static const char *
show_at(const struct zone *zone, int64_t at, char out[32])
{
	if (at == AT_NEVER || at == AT_UNKNOWN)
		(void)snprintf(out, 32, "-");
	else
		zone_format(zone, at, out, 32);
	return out;
}

static void
write_at(
    struct json_writer *w, const char *key, const struct zone *zone, int64_t at)
{
	char text[32];

	json_write_member(w, key,
	    at == AT_NEVER || at == AT_UNKNOWN ? NULL
					       : show_at(zone, at, text));
}

static void
write_number(struct json_writer *w, const char *key, int64_t value)
{
	json_write_key(w, key);
	json_write_i64(w, value);
}

/* ---- why ---- */

struct why {
	struct ctl *ctl;
	struct ctl_person *person;
	const struct zone *zone;
	struct buf out;
};

enum { WHAT_DELIVERY = 1, WHAT_TASK = 2, WHAT_OBSTACLE = 3 };

static const char *
what_word(int64_t what)
{
	return what == WHAT_DELIVERY ? "delivery"
	       : what == WHAT_TASK   ? "task"
				     : "obstacle";
}

/* "MedicationRequest/ID", by number where it is no longer known. */
static const char *
item_reference(const struct why *why, enum kind kind, int32_t no)
{
	const struct dossier *d = &why->person->dossier;
	const struct prescription *p = dossier_prescription(d, no);
	const struct visit *v = dossier_visit(d, no);
	const char *type =
	    kind == KIND_FOLLOW_UP ? "Appointment" : "MedicationRequest";
	const char *id = kind == KIND_FOLLOW_UP ? (v == NULL ? NULL : v->id)
						: (p == NULL ? NULL : p->id);

	if (id != NULL)
		return arena_printf(why->ctl->arena, "%s/%s", type, id);
	return arena_printf(why->ctl->arena, "%s/%d", type, (int)no);
}

static const char **
row_items(
    const struct why *why, const struct db_result *result, int row, int *count)
{
	enum kind kind = (enum kind)db_i64(result, row, 2);
	int64_t *numbers;
	int all = db_i64_array(result, row, 12, why->ctl->arena, &numbers);
	const char **items;

	*count = all > 0 ? all / WAYS_MAX : 0;
	items =
	    arena_array(why->ctl->arena, (size_t)*count + 1, sizeof(*items));
	for (int i = 0; i < *count; i++)
		items[i] =
		    item_reference(why, kind, (int32_t)numbers[i * WAYS_MAX]);
	return items;
}

static void
print_row_json(struct why *why, const struct db_result *result, int row)
{
	struct json_writer w =
	    begin_line(&why->out, what_word(db_i64(result, row, 0)));
	int count;
	const char **items = row_items(why, result, row, &count);

	write_at(&w, "at", why->zone, db_at(result, row, 1));
	json_write_member(
	    &w, "kind", kind_word((enum kind)db_i64(result, row, 2)));
	json_write_member(
	    &w, "stage", stage_word((enum stage)db_i64(result, row, 3)));
	json_write_member(&w, "state",
	    delivery_state_word((enum delivery_state)db_i64(result, row, 4)));
	json_write_member(
	    &w, "reason", reason_word((enum reason)db_i64(result, row, 5)));
	json_write_member(
	    &w, "channel", channel_word((enum channel)db_i64(result, row, 6)));
	write_at(&w, "due", why->zone, db_at(result, row, 7));
	write_at(&w, "ended", why->zone,
	    db_null(result, row, 8) ? AT_NEVER : db_at(result, row, 8));
	write_number(&w, "attempts", db_i64(result, row, 9));
	json_write_member(&w, "gateway", db_text(result, row, 10));
	json_write_member(&w, "code", db_text(result, row, 11));
	json_write_key(&w, "items");
	json_write_array(&w);
	for (int i = 0; i < count; i++)
		json_write_text(&w, items[i]);
	json_write_end_array(&w);
	end_line(&w);
}

/* Every word that there is, two spaces before it. */
static void
add_words(struct buf *out, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words[i] != NULL && words[i][0] != '\0')
			buf_printf(out, "  %s", words[i]);
}

static void
print_row(struct why *why, const struct db_result *result, int row)
{
	char at[32];
	int count;
	const char **items = row_items(why, result, row, &count);
	const char *words[] = {
	    show_at(why->zone, db_at(result, row, 1), at),
	    what_word(db_i64(result, row, 0)),
	    kind_word((enum kind)db_i64(result, row, 2)),
	    stage_word((enum stage)db_i64(result, row, 3)),
	    delivery_state_word((enum delivery_state)db_i64(result, row, 4)),
	    reason_word((enum reason)db_i64(result, row, 5)),
	    channel_word((enum channel)db_i64(result, row, 6)),
	    db_text(result, row, 10),
	    db_text(result, row, 11),
	};

	add_words(&why->out, words, COUNT(words));
	add_words(&why->out, items, (size_t)count);
	if (!db_null(result, row, 8) && db_i64(result, row, 0) != WHAT_DELIVERY)
		buf_printf(&why->out, "  ended %s",
		    show_at(why->zone, db_at(result, row, 8), at));
	print_line(&why->out);
}

static void
take_decisions(const struct db_result *result, void *arg)
{
	struct why *why = arg;

	if (!why->ctl->json)
		(void)printf(
		    "decided%s\n", db_rows(result) == 0 ? ": nothing" : "");
	for (int i = 0; i < db_rows(result); i++)
		if (why->ctl->json)
			print_row_json(why, result, i);
		else
			print_row(why, result, i);
}

/* What was decided on a local date, or lately. */
static void
tell_decisions(struct why *why, int32_t date_on)
{
	struct db_unit *unit = db_unit_begin(ctl_database(why->ctl));
	bool all = date_on == ON_UNKNOWN;

	db_unit_add(unit, "ctl_why", take_decisions, why);
	db_param_i16(unit, why->person->bucket);
	db_param_i64(unit, why->person->patient_id);
	db_param_at(
	    unit, all ? AT_UNKNOWN : zone_instant(why->zone, date_on, 0));
	db_param_at(
	    unit, all ? AT_NEVER : zone_instant(why->zone, date_on + 1, 0));
	db_param_i32(unit, DECISIONS_MAX);
	ctl_run(unit);
}

static void
tell_step(struct why *why, const struct plan_step *step)
{
	struct buf text = BUF_INIT(0);
	struct dry_line line;

	dry_line_set(
	    &line, step, why->person->label, why->zone, why->ctl->arena);
	if (why->ctl->json) {
		struct json_writer w = begin_line(&why->out, "plan");

		dry_line_json(&line, &text);
		json_write_key(&w, "step");
		json_write_raw(&w, buf_string(&text));
		end_line(&w);
	} else {
		dry_line_table(&line, 0, &text);
		(void)printf("  %s", buf_string(&text));
	}
	buf_free(&text);
}

/* What plan says now, and how it came to that. */
static void
tell_plan(struct why *why, const struct plan *plan)
{
	if (!why->ctl->json)
		(void)printf(
		    "now%s\n", plan->step_count == 0 ? ": nothing to do" : "");
	for (uint32_t i = 0; i < plan->step_count; i++)
		tell_step(why, &plan->steps[i]);
	for (uint32_t i = 0; i < plan->trace_count; i++) {
		if (why->ctl->json) {
			struct json_writer w = begin_line(&why->out, "trace");

			json_write_member(&w, "text", plan->trace[i]);
			end_line(&w);
		} else {
			(void)printf("  %s\n", plan->trace[i]);
		}
	}
}

static void
tell_supply_json(struct why *why, const struct supply *supply)
{
	struct json_writer w = begin_line(&why->out, "supply");
	const char *const *lines;
	uint32_t count;
	char date[11];

	json_write_member(&w, "drug", supply->drug);
	json_write_key(&w, "run_out");
	if (supply->run_out_on == ON_UNKNOWN) {
		json_write_null(&w);
	} else {
		civil_format(supply->run_out_on, date);
		json_write_text(&w, date);
	}
	json_write_key(&w, "derivation");
	json_write_array(&w);
	count = supply_derive(
	    &why->person->dossier, supply, why->ctl->arena, &lines);
	for (uint32_t i = 0; i < count; i++)
		json_write_text(&w, lines[i]);
	json_write_end_array(&w);
	end_line(&w);
}

static void
tell_supply(struct why *why, int64_t now)
{
	const struct supply *supplies;
	uint32_t count =
	    supply_walk(&why->person->dossier, now, why->ctl->arena, &supplies);

	for (uint32_t i = 0; i < count; i++) {
		const char *const *lines;
		uint32_t line_count;

		if (why->ctl->json) {
			tell_supply_json(why, &supplies[i]);
			continue;
		}
		line_count = supply_derive(&why->person->dossier, &supplies[i],
		    why->ctl->arena, &lines);
		(void)printf("supply of %s\n", supplies[i].drug);
		for (uint32_t k = 0; k < line_count; k++)
			(void)printf("  %s\n", lines[k]);
	}
}

/* When the daemon looks next, by its row and by what plan says now. */
static void
tell_agenda(struct why *why, const struct plan *plan)
{
	const struct ctl_person *person = why->person;
	const char *standing = reason_word(person->standing);
	char row[32], said[32];

	if (why->ctl->json) {
		struct json_writer w = begin_line(&why->out, "agenda");

		write_at(&w, "next", why->zone,
		    person->planned ? person->next_at : AT_NEVER);
		write_at(&w, "next_by_plan", why->zone, plan->next_at);
		write_number(&w, "class", person->class);
		write_number(&w, "lane", person->lane);
		json_write_member(&w, "standing", standing);
		end_line(&w);
		return;
	}
	(void)printf("looks next at %s (class %d, lane %d%s%s); by what is "
		     "known now, at %s\n",
	    show_at(
		why->zone, person->planned ? person->next_at : AT_NEVER, row),
	    (int)person->class, (int)person->lane,
	    standing == NULL ? "" : ", standing ",
	    standing == NULL ? "" : standing,
	    show_at(why->zone, plan->next_at, said));
}

static int32_t
parse_date(const char *text)
{
	int32_t date_on;

	if (!civil_parse(text, &date_on))
		ctl_fail(EXIT_USAGE_, "\"%s\" is no date", text);
	return date_on;
}

static int
run_why(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_person person;
	struct why why = {.ctl = ctl, .person = &person};
	struct rules rules = *program_default();
	const char *name = NULL, *at = NULL, *value;
	int32_t date_on = ON_UNKNOWN;
	struct plan plan;
	int64_t now;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(&ctl_why, argc, argv, &i, "--on")) !=
		    NULL)
			date_on = parse_date(value);
		else if ((value = ctl_option(
			      &ctl_why, argc, argv, &i, "--at")) != NULL)
			at = value;
		else if (name == NULL && argv[i][0] != '-')
			name = argv[i];
		else
			ctl_usage(&ctl_why);
	}
	if (name == NULL)
		ctl_usage(&ctl_why);
	ctl_person_find(ctl, name, &person);
	ctl_person_load(ctl, &person);
	now = ctl_now(ctl, at);
	why.zone = person.dossier.zone;
	rules.each_hold = true;
	plan_person(&person.dossier, &rules, gateways_view_free(),
	    person.planned ? person.planned_through : AT_UNKNOWN, now, true,
	    ctl->arena, &plan);
	tell_decisions(&why, date_on);
	tell_plan(&why, &plan);
	tell_supply(&why, now);
	tell_agenda(&why, &plan);
	buf_free(&why.out);
	return 0;
}

/* ---- queue ---- */

struct queue {
	struct ctl *ctl;
	const struct zone *zone;
	struct buf out;
};

static void
print_agenda(const struct db_result *result, void *arg)
{
	struct queue *queue = arg;
	char at[32];

	for (int i = 0; i < db_rows(result); i++) {
		int64_t first_at =
		    db_null(result, i, 5) ? AT_NEVER : db_at(result, i, 5);

		if (queue->ctl->json) {
			struct json_writer w =
			    begin_line(&queue->out, "agenda");

			write_number(&w, "class", db_i64(result, i, 0));
			write_number(&w, "lane", db_i64(result, i, 1));
			write_number(&w, "people", db_i64(result, i, 2));
			write_number(&w, "due", db_i64(result, i, 3));
			write_number(&w, "late", db_i64(result, i, 4));
			write_at(&w, "first", queue->zone, first_at);
			end_line(&w);
			continue;
		}
		(void)printf("class %" PRId64 "  lane %" PRId64
			     "  people %" PRId64 "  due %" PRId64
			     "  late %" PRId64 "  first %s\n",
		    db_i64(result, i, 0), db_i64(result, i, 1),
		    db_i64(result, i, 2), db_i64(result, i, 3),
		    db_i64(result, i, 4), show_at(queue->zone, first_at, at));
	}
}

static void
print_deliveries(const struct db_result *result, void *arg)
{
	struct queue *queue = arg;

	for (int i = 0; i < db_rows(result); i++) {
		const char *gateway = db_text(result, i, 0);
		const char *state = delivery_state_word(
		    (enum delivery_state)db_i64(result, i, 1));

		if (queue->ctl->json) {
			struct json_writer w =
			    begin_line(&queue->out, "deliveries");

			json_write_member(
			    &w, "gateway", gateway[0] == '\0' ? NULL : gateway);
			json_write_member(&w, "state", state);
			write_number(&w, "count", db_i64(result, i, 2));
			end_line(&w);
			continue;
		}
		(void)printf("deliveries  %s  %s  %" PRId64 "\n",
		    gateway[0] == '\0' ? "-" : gateway, state,
		    db_i64(result, i, 2));
	}
}

static void
print_batches(const struct db_result *result, void *arg)
{
	struct queue *queue = arg;
	char at[32];

	for (int i = 0; i < db_rows(result); i++) {
		int64_t first_at = db_at(result, i, 2);

		if (queue->ctl->json) {
			struct json_writer w =
			    begin_line(&queue->out, "lapsed");

			json_write_member(&w, "owner", db_text(result, i, 0));
			write_number(&w, "count", db_i64(result, i, 1));
			write_at(&w, "first", queue->zone, first_at);
			end_line(&w);
			continue;
		}
		(void)printf("lapsed batches  %s  %" PRId64 "  since %s\n",
		    db_text(result, i, 0), db_i64(result, i, 1),
		    show_at(queue->zone, first_at, at));
	}
}

static void
print_pauses(const struct db_result *result, void *arg)
{
	struct queue *queue = arg;
	char at[32];

	for (int i = 0; i < db_rows(result); i++) {
		int64_t until_at = db_at(result, i, 2);

		if (queue->ctl->json) {
			struct json_writer w = begin_line(&queue->out, "pause");

			json_write_member(&w, "gateway", db_text(result, i, 0));
			json_write_member(&w, "scope", db_text(result, i, 1));
			write_at(&w, "until", queue->zone, until_at);
			end_line(&w);
			continue;
		}
		(void)printf("paused  %s%s%s  until %s\n",
		    db_text(result, i, 0),
		    db_text(result, i, 1)[0] == '\0' ? "" : "  ",
		    db_text(result, i, 1),
		    until_at == AT_NEVER ? "somebody resumes it"
					 : show_at(queue->zone, until_at, at));
	}
}

static int
run_queue(struct ctl *ctl, int argc, char **argv)
{
	struct queue queue = {.ctl = ctl, .zone = zone_open("UTC")};
	struct clock clock = {0};
	struct db_unit *unit;

	(void)argv;
	if (argc != 0)
		ctl_usage(&ctl_queue);
	if (!clock_sync_read(ctl_database(ctl), &clock))
		ctl_fail(EXIT_DEPENDENCY, "the database tells no time");
	unit = db_unit_begin(ctl->db);
	db_unit_add(unit, "ctl_queue_agenda", print_agenda, &queue);
	db_param_at(unit, clock_care(&clock));
	db_unit_add(unit, "ctl_queue_deliveries", print_deliveries, &queue);
	db_param_on(unit,
	    zone_local(queue.zone, clock_care(&clock), NULL) - QUEUE_DAYS);
	db_unit_add(unit, "ctl_queue_batches", print_batches, &queue);
	db_param_at(unit, clock_unmoved(&clock));
	db_unit_add(unit, "gateway_pauses", print_pauses, &queue);
	db_param_at(unit, clock_unmoved(&clock));
	ctl_run(unit);
	buf_free(&queue.out);
	return 0;
}

/* ---- consent ---- */

struct wish { /* what a patient allows */
	const char *patient;
	uint32_t topics, channels;
	bool permit, deny;
	const char *evidence;
	const char *at;
};

static uint32_t
topic_bit(const char *word)
{
	return topic_from_word(word);
}

static uint32_t
channel_bit(const char *word)
{
	enum channel channel = channel_from_word(word);

	return channel == CHANNEL_NONE ? 0 : CHANNEL_BIT(channel);
}

/* The bits of the comma-separated words. */
static uint32_t
parse_words(struct ctl *ctl, const char *text, const char *what,
    uint32_t (*bit)(const char *word))
{
	char *rest = arena_text(ctl->arena, text);
	uint32_t bits = 0;

	for (char *word = strsep(&rest, ","); word != NULL;
	     word = strsep(&rest, ",")) {
		if (bit(word) == 0)
			ctl_fail(EXIT_USAGE_, "no %s \"%s\"", what, word);
		bits |= bit(word);
	}
	return bits;
}

static struct wish
parse_wish(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_consent;
	struct wish wish = {0};
	const char *value;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--topic")))
			wish.topics |=
			    parse_words(ctl, value, "topic", topic_bit);
		else if ((value =
				 ctl_option(verb, argc, argv, &i, "--channel")))
			wish.channels |=
			    parse_words(ctl, value, "channel", channel_bit);
		else if ((value = ctl_option(
			      verb, argc, argv, &i, "--evidence")))
			wish.evidence = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--at")))
			wish.at = value;
		else if (strcmp(argv[i], "--permit") == 0)
			wish.permit = true;
		else if (strcmp(argv[i], "--deny") == 0)
			wish.deny = true;
		else if (wish.patient == NULL && argv[i][0] != '-')
			wish.patient = argv[i];
		else
			ctl_usage(verb);
	}
	if (wish.patient == NULL || wish.topics == 0 || wish.channels == 0 ||
	    wish.permit == wish.deny)
		ctl_usage(verb);
	return wish;
}

/* Statements up to the sync are one transaction: all of it, or nothing. */
static int
run_consent(struct ctl *ctl, int argc, char **argv)
{
	struct wish wish = parse_wish(ctl, argc, argv);
	struct ctl_person person;
	struct db_unit *unit;
	int64_t now;

	ctl_person_find(ctl, wish.patient, &person);
	/* it must be there */
	ctl_person_load(ctl, &person);
	now = ctl_now(ctl, wish.at);
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "agenda_touch", NULL, NULL);
	ctl_person_keys(unit, &person);
	db_param_at(unit, now);
	db_param_i16(unit, 1);
	db_unit_add(unit, "ctl_consent", NULL, NULL);
	db_param_i16(unit, person.bucket);
	db_param_i64(unit, person.patient_id);
	db_param_at(unit, now);
	db_param_bool(unit, wish.permit);
	db_param_i32(unit, (int32_t)wish.topics);
	db_param_i32(unit, (int32_t)wish.channels);
	db_param_i16(unit, OWNER_SELF);
	db_param_text(unit, wish.evidence);
	db_unit_add(unit, "dossier_rebuild", NULL, NULL);
	db_param_i16(unit, person.bucket);
	db_param_i64(unit, person.patient_id);
	db_unit_add(unit, "agenda_notify", NULL, NULL);
	ctl_run(unit);
	return 0;
}
