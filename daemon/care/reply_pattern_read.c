/*
 * Reading of patterns, strictly: what is wrong is a fixed phrase and the
 * place.  Pure; patterns live in the reader's arena.
 */
#include <string.h>

#include <utf8proc.h>

#include "care/reply_words.h"

#define DEPTH_MAX 8 /* of groups in each other */
#define NAME_BYTES_MAX 31
#define NUMBER_MAX 100000

static bool
fail(struct pattern_reader *reader, const char *wrong)
{
	if (reader->wrong == NULL)
		reader->wrong = wrong;
	return false;
}

bool
pattern_ends_loosely(const struct pattern *pattern)
{
	const struct pattern_node *nodes = pattern->nodes;
	enum node_kind last = nodes[pattern->node_count - 1].kind;

	return last == NODE_MAYBE || last == NODE_GAP;
}

static bool read_choices(struct pattern_reader *reader, const char **at,
    char close, int depth, struct list *choices);

static struct pattern_node *
add_node(struct list *nodes, enum node_kind kind)
{
	struct pattern_node *node = list_add(nodes);

	node->kind = kind;
	return node;
}

static bool
read_set(struct pattern_reader *reader, const char **at, struct list *out)
{
	const char *end = strchr(*at, '}');
	struct pattern_node *node;
	char name[NAME_BYTES_MAX + 1];

	if (end == NULL)
		return fail(reader, "a { without its }");
	if (end == *at + 1 || end - *at - 1 > NAME_BYTES_MAX)
		return fail(reader, "a set's name of 1 to 31 bytes is missing");
	memcpy(name, *at + 1, (size_t)(end - *at - 1));
	name[end - *at - 1] = '\0';
	node = add_node(out, NODE_SET);
	node->set = pattern_set_find(reader->book, name);
	*at = end + 1;
	if (node->set == NULL)
		return fail(reader, "names a set that is not defined above");
	if (reader->within != NULL &&
	    pattern_set_holds(node->set, reader->within))
		return fail(reader, "a set that would hold itself");
	return true;
}

static bool
read_group(
    struct pattern_reader *reader, const char **at, int depth, struct list *out)
{
	bool maybe = **at == '[';
	struct pattern_node *node =
	    add_node(out, maybe ? NODE_MAYBE : NODE_GROUP);
	struct list choices;

	if (depth == DEPTH_MAX)
		return fail(reader, "groups are nested too deeply");
	++*at;
	list_init(&choices, reader->book->scratch, sizeof(struct pattern));
	if (!read_choices(reader, at, maybe ? ']' : ')', depth + 1, &choices))
		return false;
	pattern_keep(reader->book, &choices);
	node->choices = pattern_share(reader->book, &choices, sizeof(choices));
	++*at;
	return true;
}

static bool
starts(const char **at, const char *word)
{
	size_t bytes = strlen(word);

	if (strncmp(*at, word, bytes) != 0)
		return false;
	*at += bytes;
	return true;
}

/*
 * `@160+`, `@90-`: at least, at most; `@.@`: "9.20", no whole number; of `@`
 * alone any number.
 */
static struct pattern_bounds
read_bounds(const char **at)
{
	struct pattern_bounds bounds;
	const char *digits;
	int64_t value = 0;

	memset(&bounds, 0, sizeof(bounds)); /* its padding, too: it is shared */
	bounds.most = INT64_MAX;
	bounds.fraction = starts(at, ".@");
	digits = *at;
	for (; *digits >= '0' && *digits <= '9' && value < NUMBER_MAX; digits++)
		value = value * 10 + (*digits - '0');
	if (digits == *at || (*digits != '+' && *digits != '-'))
		return bounds;
	if (*digits == '+')
		bounds.least = value * MICRO;
	else
		bounds.most = value * MICRO;
	*at = digits + 1;
	return bounds;
}

static bool
read_mark(struct pattern_reader *reader, const char **at, struct list *out)
{
	static const struct {
		const char *text;
		enum node_kind kind;
		int gap;
	} marks[] = {
	    {"...", NODE_GAP, GAP_FAR},
	    {"..", NODE_GAP, GAP_LONG},
	    {"_", NODE_GAP, GAP_SHORT},
	    {"^^", NODE_TEXT_START, 0},
	    {"^", NODE_CLAUSE_START, 0},
	    {"$$", NODE_TEXT_END, 0},
	    {"$", NODE_CLAUSE_END, 0},
	    {"@days", NODE_DAYS, 0},
	    {"@units", NODE_UNITS, 0},
	    {"@", NODE_NUMBER, 0},
	};
	struct pattern_bounds bounds;

	for (unsigned i = 0; i < COUNT(marks); i++)
		if (starts(at, marks[i].text)) {
			struct pattern_node *node =
			    add_node(out, marks[i].kind);

			if (node->kind != NODE_NUMBER) {
				node->gap = marks[i].gap;
				return true;
			}
			bounds = read_bounds(at);
			node->bounds = pattern_share(
			    reader->book, &bounds, sizeof(bounds));
			return true;
		}
	return false;
}

static bool
is_letter(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* A word without its apostrophes, or digits; with a star its beginning. */
static void
read_word(struct pattern_reader *reader, const char **at, struct list *out)
{
	const char *from = *at;
	bool digits = !is_letter(**at);
	enum node_kind kind;
	size_t bytes = 0;
	char *word;

	while (digits ? **at >= '0' && **at <= '9'
		      : is_letter(**at) || **at == '\'')
		++*at;
	word = arena_text_n(reader->book->scratch, from, (size_t)(*at - from));
	kind = **at == '*' ? NODE_STEM : NODE_WORD;
	for (const char *c = word; *c != '\0'; c++)
		if (*c != '\'')
			word[bytes++] =
			    (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	word[bytes] = '\0';
	add_node(out, kind)->number =
	    pattern_words_add(reader->book->words, kind, 0, word, bytes);
	if (**at == '*')
		++*at;
}

static bool
read_literal(struct pattern_reader *reader, const char **at, struct list *out)
{
	utf8proc_int32_t codepoint;
	utf8proc_ssize_t used =
	    utf8proc_iterate((const utf8proc_uint8_t *)*at, -1, &codepoint);
	uint32_t folded[8];
	size_t count;

	if (used <= 0)
		return fail(reader, "not UTF-8");
	*at += used;
	count = reply_fold((uint32_t)codepoint, folded, COUNT(folded));
	if (count > 1)
		return fail(reader, "a character that stands for several");
	if (count == 1)
		add_node(out, NODE_LITERAL)->number = pattern_words_add(
		    reader->book->words, NODE_LITERAL, folded[0], NULL, 0);
	return true;
}

static bool
read_node(
    struct pattern_reader *reader, const char **at, int depth, struct list *out)
{
	if (**at == '{')
		return read_set(reader, at, out);
	if (**at == '(' || **at == '[')
		return read_group(reader, at, depth, out);
	if (read_mark(reader, at, out))
		return true;
	if (is_letter(**at) || (**at >= '0' && **at <= '9')) {
		read_word(reader, at, out);
		return true;
	}
	if (**at > 0 && strchr("?!,/:&+-%~", **at) == NULL)
		return fail(reader, "a mark that patterns do not have");
	return read_literal(reader, at, out);
}

/* Is there anything in it that must be there?  At the top a mark is none. */
static bool
says_something(const struct pattern *pattern, int depth)
{
	const struct pattern_node *nodes = pattern->nodes;

	for (size_t i = 0; i < pattern->node_count; i++)
		if (nodes[i].kind != NODE_MAYBE && nodes[i].kind != NODE_GAP &&
		    (depth > 0 || !node_is_mark(nodes[i].kind)))
			return true;
	return false;
}

/* Up to the closing mark, which is left; '\0': up to the end. */
static bool
read_choices(struct pattern_reader *reader, const char **at, char close,
    int depth, struct list *choices)
{
	for (;;) {
		struct pattern pattern = {.key_count = 0};
		struct list nodes;

		list_init(
		    &nodes, reader->book->scratch, sizeof(struct pattern_node));
		for (; *at += strspn(*at, " \t"),
		     **at != '|' && **at != close && **at != '\0';)
			if (!read_node(reader, at, depth, &nodes))
				return false;
		if (nodes.count == 0)
			return fail(reader, "an empty choice");
		pattern_keep(reader->book, &nodes);
		pattern.nodes = nodes.data;
		pattern.node_count = (uint32_t)nodes.count;
		if (!says_something(&pattern, depth))
			return fail(
			    reader, "a choice all of which may be missing");
		pattern_keys(reader->book, &pattern);
		*(struct pattern *)list_add(choices) = pattern;
		if (**at != '|')
			return **at == close ||
			       fail(reader, "a ( or [ that is not closed");
		++*at;
	}
}

bool
pattern_read(
    struct pattern_reader *reader, const char *text, struct list *choices)
{
	const char *at = text;
	bool good = read_choices(reader, &at, '\0', 0, choices);

	arena_reset(reader->book->scratch);
	reader->where = at;
	return good;
}
