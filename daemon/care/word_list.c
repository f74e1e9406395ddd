/*
 * Lists of words: reading them and finding their words in a text.  Pure; a
 * list lives in the arena of the findings that it was read with.
 */
#include "care/word_list.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"

#define WORD_BYTES_MAX 96
#define WORDS_MAX 2000 /* in one list */

struct word {
	const char *text;
	struct list harmless; /* const char *: phrases that hold it */
};

const char *
word_list_word(enum word_list_name name)
{
	static const char *const words[] = {
	    [WORDS_ADVERTISING] = "advertising",
	    [WORDS_PROMOTION] = "promotion",
	    [WORDS_OPT_OUT] = "opt_out",
	    [WORDS_SENSITIVE] = "sensitive",
	    [WORDS_REPROACH] = "reproach",
	    [WORDS_PURCHASE] = "purchase",
	};

	return words[name];
}

/* ---- reading ---- */

/* The text from `from` to `end` without the blanks around it. */
static const char *
take_phrase(struct arena *arena, const char *from, const char *end)
{
	while (from < end && strchr(" \t", *from) != NULL)
		from++;
	while (end > from && strchr(" \t\r", end[-1]) != NULL)
		end--;
	return arena_text_n(arena, from, (size_t)(end - from));
}

/* What stands after the `!`: phrases with commas, each holding the word. */
static const char *
take_harmless(
    struct arena *arena, struct word *word, const char *from, const char *end)
{
	while (from < end) {
		const char *comma = memchr(from, ',', (size_t)(end - from));
		const char *stop = comma == NULL ? end : comma;
		const char *phrase = take_phrase(arena, from, stop);

		if (strcasestr(phrase, word->text) == NULL)
			return "a harmless phrase that does not hold the word";
		*(const char **)list_add(&word->harmless) = phrase;
		from = stop + 1;
	}
	return NULL;
}

/* NULL, or what is wrong with the line. */
static const char *
take_line(struct word_list *list, struct arena *arena, const char *from,
    const char *end)
{
	const char *bang = memchr(from, '!', (size_t)(end - from));
	struct word word;

	word.text = take_phrase(arena, from, bang == NULL ? end : bang);
	list_init(&word.harmless, arena, sizeof(const char *));
	if (word.text[0] == '\0')
		return bang == NULL ? NULL : "no word before the !";
	if (!json_is_utf8(word.text))
		return "not UTF-8";
	if (strlen(word.text) > WORD_BYTES_MAX)
		return "too long a word";
	if (list->words.count == WORDS_MAX)
		return "too many words";
	*(struct word *)list_add(&list->words) = word;
	/* the list has its own copy of the word, and it is the last one */
	return bang == NULL ? NULL
			    : take_harmless(arena,
				  (struct word *)list->words.data +
				      list->words.count - 1,
				  bang + 1, end);
}

void
word_list_read(struct word_list *list, const char *file, const char *text,
    struct findings *findings)
{
	struct place place = {.file = file};

	list_init(&list->words, findings->arena, sizeof(struct word));
	for (const char *at = text; *at != '\0';) {
		const char *line_end = at + strcspn(at, "\n");
		const char *end = memchr(at, '#', (size_t)(line_end - at));
		const char *wrong = take_line(
		    list, findings->arena, at, end == NULL ? line_end : end);

		place.line++;
		if (wrong != NULL)
			findings_add(findings, &place, SEVERITY_ERROR,
			    "word-list", "%s", wrong);
		at = line_end + (*line_end == '\n');
	}
}

/* ---- finding ---- */

static bool
is_latin(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9');
}

/* Does the phrase stand at this offset, with no Latin letter cut off? */
static bool
stands_at(const char *text, size_t bytes, size_t at, const char *phrase)
{
	size_t length = strlen(phrase), end = at + length;

	if (end > bytes || strncasecmp(text + at, phrase, length) != 0)
		return false;
	return !(is_latin(phrase[0]) && at > 0 && is_latin(text[at - 1])) &&
	       !(is_latin(phrase[length - 1]) && end < bytes &&
		   is_latin(text[end]));
}

/* Is the word at this offset part of one of its harmless phrases? */
static bool
is_harmless(const struct word *word, const char *text, size_t bytes, size_t at)
{
	const char *const *phrases = word->harmless.data;

	for (size_t i = 0; i < word->harmless.count; i++) {
		const char *phrase = phrases[i], *inside = phrase;

		while ((inside = strcasestr(inside, word->text)) != NULL) {
			size_t before = (size_t)(inside - phrase);

			if (before <= at &&
			    stands_at(text, bytes, at - before, phrase))
				return true;
			inside++;
		}
	}
	return false;
}

const char *
word_list_find(
    const struct word_list *list, const char *text, size_t bytes, size_t *at)
{
	const struct word *words = list->words.data;
	const char *found = NULL;

	for (; *at < bytes; ++*at) {
		for (size_t i = 0; i < list->words.count; i++)
			if (stands_at(text, bytes, *at, words[i].text) &&
			    !is_harmless(&words[i], text, bytes, *at) &&
			    (found == NULL ||
				strlen(words[i].text) > strlen(found)))
				found = words[i].text;
		if (found != NULL)
			return found;
	}
	return NULL;
}
