/*
 * Digests, MACs, ciphers and encodings against published vectors: FIPS 180-4,
 * RFC 1321, 2202, 4231, 5869, the GCM specification, SP 800-38A and RFC 4648.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"

#define BYTES_MAX 256

/* The bytes that these hex digits name. */
static size_t
from_hex(const char *hex, uint8_t *out)
{
	size_t bytes = strlen(hex) / 2;

	assert_true(bytes <= BYTES_MAX);
	for (size_t i = 0; i < bytes; i++) {
		char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return bytes;
}

static void
expect_hex(const uint8_t *data, size_t bytes, const char *hex)
{
	char text[2 * BYTES_MAX + 1];

	crypto_hex(data, bytes, text);
	assert_string_equal(text, hex);
}

static void
digests_agree_with_their_standards(void **state)
{
	static const char two_blocks[] =
	    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	uint8_t out[32];

	(void)state;
	crypto_sha256("abc", 3, out);
	expect_hex(out, 32,
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	crypto_sha256(two_blocks, strlen(two_blocks), out);
	expect_hex(out, 32,
	    "248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1");
	crypto_sha256("", 0, out);
	expect_hex(out, 32,
	    "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855");
	crypto_sha1("abc", 3, out);
	expect_hex(out, 20, "a9993e364706816aba3e25717850c26c9cd0d89d");
	crypto_md5("message digest", 14, out);
	expect_hex(out, 16, "f96b697d7cb7938d525a2f31aaf161d0");
}

static void
hmac_agrees_with_rfc_4231_and_2202(void **state)
{
	static const char larger[] =
	    "Test Using Larger Than Block-Size Key - Hash Key First";
	uint8_t key[131], out[32];

	(void)state;
	memset(key, 0x0b, 20);
	crypto_hmac_sha256(key, 20, "Hi There", 8, out);
	expect_hex(out, 32,
	    "b0344c61d8db38535ca8afceaf0bf12b"
	    "881dc200c9833da726e9376c2e32cff7");
	crypto_hmac_sha1(key, 20, "Hi There", 8, out);
	expect_hex(out, 20, "b617318655057264e28bc0b6fb378c8ef146be00");
	crypto_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
	expect_hex(out, 32,
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	crypto_hmac_sha256(key, sizeof(key), larger, strlen(larger), out);
	expect_hex(out, 32,
	    "60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 5869 A.3 is its one case without a salt; the second is from Python. */
static void
hkdf_agrees_with_rfc_5869(void **state)
{
	uint8_t key[22], out[64];

	(void)state;
	memset(key, 0x0b, sizeof(key));
	crypto_hkdf_sha256(key, sizeof(key), "", out, 42);
	expect_hex(out, 42,
	    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879e"
	    "c3454e5f3c738d2d9d201395faa4b61a96c8");
	crypto_hkdf_sha256(key, sizeof(key), "adherd/seal/1", out, 64);
	expect_hex(out, 64,
	    "49c9f1e71d2efd691a5dad3825879cec"
	    "49a42588d252df879987c380c509b704"
	    "81ae19d6824c6e814625fb9ed4e6c265"
	    "27d63928b4a66aa05a78bcb9c2fab324");
}

/* The GCM specification's test cases 13 (nothing) and 16 (all of it). */
static void
gcm_agrees_with_its_specification(void **state)
{
	uint8_t key[BYTES_MAX] = {0}, nonce[BYTES_MAX] = {0};
	uint8_t plain[BYTES_MAX], associated[BYTES_MAX], out[BYTES_MAX];
	size_t plain_bytes, associated_bytes;

	(void)state;
	crypto_aes_gcm_seal(key, nonce, NULL, 0, NULL, 0, out);
	expect_hex(out, 16, "530f8afbc74536b9a963b4f1c4cb738b");
	from_hex("feffe9928665731c6d6a8f9467308308"
		 "feffe9928665731c6d6a8f9467308308",
	    key);
	from_hex("cafebabefacedbaddecaf888", nonce);
	plain_bytes = from_hex("d9313225f88406e5a55909c5aff5269a"
			       "86a7a9531534f7da2e4c303d8a318a72"
			       "1c3c0c95956809532fcf0e2449a6b525"
			       "b16aedf5aa0de657ba637b39",
	    plain);
	associated_bytes =
	    from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", associated);
	crypto_aes_gcm_seal(
	    key, nonce, associated, associated_bytes, plain, plain_bytes, out);
	expect_hex(out, plain_bytes + 16,
	    "522dc1f099567d07f47f37a32a84427d"
	    "643a8cdcbfe5c0c97598a2bd2555d1aa"
	    "8cb08e48590dbb3da7b08b1056828838"
	    "c5f61e6393ba7a0abcc9f662"
	    "76fc6ece0f4e1768cddf8853bb2d551b");
}

static void
gcm_opens_only_what_was_sealed(void **state)
{
	static const char text[] = "+8613800000000";
	uint8_t key[32], nonce[12], sealed[sizeof(text) + 16];
	uint8_t opened[sizeof(text)];

	(void)state;
	crypto_random(key, sizeof(key));
	crypto_random(nonce, sizeof(nonce));
	crypto_aes_gcm_seal(key, nonce, "row", 3, text, sizeof(text), sealed);
	assert_true(crypto_aes_gcm_open(
	    key, nonce, "row", 3, sealed, sizeof(sealed), opened));
	assert_string_equal((char *)opened, text);
	assert_false(crypto_aes_gcm_open(
	    key, nonce, "raw", 3, sealed, sizeof(sealed), opened));
	assert_false(
	    crypto_aes_gcm_open(key, nonce, "row", 3, sealed, 15, opened));
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 1;
		assert_false(crypto_aes_gcm_open(
		    key, nonce, "row", 3, sealed, sizeof(sealed), opened));
		sealed[i] ^= 1;
	}
}

static void
equal_compares_all_bytes(void **state)
{
	(void)state;
	assert_true(crypto_equal("secret", "secret", 6));
	assert_false(crypto_equal("secret", "secreT", 6));
	assert_false(crypto_equal("Secret", "secret", 6));
	assert_true(crypto_equal("a", "b", 0));
}

static void
random_bytes_differ(void **state)
{
	uint8_t first[32] = {0}, second[32] = {0};

	(void)state;
	crypto_random(first, sizeof(first));
	crypto_random(second, sizeof(second));
	assert_memory_not_equal(first, second, sizeof(first));
}

struct encoding {
	const char *text, *encoded;
};

static const struct encoding base64[] = {{"", ""}, {"f", "Zg=="},
    {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
/* RFC 4648 in lower case and without padding */
static const struct encoding base32[] = {{"", ""}, {"f", "my"}, {"fo", "mzxq"},
    {"foo", "mzxw6"}, {"foob", "mzxw6yq"}, {"fooba", "mzxw6ytb"},
    {"foobar", "mzxw6ytboi"}};

static void
expect_encodings(const struct encoding *rows, size_t count,
    void (*encode)(const uint8_t *, size_t, struct buf *),
    long (*decode)(const char *, size_t, uint8_t *, size_t))
{
	struct buf out = BUF_INIT(0);
	uint8_t decoded[BYTES_MAX];

	for (size_t i = 0; i < count; i++) {
		size_t bytes = strlen(rows[i].text);

		buf_clear(&out);
		encode((const uint8_t *)rows[i].text, bytes, &out);
		assert_string_equal(buf_string(&out), rows[i].encoded);
		assert_int_equal(decode(rows[i].encoded,
				     strlen(rows[i].encoded), decoded, bytes),
		    bytes);
		assert_memory_equal(decoded, rows[i].text, bytes);
		if (bytes > 0)
			assert_int_equal(
			    decode(rows[i].encoded, strlen(rows[i].encoded),
				decoded, bytes - 1),
			    -1);
	}
	buf_free(&out);
}

static void
encodings_agree_with_rfc_4648(void **state)
{
	(void)state;
	expect_encodings(
	    base64, COUNT(base64), crypto_base64, crypto_base64_decode);
	expect_encodings(
	    base32, COUNT(base32), crypto_base32, crypto_base32_decode);
}

static void
long_base64_comes_back(void **state)
{
	uint8_t data[BYTES_MAX], decoded[BYTES_MAX];

	(void)state;
	crypto_random(data, sizeof(data));
	for (size_t bytes = 0; bytes < sizeof(data); bytes++) {
		struct buf out = BUF_INIT(0);

		crypto_base64(data, bytes, &out);
		assert_int_equal(out.bytes, (bytes + 2) / 3 * 4);
		assert_int_equal(crypto_base64_decode(buf_string(&out),
				     out.bytes, decoded, sizeof(decoded)),
		    bytes);
		assert_memory_equal(decoded, data, bytes);
		buf_free(&out);
	}
}

static void
malformed_encodings_are_refused(void **state)
{
	static const char *const not_base64[] = {"Zg", "Zg=", "Zg= =", "Zm9v\n",
	    "Zm 9v", "Zm9v ", "====", "Z===", "Zm9v=", "Zm9*", "Zm9-",
	    "=g==", "Zm9vZm9v\r\n\r\n"};
	/* lengths that do not occur, upper case, padding, spare bits */
	static const char *const not_base32[] = {
	    "m", "mzx", "mzxw6y", "MY", "my======", "mz", "m1", "m y"};
	uint8_t out[BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(not_base64); i++)
		assert_int_equal(crypto_base64_decode(not_base64[i],
				     strlen(not_base64[i]), out, sizeof(out)),
		    -1);
	for (size_t i = 0; i < COUNT(not_base32); i++)
		assert_int_equal(crypto_base32_decode(not_base32[i],
				     strlen(not_base32[i]), out, sizeof(out)),
		    -1);
	assert_int_equal(crypto_base64_decode("Zm\0v", 4, out, 3), -1);
	assert_int_equal(crypto_base32_decode("m\0", 2, out, 1), -1);
}

static void
percent_spares_the_unreserved_alone(void **state)
{
	static const char unreserved[] = "ABCXYZabcxyz0189-._~";
	static const char other[] = " !*'()+/:=&%\"\xe8\xaf\x81";
	struct buf out = BUF_INIT(0);

	(void)state;
	crypto_percent(unreserved, strlen(unreserved), &out);
	assert_string_equal(buf_string(&out), unreserved);
	buf_clear(&out);
	crypto_percent(other, sizeof(other), &out); /* with its NUL */
	assert_string_equal(buf_string(&out),
	    "%20%21%2A%27%28%29%2B%2F%3A%3D%26%25%22%E8%AF%81%00");
	buf_free(&out);
}

static void
wiped_bytes_are_zero(void **state)
{
	char secret[] = "secret", zero[sizeof(secret)] = {0};

	(void)state;
	crypto_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, zero, sizeof(zero));
}

/* SP 800-38A, F.2.5 and F.2.6. */
static void
aes_cbc_agrees_with_its_standard(void **state)
{
	static const char plain[] = "6bc1bee22e409f96e93d7e117393172a"
				    "ae2d8a571e03ac9c9eb76fac45af8e51"
				    "30c81c46a35ce411e5fbc1191a0a52ef"
				    "f69f2445df4f9b17ad2b417be66c3710";
	static const char sealed[] = "f58c4c04d6e5f1ba779eabfb5f7bfbd6"
				     "9cfc4e967edb808d679f777bc6702c7d"
				     "39f23369a9d9bacfa530e26304231461"
				     "b2eb05e2c39be9fcda6c19078c6a9d1b";
	uint8_t key[BYTES_MAX], iv[BYTES_MAX], in[BYTES_MAX], out[BYTES_MAX];
	size_t bytes;

	(void)state;
	(void)from_hex("603deb1015ca71be2b73aef0857d7781"
		       "1f352c073b6108d72d9810a30914dff4",
	    key);
	(void)from_hex("000102030405060708090a0b0c0d0e0f", iv);
	bytes = from_hex(plain, in);
	assert_true(crypto_aes_cbc_encrypt(key, iv, in, bytes, out));
	expect_hex(out, bytes, sealed);
	bytes = from_hex(sealed, in);
	assert_true(crypto_aes_cbc_decrypt(key, iv, in, bytes, out));
	expect_hex(out, bytes, plain);
	assert_true(crypto_aes_cbc_decrypt(key, iv, in, 0, out));
	assert_false(crypto_aes_cbc_decrypt(key, iv, in, 15, out));
	assert_false(crypto_aes_cbc_encrypt(key, iv, in, 17, out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(aes_cbc_agrees_with_its_standard),
	    cmocka_unit_test(digests_agree_with_their_standards),
	    cmocka_unit_test(hmac_agrees_with_rfc_4231_and_2202),
	    cmocka_unit_test(hkdf_agrees_with_rfc_5869),
	    cmocka_unit_test(gcm_agrees_with_its_specification),
	    cmocka_unit_test(gcm_opens_only_what_was_sealed),
	    cmocka_unit_test(equal_compares_all_bytes),
	    cmocka_unit_test(random_bytes_differ),
	    cmocka_unit_test(encodings_agree_with_rfc_4648),
	    cmocka_unit_test(long_base64_comes_back),
	    cmocka_unit_test(malformed_encodings_are_refused),
	    cmocka_unit_test(percent_spares_the_unreserved_alone),
	    cmocka_unit_test(wiped_bytes_are_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
