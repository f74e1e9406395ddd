/*
 * From a text to its meaning: cut it, hide what only looks like something,
 * ask the rules, settle what contradicts.  Pure.
 */
#include "care/reply.h"

#include <string.h>

#include "care/reply_sense.h"

static const char likely_rule[] = "likely";

#define COURTESIES_MAX 4 /* taken off the ends of a text */
#define PARTS_MAX 24     /* of a long text that are looked through */
#define PART_OVERLAP 300 /* bytes, in which a sentence should begin */
#define BIT(label) (UINT32_C(1) << (label))
#define ANSWERS \
	(BIT(REPLY_TAKEN) | BIT(REPLY_NOT_TAKEN) | BIT(REPLY_REFILL_YES) | \
	    BIT(REPLY_REFILL_NO) | BIT(REPLY_FOLLOWUP_CONFIRM) | \
	    BIT(REPLY_FOLLOWUP_RESCHEDULE) | BIT(REPLY_FOLLOWUP_CANCEL) | \
	    BIT(REPLY_STOPPED) | BIT(REPLY_HAVE_SUPPLY))

void
sense_init(
    struct sense *sense, const struct reply_rules *rules, struct arena *arena)
{
	*sense = (struct sense){.rules = rules, .arena = arena};
	sense->slots.days_left = -1;
	sense->slots.units_left_micro = -1;
	sense->slots.item_count = -1;
}

bool
sense_has(const struct sense *sense, enum reply_label label)
{
	return sense->rule_of[label] != NULL;
}

uint32_t
sense_labels(const struct sense *sense)
{
	uint32_t labels = 0;

	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		labels |= (uint32_t)(sense->rule_of[i] != NULL) << i;
	return labels;
}

void
sense_add(struct sense *sense, enum reply_label label, const char *rule)
{
	if (sense->rule_of[label] == NULL)
		sense->rule_of[label] = rule;
}

static void
drop(struct sense *sense, enum reply_label label)
{
	sense->rule_of[label] = NULL;
}

/* ---- slots ---- */

static const char *
as_written(struct sense *sense, const struct reply_text *text, size_t begin,
    size_t end)
{
	uint32_t from = text->tokens[begin].from;

	return arena_text_n(
	    sense->arena, text->text + from, text->tokens[end - 1].to - from);
}

/* The first amount within the words that the rule is about. */
static void
take_quantity(struct sense *sense, const struct pattern_subject *s,
    const struct reply_rule *rule, size_t begin, size_t end)
{
	const struct quantity *list = s->quantities->list.data;
	struct reply_slots *slots = &sense->slots;
	bool none = *rule->slot_word != '\0'; /* "not one pill" */

	for (size_t i = 0; i < s->quantities->list.count; i++) {
		const struct quantity *q = &list[i];

		if (q->begin < begin || q->end > end)
			continue;
		if (q->days && slots->days_left < 0)
			slots->days_left = (int32_t)(q->micro / 1000000);
		if (!q->days && slots->units_left_micro < 0) {
			slots->units_left_micro = none ? 0 : q->micro;
			slots->unit = arena_text_n(sense->arena,
			    s->text->text + q->unit_from,
			    q->unit_to - q->unit_from);
		}
		return;
	}
}

static void
take_phrase(struct sense *sense, struct pattern_subject *s,
    const struct reply_rule *rule, size_t begin, size_t end)
{
	const char **slot = rule->slot == REPLY_SLOT_WHEN ? &sense->slots.when
							  : &sense->slots.until;
	size_t from, to;

	if (*slot == NULL &&
	    pattern_find(s, &rule->slot_choices, begin, end, &from, &to))
		*slot = as_written(sense, s->text, from, to);
}

static void
take_slot(struct sense *sense, struct pattern_subject *s,
    const struct reply_rule *rule)
{
	struct reply_slots *slots = &sense->slots;
	size_t begin, end;

	if (rule->slot == REPLY_SLOT_TOPIC && slots->topic == NULL)
		slots->topic = rule->slot_word;
	else if (rule->slot == REPLY_SLOT_CHANNEL && slots->channel == NULL)
		slots->channel = rule->slot_word;
	else if (rule->slot == REPLY_SLOT_LATER)
		slots->later = true;
	else if (rule->slot == REPLY_SLOT_ITEMS && slots->item_count < 0) {
		slots->items_all = strcmp(rule->slot_word, "all") == 0;
		slots->item_count = 0;
	}
	if (rule->slot != REPLY_SLOT_LEFT && rule->slot != REPLY_SLOT_WHEN &&
	    rule->slot != REPLY_SLOT_UNTIL)
		return;
	if (!pattern_find(s, &rule->patterns, 0, s->text->count, &begin, &end))
		return;
	if (rule->slot == REPLY_SLOT_LEFT)
		take_quantity(sense, s, rule, begin, end);
	else
		take_phrase(sense, s, rule, begin, end);
}

/* ---- rules ---- */

static void
hide_words(struct reply_text *text, struct pattern_subject *s,
    const struct reply_rule *rule)
{
	struct pattern_search search;
	size_t begin, end = 0;

	if (!pattern_matches(s, &rule->patterns) ||
	    pattern_matches(s, &rule->excluded))
		return;
	pattern_search_start(&search, s, &rule->patterns);
	while (pattern_search_next(&search, end, text->count, &begin, &end))
		for (size_t i = begin; i < end; i++)
			text->tokens[i].hidden |= rule->hidden_from;
}

/* An exclusion sees all words, hidden ones too. */
static bool
is_excluded(struct pattern_subject *s, const struct reply_rule *rule)
{
	pattern_subject_view(s, 0);
	return pattern_matches(s, &rule->excluded);
}

/* The clauses that [begin, end) is of, ahead of a separator too. */
static void
widen(const struct reply_text *text, size_t *begin, size_t *end)
{
	while (*begin > 0 &&
	       (reply_token_separates(&text->tokens[*begin]) ||
		   !reply_token_separates(&text->tokens[*begin - 1])))
		--*begin;
	while (
	    *end < text->count && !reply_token_separates(&text->tokens[*end]))
		++*end;
}

/* Does the rule match between the clauses that its excuses are in? */
static bool
holds_outside(struct pattern_subject *s, const struct reply_rule *rule)
{
	size_t count = s->text->count, from = 0, begin, end, at, to;
	struct pattern_search excuse, search;

	pattern_subject_view(s, 0);
	pattern_search_start(&excuse, s, &rule->excused);
	pattern_subject_view(s, BIT(rule->labels[0]));
	pattern_search_start(&search, s, &rule->patterns);
	for (bool more = true; more; from = end) {
		pattern_subject_view(s, 0);
		begin = end = count;
		more = pattern_search_next(&excuse, from, count, &begin, &end);
		if (more)
			widen(s->text, &begin, &end);
		pattern_subject_view(s, BIT(rule->labels[0]));
		if (begin > from &&
		    pattern_search_next(&search, from, begin, &at, &to))
			return true;
	}
	return false;
}

static bool
holds(const struct sense *sense, struct pattern_subject *s,
    const struct reply_rule *rule)
{
	uint32_t labels = sense_labels(sense);

	if ((labels & rule->unless) != 0 ||
	    (rule->alone && (labels & ~BIT(REPLY_CAREGIVER)) != 0))
		return false;
	pattern_subject_view(s, BIT(rule->labels[0]));
	if (!pattern_matches(s, &rule->patterns) || is_excluded(s, rule))
		return false;
	return rule->excused.count == 0 || holds_outside(s, rule);
}

static void
apply(struct sense *sense, struct pattern_subject *s,
    const struct reply_rule *rule)
{
	if (!holds(sense, s, rule))
		return;
	for (unsigned i = 0; i < rule->label_count; i++)
		sense_add(sense, rule->labels[i], rule->name);
	pattern_subject_view(s, BIT(rule->labels[0]));
	take_slot(sense, s, rule);
}

void
sense_read(
    struct sense *sense, struct reply_text *text, enum reply_context context)
{
	const struct reply_rule *rules = sense->rules->rules.data;
	size_t count = sense->rules->rules.count;
	struct quantities quantities;
	struct pattern_subject s;

	quantities_find(text, sense->arena, &quantities);
	pattern_subject_init(
	    &s, &sense->rules->book, text, &quantities, sense->arena);
	for (size_t i = 0; i < count; i++)
		if (rules[i].hide && (rules[i].contexts & BIT(context)))
			hide_words(text, &s, &rules[i]);
	for (int last = 0; last <= 1; last++)
		for (size_t i = 0; i < count; i++)
			if (!rules[i].hide && rules[i].last == last &&
			    (rules[i].contexts & BIT(context)))
				apply(sense, &s, &rules[i]);
}

/* ---- courtesy ---- */

/* Does a token part what is said from courtesy?  Not the mark of a question. */
static bool
parts(const struct reply_token *token)
{
	return reply_token_separates(token) && token->codepoint != '?';
}

/* Is all of [from, to) courtesy, and nothing else? */
static bool
is_courtesy(struct pattern_subject *s, const struct list *choices, size_t from,
    size_t to)
{
	size_t begin, end;

	return from < to && pattern_find(s, choices, from, to, &begin, &end) &&
	       begin == from && end == to;
}

/* Take one clause of courtesy off either end; true: there was one. */
static bool
trim_one(const struct pattern_book *book, struct reply_text *text,
    const struct list *choices, struct arena *arena)
{
	struct quantities none = {{0}};
	struct pattern_subject s;
	size_t head = 0, tail = text->count;

	list_init(&none.list, arena, sizeof(struct quantity));
	pattern_subject_init(&s, book, text, &none, arena);
	while (head < text->count && !parts(&text->tokens[head]))
		head++;
	while (tail > 0 && !parts(&text->tokens[tail - 1]))
		tail--;
	if (head + 1 < text->count && is_courtesy(&s, choices, 0, head)) {
		text->tokens += head + 1;
		text->count -= head + 1;
		return true;
	}
	if (tail > 1 && is_courtesy(&s, choices, tail, text->count)) {
		text->count = tail - 1;
		return true;
	}
	return false;
}

/* "好的，谢谢": courtesy beside something else says nothing. */
static bool
trim_courtesy(const struct reply_rules *rules, struct reply_text *text,
    struct arena *arena)
{
	const struct pattern_set *set =
	    pattern_set_find(&rules->book, "courtesy");
	int trimmed = 0;

	if (set == NULL)
		return false;
	for (; trimmed < COURTESIES_MAX; trimmed++)
		if (!trim_one(&rules->book, text, &set->choices, arena))
			break;
	return trimmed > 0;
}

/* ---- the answer ---- */

/* What cannot be true together: the surer one stays. */
static void
settle(struct sense *sense)
{
	uint32_t labels = sense_labels(sense);

	if (labels & BIT(REPLY_OPT_OUT)) {
		drop(sense, REPLY_OPT_OUT_TOPIC);
		drop(sense, REPLY_OPT_IN);
		sense->slots.topic = sense->slots.channel = NULL;
	}
	if (labels & BIT(REPLY_REFILL_NO))
		drop(sense, REPLY_REFILL_YES);
	/* all or none of the items: that is the answer to each */
	if (labels & BIT(REPLY_ITEM_CHOICE) && sense->slots.item_count == 0)
		for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
			if (reply_label_row(i)->answers >= 0 &&
			    i != REPLY_ITEM_CHOICE)
				drop(sense, i);
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		if (reply_label_row(i)->alone && (labels & ~BIT(i)) != 0) {
			drop(sense, i);
			labels &= ~BIT(i);
		}
}

/* A slot without its label says nothing. */
static void
settle_slots(struct sense *sense)
{
	struct reply_slots *slots = &sense->slots;

	if (!sense_has(sense, REPLY_HAVE_SUPPLY)) {
		slots->days_left = -1;
		slots->units_left_micro = -1;
		slots->unit = slots->until = NULL;
	}
	if (!sense_has(sense, REPLY_FOLLOWUP_RESCHEDULE))
		slots->when = NULL;
	if (!sense_has(sense, REPLY_OPT_OUT_TOPIC))
		slots->topic = slots->channel = NULL;
	if (!sense_has(sense, REPLY_NOT_TAKEN))
		slots->later = false;
	if (!sense_has(sense, REPLY_ITEM_CHOICE))
		slots->item_count = -1;
}

static bool
goes_first(enum reply_label a, enum reply_label b, enum reply_context context)
{
	const struct reply_label_row *one = reply_label_row(a);
	const struct reply_label_row *two = reply_label_row(b);

	if (one->rank != two->rank)
		return one->rank < two->rank;
	if ((one->answers == (int)context) != (two->answers == (int)context))
		return one->answers == (int)context;
	return a < b;
}

static void
write_intents(
    const struct sense *sense, enum reply_context context, struct reply *reply)
{
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++) {
		unsigned at = reply->intent_count;

		if (sense->rule_of[i] == NULL)
			continue;
		for (; at > 0 &&
		       goes_first(i, reply->intents[at - 1].label, context);
		     at--)
			reply->intents[at] = reply->intents[at - 1];
		reply->intents[at] = (struct reply_intent){.label = i,
		    .rule = sense->rule_of[i],
		    .likely = sense->rule_of[i] == likely_rule};
		reply->intent_count++;
	}
	reply->primary = reply->intents[0].label;
	reply->slots = sense->slots;
}

/* Answers of the whole text, where they are told item by item. */
static void
forget_answers(struct sense *sense)
{
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		if (ANSWERS & BIT(i))
			drop(sense, i);
	sense->slots.when = sense->slots.until = sense->slots.unit = NULL;
	sense->slots.days_left = -1;
	sense->slots.units_left_micro = -1;
	sense->slots.later = false;
}

/* A carrier's refusal code counts whatever stands beside it. */
static bool
is_code(const char *rule)
{
	return rule != NULL &&
	       (strcmp(rule, "code") == 0 || strcmp(rule, "en-code") == 0);
}

/* What rules missed, and what they only seem to have found. */
static void
sense_likely(struct sense *sense, const struct reply_text *cut,
    enum reply_context context)
{
	uint32_t hold = reply_likely_hold(&sense->rules->likely, cut, context,
	    sense_labels(sense), sense->arena);

	if (is_code(sense->rule_of[REPLY_OPT_OUT]))
		hold |= BIT(REPLY_OPT_OUT);
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		if (hold & BIT(i))
			sense_add(sense, i, likely_rule);
		else
			drop(sense, i);
}

/* What must not be missed behind what is read of a long text. */
static void
sense_part(struct sense *sense, struct reply_text *part)
{
	struct sense found;

	sense_init(&found, sense->rules, sense->arena);
	sense_read(&found, part, REPLY_ON_NONE);
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		if (found.rule_of[i] != NULL &&
		    (reply_label_row(i)->harm || i == REPLY_DECEASED ||
			i == REPLY_OPT_OUT))
			sense_add(sense, i, found.rule_of[i]);
}

/*
 * Where the next part begins: behind a break among what was read last, so that
 * what stands before a word, "no", say, is before it there, too.
 */
static size_t
part_begin(struct sense *sense, const char *text, size_t bytes, size_t read)
{
	size_t from = read > PART_OVERLAP ? read - PART_OVERLAP : 0;
	struct reply_text seam;

	while (from < read && ((uint8_t)text[from] & 0xc0) == 0x80)
		from++;
	reply_text_read(text + from, bytes - from, sense->arena, &seam);
	for (size_t i = 0; i < seam.count && from + seam.tokens[i].to <= read;
	     i++)
		if (seam.tokens[i].kind == TOKEN_BREAK)
			return from + seam.tokens[i].to;
	return from;
}

/* A person is to read what is longer than the rules are for. */
static void
sense_rest(struct sense *sense, const char *text, size_t bytes, size_t read)
{
	struct reply_text part;

	if (read >= bytes)
		return;
	sense_add(sense, REPLY_QUESTION, "long");
	for (int i = 0; i < PARTS_MAX && read < bytes; i++) {
		size_t from = part_begin(sense, text, bytes, read);

		reply_text_read(text + from, bytes - from, sense->arena, &part);
		if (from + part.bytes <= read) { /* a few bytes full of words */
			from = read;
			reply_text_read(
			    text + from, bytes - from, sense->arena, &part);
		}
		sense_part(sense, &part);
		read = from + part.bytes;
	}
}

/* All that rules tell; true: it was picked from a menu. */
static bool
sense_rules(struct sense *sense, struct reply_text *cut,
    const struct reply_question *question)
{
	bool courteous = trim_courtesy(sense->rules, cut, sense->arena);
	bool menu = sense_menu(sense, cut, question->context);

	if (!menu) {
		struct sense items = *sense;
		bool several = question->context == REPLY_ON_MULTI &&
			       sense_items(&items, cut, question);

		sense_read(sense, cut, question->context);
		sense_menu_beside(sense, cut, question->context);
		if (several) {
			forget_answers(sense);
			for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
				if (items.rule_of[i] != NULL)
					sense_add(sense, i, items.rule_of[i]);
			sense->slots = items.slots;
		}
		/* which of them is not said, or is an item_choice */
		if (question->context == REPLY_ON_MULTI)
			drop(sense, REPLY_REFILL_YES);
	}
	/* yet beside what nobody understood it is all there is */
	if (courteous && sense_labels(sense) == 0)
		sense_add(sense, REPLY_THANKS_OR_CHITCHAT, "courtesy");
	settle(sense);
	return menu;
}

void
reply_understand(const struct reply_rules *rules, const char *text,
    size_t bytes, const struct reply_question *question, struct arena *arena,
    struct reply *reply)
{
	struct reply_text cut;
	struct sense sense;
	bool menu;

	*reply = (struct reply){.intent_count = 0};
	reply_text_read(text, bytes, arena, &cut);
	sense_init(&sense, rules, arena);
	menu = sense_rules(&sense, &cut, question);
	/* what was picked from the menu is meant so */
	if (!menu || sense_labels(&sense) == 0)
		sense_likely(&sense, &cut, question->context);
	sense_rest(&sense, text, bytes, cut.bytes);
	settle(&sense);
	if (sense_labels(&sense) == 0)
		sense_add(&sense, REPLY_UNCLEAR, "nothing");
	settle_slots(&sense);
	write_intents(&sense, question->context, reply);
}

void
reply_features(const struct reply_rules *rules, const char *text, size_t bytes,
    const struct reply_question *question, struct arena *arena,
    void (*each)(void *arg, const char *feature), void *arg,
    struct reply_evidence *evidence)
{
	struct reply_text cut;
	struct sense sense;

	reply_text_read(text, bytes, arena, &cut);
	sense_init(&sense, rules, arena);
	(void)sense_rules(&sense, &cut, question);
	*evidence = (struct reply_evidence){
	    .found = sense_labels(&sense), .hidden = reply_likely_hidden(&cut)};
	reply_likely_features(&cut, question->context, each, arg);
}
