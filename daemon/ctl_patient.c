/*
 * adherctl consent: what a patient allows.  Writes the rule and the dossier,
 * in one transaction.
 */
#include <string.h>

#include "base/log.h"
#include "ctl_line.h"
#include "ctl_person.h"
#include "flow/statements.h"

static int run_consent(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_consent = {
    .words = "consent",
    .usage = "PATIENT --topic TOPIC,… --channel CHANNEL,… --permit|--deny\n"
	     "           [--evidence TEXT] [--at INSTANT] [--tenant NAME]",
    .help = "record what a patient allows on which channels",
    .run = run_consent,
};

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
	enum channel channel = patient_channel_from_word(word);

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
	db_unit_add(unit, "consent_store", NULL, NULL);
	db_param_i16(unit, person.bucket);
	db_param_i64(unit, person.patient_id);
	db_param_at(unit, now);
	db_param_bool(unit, wish.permit);
	db_param_i32(unit, (int32_t)wish.topics);
	db_param_i32(unit, (int32_t)wish.channels);
	db_param_i16(unit, OWNER_SELF);
	db_param_text(unit, wish.evidence);
	db_unit_add(unit, "dossier_rebuild", NULL, NULL);
	ctl_person_keys(unit, &person);
	db_unit_add(unit, "agenda_notify_people", NULL, NULL);
	ctl_person_keys(unit, &person);
	ctl_run(unit);
	return 0;
}
