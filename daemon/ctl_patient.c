/*
 * adherctl queue, consent: what waits, and what a patient allows.  Only
 * `consent` writes: the rule and the dossier, in one transaction.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_line.h"
#include "ctl_person.h"
#include "flow/statements.h"

#define QUEUE_DAYS 7 /* of deliveries that are counted */

static int run_queue(struct ctl *ctl, int argc, char **argv);
static int run_consent(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_queue = {
    .words = "queue",
    .usage = "[--json]",
    .help = "who is due or late, what deliveries came to, what is paused",
    .run = run_queue,
};

const struct ctl_verb ctl_consent = {
    .words = "consent",
    .usage = "PATIENT --topic TOPIC,… --channel CHANNEL,… --permit|--deny\n"
	     "           [--evidence TEXT] [--at INSTANT] [--tenant NAME]",
    .help = "record what a patient allows on which channels",
    .run = run_consent,
};

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
		int64_t first_at = db_at_or(result, i, 5, AT_NEVER);

		if (queue->ctl->json) {
			struct json_writer w =
			    ctl_line_begin(&queue->out, "agenda");

			ctl_line_number(&w, "class", db_i64(result, i, 0));
			ctl_line_number(&w, "lane", db_i64(result, i, 1));
			ctl_line_number(&w, "people", db_i64(result, i, 2));
			ctl_line_number(&w, "due", db_i64(result, i, 3));
			ctl_line_number(&w, "late", db_i64(result, i, 4));
			ctl_line_at(&w, "first", queue->zone, first_at);
			ctl_line_end(&w);
			continue;
		}
		(void)printf("class %" PRId64 "  lane %" PRId64
			     "  people %" PRId64 "  due %" PRId64
			     "  late %" PRId64 "  first %s\n",
		    db_i64(result, i, 0), db_i64(result, i, 1),
		    db_i64(result, i, 2), db_i64(result, i, 3),
		    db_i64(result, i, 4),
		    ctl_show_at(queue->zone, first_at, at));
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
			    ctl_line_begin(&queue->out, "deliveries");

			json_write_member(
			    &w, "gateway", gateway[0] == '\0' ? NULL : gateway);
			json_write_member(&w, "state", state);
			ctl_line_number(&w, "count", db_i64(result, i, 2));
			ctl_line_end(&w);
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
			    ctl_line_begin(&queue->out, "lapsed");

			json_write_member(&w, "owner", db_text(result, i, 0));
			ctl_line_number(&w, "count", db_i64(result, i, 1));
			ctl_line_at(&w, "first", queue->zone, first_at);
			ctl_line_end(&w);
			continue;
		}
		(void)printf("lapsed batches  %s  %" PRId64 "  since %s\n",
		    db_text(result, i, 0), db_i64(result, i, 1),
		    ctl_show_at(queue->zone, first_at, at));
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
			struct json_writer w =
			    ctl_line_begin(&queue->out, "pause");

			json_write_member(&w, "gateway", db_text(result, i, 0));
			json_write_member(&w, "scope", db_text(result, i, 1));
			ctl_line_at(&w, "until", queue->zone, until_at);
			ctl_line_end(&w);
			continue;
		}
		(void)printf("paused  %s%s%s  until %s\n",
		    db_text(result, i, 0),
		    db_text(result, i, 1)[0] == '\0' ? "" : "  ",
		    db_text(result, i, 1),
		    until_at == AT_NEVER
			? "somebody resumes it"
			: ctl_show_at(queue->zone, until_at, at));
	}
}

static int
run_queue(struct ctl *ctl, int argc, char **argv)
{
	struct queue queue = {.ctl = ctl, .zone = zone_open("UTC")};
	struct clock clock;
	struct db_unit *unit;

	(void)argv;
	if (argc != 0)
		ctl_usage(&ctl_queue);
	clock = ctl_clock(ctl);
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
	const char *patient, *tenant;
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
		else if ((value = ctl_option(verb, argc, argv, &i, "--tenant")))
			wish.tenant = value;
		else if (strcmp(argv[i], "--permit") == 0)
			wish.permit = true;
		else if (strcmp(argv[i], "--deny") == 0)
			wish.deny = true;
		else if (wish.patient == NULL && argv[i][0] != '-')
			wish.patient = argv[i];
		else
			ctl_stray(verb, argv[i]);
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

	ctl_person_find(ctl, wish.tenant, wish.patient, &person);
	/* it must be there */
	ctl_person_load(ctl, &person);
	now = ctl_now(ctl, wish.at);
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "agenda_touch", NULL, NULL);
	ctl_person_keys(unit, &person);
	db_param_at(unit, now);
	db_param_i16(unit, CLASS_TIMED);
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
