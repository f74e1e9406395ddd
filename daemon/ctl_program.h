#ifndef ADHERD_CTL_PROGRAM_H
#define ADHERD_CTL_PROGRAM_H

#include "care/program_read.h"
#include "ctl.h"

/*
 * Programs as documents: what the verbs `program` and `plan` share.
 */
struct program_request { /* the command line of `program …` */
	const char *tenant;
	const char *product_class;
	const char *kind;
	int32_t version; /* 0: the newest */
	bool touch, standard;
	struct list paths; /* const char * */
};

struct program_file {
	const char *where; /* "refill.json", "all.json[2]", "stored …" */
	struct program_document document;
};

/*
 * The documents of files (one, or an array of them), of folders of files
 * NAME.json, of "-"; "default" has none.  Exits with a message where one is
 * not right.  All of it lives in the ctl's arena.
 */
uint32_t ctl_programs_read(struct ctl *ctl, const char *const *paths,
    size_t count, const struct program_file **files);
/*
 * The documents in force for a tenant (kind -1), or those that were at a
 * version of a kind, in the ctl's arena; what is no document is said on
 * stderr and left out.
 */
uint32_t ctl_programs_load(struct ctl *ctl, int32_t tenant_id, int16_t kind,
    int32_t version, const struct program_file **files);
/* The rules that they make; exits with a message where they make none. */
const struct rules *ctl_programs_rules(
    struct ctl *ctl, const struct program_file *files, uint32_t count);
/* "refill strips" */
const char *ctl_program_name(
    struct ctl *ctl, const struct program_document *document);
/* Of one kind and class? */
bool program_document_same(
    const struct program_document *a, const struct program_document *b);
/* Read the whole line; exits with the usage where it is not right. */
void program_request_read(struct ctl *ctl, const struct ctl_verb *verb,
    int argc, char **argv, struct program_request *r);

#endif
