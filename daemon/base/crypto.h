#ifndef ADHERD_BASE_CRYPTO_H
#define ADHERD_BASE_CRYPTO_H

#include "base/buf.h"

/* Digests, MACs, ciphers and encodings: mbedtls behind one door. */

void crypto_sha256(const void *data, size_t bytes, uint8_t out[32]);
void crypto_sha1(const void *data, size_t bytes, uint8_t out[20]);
void crypto_md5(const void *data, size_t bytes, uint8_t out[16]);
void crypto_hmac_sha256(const void *key, size_t key_bytes, const void *data,
    size_t bytes, uint8_t out[32]);
void crypto_hmac_sha1(const void *key, size_t key_bytes, const void *data,
    size_t bytes, uint8_t out[20]);
/* RFC 5869 with SHA-256. */
void crypto_hkdf_sha256(const void *key, size_t key_bytes, const char *info,
    uint8_t *out, size_t out_bytes);
/* AES-256-GCM, 12-byte nonce, 16-byte tag appended to the ciphertext. */
void crypto_aes_gcm_seal(const uint8_t key[32], const uint8_t nonce[12],
    const void *associated, size_t associated_bytes, const void *plain,
    size_t bytes, uint8_t *out /* bytes + 16 */);
must_check bool crypto_aes_gcm_open(const uint8_t key[32],
    const uint8_t nonce[12], const void *associated, size_t associated_bytes,
    const uint8_t *sealed, size_t bytes, uint8_t *out /* bytes - 16 */);
/* AES-256-CBC without padding; bytes: whole blocks of 16. */
must_check bool crypto_aes_cbc_encrypt(const uint8_t key[32],
    const uint8_t iv[16], const void *plain, size_t bytes, uint8_t *out);
must_check bool crypto_aes_cbc_decrypt(const uint8_t key[32],
    const uint8_t iv[16], const void *sealed, size_t bytes, uint8_t *out);
void crypto_random(void *out, size_t bytes); /* getrandom(2) */
bool crypto_equal(
    const void *a, const void *b, size_t bytes); /* constant time */
void crypto_wipe(void *data, size_t bytes);

void crypto_hex(const uint8_t *data, size_t bytes, char *out /* 2n + 1 */);
void crypto_base64(const uint8_t *data, size_t bytes, struct buf *out);
/* Standard alphabet, padding required. Bytes written, or -1. */
must_check long crypto_base64_decode(
    const char *text, size_t bytes, uint8_t *out, size_t out_bytes);
/* RFC 4648 base32 in lower case without padding. */
void crypto_base32(const uint8_t *data, size_t bytes, struct buf *out);
must_check long crypto_base32_decode(
    const char *text, size_t bytes, uint8_t *out, size_t out_bytes);
/* RFC 3986 percent-encoding of all but the unreserved set, upper-case hex. */
void crypto_percent(const char *text, size_t bytes, struct buf *out);

#endif
