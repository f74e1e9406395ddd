/*
 * Contexts of sealed fields: tenant, table, column and row key, so that a
 * value opens in its own row only.  No side effects.
 */
#include "flow/seal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/crypto.h"

#define CONTEXT_MAX 96 /* the longest has 87 bytes */

static void
context_of_address(
    const struct seal_person *person, int32_t contact_no, char *out)
{
	int bytes = snprintf(out, CONTEXT_MAX,
	    "%" PRId32 "/contact/address/%" PRId16 "/%" PRId64 "/%" PRId32,
	    person->tenant_id, person->bucket, person->patient_id, contact_no);

	assert(bytes > 0 && bytes < CONTEXT_MAX);
}

static void
context_of_name(const struct seal_person *person, char *out)
{
	int bytes = snprintf(out, CONTEXT_MAX,
	    "%" PRId32 "/patient/name/%" PRId16 "/%" PRId64, person->tenant_id,
	    person->bucket, person->patient_id);

	assert(bytes > 0 && bytes < CONTEXT_MAX);
}

void
seal_address(struct keyring *keyring, const struct seal_person *person,
    int32_t contact_no, const char *address, struct buf *out)
{
	char context[CONTEXT_MAX];

	context_of_address(person, contact_no, context);
	keyring_seal(keyring, person->tenant_id, context, address, out);
}

const char *
seal_open_address(struct keyring *keyring, const struct seal_person *person,
    int32_t contact_no, const uint8_t *sealed, size_t bytes,
    struct arena *arena)
{
	char context[CONTEXT_MAX];

	context_of_address(person, contact_no, context);
	return keyring_open_text(
	    keyring, person->tenant_id, context, sealed, bytes, arena);
}

void
seal_name(struct keyring *keyring, const struct seal_person *person,
    const char *name, struct buf *out)
{
	char context[CONTEXT_MAX];

	context_of_name(person, context);
	keyring_seal(keyring, person->tenant_id, context, name, out);
}

const char *
seal_open_name(struct keyring *keyring, const struct seal_person *person,
    const uint8_t *sealed, size_t bytes, struct arena *arena)
{
	char context[CONTEXT_MAX];

	context_of_name(person, context);
	return keyring_open_text(
	    keyring, person->tenant_id, context, sealed, bytes, arena);
}

static void
context_of_event(int32_t tenant_id, const char *column,
    const uint8_t event_key[32], char context[CONTEXT_MAX])
{
	char hex[65];
	int bytes;

	crypto_hex(event_key, 32, hex);
	bytes = snprintf(context, CONTEXT_MAX, "%" PRId32 "/inbox/%s/%s",
	    tenant_id, column, hex);
	assert(bytes > 0 && bytes < CONTEXT_MAX);
	(void)bytes;
}

static void
seal_of_event(struct keyring *keyring, int32_t tenant_id, const char *column,
    const uint8_t event_key[32], const char *text, struct buf *out)
{
	char context[CONTEXT_MAX];

	context_of_event(tenant_id, column, event_key, context);
	keyring_seal(keyring, tenant_id, context, text, out);
}

static const char *
open_of_event(struct keyring *keyring, int32_t tenant_id, const char *column,
    const uint8_t event_key[32], const uint8_t *sealed, size_t bytes,
    struct arena *arena)
{
	char context[CONTEXT_MAX];

	context_of_event(tenant_id, column, event_key, context);
	return keyring_open_text(
	    keyring, tenant_id, context, sealed, bytes, arena);
}

void
seal_inbox_text(struct keyring *keyring, int32_t tenant_id,
    const uint8_t event_key[32], const char *text, struct buf *out)
{
	seal_of_event(keyring, tenant_id, "text", event_key, text, out);
}

const char *
seal_open_inbox_text(struct keyring *keyring, int32_t tenant_id,
    const uint8_t event_key[32], const uint8_t *sealed, size_t bytes,
    struct arena *arena)
{
	return open_of_event(
	    keyring, tenant_id, "text", event_key, sealed, bytes, arena);
}

void
seal_inbox_address(struct keyring *keyring, int32_t tenant_id,
    const uint8_t event_key[32], const char *address, struct buf *out)
{
	seal_of_event(keyring, tenant_id, "address", event_key, address, out);
}

const char *
seal_open_inbox_address(struct keyring *keyring, int32_t tenant_id,
    const uint8_t event_key[32], const uint8_t *sealed, size_t bytes,
    struct arena *arena)
{
	return open_of_event(
	    keyring, tenant_id, "address", event_key, sealed, bytes, arena);
}

static void
context_of_token(int32_t tenant_id, const char *gateway,
    const uint8_t settings[32], char context[CONTEXT_MAX])
{
	struct buf both = BUF_INIT(0);
	uint8_t digest[32];
	char hex[33];
	int bytes;

	buf_text(&both, gateway);
	buf_char(&both, '\0');
	buf_add(&both, settings, 32);
	crypto_sha256(both.data, both.bytes, digest);
	buf_free(&both);
	crypto_hex(digest, 16, hex);
	bytes = snprintf(context, CONTEXT_MAX, "%" PRId32 "/gateway_token/%s",
	    tenant_id, hex);
	assert(bytes > 0 && bytes < CONTEXT_MAX);
	(void)bytes;
}

void
seal_token(struct keyring *keyring, int32_t tenant_id, const char *gateway,
    const uint8_t settings[32], const char *token, struct buf *out)
{
	char context[CONTEXT_MAX];

	context_of_token(tenant_id, gateway, settings, context);
	keyring_seal(keyring, tenant_id, context, token, out);
}

const char *
seal_open_token(struct keyring *keyring, int32_t tenant_id, const char *gateway,
    const uint8_t settings[32], const uint8_t *sealed, size_t bytes,
    struct arena *arena)
{
	char context[CONTEXT_MAX];

	context_of_token(tenant_id, gateway, settings, context);
	return keyring_open_text(
	    keyring, tenant_id, context, sealed, bytes, arena);
}

void
seal_address_index(struct keyring *keyring, int32_t tenant_id,
    enum channel channel, const char *address, uint8_t out[16])
{
	const char *field = channel_word(channel);
	struct buf lower = BUF_INIT(0);

	assert(field != NULL);
	if (channel != CHANNEL_WECOM) {
		keyring_index(keyring, tenant_id, field, address, out);
		return;
	}
	for (const char *c = address; *c != '\0'; c++)
		buf_char(&lower,
		    *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
	keyring_index(
	    keyring, tenant_id, field, lower.bytes == 0 ? "" : lower.data, out);
	buf_free(&lower);
}
