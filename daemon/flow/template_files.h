#ifndef ADHERD_FLOW_TEMPLATE_FILES_H
#define ADHERD_FLOW_TEMPLATE_FILES_H

#include "care/template_check.h"

/* A shipped list of words, made from templates/words/ at build. */
struct word_file {
	const char *name; /* "advertising" */
	const char *text;
};
extern const struct word_file word_files[];
extern const size_t word_file_count;

/*
 * Read templates/: KIND/LOCALE.tpl and KIND/LOCALE.CHANNEL.tpl, all of them
 * or none.  NULL with error for a file that cannot be read, is not right, or
 * says what the law forbids.  Whether every message has a text is
 * template_set_check()'s to say.
 */
must_check struct template_set *template_files_load(const char *directory,
    const char *default_locale, struct conf_error *error);
/*
 * The same, as far as it can be read: what is wrong goes to the findings.
 * NULL with error if the directory itself cannot be read.
 */
must_check struct template_set *template_files_read(const char *directory,
    const char *default_locale, struct findings *findings,
    struct conf_error *error);
/*
 * The lists of words: words/NAME.txt of the directory where it is there,
 * else the shipped one, with a warning.  In the findings' arena.
 */
void template_files_words(
    const char *directory, struct word_lists *words, struct findings *findings);

#endif
