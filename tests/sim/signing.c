/*
 * The common parts of the vendors' signatures.  Pure.
 */
#include "tests/sim/signing.h"

#include <string.h>
#include <strings.h>

#include "base/crypto.h"

bool
signing_read(const char *text, const char *const labels[3], struct arena *arena,
    struct signing_fields *out)
{
	const char **fields[] = {
	    &out->credential, &out->signed_headers, &out->signature};

	for (size_t i = 0; i < COUNT(fields); i++) {
		size_t bytes = strlen(labels[i]);

		if (strncmp(text, labels[i], bytes) != 0)
			return false;
		text += bytes;
		bytes = strcspn(text, ", ");
		*fields[i] = arena_text_n(arena, text, bytes);
		text += bytes;
	}
	return *text == '\0';
}

bool
signing_listed(const char *name, const char *list)
{
	size_t bytes = strlen(name);

	while (*list != '\0') {
		size_t item = strcspn(list, ";");

		if (item == bytes && strncasecmp(list, name, bytes) == 0)
			return true;
		list += item;
		list += *list == ';';
	}
	return false;
}

const char *
signing_trimmed(const char *text, struct arena *arena)
{
	size_t bytes;

	text += strspn(text, " \t");
	bytes = strlen(text);
	while (bytes > 0 && strchr(" \t", text[bytes - 1]) != NULL)
		bytes--;
	return arena_text_n(arena, text, bytes);
}

void
signing_hex_sha256(const void *data, size_t bytes, char out[65])
{
	uint8_t digest[32];

	crypto_sha256(data, bytes, digest);
	crypto_hex(digest, sizeof(digest), out);
}
