/*
 * Answers to several numbered items: "1和3", "除了2都要", "1已经吃了 2和4续".
 * A text is a row of groups of items, each with what is said of it.  Pure.
 */
#include <string.h>

#include "care/reply_sense.h"

#define GROUPS_MAX REPLY_ITEMS_MAX
#define NAME_TOKENS_MAX 40 /* of an item's name */

struct group {
	size_t begin, end; /* tokens that name the items */
	uint32_t items;    /* 1 << (number - 1) */
	bool number;       /* named by its number */
};

struct naming {
	const struct reply_text *text;
	const struct reply_question *question;
	struct quantities quantities;
	struct reply_text names[REPLY_ITEMS_MAX]; /* of items, cut */
	struct group groups[GROUPS_MAX];
	size_t count;
};

static uint32_t
all_items(const struct reply_question *question)
{
	return (UINT32_C(1) << question->item_count) - 1;
}

/* ---- who is named ---- */

static bool
is_word(const struct reply_text *text, size_t at, const char *word)
{
	return at < text->count && text->tokens[at].kind == TOKEN_WORD &&
	       strcmp(text->tokens[at].word, word) == 0;
}

/* 2 days, 3号, 8点: digits that count something else */
static bool
counts_something(const struct naming *n, size_t begin, size_t end)
{
	const struct reply_text *text = n->text;
	const struct quantity *list = n->quantities.list.data;
	bool found = false;

	for (size_t i = 0; i < n->quantities.list.count && !found; i++)
		found = list[i].begin == begin;
	return found || reply_text_has(text, end, "月点时年日度岁块元") ||
	       is_word(text, end, "pm") || is_word(text, end, "am") ||
	       is_word(text, end, "th") ||
	       (end < text->count && text->tokens[end].codepoint == ':') ||
	       (begin > 0 &&
		   (reply_text_has(text, begin - 1, "周期拜月点每午晚早") ||
		       text->tokens[begin - 1].codepoint == ':'));
}

/* "12" of three items is 1 and 2; 0: no items. */
static uint32_t
items_of_digits(const char *digits, size_t item_count)
{
	uint32_t items = 0;
	int last = 0;

	for (; *digits != '\0'; digits++) {
		int digit = *digits - '0';

		if (digit <= last || digit > (int)item_count)
			return 0;
		items |= UINT32_C(1) << (digit - 1);
		last = digit;
	}
	return items;
}

/* 一二三: each character its own item; below two of them none. */
static size_t
read_han_digits(const struct naming *n, size_t at, uint32_t *items)
{
	struct reply_text one = *n->text;
	int64_t last = 0, micro = 0;
	size_t end = at;

	for (; end < n->text->count; end++) {
		one.count = end + 1;
		if (n->text->tokens[end].kind != TOKEN_HAN ||
		    quantity_number(&one, end, &micro) != end + 1 ||
		    micro % 1000000 != 0 || micro <= last ||
		    micro > (int64_t)n->question->item_count * 1000000)
			break;
		*items |= UINT32_C(1) << (micro / 1000000 - 1);
		last = micro;
	}
	if (end >= at + 2 &&
	    !reply_text_has(n->text, end, "天日周星片粒盒瓶板个月年点十"))
		return end;
	*items = 0;
	return at;
}

/* 前两个, 头两样, "first two"; 后面两个, "last two": several at one end. */
static size_t
read_end(const struct naming *n, size_t at, uint32_t *items)
{
	const struct reply_text *text = n->text;
	bool first =
	    reply_text_has(text, at, "前头上") || is_word(text, at, "first");
	bool last =
	    reply_text_has(text, at, "后末下") || is_word(text, at, "last");
	size_t count = n->question->item_count, end, from;
	int64_t micro = 0;

	if (!first && !last)
		return at;
	from = at + 1;
	if (text->tokens[at].kind == TOKEN_HAN)
		from += reply_text_has(text, from, "面头边");
	end = quantity_number(text, from, &micro);
	if (end == from || micro % 1000000 != 0 || micro < 2000000 ||
	    micro > (int64_t)count * 1000000)
		return at;
	if (text->tokens[at].kind == TOKEN_HAN) {
		if (text->tokens[end - 1].codepoint == 0x4fe9) /* 俩 */
			end--;
		if (!reply_text_has(text, end, "个项样种条款份俩"))
			return at;
		end++;
	}
	*items = (UINT32_C(1) << (micro / 1000000)) - 1;
	if (last)
		*items <<= count - (size_t)(micro / 1000000);
	return end;
}

/* One by its place: 后面那个, 中间的, 最后一个, "the last one". */
static size_t
read_place(const struct naming *n, size_t at, uint32_t *items)
{
	static const struct {
		const char *word, *han;
		int place; /* 1 first, 2 middle, 3 last */
	} places[] = {{"top", "上", 1}, {"middle", "中", 2},
	    {"bottom", "下", 3}, {"last", "后", 3}, {"former", "前", 1},
	    {"latter", "底", 3}};
	const struct reply_text *text = n->text;
	size_t count = n->question->item_count, end;
	bool han = at < text->count && text->tokens[at].kind == TOKEN_HAN;

	for (unsigned i = 0; i < COUNT(places) && count > 1; i++) {
		if (!is_word(text, at, places[i].word) &&
		    !reply_text_has(text, at, places[i].han))
			continue;
		end = at + 1 + reply_text_has(text, at + 1, "面头边间下");
		if (han && !reply_text_has(text, end, "那这一的"))
			return at;
		end += han;
		if (han && !reply_text_has(text, end, "个项样种条款份"))
			return at;
		if (places[i].place == 2 && count % 2 == 0)
			return at;
		*items = UINT32_C(1) << (places[i].place == 1   ? 0
					 : places[i].place == 2 ? count / 2
								: count - 1);
		return han ? end + 1 : end + is_word(text, end, "one");
	}
	return at;
}

static size_t
read_ordinal(const struct naming *n, size_t at, uint32_t *items)
{
	static const char *const ordinals[] = {
	    "first", "second", "third", "fourth", "fifth"};

	for (unsigned i = 0; i < COUNT(ordinals); i++)
		if (i < n->question->item_count &&
		    is_word(n->text, at, ordinals[i])) {
			*items = UINT32_C(1) << i;
			return at + 1 + is_word(n->text, at + 1, "one");
		}
	return at;
}

static size_t
read_number(const struct naming *n, size_t at, uint32_t *items)
{
	const struct reply_text *text = n->text;
	size_t count = n->question->item_count, end;
	int64_t micro = 0;

	end = read_end(n, at, items);
	if (end == at)
		end = read_place(n, at, items);
	if (end == at)
		end = read_ordinal(n, at, items);
	if (end == at)
		end = read_han_digits(n, at, items);
	if (end > at)
		return end;
	end = quantity_number(text, at, &micro);
	if (end == at || micro % 1000000 != 0 || micro <= 0 ||
	    text->tokens[at].codepoint == 'a' ||
	    text->tokens[at].codepoint == 'h' ||
	    text->tokens[at].codepoint == 0x4e24 || /* 两 counts */
	    (at > 0 && is_word(text, at - 1, "all")) ||
	    (at > 0 && reply_text_has(text, at - 1, "另这那哪每几")) ||
	    counts_something(n, at, end))
		return at;
	micro /= 1000000;
	if (micro <= (int64_t)count)
		*items = UINT32_C(1) << (micro - 1);
	else if (text->tokens[at].kind == TOKEN_NUMBER)
		*items = items_of_digits(text->tokens[at].word, count);
	if (*items == 0)
		return at;
	if (!reply_text_has(text, end, "个号项样种条"))
		return end;
	/* 第一个, 2号, 3项; yet 三个都要 counts them */
	if (reply_text_has(text, end + 1, "都全") &&
	    (at == 0 || !reply_text_has(text, at - 1, "第"))) {
		*items = 0;
		return at;
	}
	return end + 1;
}

/* The longest beginning of an item's name that stands here, from two on. */
static size_t
name_length(
    const struct reply_text *text, size_t at, const struct reply_text *name)
{
	size_t length = 0;

	while (length < name->count && at + length < text->count) {
		const struct reply_token *a = &text->tokens[at + length];
		const struct reply_token *b = &name->tokens[length];

		if (a->kind != b->kind ||
		    (a->word != NULL ? strcmp(a->word, b->word) != 0
				     : a->codepoint != b->codepoint))
			break;
		length++;
	}
	return length;
}

/* A name, or its end: 他汀 for 阿托伐他汀. */
static size_t
read_name(const struct naming *n, size_t at, uint32_t *items)
{
	size_t best = 0;

	for (size_t i = 0; i < n->question->item_count; i++) {
		const struct reply_text *name = &n->names[i];

		for (size_t from = 0; from < name->count; from++) {
			struct reply_text rest = {.tokens = name->tokens + from,
			    .count = name->count - from};
			size_t length = name_length(n->text, at, &rest);
			bool enough =
			    length == rest.count &&
			    (length >= 2 || (length == 1 && from == 0));

			if (!enough || length < best)
				continue;
			if (length > best)
				*items = 0;
			best = length;
			*items |= UINT32_C(1) << i;
		}
	}
	return at + best;
}

/* 剩下两个: the words that count the rest name no item. */
static size_t
skip_count(const struct reply_text *text, size_t at)
{
	int64_t micro = 0;
	size_t end = at;

	if (at < text->count && text->tokens[at].kind == TOKEN_HAN)
		end = quantity_number(text, at, &micro);
	if (end == at)
		return at;
	return end + reply_text_has(text, end, "个项样种条款份");
}

/* 其他, the rest: all that is named nowhere else, told by no bit at all. */
static size_t
read_rest(const struct naming *n, size_t at)
{
	static const char *const words[] = {"rest", "others", "other"};
	const struct reply_text *text = n->text;

	if (n->question->item_count < 2)
		return at;
	for (unsigned i = 0; i < COUNT(words); i++)
		if (is_word(text, at, words[i]))
			return at + 1;
	if ((reply_text_has(text, at, "其") &&
		reply_text_has(text, at + 1, "他它余")) ||
	    (reply_text_has(text, at, "别") &&
		reply_text_has(text, at + 1, "的")) ||
	    (reply_text_has(text, at, "剩") &&
		reply_text_has(text, at + 1, "下")))
		return skip_count(
		    text, at + 2 + reply_text_has(text, at + 2, "的"));
	return at;
}

/* ---- groups ---- */

static bool
is_joint(const struct reply_text *text, size_t at)
{
	return reply_text_has(text, at, "和跟与及加同第") ||
	       is_word(text, at, "and") || is_word(text, at, "n") ||
	       is_word(text, at, "the") || is_word(text, at, "plus") ||
	       (at < text->count && (text->tokens[at].kind == TOKEN_MARK ||
					text->tokens[at].kind == TOKEN_SPACE ||
					text->tokens[at].kind == TOKEN_BREAK));
}

static bool
is_range(const struct reply_text *text, size_t from, size_t to)
{
	return to == from + 1 && (reply_text_has(text, from, "到至") ||
				     is_word(text, from, "to") ||
				     text->tokens[from].codepoint == '-' ||
				     text->tokens[from].codepoint == '~');
}

static uint32_t
fill_between(uint32_t items)
{
	uint32_t low = items & -items;
	uint32_t high = low;

	while (high <= items / 2)
		high <<= 1;
	return (high | (high - 1)) & ~(low - 1);
}

/* Name one more: of the last group where only joints are between. */
static void
add_named(
    struct naming *n, size_t begin, size_t end, uint32_t items, bool number)
{
	struct group *last = n->count == 0 ? NULL : &n->groups[n->count - 1];
	bool joined = last != NULL && items != 0 && last->items != 0 &&
		      last->number == number;

	if (joined && is_range(n->text, last->end, begin)) {
		last->items = fill_between(last->items | items);
		last->end = end;
		return;
	}
	for (size_t i = last == NULL ? begin : last->end; i < begin; i++)
		joined = joined && is_joint(n->text, i);
	if (joined) {
		last->items |= items;
		last->end = end;
	} else if (n->count < GROUPS_MAX) {
		n->groups[n->count++] = (struct group){.begin = begin,
		    .end = end,
		    .items = items,
		    .number = number};
	}
}

/* The rest is what the other groups leave. */
static void
share_rest(struct naming *n)
{
	uint32_t named = 0;

	for (size_t i = 0; i < n->count; i++)
		named |= n->groups[i].items;
	for (size_t i = 0; i < n->count; i++)
		if (n->groups[i].items == 0)
			n->groups[i].items = all_items(n->question) & ~named;
}

static void
find_groups(struct naming *n)
{
	for (size_t at = 0; at < n->text->count;) {
		size_t begin = at, end;
		uint32_t items = 0;
		bool number = false;

		if (reply_text_has(n->text, at, "第"))
			at++;
		/* 二甲双胍 is a name, and no 2 */
		end = read_name(n, at, &items);
		if (end == at) {
			end = read_number(n, at, &items);
			number = end > at;
		}
		if (end == at)
			end = read_rest(n, at);
		if (end == at) {
			at = begin + 1;
			continue;
		}
		add_named(n, begin, end, items, number);
		at = end;
	}
}

static void
cut_names(struct naming *n, struct arena *arena)
{
	for (size_t i = 0; i < n->question->item_count; i++) {
		const char *item = n->question->items[i];
		const char *colon = strchr(item, ':');

		if (colon != NULL)
			reply_text_read(
			    colon + 1, strlen(colon + 1), arena, &n->names[i]);
		else if (strcmp(item, "followup") == 0)
			reply_text_read(
			    "复诊", strlen("复诊"), arena, &n->names[i]);
	}
}

/* ---- what is said of them ---- */

static enum reply_context
context_of(const struct reply_question *question, uint32_t items)
{
	const char *item =
	    question->items[items == 0 ? 0 : __builtin_ctz(items)];
	char kind[16];
	enum reply_context context;

	(void)strncpy(kind, item, sizeof(kind) - 1);
	kind[sizeof(kind) - 1] = '\0';
	kind[strcspn(kind, ":")] = '\0';
	return reply_context_find(kind, &context) ? context : REPLY_ON_REFILL;
}

static bool
is_silent(const struct reply_text *text)
{
	for (size_t i = 0; i < text->count; i++)
		if (!is_joint(text, i))
			return false;
	return true;
}

/* Do these labels, said of an item, mean that it is wanted? */
static bool
is_wanted(uint32_t labels)
{
	const uint32_t yes = (UINT32_C(1) << REPLY_REFILL_YES) |
			     (UINT32_C(1) << REPLY_FOLLOWUP_CONFIRM) |
			     (UINT32_C(1) << REPLY_ITEM_CHOICE) |
			     (UINT32_C(1) << REPLY_THANKS_OR_CHITCHAT) |
			     (UINT32_C(1) << REPLY_UNCLEAR) |
			     (UINT32_C(1) << REPLY_CAREGIVER);

	return (labels & ~yes) == 0;
}

/* Do the words begin with a negation, and end with something seen or known? */
static bool
is_unknown(const struct reply_text *part)
{
	size_t at = 0;

	while (at < part->count &&
	       (is_joint(part, at) || reply_text_has(part, at, "我还都也就")))
		at++;
	if (!reply_text_has(part, at, "没不未"))
		return false;
	for (at++; at < part->count; at++)
		if (reply_text_has(part, at, "看数查点算清知晓记"))
			return true;
	return false;
}

/* Judge one group by the words said of it; true: chosen. */
static bool
judge(struct sense *sense, const struct naming *n, const struct group *group,
    size_t begin, size_t end)
{
	struct reply_text part = {.text = n->text->text,
	    .tokens = n->text->tokens + begin,
	    .count = end - begin};
	struct sense said;
	uint32_t labels;

	if (is_silent(&part))
		return true;
	sense_init(&said, sense->rules, sense->arena);
	sense_read(&said, &part, context_of(n->question, group->items));
	labels = sense_labels(&said);
	/* 别的没细看, 不清楚: nothing is known of it */
	if (is_wanted(labels))
		return group->number || labels != 0 || !is_unknown(&part);
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		if (said.rule_of[i] != NULL && !reply_label_row(i)->alone)
			sense_add(sense, i, said.rule_of[i]);
	if (sense->slots.when == NULL)
		sense->slots.when = said.slots.when;
	if (sense->slots.days_left < 0)
		sense->slots.days_left = said.slots.days_left;
	if (sense->slots.unit == NULL) {
		sense->slots.units_left_micro = said.slots.units_left_micro;
		sense->slots.unit = said.slots.unit;
	}
	if (sense->slots.until == NULL)
		sense->slots.until = said.slots.until;
	sense->slots.later = sense->slots.later || said.slots.later;
	return false;
}

/* 除了2都要, 2以外: all but these */
static bool
is_exception(const struct naming *n)
{
	const struct group *first = &n->groups[0];

	for (size_t i = 0; i < first->begin; i++)
		if (reply_text_has(n->text, i, "除") ||
		    is_word(n->text, i, "except") || is_word(n->text, i, "but"))
			return true;
	return reply_text_has(n->text, first->end, "以") &&
	       reply_text_has(n->text, first->end + 1, "外");
}

/*
 * Do the words ahead of each item tell of it ("不要2，续1"), and not those
 * behind?  Of "药吃了，1续" what is ahead is kept, and told of no item.
 */
static bool
has_lead(struct sense *sense, const struct naming *n)
{
	struct reply_text lead = *n->text, tail = *n->text;
	const struct group *last = &n->groups[n->count - 1];
	struct sense said;
	uint32_t labels;

	lead.count = n->groups[0].begin;
	tail.tokens += last->end;
	tail.count -= last->end;
	if (is_silent(&lead))
		return false;
	sense_init(&said, sense->rules, sense->arena);
	sense_read(&said, &lead, context_of(n->question, n->groups[0].items));
	labels =
	    sense_labels(&said) & ~(UINT32_C(1) << REPLY_THANKS_OR_CHITCHAT);
	if (labels == 0 || is_silent(&tail))
		return labels != 0;
	for (unsigned i = 0; i < REPLY_LABEL_COUNT; i++)
		if (labels >> i & 1 && !is_wanted(UINT32_C(1) << i))
			sense_add(sense, i, said.rule_of[i]);
	return false;
}

/*
 * Where the words behind a group end: at the next group, or, of "1够了，要2",
 * ahead of the clause that leads to it.
 */
static size_t
words_end(const struct naming *n, size_t i)
{
	size_t begin = n->groups[i].end, end, at;
	struct reply_text tail = *n->text;

	if (i + 1 == n->count)
		return n->text->count;
	end = n->groups[i + 1].begin;
	tail.tokens += n->groups[i + 1].end;
	tail.count =
	    (i + 2 < n->count ? n->groups[i + 2].begin : n->text->count) -
	    n->groups[i + 1].end;
	if (!is_silent(&tail))
		return end;
	for (at = end; at > begin; at--)
		if (n->text->tokens[at - 1].kind == TOKEN_BREAK)
			return at;
	return end;
}

static uint32_t
choose(struct sense *sense, const struct naming *n)
{
	bool lead = has_lead(sense, n);
	uint32_t chosen = 0;

	for (size_t i = 0; i < n->count; i++) {
		const struct group *group = &n->groups[i];
		size_t begin = group->end;
		size_t end = words_end(n, i);

		if (lead) {
			begin = i == 0 ? 0 : n->groups[i - 1].end;
			end = group->begin;
		} else if (i > 0 && words_end(n, i - 1) < group->begin) {
			begin = words_end(n, i - 1);
			end = group->begin;
		}
		if (judge(sense, n, group, begin, end))
			chosen |= group->items;
	}
	return chosen;
}

bool
sense_items(struct sense *sense, const struct reply_text *text,
    const struct reply_question *question)
{
	struct naming n = {.text = text, .question = question};
	uint32_t chosen;

	if (question->item_count == 0 || question->item_count > REPLY_ITEMS_MAX)
		return false;
	quantities_find(text, sense->arena, &n.quantities);
	cut_names(&n, sense->arena);
	find_groups(&n);
	if (n.count == 0 || (n.count == 1 && n.groups[0].items == 0))
		return false;
	share_rest(&n);
	if (is_exception(&n))
		chosen = all_items(question) & ~n.groups[0].items;
	else
		chosen = choose(sense, &n);
	if (chosen == 0)
		return true;
	sense_add(sense, REPLY_ITEM_CHOICE, "items");
	sense->slots.item_count = 0;
	for (size_t i = 0; i < question->item_count; i++)
		if (chosen >> i & 1)
			sense->slots.items[sense->slots.item_count++] =
			    (int)i + 1;
	return true;
}
