#ifndef ADHERD_BASE_KEYRING_H
#define ADHERD_BASE_KEYRING_H

#include "base/buf.h"

/*
 * Sealed fields and blind indexes.  A key ring file holds one key a line,
 * `id base64-of-32-bytes`, id 1..255; the first line seals, all open.  The
 * line `index base64` is the blind index key.  Envelope: version 1 | key id
 * | nonce 12 | ciphertext | tag 16.  Purpose keys come by HKDF from
 * (label, tenant).
 */
struct keyring;

/* NULL with a message in error if the file is missing, malformed, or
 * readable by group or others. */
struct keyring *keyring_open(const char *path, char *error, size_t bytes);
void keyring_free(struct keyring *keyring); /* wipes */
/*
 * Put other keys in the place of these; the fresh ring is gone after it.
 * Only where the index key is the same: addresses are found by it.
 */
bool keyring_may_replace(
    const struct keyring *keyring, const struct keyring *fresh);
void keyring_replace(struct keyring *keyring, struct keyring *fresh);
/* Make a fresh ring file, mode 0600; refuses to overwrite. */
must_check int keyring_create(const char *path, char *error, size_t bytes);

/*
 * Seal text bound to its row: context names tenant, table, column and row
 * key ("1/contact/address/731/42/1").  Appends to out.
 */
void keyring_seal(struct keyring *keyring, int32_t tenant_id,
    const char *context, const char *text, struct buf *out);
/* The text in the arena, or NULL (wrong key, row or bytes). */
must_check const char *keyring_open_text(struct keyring *keyring,
    int32_t tenant_id, const char *context, const uint8_t *sealed, size_t bytes,
    struct arena *arena);
/* HMAC-SHA256(index key, tenant | field | value), first 16 bytes. */
void keyring_index(struct keyring *keyring, int32_t tenant_id,
    const char *field, const char *value, uint8_t out[16]);

#endif
