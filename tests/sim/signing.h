#ifndef ADHERD_TESTS_SIM_SIGNING_H
#define ADHERD_TESTS_SIM_SIGNING_H

#include "base/mem.h"

/*
 * What ACS3 and TC3 have in common: an Authorization header of three fields,
 * a list of signed headers, digests as text.
 */
struct signing_fields {
	const char *credential;
	const char *signed_headers;
	const char *signature;
};

/* Each field after its label, exactly; nothing behind the last. */
bool signing_read(const char *text, const char *const labels[3],
    struct arena *arena, struct signing_fields *out);
/* Is name (any case) one of a list joined by ";"? */
bool signing_listed(const char *name, const char *list);
/* Without blanks before and behind. */
const char *signing_trimmed(const char *text, struct arena *arena);
void signing_hex_sha256(const void *data, size_t bytes, char out[65]);

#endif
