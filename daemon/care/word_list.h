#ifndef ADHERD_CARE_WORD_LIST_H
#define ADHERD_CARE_WORD_LIST_H

#include "care/finding.h"

/*
 * Words that have no place in some texts, as files that a pharmacist can
 * read and change: templates/words/NAME.txt.  One word or phrase a line,
 * after a `!` the phrases in which it is harmless; `#` begins a comment:
 *
 *	第一 ! 第一次, 第一天
 *
 * Latin letters match in either case and only as whole words.
 */
enum word_list_name {
	WORDS_ADVERTISING, /* claims, guarantees, absolutes: never */
	WORDS_PROMOTION,   /* offers: not in a notification */
	WORDS_OPT_OUT,     /* how to refuse: in promotions only */
	WORDS_SENSITIVE,   /* what reveals an illness */
	WORDS_REPROACH,    /* not after a run-out, nor in doses */
	WORDS_PURCHASE,    /* not in a renewal: it asks for a visit */
	WORDS_COUNT
};

struct word_list {
	struct list words; /* struct word, internal */
};

struct word_lists {
	struct word_list lists[WORDS_COUNT];
};

const char *word_list_word(enum word_list_name name); /* "advertising" */
/* Read a file's text; everything in the findings' arena. */
void word_list_read(struct word_list *list, const char *file, const char *text,
    struct findings *findings);
/*
 * The first word of the list in these bytes from *at on, where *at is left;
 * NULL: none.  Of two that begin at one place the longer is told.
 */
const char *word_list_find(
    const struct word_list *list, const char *text, size_t bytes, size_t *at);

#endif
