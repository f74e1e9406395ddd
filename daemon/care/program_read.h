#ifndef ADHERD_CARE_PROGRAM_READ_H
#define ADHERD_CARE_PROGRAM_READ_H

#include "base/conf.h"
#include "base/json.h"
#include "care/program.h"

/*
 * Programs as documents:
 *
 *	{"kind": "refill", "product_class": "strips",
 *	 "settings": {"stages": ["-7d", "-1d"], "time": "09:30"}}
 *
 * A setting that a document of a product class does not name is that of its
 * kind, and what that one does not name is as program_default() has it.
 * The kind "all" has what holds for all kinds.  One table row per setting
 * makes the parser, what `adherctl program show` prints, and the manual.
 */
#define PROGRAM_CLASS_BYTES_MAX 64
#define PROGRAM_BYTES_MAX ((size_t)64 << 10) /* of one document */
#define PROGRAM_CLASSES_MAX 256 /* programs of product classes of a tenant */

struct program_document {
	enum kind kind;            /* 0: "all" */
	const char *product_class; /* "": none */
	int32_t version;           /* 0: not stored */
	const struct json *settings;
};

/* "refill"; "all" for 0. */
const char *program_kind_word(enum kind kind);
must_check bool program_kind_parse(const char *word, enum kind *kind);
/* A word that can name a class: letters, digits, "-", "_" and "."; or "". */
must_check bool program_class_valid(const char *word);

/*
 * The envelope of a document: kind, class, and that there are settings.
 * Borrows from the JSON.  -1 with error "kind: …".
 */
must_check int program_document_read(const struct json *json,
    struct program_document *document, struct conf_error *error);
/* The same of one that was not read: from the database, say. */
must_check int program_document_check(
    const struct program_document *document, struct conf_error *error);
/*
 * The rules that these documents make, at most one of each kind and class;
 * what they allocate lives in the arena.  -1 with error "settings.stages[2]:
 * …" and the index of the document that it concerns.
 */
must_check int program_compose(const struct program_document *documents,
    uint32_t count, struct arena *arena, struct rules *rules, uint32_t *culprit,
    struct conf_error *error);

/* ---- the table, for people ---- */

/* One setting of a program as it is in force. */
struct program_row {
	const char *key;
	const char *value; /* JSON */
	const char *help;
};

/* The settings of a kind and class; count rows in the arena. */
uint32_t program_rows(const struct rules *rules, enum kind kind,
    const char *product_class, struct arena *arena,
    const struct program_row **rows);
/* All settings of all kinds as mdoc list items. */
void program_manual(struct buf *out);

#endif
