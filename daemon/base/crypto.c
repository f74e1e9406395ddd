/*
 * Digests, MACs, ciphers and encodings.  mbedtls stands behind this file
 * and nowhere else, so that its successor changes one file.  Owns nothing;
 * its only side effect is to draw from the kernel's random numbers.
 *
 * mbedtls fails here only for lack of memory or for a wrong call; both end
 * the process.  The one failure that the world can cause, a sealed text that
 * does not open, is a value.
 */
#include "base/crypto.h"

#include <assert.h>
#include <errno.h>
#include <mbedtls/aes.h>
#include <mbedtls/base64.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/md5.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <string.h>
#include <sys/random.h>

#define TAG_BYTES 16
#define NONCE_BYTES 12
#define BLOCK_BYTES 16
#define KEY_BITS 256

static const char base32_alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

void
crypto_sha256(const void *data, size_t bytes, uint8_t out[32])
{
	int failed = mbedtls_sha256_ret(data, bytes, out, 0);

	assert(!failed);
}

void
crypto_sha1(const void *data, size_t bytes, uint8_t out[20])
{
	int failed = mbedtls_sha1_ret(data, bytes, out);

	assert(!failed);
}

void
crypto_md5(const void *data, size_t bytes, uint8_t out[16])
{
	int failed = mbedtls_md5_ret(data, bytes, out);

	assert(!failed);
}

void
crypto_hmac_sha256(const void *key, size_t key_bytes, const void *data,
    size_t bytes, uint8_t out[32])
{
	int failed =
	    mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key,
		key_bytes, data, bytes, out);

	assert(!failed);
}

void
crypto_hmac_sha1(const void *key, size_t key_bytes, const void *data,
    size_t bytes, uint8_t out[20])
{
	int failed = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1),
	    key, key_bytes, data, bytes, out);

	assert(!failed);
}

void
crypto_hkdf_sha256(const void *key, size_t key_bytes, const char *info,
    uint8_t *out, size_t out_bytes)
{
	int failed = mbedtls_hkdf(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
	    NULL, 0, key, key_bytes, (const unsigned char *)info, strlen(info),
	    out, out_bytes);

	assert(!failed);
}

static void
gcm_begin(mbedtls_gcm_context *gcm, const uint8_t key[32])
{
	int failed;

	mbedtls_gcm_init(gcm);
	failed = mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key, KEY_BITS);
	assert(!failed);
}

void
crypto_aes_gcm_seal(const uint8_t key[32], const uint8_t nonce[12],
    const void *associated, size_t associated_bytes, const void *plain,
    size_t bytes, uint8_t *out)
{
	mbedtls_gcm_context gcm;
	int failed;

	gcm_begin(&gcm, key);
	failed = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, bytes,
	    nonce, NONCE_BYTES, associated, associated_bytes, plain, out,
	    TAG_BYTES, out + bytes);
	assert(!failed);
	mbedtls_gcm_free(&gcm);
}

bool
crypto_aes_gcm_open(const uint8_t key[32], const uint8_t nonce[12],
    const void *associated, size_t associated_bytes, const uint8_t *sealed,
    size_t bytes, uint8_t *out)
{
	mbedtls_gcm_context gcm;
	size_t plain_bytes;
	int failed;

	if (bytes < TAG_BYTES)
		return false;
	plain_bytes = bytes - TAG_BYTES;
	gcm_begin(&gcm, key);
	failed = mbedtls_gcm_auth_decrypt(&gcm, plain_bytes, nonce, NONCE_BYTES,
	    associated, associated_bytes, sealed + plain_bytes, TAG_BYTES,
	    sealed, out);
	mbedtls_gcm_free(&gcm);
	return !failed;
}

static bool
aes_cbc(const uint8_t key[32], int mode, const uint8_t iv[16], const void *in,
    size_t bytes, uint8_t *out)
{
	mbedtls_aes_context aes;
	uint8_t vector[BLOCK_BYTES]; /* changed as it goes */
	int failed;

	if (bytes % BLOCK_BYTES != 0)
		return false;
	memcpy(vector, iv, sizeof(vector));
	mbedtls_aes_init(&aes);
	failed = mode == MBEDTLS_AES_ENCRYPT
		     ? mbedtls_aes_setkey_enc(&aes, key, KEY_BITS)
		     : mbedtls_aes_setkey_dec(&aes, key, KEY_BITS);
	assert(!failed);
	failed = mbedtls_aes_crypt_cbc(&aes, mode, bytes, vector, in, out);
	mbedtls_aes_free(&aes);
	return !failed;
}

bool
crypto_aes_cbc_encrypt(const uint8_t key[32], const uint8_t iv[16],
    const void *plain, size_t bytes, uint8_t *out)
{
	return aes_cbc(key, MBEDTLS_AES_ENCRYPT, iv, plain, bytes, out);
}

bool
crypto_aes_cbc_decrypt(const uint8_t key[32], const uint8_t iv[16],
    const void *sealed, size_t bytes, uint8_t *out)
{
	return aes_cbc(key, MBEDTLS_AES_DECRYPT, iv, sealed, bytes, out);
}

void
crypto_random(void *out, size_t bytes)
{
	uint8_t *at = out;

	while (bytes > 0) {
		ssize_t got = getrandom(at, bytes, 0);

		assert(got > 0 || errno == EINTR);
		if (got > 0) {
			at += got;
			bytes -= (size_t)got;
		}
	}
}

bool
crypto_equal(const void *a, const void *b, size_t bytes)
{
	return mbedtls_ct_memcmp(a, b, bytes) == 0;
}

void
crypto_wipe(void *data, size_t bytes)
{
	mbedtls_platform_zeroize(data, bytes);
}

void
crypto_hex(const uint8_t *data, size_t bytes, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes; i++) {
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 15];
	}
	*out = '\0';
}

void
crypto_base64(const uint8_t *data, size_t bytes, struct buf *out)
{
	unsigned char piece[64 + 1];

	while (bytes > 0) {
		size_t take = bytes < 48 ? bytes : 48, written;
		int failed = mbedtls_base64_encode(
		    piece, sizeof(piece), &written, data, take);

		assert(!failed);
		buf_add(out, piece, written);
		data += take;
		bytes -= take;
	}
}

long
crypto_base64_decode(
    const char *text, size_t bytes, uint8_t *out, size_t out_bytes)
{
	size_t written;

	/* mbedtls would skip blanks and line ends. */
	for (size_t i = 0; i < bytes; i++)
		if (text[i] == ' ' || text[i] == '\r' || text[i] == '\n')
			return -1;
	if (bytes % 4 != 0 || mbedtls_base64_decode(out, out_bytes, &written,
				  (const unsigned char *)text, bytes))
		return -1;
	return (long)written;
}

void
crypto_base32(const uint8_t *data, size_t bytes, struct buf *out)
{
	uint32_t held = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < bytes; i++) {
		held = held << 8 | data[i];
		for (bits += 8; bits >= 5; bits -= 5)
			buf_char(out, base32_alphabet[held >> (bits - 5) & 31]);
	}
	if (bits > 0)
		buf_char(out, base32_alphabet[held << (5 - bits) & 31]);
}

long
crypto_base32_decode(
    const char *text, size_t bytes, uint8_t *out, size_t out_bytes)
{
	uint32_t held = 0;
	unsigned bits = 0;
	size_t written = 0;

	for (size_t i = 0; i < bytes; i++) {
		const char *digit =
		    text[i] == '\0' ? NULL : strchr(base32_alphabet, text[i]);

		if (digit == NULL)
			return -1;
		held = held << 5 | (uint32_t)(digit - base32_alphabet);
		bits += 5;
		if (bits >= 8) {
			if (written == out_bytes)
				return -1;
			bits -= 8;
			out[written++] = (uint8_t)(held >> bits);
		}
	}
	/* One text for one value: no spare digit, no bit left over. */
	if (bits >= 5 || (held & ((1u << bits) - 1)) != 0)
		return -1;
	return (long)written;
}

static bool
unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

void
crypto_percent(const char *text, size_t bytes, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < bytes; i++) {
		uint8_t byte = (uint8_t)text[i];

		if (unreserved(text[i])) {
			buf_char(out, text[i]);
			continue;
		}
		buf_char(out, '%');
		buf_char(out, digits[byte >> 4]);
		buf_char(out, digits[byte & 15]);
	}
}
