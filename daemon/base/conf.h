#ifndef ADHERD_BASE_CONF_H
#define ADHERD_BASE_CONF_H

#include "base/buf.h"

/*
 * Configuration files with git-style sections: `[gateway "sms-ali"]`,
 * `key = value`, `#` and `;` comments, values quoted with "…" (\" \\ \n \t)
 * where they need it, a trailing \ joins lines.  Read whole into entries
 * first; tables then check and take them, so an unknown key is an error
 * with file, line and the nearest known key.
 */
struct conf_entry {
	const char *section; /* lower case */
	const char *name;    /* subsection, or NULL */
	const char *key;     /* NULL: the section header itself */
	const char *value;
	const char *file;
	int line;
	int column; /* of the value, in bytes from 1; 0: not as written there */
	bool taken;
};

struct conf {
	struct arena *arena;
	struct list entries; /* struct conf_entry */
};

enum conf_type {
	CONF_TEXT,     /* const char * */
	CONF_INTEGER,  /* int64_t, min..max */
	CONF_BOOLEAN,  /* bool: yes no true false on off */
	CONF_DURATION, /* int64_t microseconds: 500ms 20s 5m 2h 1d */
	CONF_BYTES,    /* int64_t: 64k 10M */
	CONF_WORD,     /* int: index in words */
	CONF_LIST      /* const char **, NULL-ended, split at commas */
};

struct conf_setting {
	const char *section;
	const char *key;
	enum conf_type type;
	size_t offset;            /* in the target struct */
	const char *standard;     /* default as written in a file; NULL: none */
	int64_t min, max;         /* numbers; both 0: any */
	const char *const *words; /* CONF_WORD, NULL-ended */
	const char *help;         /* one or two sentences */
	bool required;
	bool secret; /* masked when dumped */
	bool fixed;  /* not to be changed while the program runs */
};

#define CONF_WORD_BYTES_MAX 64 /* of a section or key */

struct conf_error {
	char text[512]; /* "adherd.conf:12: unknown key …; did you mean …?" */
};

struct conf *conf_create(void);
void conf_free(struct conf *conf);
/* Add a file's entries; -1 with error. Call again for conf.d files. */
must_check int conf_read(
    struct conf *conf, const char *path, struct conf_error *error);
must_check int conf_read_text(struct conf *conf, const char *name,
    const char *text, struct conf_error *error);
/* Write "FILE:LINE: …" into error; line 0, file NULL: left out.  Always -1. */
int conf_fail(struct conf_error *error, const char *file, int line,
    const char *format, ...) printf_like(4, 5);
/*
 * The same for what is wrong with a key: "FILE:LINE: key "KEY": …", at the
 * entry, or where it is not set at the section.  key NULL: the section.
 */
int conf_blame(const struct conf *conf, const char *section, const char *name,
    const char *key, struct conf_error *error, const char *format, ...)
    printf_like(6, 7);
/*
 * Take the entries of one section (and subsection, or NULL) into target by
 * the rows of the table that name that section; defaults first.  -1 with
 * error for an unknown or repeated key, a bad value, a missing required one.
 * Entries that are marked as taken are another's and left alone.
 */
must_check int conf_take(struct conf *conf, const char *section,
    const char *name, const struct conf_setting *table, size_t count,
    void *target, struct conf_error *error);
/* The subsections of a section, in file order, NULL-ended, in the arena. */
const char **conf_names(struct conf *conf, const char *section);
/* Is the key set there?  key NULL: is there such a section? */
must_check bool conf_has(const struct conf *conf, const char *section,
    const char *name, const char *key);
/* -1 and error if a section is not one of the known, which end with NULL. */
must_check int conf_check_sections(struct conf *conf,
    const char *const *known_sections, struct conf_error *error);
/* The same, and if a section is there that nobody took. */
must_check int conf_check_taken(struct conf *conf,
    const char *const *known_sections, struct conf_error *error);
/* The table as a commented example file, or as mdoc list items. */
void conf_example(
    const struct conf_setting *table, size_t count, struct buf *out);
void conf_manual(
    const struct conf_setting *table, size_t count, struct buf *out);
/* The settings in force, secrets masked. */
void conf_dump(const struct conf_setting *table, size_t count,
    const char *section, const char *name, const void *target, struct buf *out);
/* One line of a file, as it was read: "key = value". */
void conf_dump_entry(const struct conf_entry *entry, struct buf *out);
/* Do both targets hold the same value of this setting? */
must_check bool conf_same(
    const struct conf_setting *setting, const void *a, const void *b);
/* The word nearest to given (Levenshtein), or NULL if none is near. */
const char *conf_nearest(
    const char *given, const char *const *words, size_t count);

#endif
