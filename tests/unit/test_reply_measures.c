/*
 * How well replies are understood, on labelled ones: tests/replies has them,
 * and its README.md the manual of the labels.  What must not happen is told
 * line by line; each measure has a threshold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../replies/labelled.h"
#include "arena.h"

#define LINE_BYTES_MAX 4096

struct measures {
	unsigned records, primary, sets;
	unsigned said[REPLY_LABEL_COUNT];  /* labelled */
	unsigned found[REPLY_LABEL_COUNT]; /* of them */
	unsigned wrong[REPLY_LABEL_COUNT]; /* understood, not labelled */
};

static const struct reply_rules *rules;

static int
set_up(void **state)
{
	struct findings findings;

	(void)arena_set_up(state);
	findings_init(&findings, arena);
	rules = reply_rules_read(reply_files, reply_file_count, &findings);
	return findings.error_count == 0 ? 0 : -1;
}

static enum reply_label
label_of(const struct json *name)
{
	enum reply_label label = REPLY_UNCLEAR;

	if (json_text(name) == NULL ||
	    !reply_label_find(json_text(name), &label))
		fail_msg("no label: %s", json_text(name));
	return label;
}

static uint32_t
labels_of(const struct reply *reply)
{
	uint32_t labels = 0;

	for (unsigned i = 0; i < reply->intent_count; i++)
		labels |= UINT32_C(1) << reply->intents[i].label;
	return labels;
}

static void
measure_labels(struct measures *m, uint32_t said, uint32_t found)
{
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++) {
		m->said[i] += said >> i & 1;
		m->found[i] += (said & found) >> i & 1;
		m->wrong[i] += (found & ~said) >> i & 1;
	}
	m->sets += said == found;
}

static void
measure_record(struct measures *m, const struct json *record)
{
	const char *items[REPLY_ITEMS_MAX];
	const char *text = json_get_text(record, "text");
	struct reply_question question;
	struct reply reply;
	uint32_t said = labelled_intents(record);

	if (said == 0 || !labelled_question(record, &question, items))
		fail_msg("no labelled reply: %s", text);
	reply_understand(rules, text, strlen(text), &question, arena, &reply);
	measure_labels(m, said, labels_of(&reply));
	m->records++;
	if (reply.primary == label_of(json_get(record, "primary")))
		m->primary++;
	else
		print_message("%s: %s: is %s by %s\n",
		    json_get_text(record, "id"), text,
		    reply_label_row(reply.primary)->name,
		    reply.intents[0].rule);
}

static void
measure_file(struct measures *m, const char *path)
{
	FILE *file = fopen(path, "rb");
	char line[LINE_BYTES_MAX];

	if (file == NULL)
		fail_msg("%s: cannot be opened", path);
	*m = (struct measures){.records = 0};
	while (fgets(line, sizeof(line), file) != NULL) {
		struct json_error error;
		const struct json *json =
		    json_parse(line, strlen(line), NULL, arena, &error);

		if (json == NULL)
			fail_msg("%s: %s: %s", path, line, error.reason);
		measure_record(m, json);
	}
	(void)fclose(file);
}

static double
share(unsigned part, unsigned whole)
{
	return whole == 0 ? 1 : (double)part / whole;
}

static void
print_measures(const struct measures *m, const char *path)
{
	print_message("%s: %u records, primary %.3f, sets %.3f\n", path,
	    m->records, share(m->primary, m->records),
	    share(m->sets, m->records));
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		print_message("%-20s recall %u/%u, wrongly %u\n",
		    reply_label_row((enum reply_label)i)->name, m->found[i],
		    m->said[i], m->wrong[i]);
}

static double
recall(const struct measures *m, enum reply_label label)
{
	return share(m->found[label], m->said[label]);
}

static double
precision(const struct measures *m, enum reply_label label)
{
	return share(m->found[label], m->found[label] + m->wrong[label]);
}

static void
assert_measures(const struct measures *m, double primary_least)
{
	assert_true(recall(m, REPLY_EMERGENCY) >= 1);
	assert_true(recall(m, REPLY_ADVERSE_EVENT) >= 0.97);
	assert_true(recall(m, REPLY_OPT_OUT) >= 0.98);
	assert_true(precision(m, REPLY_OPT_OUT) >= 0.95);
	assert_int_equal(m->wrong[REPLY_REFILL_YES], 0);
	assert_true(share(m->primary, m->records) >= primary_least);
}

static void
check(const char *path, unsigned records, double primary_least)
{
	struct measures m;

	measure_file(&m, path);
	print_measures(&m, path);
	assert_true(m.records >= records);
	assert_measures(&m, primary_least);
}

static void
replies_that_were_given_are_understood(void **state)
{
	(void)state;
	check("tests/replies/dev.jsonl", 160, 0.98);
}

static void
replies_of_our_own_are_understood(void **state)
{
	(void)state;
	check("tests/replies/own.jsonl", 150, 0.98);
}

static void
replies_that_were_unseen_are_understood(void **state)
{
	(void)state;
	check("tests/replies/unseen.jsonl", 800, 0.95);
}

/* What is still misread in it is told in tests/replies/README.md. */
static void
replies_that_are_fresh_are_understood(void **state)
{
	(void)state;
	check("tests/replies/fresh.jsonl", 320, 0.87);
}

static void
replies_that_came_later_are_understood(void **state)
{
	(void)state;
	check("tests/replies/later.jsonl", 320, 0.86);
}

static void
replies_in_plain_words_are_understood(void **state)
{
	(void)state;
	check("tests/replies/plain.jsonl", 350, 0.98);
}

static void
replies_of_many_people_are_understood(void **state)
{
	(void)state;
	check("tests/replies/people.jsonl", 400, 0.98);
}

static void
add_measures(struct measures *sum, const struct measures *more)
{
	sum->records += more->records;
	sum->primary += more->primary;
	sum->sets += more->sets;
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++) {
		sum->said[i] += more->said[i];
		sum->found[i] += more->found[i];
		sum->wrong[i] += more->wrong[i];
	}
}

/* Of several files in one; parted by blanks. */
static void
measure_files(struct measures *sum, const char *names)
{
	char *rest = arena_text(arena, names);

	*sum = (struct measures){.records = 0};
	for (char *name; (name = strtok_r(rest, " ", &rest)) != NULL;) {
		struct measures m;

		measure_file(
		    &m, arena_printf(arena, "tests/replies/%s.jsonl", name));
		print_measures(&m, name);
		add_measures(sum, &m);
	}
}

/* Written to be hard: much harm and refusing, and what sounds like it. */
static void
replies_that_sound_alike_are_understood(void **state)
{
	struct measures m;

	(void)state;
	measure_files(&m, "wards towns");
	assert_int_equal(m.records, 1000);
	assert_measures(&m, 0.94);
}

/*
 * No rule was mended on these but two that took a word for an order, and no
 * weight was learned from them: tests/replies/README.md.
 */
static void
replies_that_are_held_out_are_understood(void **state)
{
	struct measures m;

	(void)state;
	measure_files(&m, "thirds streets");
	assert_int_equal(m.records, 900);
	assert_measures(&m, 0.95);
}

/* Three hands more, held out, too; they refuse in ways that are hard to tell.
 */
static void
replies_of_other_hands_are_understood(void **state)
{
	struct measures m;

	(void)state;
	measure_files(&m, "thirds streets shores ferries mailbox");
	assert_int_equal(m.records, 2200);
	assert_true(recall(&m, REPLY_EMERGENCY) >= 0.98);
	assert_true(recall(&m, REPLY_ADVERSE_EVENT) >= 0.97);
	assert_true(recall(&m, REPLY_OPT_OUT) >= 0.97);
	assert_true(precision(&m, REPLY_OPT_OUT) >= 0.94);
	assert_true(m.wrong[REPLY_REFILL_YES] <= 1);
	assert_true(share(m.primary, m.records) >= 0.94);
}

/* Whole sentences of chatter; held out, too.  Nobody there is unwell. */
static void
chatter_is_seldom_taken_for_harm(void **state)
{
	struct measures m;

	(void)state;
	measure_files(&m, "porch");
	assert_int_equal(m.records, 130);
	assert_true(m.wrong[REPLY_EMERGENCY] <= 3);
	assert_true(m.wrong[REPLY_ADVERSE_EVENT] <= 12);
	assert_true(recall(&m, REPLY_OPT_OUT) >= 0.9);
	assert_int_equal(m.wrong[REPLY_OPT_OUT], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		replies_that_were_given_are_understood, set_up,
		arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		replies_of_our_own_are_understood, set_up, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		replies_that_were_unseen_are_understood, set_up,
		arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		replies_that_are_fresh_are_understood, set_up, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		replies_that_came_later_are_understood, set_up,
		arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		replies_in_plain_words_are_understood, set_up, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		replies_of_many_people_are_understood, set_up, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		replies_that_sound_alike_are_understood, set_up,
		arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		chatter_is_seldom_taken_for_harm, set_up, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		replies_that_are_held_out_are_understood, set_up,
		arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		replies_of_other_hands_are_understood, set_up, arena_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
