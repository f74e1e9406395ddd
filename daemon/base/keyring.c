/*
 * Sealed fields and blind indexes.  Owns the keys of one ring file, read
 * once; wipes them at the end.  Side effects: reads or makes that file.
 *
 * A field is sealed under a key of its tenant, derived from the ring's first
 * key, and bound to its row by the associated data: neither can it be moved
 * to another row, nor does one tenant's key open another's field.
 */
#include "base/keyring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"

#define FILE_BYTES_MAX (16 << 10) /* 255 keys and an index line fit */
#define KEY_BYTES 32
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define ENVELOPE_VERSION 1
#define ENVELOPE_BYTES (2 + NONCE_BYTES) /* before the ciphertext */
#define PURPOSES 64

/* A derived key; deriving costs more than sealing an address does. */
struct purpose {
	uint8_t key_id; /* 0: empty */
	int32_t tenant_id;
	uint8_t key[KEY_BYTES];
};

struct keyring {
	uint8_t sealing_id; /* 0: none yet */
	bool known[256];
	uint8_t keys[256][KEY_BYTES];
	bool index_known;
	uint8_t index_key[KEY_BYTES];
	struct purpose purposes[PURPOSES]; /* by tenant and key, last used */
};

/* ---- the ring file ---- */

/* Read the line's key, or say what is wrong with the line. */
static const char *
parse_line(struct keyring *keyring, const char *line)
{
	const char *space = strchr(line, ' ');
	uint8_t key[KEY_BYTES + 1];
	char *end = NULL;
	long id;

	if (space == NULL)
		return "expected `id base64` or `index base64`";
	if (crypto_base64_decode(
		space + 1, strlen(space + 1), key, sizeof(key)) != KEY_BYTES)
		return "expected base64 of 32 bytes";
	if (strncmp(line, "index ", 6) == 0) {
		if (keyring->index_known)
			return "a second index key";
		keyring->index_known = true;
		memcpy(keyring->index_key, key, KEY_BYTES);
		crypto_wipe(key, sizeof(key));
		return NULL;
	}
	id = line[0] >= '1' && line[0] <= '9' ? strtol(line, &end, 10) : 0;
	if (id < 1 || id > 255 || end != space)
		return "expected a key id from 1 to 255";
	if (keyring->known[id])
		return "a second key of this id";
	if (keyring->sealing_id == 0)
		keyring->sealing_id = (uint8_t)id;
	keyring->known[id] = true;
	memcpy(keyring->keys[id], key, KEY_BYTES);
	crypto_wipe(key, sizeof(key));
	return NULL;
}

static int
parse(struct keyring *keyring, const char *path, char *text, char *error,
    size_t bytes)
{
	const char *wrong;
	int number = 0;

	for (char *line = text, *next; *line != '\0'; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		else
			next = line + strlen(line);
		number++;
		wrong = parse_line(keyring, line);
		if (wrong != NULL) {
			snprintf(
			    error, bytes, "%s:%d: %s", path, number, wrong);
			return -1;
		}
	}
	if (keyring->sealing_id == 0 || !keyring->index_known) {
		snprintf(error, bytes, "%s: no %s", path,
		    keyring->sealing_id == 0 ? "key" : "index key");
		return -1;
	}
	return 0;
}

/* Read the whole file as text, or say why not. */
static const char *
read_private(int fd, char *text, size_t bytes)
{
	struct stat status;
	size_t filled = 0;
	ssize_t got;

	if (fd < 0 || fstat(fd, &status) != 0)
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "not a regular file";
	if (status.st_mode & 077)
		return "open to group or others; chmod 600";
	while ((got = read(fd, text + filled, bytes - filled)) != 0) {
		if (got < 0 && errno != EINTR)
			return strerror(errno);
		filled += got > 0 ? (size_t)got : 0;
		if (filled == bytes)
			return "too large for a key ring";
	}
	text[filled] = '\0';
	if (strlen(text) != filled)
		return "not a text file";
	return NULL;
}

struct keyring *
keyring_open(const char *path, char *error, size_t bytes)
{
	struct keyring *keyring = mem_alloc(sizeof(*keyring));
	char *text = mem_alloc(FILE_BYTES_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = -1;
	const char *wrong = read_private(fd, text, FILE_BYTES_MAX);

	if (wrong != NULL)
		snprintf(error, bytes, "%s: %s", path, wrong);
	else
		result = parse(keyring, path, text, error, bytes);
	if (fd >= 0)
		close(fd);
	crypto_wipe(text, FILE_BYTES_MAX);
	free(text);
	if (result == 0)
		return keyring;
	keyring_free(keyring);
	return NULL;
}

void
keyring_free(struct keyring *keyring)
{
	if (keyring == NULL)
		return;
	crypto_wipe(keyring, sizeof(*keyring));
	free(keyring);
}

void
keyring_replace(struct keyring *keyring, struct keyring *fresh)
{
	assert(keyring_may_replace(keyring, fresh));
	*keyring = *fresh;
	keyring_free(fresh);
}

bool
keyring_may_replace(const struct keyring *keyring, const struct keyring *fresh)
{
	return crypto_equal(keyring->index_key, fresh->index_key, KEY_BYTES);
}

/* Append a line with a fresh key. */
static void
add_fresh_key(struct buf *text, const char *name)
{
	uint8_t key[KEY_BYTES];

	crypto_random(key, sizeof(key));
	buf_text(text, name);
	buf_char(text, ' ');
	crypto_base64(key, sizeof(key), text);
	buf_char(text, '\n');
	crypto_wipe(key, sizeof(key));
}

int
keyring_create(const char *path, char *error, size_t bytes)
{
	struct buf text = BUF_INIT(1024);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool written;

	if (fd < 0) {
		snprintf(error, bytes, "%s: %s", path, strerror(errno));
		return -1;
	}
	add_fresh_key(&text, "1");
	add_fresh_key(&text, "index");
	written = write(fd, text.data, text.bytes) == (ssize_t)text.bytes &&
		  fsync(fd) == 0;
	if (close(fd) != 0)
		written = false;
	if (!written) {
		snprintf(error, bytes, "%s: %s", path, strerror(errno));
		unlink(path);
	}
	crypto_wipe(text.data, text.bytes);
	buf_free(&text);
	return written ? 0 : -1;
}

/* ---- sealing ---- */

/* The key that seals this tenant's fields. */
static const uint8_t *
purpose_key(struct keyring *keyring, uint8_t key_id, int32_t tenant_id)
{
	struct purpose *purpose =
	    &keyring->purposes[((uint32_t)tenant_id + key_id) % PURPOSES];
	char label[32];

	if (purpose->key_id == key_id && purpose->tenant_id == tenant_id)
		return purpose->key;
	snprintf(label, sizeof(label), "adherd/seal/%d", tenant_id);
	crypto_hkdf_sha256(
	    keyring->keys[key_id], KEY_BYTES, label, purpose->key, KEY_BYTES);
	purpose->key_id = key_id;
	purpose->tenant_id = tenant_id;
	return purpose->key;
}

void
keyring_seal(struct keyring *keyring, int32_t tenant_id, const char *context,
    const char *text, struct buf *out)
{
	size_t bytes = strlen(text);
	uint8_t nonce[NONCE_BYTES], *sealed = mem_alloc(bytes + TAG_BYTES);

	crypto_random(nonce, sizeof(nonce));
	crypto_aes_gcm_seal(
	    purpose_key(keyring, keyring->sealing_id, tenant_id), nonce,
	    context, strlen(context), text, bytes, sealed);
	buf_char(out, ENVELOPE_VERSION);
	buf_char(out, (char)keyring->sealing_id);
	buf_add(out, nonce, sizeof(nonce));
	buf_add(out, sealed, bytes + TAG_BYTES);
	free(sealed);
}

const char *
keyring_open_text(struct keyring *keyring, int32_t tenant_id,
    const char *context, const uint8_t *sealed, size_t bytes,
    struct arena *arena)
{
	uint8_t key_id;
	char *text;

	if (bytes < ENVELOPE_BYTES + TAG_BYTES || sealed[0] != ENVELOPE_VERSION)
		return NULL;
	key_id = sealed[1];
	if (!keyring->known[key_id])
		return NULL;
	text = arena_alloc(arena, bytes - ENVELOPE_BYTES - TAG_BYTES + 1);
	if (!crypto_aes_gcm_open(purpose_key(keyring, key_id, tenant_id),
		sealed + 2, context, strlen(context), sealed + ENVELOPE_BYTES,
		bytes - ENVELOPE_BYTES, (uint8_t *)text))
		return NULL;
	return text;
}

void
keyring_index(struct keyring *keyring, int32_t tenant_id, const char *field,
    const char *value, uint8_t out[16])
{
	struct buf text = BUF_INIT(0);
	uint8_t mac[32];

	buf_u32(&text, (uint32_t)tenant_id);
	buf_add(&text, field, strlen(field) + 1); /* its NUL parts the two */
	buf_text(&text, value);
	crypto_hmac_sha256(
	    keyring->index_key, KEY_BYTES, text.data, text.bytes, mac);
	memcpy(out, mac, 16);
	crypto_wipe(text.data, text.bytes);
	buf_free(&text);
}
