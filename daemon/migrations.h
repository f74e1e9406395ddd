#ifndef ADHERD_MIGRATIONS_H
#define ADHERD_MIGRATIONS_H

#include <stddef.h>

/* Every migrations/NNNN_what.sql, embedded at build, in order. */
struct migration {
	int number;
	const char *name;   /* "0001_schema" */
	const char *sha256; /* hex, of the file */
	const char *text;
};

extern const struct migration migrations[];
extern const size_t migration_count;

#endif
