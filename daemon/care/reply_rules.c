/*
 * Reading the tables of rules.  Pure; rules live in the findings' arena.
 */
#include "care/reply_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 4096
#define RULES_MAX 5000
#define WEIGHTS_MAX 200000
#define EXAMPLES_MAX 200 /* of one rule */
#define SHOWN_BYTES_MAX 60

/* What the indented lines below a head belong to. */
enum head { HEAD_NONE, HEAD_SET, HEAD_RULE, HEAD_LIKELY };

struct loader {
	struct findings *findings;
	struct reply_rules *rules;
	struct place place;
	enum head head;
	struct pattern_set *set;
	struct reply_rule *rule; /* not yet in the list */
	enum reply_label likely; /* whose weights follow */
	bool bad;                /* the rule at hand is left out */
	char line[LINE_BYTES_MAX + 1];
};

static void
complain(
    struct loader *l, const char *rule, const char *wrong, const char *what)
{
	size_t bytes = what == NULL ? 0 : strlen(what);

	/* as much as is read at a glance, in whole characters */
	if (bytes > SHOWN_BYTES_MAX)
		for (bytes = SHOWN_BYTES_MAX;
		     bytes > 0 && (what[bytes] & 0xc0) == 0x80;)
			bytes--;
	if (what == NULL)
		findings_add(
		    l->findings, &l->place, SEVERITY_ERROR, rule, "%s", wrong);
	else
		findings_add(l->findings, &l->place, SEVERITY_ERROR, rule,
		    "%s: \"%.*s\"", wrong, (int)bytes, what);
	l->bad = true;
}

static struct arena *
arena_of(struct loader *l)
{
	return l->findings->arena;
}

static bool
read_patterns(struct loader *l, const char *text, struct list *choices)
{
	struct pattern_reader reader = {.book = &l->rules->book,
	    .within = l->head == HEAD_SET ? l->set : NULL};

	if (pattern_read(&reader, text, choices))
		return true;
	complain(l, "pattern", reader.wrong,
	    *reader.where == '\0' ? "the line's end" : reader.where);
	return false;
}

/* Harm is excused clause by clause, by `--` as other rules by `-`: at all. */
static bool
is_excuse(const struct reply_rule *rule)
{
	return !rule->hide && rule->label_count > 0 &&
	       reply_label_row(rule->labels[0])->harm;
}

/* An exclusion: words that may be missing at its end would add nothing. */
static void
read_exclusion(struct loader *l, const char *text, bool anywhere)
{
	struct list *excluded = !anywhere && is_excuse(l->rule)
				    ? &l->rule->excused
				    : &l->rule->excluded;
	size_t before = excluded->count;
	const struct pattern *patterns;

	if (!read_patterns(l, text, excluded))
		return;
	patterns = excluded->data;
	for (size_t i = before; i < excluded->count; i++)
		if (pattern_ends_loosely(&patterns[i]))
			complain(l, "pattern",
			    "an exclusion ends with what may be missing", text);
}

/* ---- heads ---- */

static void
check_rule(struct loader *l, const struct reply_rule *rule)
{
	const struct reply_example *examples = rule->examples.data;
	bool any = false;

	l->place.line = rule->line;
	if (l->bad)
		return;
	if (rule->patterns.count == 0)
		complain(l, "rule", "a rule without a pattern", rule->name);
	for (size_t i = 0; i < rule->examples.count; i++)
		any = any || !examples[i].counter;
	if (!rule->hide && !any)
		complain(l, "rule", "a rule without an example", rule->name);
}

/* Put the rule at hand into the list, if it is one. */
static void
end_rule(struct loader *l)
{
	struct place place = l->place;

	if (l->head == HEAD_RULE) {
		check_rule(l, l->rule);
		if (!l->bad)
			*(struct reply_rule *)list_add(&l->rules->rules) =
			    *l->rule;
	}
	l->place = place;
	l->head = HEAD_NONE;
	l->bad = false;
}

static void
read_set_head(struct loader *l, char *rest, bool more)
{
	char *equals = strchr(rest, '=');
	char *name = strtok_r(rest, " \t=", &rest);
	struct pattern_set *set;

	if (equals == NULL || name == NULL) {
		complain(l, "set", "a set is NAME = CHOICES", NULL);
		return;
	}
	set = pattern_set_find(&l->rules->book, name);
	if (more != (set != NULL)) {
		complain(l, "set",
		    more ? "no such set above" : "a set of that name is above",
		    name);
		return;
	}
	if (!more)
		set = pattern_set_add(&l->rules->book, name);
	l->head = HEAD_SET;
	l->set = set;
	equals++;
	if (equals[strspn(equals, " \t")] != '\0')
		(void)read_patterns(l, equals, &set->choices);
}

enum section { SECTION_LABELS, SECTION_CONTEXTS, SECTION_UNLESS };

static void
take_label(struct loader *l, const char *word, enum section section)
{
	struct reply_rule *rule = l->rule;
	enum reply_label label;

	if (strcmp(word, "any") == 0 && section == SECTION_UNLESS) {
		rule->alone = true;
		return;
	}
	if (!reply_label_find(word, &label)) {
		complain(l, "label", "no such label", word);
		return;
	}
	if (section == SECTION_UNLESS)
		rule->unless |= UINT32_C(1) << label;
	else if (rule->hide)
		rule->hidden_from |= UINT32_C(1) << label;
	else if (rule->label_count == REPLY_RULE_LABELS_MAX)
		complain(l, "label", "too many labels", word);
	else
		rule->labels[rule->label_count++] = label;
}

static void
take_context(struct loader *l, const char *word)
{
	enum reply_context context;

	if (reply_context_find(word, &context))
		l->rule->contexts |= UINT32_C(1) << context;
	else
		complain(l, "context", "no such context", word);
}

static bool
is_known(const struct loader *l, const char *name)
{
	const struct reply_rule *rules = l->rules->rules.data;

	for (size_t i = 0; i < l->rules->rules.count; i++)
		if (strcmp(rules[i].name, name) == 0)
			return true;
	return false;
}

static void
read_words(struct loader *l, char *rest)
{
	enum section section = SECTION_LABELS;

	for (char *word; (word = strtok_r(rest, " \t", &rest)) != NULL;) {
		if (strcmp(word, "is") == 0 || strcmp(word, "from") == 0)
			section = SECTION_LABELS;
		else if (strcmp(word, "in") == 0)
			section = SECTION_CONTEXTS;
		else if (strcmp(word, "unless") == 0)
			section = SECTION_UNLESS;
		else if (strcmp(word, "last") == 0)
			l->rule->last = true;
		else if (section == SECTION_CONTEXTS)
			take_context(l, word);
		else
			take_label(l, word, section);
	}
}

static void
read_rule_head(struct loader *l, char *rest, bool hide)
{
	char *name = strtok_r(rest, " \t", &rest);
	struct arena *drafts = l->rules->book.drafts;
	struct reply_rule *rule = arena_alloc(drafts, sizeof(*rule));

	*rule = (struct reply_rule){
	    .name = arena_text(arena_of(l), name == NULL ? "" : name),
	    .file = l->place.file,
	    .line = l->place.line,
	    .hide = hide};
	list_init(&rule->patterns, drafts, sizeof(struct pattern));
	list_init(&rule->excluded, drafts, sizeof(struct pattern));
	list_init(&rule->excused, drafts, sizeof(struct pattern));
	list_init(&rule->slot_choices, drafts, sizeof(struct pattern));
	list_init(&rule->examples, drafts, sizeof(struct reply_example));
	l->head = HEAD_RULE;
	l->rule = rule;
	if (name == NULL) {
		complain(l, "rule", "a rule without a name", NULL);
		return;
	}
	if (is_known(l, name))
		complain(l, "rule", "a rule of that name is above", name);
	if (l->rules->rules.count == RULES_MAX)
		complain(l, "rule", "too many rules", NULL);
	read_words(l, rest);
	if (rule->contexts == 0)
		rule->contexts = (UINT32_C(1) << REPLY_CONTEXT_COUNT) - 1;
	if (hide ? rule->hidden_from == 0 : rule->label_count == 0)
		complain(l, "rule", "a rule without a label", name);
}

/* `LABEL BASE FOUND HIDDEN` */
static void
read_likely_head(struct loader *l, char *line)
{
	char *rest = line, *end = line;
	const char *name = strtok_r(line, " \t", &rest);
	long numbers[3];

	if (name == NULL || !reply_label_find(name, &l->likely)) {
		complain(l, "label", "no such label", name);
		return;
	}
	for (unsigned i = 0; i < COUNT(numbers); i++) {
		numbers[i] = strtol(rest, &end, 10);
		if (end == rest || *end != (i < 2 ? ' ' : '\0') ||
		    numbers[i] < -LIKELY_WEIGHT_MAX ||
		    numbers[i] > LIKELY_WEIGHT_MAX) {
			complain(l, "likely",
			    "not three weights of at most 3000", name);
			return;
		}
		rest = end;
	}
	if (l->rules->likely.labels[l->likely].known) {
		complain(l, "likely", "weights of that label are above", name);
		return;
	}
	reply_likely_label(&l->rules->likely, l->likely, (int)numbers[0],
	    (int)numbers[1], (int)numbers[2]);
	l->head = HEAD_LIKELY;
}

static void
read_head(struct loader *l, char *line)
{
	char *rest = line;
	const char *word = strtok_r(line, " \t", &rest);

	end_rule(l);
	if (strcmp(word, "set") == 0 || strcmp(word, "more") == 0)
		read_set_head(l, rest, *word == 'm');
	else if (strcmp(word, "rule") == 0 || strcmp(word, "hide") == 0)
		read_rule_head(l, rest, *word == 'h');
	else if (strcmp(word, "likely") == 0)
		read_likely_head(l, rest + strspn(rest, " \t"));
	else
		complain(l, "head",
		    "begins with none of set, more, hide, rule, likely", word);
}

/* ---- lines below ---- */

/* `[CONTEXT:] TEXT`; without one, the first context of the rule. */
static void
read_example(struct loader *l, const char *text, bool counter)
{
	struct reply_example example = {
	    .counter = counter, .line = l->place.line};
	const char *colon = strchr(text, ':');
	int first = REPLY_ON_NONE;

	if (l->rule->examples.count == EXAMPLES_MAX) {
		complain(l, "example", "too many examples", NULL);
		return;
	}
	for (int i = REPLY_CONTEXT_COUNT - 1; i >= 0; i--)
		if (l->rule->contexts >> i & 1)
			first = i;
	if (l->rule->contexts + 1 == UINT32_C(1) << REPLY_CONTEXT_COUNT)
		first = REPLY_ON_NONE;
	example.context = (enum reply_context)first;
	if (colon != NULL) {
		const char *word =
		    arena_text_n(arena_of(l), text, (size_t)(colon - text));

		if (reply_context_find(word, &example.context))
			text = colon + 1;
	}
	text += strspn(text, " \t");
	example.text = arena_text(arena_of(l), text);
	*(struct reply_example *)list_add(&l->rule->examples) = example;
}

static void
read_slot(struct loader *l, char *rest)
{
	static const struct {
		const char *word;
		enum reply_slot slot;
	} slots[] = {{"left", REPLY_SLOT_LEFT}, {"when", REPLY_SLOT_WHEN},
	    {"until", REPLY_SLOT_UNTIL}, {"topic", REPLY_SLOT_TOPIC},
	    {"channel", REPLY_SLOT_CHANNEL}, {"later", REPLY_SLOT_LATER},
	    {"items", REPLY_SLOT_ITEMS}};
	char *value;
	const char *word = strtok_r(rest, " \t", &value);
	bool phrase;

	for (unsigned i = 0; i < COUNT(slots); i++)
		if (word != NULL && strcmp(word, slots[i].word) == 0)
			l->rule->slot = slots[i].slot;
	value += value == NULL ? 0 : strspn(value, " \t");
	phrase = l->rule->slot == REPLY_SLOT_WHEN ||
		 l->rule->slot == REPLY_SLOT_UNTIL;
	if (l->rule->slot == REPLY_SLOT_NONE)
		complain(l, "slot", "no such slot", word);
	else if (l->rule->slot == REPLY_SLOT_LEFT
		     ? *value != '\0' && strcmp(value, "none") != 0
		     : (l->rule->slot == REPLY_SLOT_LATER) != (*value == '\0'))
		complain(
		    l, "slot", "a value that is missing or too much", word);
	else if (phrase)
		(void)read_patterns(l, value, &l->rule->slot_choices);
	else
		l->rule->slot_word = arena_text(arena_of(l), value);
}

/* `WEIGHT FEATURE | WEIGHT FEATURE …` */
static void
read_weights(struct loader *l, char *line)
{
	while (line != NULL) {
		char *next = strstr(line, " | "), *end;
		long weight = strtol(line, &end, 10);

		if (next != NULL)
			*next = '\0';
		if (end == line || *end != ' ' || end[1] == '\0' ||
		    weight < -LIKELY_WEIGHT_MAX || weight > LIKELY_WEIGHT_MAX) {
			complain(l, "likely",
			    "not a weight of at most 3000 and a feature", line);
			return;
		}
		if (l->rules->likely.entries.count == WEIGHTS_MAX) {
			complain(l, "likely", "too many weights", NULL);
			return;
		}
		reply_likely_add(
		    &l->rules->likely, end + 1, l->likely, (int)weight);
		line = next == NULL ? NULL : next + 3;
	}
}

static void
read_below(struct loader *l, char *line)
{
	if (l->head == HEAD_LIKELY) {
		read_weights(l, line);
		return;
	}
	if (l->head == HEAD_SET) {
		(void)read_patterns(l, line, &l->set->choices);
		return;
	}
	if (l->head != HEAD_RULE) {
		/* below a head that was refused */
		if (!l->bad)
			complain(
			    l, "line", "an indented line below no head", NULL);
		return;
	}
	if (strncmp(line, "slot ", 5) == 0)
		read_slot(l, line + 5);
	else if (strncmp(line, "= ", 2) == 0 || strncmp(line, "! ", 2) == 0)
		read_example(l, line + 2, *line == '!');
	else if (strncmp(line, "- ", 2) == 0)
		read_exclusion(l, line + 2, false);
	else if (strncmp(line, "-- ", 3) == 0)
		read_exclusion(l, line + 3, true);
	else
		(void)read_patterns(l, line, &l->rule->patterns);
}

static void
read_line(struct loader *l, const char *from, size_t bytes)
{
	char *line = l->line;

	while (bytes > 0 && strchr(" \t\r", from[bytes - 1]) != NULL)
		bytes--;
	if (bytes > LINE_BYTES_MAX) {
		complain(l, "line", "a line of over 4096 bytes", NULL);
		return;
	}
	memcpy(line, from, bytes);
	line[bytes] = '\0';
	line += strspn(line, " \t");
	if (*line == '\0' || *line == '#')
		return;
	if (line == l->line)
		read_head(l, line);
	else
		read_below(l, line);
}

static void
keep(struct arena *arena, struct list *list)
{
	if (list->count > 0)
		list->data =
		    arena_copy(arena, list->data, list->count * list->size);
	list->capacity = list->count;
	list->arena = arena;
}

/* Out of the drafts, each list of its own size. */
static void
keep_rules(struct reply_rules *rules)
{
	struct arena *arena = rules->book.arena;
	struct reply_rule *list;

	keep(arena, &rules->rules);
	list = rules->rules.data;
	for (size_t i = 0; i < rules->rules.count; i++) {
		keep(arena, &list[i].patterns);
		keep(arena, &list[i].excluded);
		keep(arena, &list[i].excused);
		keep(arena, &list[i].slot_choices);
		keep(arena, &list[i].examples);
	}
}

const struct reply_rules *
reply_rules_read(
    const struct reply_file *files, size_t count, struct findings *findings)
{
	struct reply_rules *rules =
	    arena_alloc(findings->arena, sizeof(*rules));
	struct loader *l = arena_alloc(findings->arena, sizeof(*l));

	pattern_book_init(&rules->book, findings->arena);
	list_init(&rules->rules, rules->book.drafts, sizeof(struct reply_rule));
	reply_likely_init(&rules->likely, rules->book.drafts);
	*l = (struct loader){.findings = findings, .rules = rules};
	for (size_t i = 0; i < count; i++) {
		const char *at = files[i].text;

		l->place = (struct place){.file = arena_printf(findings->arena,
					      "%s.rules", files[i].name)};
		while (*at != '\0') {
			size_t bytes = strcspn(at, "\n");

			l->place.line++;
			read_line(l, at, bytes);
			at += bytes + (at[bytes] == '\n');
		}
		end_rule(l);
	}
	keep_rules(rules);
	reply_likely_finish(&rules->likely, findings->arena);
	pattern_book_finish(&rules->book);
	return rules;
}
