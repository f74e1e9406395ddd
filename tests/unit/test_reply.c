/*
 * What patients reply: the tables of rules load, each rule's own examples
 * hold, a table that is wrong is told with file and line, and no bytes do
 * harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "base/buf.h"
#include "care/reply.h"

static const struct reply_rules *rules;

static const struct reply_rules *
load(const struct reply_file *files, size_t count, struct findings *findings)
{
	findings_init(findings, arena);
	return reply_rules_read(files, count, findings);
}

static int
load_embedded(void **state)
{
	struct findings findings;
	struct conf_error error;

	(void)arena_set_up(state);
	rules = load(reply_files, reply_file_count, &findings);
	if (findings_fail(&findings, &error) != 0)
		fail_msg("%s", error.text);
	return 0;
}

static struct reply
understand_bytes(enum reply_context context, const char *text, size_t bytes)
{
	struct reply_question question = {.context = context};
	struct reply reply;

	reply_understand(rules, text, bytes, &question, arena, &reply);
	return reply;
}

static struct reply
understand(enum reply_context context, const char *text)
{
	return understand_bytes(context, text, strlen(text));
}

static uint32_t
labels_of(const struct reply *reply)
{
	uint32_t labels = 0;

	for (unsigned i = 0; i < reply->intent_count; i++)
		labels |= UINT32_C(1) << reply->intents[i].label;
	return labels;
}

/* ---- the tables ---- */

/* Did the rule decide? */
static bool
decided(const struct reply *reply, const struct reply_rule *rule)
{
	for (unsigned i = 0; i < reply->intent_count; i++)
		if (strcmp(reply->intents[i].rule, rule->name) == 0)
			return true;
	return false;
}

/* Rules alone, without what words weigh. */
static int
load_rules_alone(void **state)
{
	struct reply_file files[64];
	struct findings findings;
	size_t count = 0;

	(void)arena_set_up(state);
	assert_true(reply_file_count <= COUNT(files));
	for (size_t i = 0; i < reply_file_count; i++)
		if (strcmp(reply_files[i].name, "likely") != 0)
			files[count++] = reply_files[i];
	assert_int_equal(count, reply_file_count - 1);
	rules = load(files, count, &findings);
	return findings.error_count == 0 ? 0 : -1;
}

/*
 * An example of a rule gets its labels, whichever rule gave them; of a
 * counter-example the rule is not the one that decides.  A rule that hides
 * words has examples that get none of the labels, and the other way round.
 */
static bool
example_holds(const struct reply_rule *rule, const struct reply_example *e)
{
	struct reply reply = understand(e->context, e->text);
	uint32_t labels = labels_of(&reply), wanted = 0;
	bool good;

	for (unsigned i = 0; i < rule->label_count; i++)
		wanted |= UINT32_C(1) << rule->labels[i];
	if (rule->hide)
		good = ((labels & rule->hidden_from) == 0) != e->counter;
	else if (e->counter)
		good = !decided(&reply, rule);
	else
		good = (labels & wanted) == wanted;
	if (!good)
		print_message("%s:%d: %s: %s%s: is %s by %s\n", rule->file,
		    e->line, rule->name, e->counter ? "! " : "", e->text,
		    reply_label_row(reply.primary)->name,
		    reply.intents[0].rule);
	return good;
}

static void
examples_of_each_rule_hold(void **state)
{
	const struct reply_rule *list = rules->rules.data;
	size_t count = 0, bad = 0;

	(void)state;
	for (size_t i = 0; i < rules->rules.count; i++) {
		const struct reply_example *examples = list[i].examples.data;

		for (size_t k = 0; k < list[i].examples.count; k++, count++)
			bad += !example_holds(&list[i], &examples[k]);
	}
	assert_int_equal(bad, 0);
	assert_true(count > 300);
}

/* Every label save the last resort comes of a rule of a table. */
static void
every_label_has_a_rule_and_a_name(void **state)
{
	const struct reply_rule *list = rules->rules.data;
	uint32_t labels = UINT32_C(1) << REPLY_UNCLEAR;

	(void)state;
	for (size_t i = 0; i < rules->rules.count; i++)
		for (unsigned k = 0; k < list[i].label_count; k++)
			labels |= UINT32_C(1) << list[i].labels[k];
	assert_int_equal(labels, (UINT32_C(1) << REPLY_LABEL_COUNT) - 1);
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++) {
		enum reply_label label;

		assert_true(reply_label_find(reply_label_row(i)->name, &label));
		assert_int_equal(label, i);
	}
	assert_true(reply_label_row(REPLY_EMERGENCY)->harm);
	assert_true(reply_label_row(REPLY_OPT_OUT)->refusal);
}

/* ---- tables that are wrong ---- */

static void
refused(const char *text, const char *why)
{
	struct reply_file file = {"odd", text};
	struct findings findings;
	struct conf_error error;

	(void)load(&file, 1, &findings);
	if (findings_fail(&findings, &error) == 0)
		fail_msg("taken: %s", text);
	if (strcmp(error.text, why) != 0)
		fail_msg("%s: \"%s\" is not \"%s\"", text, error.text, why);
}

static void
wrong_tables_are_told_with_file_and_line(void **state)
{
	(void)state;
	refused("words a\n",
	    "odd.rules:1: begins with none of set, more, hide, rule, likely: "
	    "\"words\"");
	refused("\n\ta\n", "odd.rules:2: an indented line below no head");
	refused("rule a is taken\n\n\t(b\n\t= b\n",
	    "odd.rules:3: a ( or [ that is not closed: \"the line's end\"");
	refused("rule a is taken\n\tb {c}\n\t= b\n",
	    "odd.rules:2: names a set that is not defined above: "
	    "\"the line's end\"");
	refused("rule a is taken\n\tb | | c\n\t= b\n",
	    "odd.rules:2: an empty choice: \"| c\"");
	refused("rule a is taken\n\tb # c\n\t= b\n",
	    "odd.rules:2: a mark that patterns do not have: \"# c\"");
	refused("rule a is taken\n\t^ [b] $\n\t= b\n",
	    "odd.rules:2: a choice all of which may be missing: "
	    "\"the line's end\"");
	refused("rule a is taken\n\tb\n\t- c [d]\n\t= b\n",
	    "odd.rules:3: an exclusion ends with what may be missing: "
	    "\"c [d]\"");
	refused("rule a is taking\n\tb\n\t= b\n",
	    "odd.rules:1: no such label: \"taking\"");
	refused("rule a is taken in bed\n\tb\n\t= b\n",
	    "odd.rules:1: no such context: \"bed\"");
	refused("rule a is taken\n\tb\n",
	    "odd.rules:1: a rule without an example: \"a\"");
	refused("rule a is taken\n\t= b\n",
	    "odd.rules:1: a rule without a pattern: \"a\"");
	refused("rule a is taken\n\tb\n\t= b\nrule a is taken\n\tb\n\t= b\n",
	    "odd.rules:4: a rule of that name is above: \"a\"");
	refused("rule a is taken\n\tb\n\tslot size 3\n\t= b\n",
	    "odd.rules:3: no such slot: \"size\"");
	refused("set a = b\nset a = c\n",
	    "odd.rules:2: a set of that name is above: \"a\"");
	refused("more a = b\n", "odd.rules:1: no such set above: \"a\"");
	refused("set a = b\n\tc {a}\n",
	    "odd.rules:2: a set that would hold itself: \"the line's end\"");
	refused("set a = b\nset c = {a}\nmore a = [d] {c}\n",
	    "odd.rules:3: a set that would hold itself: \"the line's end\"");
	refused("rule a is have_supply\n\tb\n\tslot left all\n\t= b\n",
	    "odd.rules:3: a value that is missing or too much: \"left\"");
	refused(
	    "likely taking\n\t5 b\n", "odd.rules:1: no such label: \"taking\"");
	refused("likely taken 1 2\n\t5 b\n",
	    "odd.rules:1: not three weights of at most 3000: \"taken\"");
	refused("likely taken 1 2 3001\n\t5 b\n",
	    "odd.rules:1: not three weights of at most 3000: \"taken\"");
	refused("likely taken 1 2 3 4\n\t5 b\n",
	    "odd.rules:1: not three weights of at most 3000: \"taken\"");
	refused("likely taken 1 2 -99999999999999999999\n\t5 b\n",
	    "odd.rules:1: not three weights of at most 3000: \"taken\"");
	refused("likely taken 1 2 3\n\t5 b\nlikely taken 1 2 3\n\t5 b\n",
	    "odd.rules:3: weights of that label are above: \"taken\"");
	refused("likely taken 1 2 3x\n\t5 b\n",
	    "odd.rules:1: not three weights of at most 3000: \"taken\"");
	refused("likely taken 1 2 3\n\t5 b | c\n",
	    "odd.rules:2: not a weight of at most 3000 and a feature: \"c\"");
	refused("likely taken 1 2 3\n\t3001 b\n",
	    "odd.rules:2: not a weight of at most 3000 and a feature: "
	    "\"3001 b\"");
	refused("rule a is taken\n\tb \xff\n\t= b\n",
	    "odd.rules:2: not UTF-8: \"\xff\"");
}

/* What is shown of a long line, 60 bytes, ends with a whole character. */
static void
what_is_shown_ends_with_a_whole_character(void **state)
{
	struct buf text = BUF_INIT(0), why = BUF_INIT(0);

	(void)state;
	buf_printf(&text, "rule a is taken\n\t!#");
	buf_printf(&why, "odd.rules:2: a mark that patterns do not have: \"#");
	for (int i = 0; i < 30; i++)
		buf_printf(&text, "药");
	for (int i = 0; i < 19; i++)
		buf_printf(&why, "药");
	buf_printf(&text, "\n\t= b\n");
	buf_printf(&why, "\"");
	refused(buf_string(&text), buf_string(&why));
	buf_free(&text);
	buf_free(&why);
}

/* A rule that is wrong is left out, the others stay. */
static void
a_wrong_rule_is_left_out_alone(void **state)
{
	struct reply_file file = {"odd",
	    "rule a is taken\n\t(b\n\t= b\nrule c is taken\n\td\n\t= d\n"};
	struct findings findings;
	const struct reply_rules *some = load(&file, 1, &findings);

	(void)state;
	assert_int_equal(findings.error_count, 1);
	assert_int_equal(some->rules.count, 1);
}

/* What one table makes of a text. */
static enum reply_label
primary_on(enum reply_context context, const char *table, const char *text)
{
	struct reply_file file = {"odd", table};
	struct reply_question question = {.context = context};
	struct findings findings;
	const struct reply_rules *some = load(&file, 1, &findings);
	struct reply reply;

	assert_int_equal(findings.error_count, 0);
	reply_understand(some, text, strlen(text), &question, arena, &reply);
	return reply.primary;
}

static enum reply_label
primary_by(const char *table, const char *text)
{
	return primary_on(REPLY_ON_NONE, table, text);
}

/* Where no other label is likely either, `unclear` is as likely as not. */
#define UNCLEAR "likely unclear 0 0 0\n"
#define RULE(label) "rule a is " label "\n\tqua\n\t= qua\n"

/* Of a text with n features the sum counts 4 / sqrt(n): "qua" has 10. */
static void
label_holds_by_what_words_weigh(void **state)
{
	(void)state;
	assert_int_equal(
	    primary_by("likely taken -100 0 0\n\t80 qua\n" UNCLEAR, "qua"),
	    REPLY_TAKEN);
	assert_int_equal(
	    primary_by("likely taken -100 0 0\n\t79 qua\n" UNCLEAR, "qua"),
	    REPLY_UNCLEAR);
	/* a word told twice is one feature; the reply is longer, with 12 */
	assert_int_equal(
	    primary_by("likely taken -100 0 0\n\t87 qua\n" UNCLEAR, "qua qua"),
	    REPLY_TAKEN);
	assert_int_equal(
	    primary_by("likely taken -100 0 0\n\t86 qua\n" UNCLEAR, "qua qua"),
	    REPLY_UNCLEAR);
	/* the ends, the question, numbers, three in a row */
	assert_int_equal(
	    primary_by("likely question -200 0 0\n\t105 ^ a 0 | 105 b ? $ | "
		       "105 none:\n" UNCLEAR,
		"a 17 b?"),
	    REPLY_QUESTION);
	/* numbers are for the menu */
	assert_int_equal(
	    primary_by("likely taken 900 0 0\n", "99"), REPLY_UNCLEAR);
	/* of what is not likely, the likeliest, but what is too grave */
	assert_int_equal(primary_by("likely taken -90 0 0\nlikely question -80 "
				    "0 0\nlikely deceased -10 0 0\n",
			     "qua"),
	    REPLY_QUESTION);
}

/* Rules add to the odds; without an entry of its label a rule stands. */
static void
rules_are_trusted_so_far(void **state)
{
	(void)state;
	assert_int_equal(primary_by(RULE("taken") UNCLEAR, "qua"), REPLY_TAKEN);
	assert_int_equal(
	    primary_by(
		RULE("taken") "likely taken -100 101 0\n" UNCLEAR, "qua"),
	    REPLY_TAKEN);
	assert_int_equal(
	    primary_by(RULE("taken") "likely taken -100 99 0\n" UNCLEAR, "qua"),
	    REPLY_UNCLEAR);
	/* an order is never guessed */
	assert_int_equal(
	    primary_by("likely refill_yes 3000 0 0\n" UNCLEAR, "qua"),
	    REPLY_UNCLEAR);
	assert_int_equal(
	    primary_by(RULE("refill_yes") "likely refill_yes 1 0 0\n", "qua"),
	    REPLY_REFILL_YES);
	/* what a rule took its words from */
	assert_int_equal(
	    primary_by("hide b from adverse_event\n\tba\n\t= ba\nlikely "
		       "adverse_event 100 0 -99\n" UNCLEAR,
		"qua ba"),
	    REPLY_ADVERSE_EVENT);
	assert_int_equal(
	    primary_by("hide b from adverse_event\n\tba\n\t= ba\nlikely "
		       "adverse_event 100 0 -171\n" UNCLEAR,
		"qua ba"),
	    REPLY_UNCLEAR);
	/* a carrier's code, and only that */
	assert_int_equal(primary_by("rule en-code is opt_out\n\tqua\n\t= qua\n"
				    "likely opt_out -3000 0 0\n" UNCLEAR,
			     "qua"),
	    REPLY_OPT_OUT);
	assert_int_equal(primary_by("rule code is opt_out\n\tqua\n\t= qua\n"
				    "likely opt_out -3000 0 0\n" UNCLEAR,
			     "qua"),
	    REPLY_OPT_OUT);
	assert_int_equal(
	    primary_by(
		RULE("opt_out") "likely opt_out -3000 0 0\n" UNCLEAR, "qua"),
	    REPLY_UNCLEAR);
	/* what was picked from a menu */
	assert_int_equal(
	    primary_on(REPLY_ON_DOSE, "likely adverse_event 900 0 0\n", "1"),
	    REPLY_TAKEN);
}

/* Beside what else holds harm and refusals need not be likelier than not. */
static void
harm_and_refusals_are_missed_unwillingly(void **state)
{
	static const struct {
		const char *label;
		int by_rule, by_words; /* hundredths that are enough */
	} least[] = {
	    {"emergency", -3000, -39}, /* whatever words say */
	    {"adverse_event", -3000, -39}, {"opt_out", -199, -69},
	    {"deceased", -3000, 51}, {"item_choice", 1, 101},
	    {"stopped", 1, 151}, /* 1 where rules found nothing */
	};

	(void)state;
	for (unsigned i = 0; i < 2 * COUNT(least); i++) {
		bool by_rule = i % 2 == 0;
		const char *label = least[i / 2].label;
		int enough =
		    by_rule ? least[i / 2].by_rule : least[i / 2].by_words;
		enum reply_label wanted;

		assert_true(reply_label_find(label, &wanted));
		for (int less = 0; less <= 2 && enough - less >= -3000;
		     less += 2) {
			const char *table = arena_printf(arena,
			    "rule b is have_supply\n\tqua\n\t= qua\n%s%s%s"
			    "likely %s %d 0 0\n",
			    by_rule ? "rule a is " : "", by_rule ? label : "",
			    by_rule ? "\n\tqua\n\t= qua\n" : "", label,
			    enough - less);
			enum reply_label got = primary_by(table, "qua");

			assert_int_equal(
			    got, less == 0 ? wanted : REPLY_HAVE_SUPPLY);
		}
	}
}

static void
what_is_only_likely_is_said_to_be(void **state)
{
	struct reply_file file = {"odd", "likely taken 0 0 0\n\t900 qua\n"};
	struct reply_question question = {.context = REPLY_ON_DOSE};
	struct findings findings;
	struct reply reply;

	(void)state;
	reply_understand(
	    load(&file, 1, &findings), "qua", 3, &question, arena, &reply);
	assert_true(reply.intents[0].likely);
	assert_string_equal(reply.intents[0].rule, "likely");
	reply = understand(REPLY_ON_DOSE, "吃了");
	assert_false(reply.intents[0].likely);
}

/* An exclusion of harm excuses its own clauses, other rules altogether. */
static void
harm_is_excused_clause_by_clause(void **state)
{
	static const char harm[] = "rule a is adverse_event\n\tpain\n\t- no\n"
				   "\t-- film\n\t= pain\n";
	static const char other[] =
	    "rule a is taken\n\tpain\n\t- no\n\t= pain\n";

	(void)state;
	assert_int_equal(primary_by(harm, "pain"), REPLY_ADVERSE_EVENT);
	assert_int_equal(primary_by(harm, "no pain"), REPLY_UNCLEAR);
	assert_int_equal(primary_by(harm, "no. pain"), REPLY_ADVERSE_EVENT);
	assert_int_equal(primary_by(harm, "pain, no, no"), REPLY_ADVERSE_EVENT);
	assert_int_equal(primary_by(harm, "no, no pain? no"), REPLY_UNCLEAR);
	assert_int_equal(primary_by(harm, "pain. film"), REPLY_UNCLEAR);
	assert_int_equal(primary_by(other, "no. pain"), REPLY_UNCLEAR);
	assert_int_equal(primary_by(other, "pain"), REPLY_TAKEN);
}

/* `@160+` is 160 and more, `@90-` is 90 and less, `@` any number. */
static void
numbers_have_bounds(void **state)
{
	static const char least[] = "rule a is taken\n\t压 @160+\n\t= 压160\n";
	static const char most[] = "rule a is taken\n\t压 @4-\n\t= 压4\n";
	static const char any[] = "rule a is taken\n\t压 @ -\n\t= 压4-\n";

	(void)state;
	assert_int_equal(primary_by(least, "压160"), REPLY_TAKEN);
	assert_int_equal(primary_by(least, "压一百八"), REPLY_TAKEN);
	assert_int_equal(primary_by(least, "压一百零八"), REPLY_UNCLEAR);
	assert_int_equal(primary_by(least, "压159.9"), REPLY_UNCLEAR);
	assert_int_equal(primary_by(most, "压3.9"), REPLY_TAKEN);
	assert_int_equal(primary_by(most, "压4"), REPLY_TAKEN);
	assert_int_equal(primary_by(most, "压4.1"), REPLY_UNCLEAR);
	assert_int_equal(primary_by(any, "压9-"), REPLY_TAKEN);
}

/*
 * Sets large and small, of choices that begin with a token, a stem, a group,
 * another set, a number, a gap or a mark, match what they would in place.
 */
static void
sets_match_what_they_hold(void **state)
{
	static const char *const choices[] = {"甲 乙", "diz* 乙", "(丁|甲) 乙",
	    "[丙] 甲 乙", "{in} 乙", "@ 乙", "_ 甲 乙", "^ 甲 乙"};
	static const char *const texts[] = {"甲乙戊", "dizzy乙戊", "丁乙戊",
	    "丙甲乙戊", "己乙戊", "3乙戊", "庚甲乙戊", "甲乙戊"};

	(void)state;
	for (int many = 0; many <= 1; many++)
		for (unsigned i = 0; i < COUNT(choices); i++) {
			struct buf table = BUF_INIT(0);

			buf_printf(
			    &table, "set in = 己\nset s = %s\n", choices[i]);
			for (int k = 0; many && k < 60; k++)
				buf_printf(&table, "\tx%c%c\n", 'a' + k / 26,
				    'a' + k % 26);
			buf_printf(&table,
			    "rule a is taken\n\t{s} 戊\n"
			    "\t= %s\n",
			    texts[i]);
			assert_int_equal(
			    primary_by(buf_string(&table), texts[i]),
			    REPLY_TAKEN);
			assert_int_equal(
			    primary_by(buf_string(&table), "辛乙 戊"),
			    REPLY_UNCLEAR);
			buf_free(&table);
		}
}

/* "Not one left" is none of its unit. */
static void
none_left_is_zero(void **state)
{
	struct reply reply = understand(REPLY_ON_REFILL, "一粒都没剩");

	(void)state;
	assert_int_equal(reply.primary, REPLY_HAVE_SUPPLY);
	assert_int_equal(reply.slots.units_left_micro, 0);
	assert_string_equal(reply.slots.unit, "粒");
}

/* ---- any bytes ---- */

static void
odd_bytes_are_harmless(void **state)
{
	static const char *const texts[] = {"", " ", "\xff\xfe", "\xe8\x8d",
	    "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x01\x02\x1b[0;1",
	    "\xe2\x80\x8f\xef\xbb\xbf", "\r\n\r\n"};

	(void)state;
	for (unsigned i = 0; i < COUNT(texts); i++)
		assert_int_equal(
		    understand(REPLY_ON_DOSE, texts[i]).primary, REPLY_UNCLEAR);
	/* what is odd beside words does not hide them */
	assert_int_equal(understand(REPLY_ON_DOSE, "\xff头晕\xfe").primary,
	    REPLY_ADVERSE_EVENT);
	assert_int_equal(understand(REPLY_ON_NONE, "T\xe2\x80\x8b\x01"
						   "D")
			     .primary,
	    REPLY_OPT_OUT);
	assert_int_equal(
	    understand_bytes(REPLY_ON_NONE, "T\0D", 3).primary, REPLY_OPT_OUT);
}

/*
 * Of a long text the first 2,000 bytes count, and 767 words of them; behind
 * them harm and refusals do, and a person reads the whole.
 */
static void
long_texts_are_for_a_person(void **state)
{
	struct buf text = BUF_INIT(0);
	struct reply reply;

	(void)state;
	for (int i = 0; i < 3000; i++)
		buf_printf(&text, "%s", i % 2 == 0 ? "鼎" : "。");
	assert_true(text.bytes > 8000);
	buf_printf(&text, "吃了");
	reply = understand(REPLY_ON_DOSE, buf_string(&text));
	assert_int_equal(reply.primary, REPLY_QUESTION);
	assert_string_equal(reply.intents[0].rule, "long");
	assert_int_equal(reply.intent_count, 1);
	buf_printf(&text, "头晕");
	reply = understand(REPLY_ON_NONE, buf_string(&text));
	assert_int_equal(reply.primary, REPLY_ADVERSE_EVENT);
	assert_int_equal(reply.intents[1].label, REPLY_QUESTION);
	buf_free(&text);
	for (int i = 0; i < 120; i++)
		buf_printf(&text, "abcdefghijklmnopq ");
	buf_printf(&text, "please stop texting me");
	reply = understand(REPLY_ON_NONE, buf_string(&text));
	assert_int_equal(reply.primary, REPLY_OPT_OUT);
	buf_free(&text);
	/* more words than are read at once, in fewer bytes */
	for (int i = 0; i < 900; i++)
		buf_printf(&text, "%c ", 'a' + i % 26);
	buf_printf(&text, "chest pain now");
	assert_true(text.bytes < 2000);
	reply = understand(REPLY_ON_NONE, buf_string(&text));
	assert_int_equal(reply.primary, REPLY_EMERGENCY);
	buf_free(&text);
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "今天去公园，");
	buf_printf(&text, "头晕");
	reply = understand(REPLY_ON_NONE, buf_string(&text));
	assert_int_equal(reply.primary, REPLY_ADVERSE_EVENT);
	assert_int_equal(reply.intent_count, 1);
	buf_free(&text);
}

/* So many bytes of sentences, with what is said in the midst of them. */
static struct reply
understand_amid(unsigned before, const char *said)
{
	struct buf text = BUF_INIT(0);
	struct reply reply;

	while (text.bytes + 40 < before)
		buf_printf(&text, "We walked in the park. ");
	while (text.bytes < before)
		buf_printf(&text, ".");
	buf_printf(&text, " %s", said);
	while (text.bytes < 5000)
		buf_printf(&text, " We walked in the park.");
	reply = understand(REPLY_ON_NONE, buf_string(&text));
	buf_free(&text);
	return reply;
}

static bool
says(const struct reply *reply, enum reply_label label)
{
	return (labels_of(reply) >> label & 1) != 0;
}

/* Harm is found wherever it stands, at the seams of the parts, too. */
static void
long_texts_have_no_gaps(void **state)
{
	struct reply reply;

	(void)state;
	for (unsigned before = 1600; before < 4000; before += 13) {
		reply = understand_amid(
		    before, "I have chest pain and cannot breathe.");
		assert_true(says(&reply, REPLY_EMERGENCY));
		assert_true(says(&reply, REPLY_QUESTION));
		/* and is not made by a cut */
		reply = understand_amid(before,
		    "Please do not stop sending me these messages, thanks.");
		assert_false(says(&reply, REPLY_OPT_OUT));
		reply = understand_amid(
		    before, "No, I do not have chest pain today at all.");
		assert_false(says(&reply, REPLY_EMERGENCY));
	}
}

/* What is cut off lies behind the last word that was kept, not its full stop.
 */
static void
words_that_are_too_many_are_read_after(void **state)
{
	(void)state;
	for (int pairs = 380; pairs < 390; pairs++) {
		struct buf text = BUF_INIT(0);
		struct reply reply;

		buf_printf(&text, "x ");
		for (int i = 0; i < pairs; i++)
			buf_printf(&text, "a.");
		buf_printf(&text, "I have chest pain and cannot breathe.");
		reply = understand(REPLY_ON_NONE, buf_string(&text));
		assert_true(says(&reply, REPLY_EMERGENCY));
		buf_free(&text);
	}
}

/* Twenty items, names that are digits or odd, digits without end. */
static void
items_may_be_odd(void **state)
{
	const char *names[REPLY_ITEMS_MAX];
	struct reply_question question = {
	    .context = REPLY_ON_MULTI, .items = names};
	struct reply reply;

	(void)state;
	for (unsigned i = 0; i < COUNT(names); i++)
		names[i] = i % 3 == 0 ? "refill:" : i % 3 == 1 ? "1" : ":\xff";
	question.item_count = COUNT(names);
	reply_understand(
	    rules, "20 和 1", strlen("20 和 1"), &question, arena, &reply);
	assert_int_equal(reply.primary, REPLY_ITEM_CHOICE);
	assert_int_equal(reply.slots.item_count, 2);
	assert_int_equal(reply.slots.items[1], 20);
	reply_understand(
	    rules, "99999999999999999999", 20, &question, arena, &reply);
	assert_int_equal(reply.primary, REPLY_UNCLEAR);
	/* half of something is no item */
	reply_understand(
	    rules, "剩半瓶", strlen("剩半瓶"), &question, arena, &reply);
	assert_int_equal(reply.slots.item_count, -1);
	question.item_count = 0;
	reply_understand(rules, "1", 1, &question, arena, &reply);
	assert_int_equal(reply.primary, REPLY_UNCLEAR);
}

/* ---- ways to write one thing ---- */

static void
forms_of_one_thing_are_alike(void **state)
{
	static const char *const ones[] = {"1", "１", "①", "❶", "一", "1.",
	    "回1", "回复 1", "选１", "我选一", "第一个", "1号", "1️⃣",
	    "option 1", " 1 \n", "“1”", "壹"};
	static const char *const refusals[] = {"TD", "td", "ＴＤ", "t d", "T",
	    "0000", "００００", "退订", "退訂", "退", "TD。", "回TD", "回复T",
	    "QUIT", "Unsubscribe", "取消订阅"};

	(void)state;
	for (unsigned i = 0; i < COUNT(ones); i++)
		if (understand(REPLY_ON_DOSE, ones[i]).primary != REPLY_TAKEN)
			fail_msg("no 1: %s", ones[i]);
	for (unsigned i = 0; i < COUNT(refusals); i++)
		for (int c = 0; c < REPLY_CONTEXT_COUNT; c++)
			if (understand((enum reply_context)c, refusals[i])
				.primary != REPLY_OPT_OUT)
				fail_msg("no refusal of %s: %s",
				    reply_context_name((enum reply_context)c),
				    refusals[i]);
	assert_int_equal(understand(REPLY_ON_NONE, "Y").primary, REPLY_UNCLEAR);
}

/* What cannot be true together: the surer one stays, and its slots. */
static void
contradictions_are_settled(void **state)
{
	struct reply reply =
	    understand(REPLY_ON_REFILL, "帮我续两盒，算了，不续了");

	(void)state;
	assert_int_equal(labels_of(&reply), UINT32_C(1) << REPLY_REFILL_NO);
	reply = understand(REPLY_ON_NONE, "广告别发，都退订");
	assert_int_equal(labels_of(&reply), UINT32_C(1) << REPLY_OPT_OUT);
	assert_null(reply.slots.topic);
	/* harm first, then the answer to what was asked */
	reply = understand(REPLY_ON_DOSE, "吃了，有点头晕");
	assert_int_equal(reply.intents[0].label, REPLY_ADVERSE_EVENT);
	assert_int_equal(reply.intents[1].label, REPLY_TAKEN);
	reply = understand(REPLY_ON_DOSE, "吃了 谢谢");
	assert_int_equal(labels_of(&reply), UINT32_C(1) << REPLY_TAKEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		examples_of_each_rule_hold, load_rules_alone, arena_tear_down),
	    cmocka_unit_test_setup_teardown(every_label_has_a_rule_and_a_name,
		load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(harm_is_excused_clause_by_clause,
		load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		wrong_tables_are_told_with_file_and_line, load_embedded,
		arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		what_is_shown_ends_with_a_whole_character, load_embedded,
		arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		a_wrong_rule_is_left_out_alone, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(label_holds_by_what_words_weigh,
		load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		rules_are_trusted_so_far, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		harm_and_refusals_are_missed_unwillingly, load_embedded,
		arena_tear_down),
	    cmocka_unit_test_setup_teardown(what_is_only_likely_is_said_to_be,
		load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		numbers_have_bounds, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		sets_match_what_they_hold, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		none_left_is_zero, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		odd_bytes_are_harmless, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		long_texts_are_for_a_person, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		long_texts_have_no_gaps, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		words_that_are_too_many_are_read_after, load_embedded,
		arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		items_may_be_odd, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		forms_of_one_thing_are_alike, load_embedded, arena_tear_down),
	    cmocka_unit_test_setup_teardown(
		contradictions_are_settled, load_embedded, arena_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
