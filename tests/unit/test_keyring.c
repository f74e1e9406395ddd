/*
 * Sealed fields open in their own row, tenant and ring only; ring files that
 * are malformed or open to others are refused, with the line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/keyring.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="
#define INDEX "index AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
#define ROW "1/contact/address/731/42/1"
#define ADDRESS "+8613800000000"

static char directory[] = "/tmp/test_keyring.XXXXXX";
static char path[64];
static char error[256];
static struct arena *arena;

static int
setup(void **state)
{
	(void)state;
	arena = arena_create();
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/ring", directory);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	unlink(path);
	return rmdir(directory);
}

/* The ring of these bytes, or NULL with error set. */
static struct keyring *
ring_of(const char *text, size_t bytes, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, bytes, file), bytes);
	fclose(file);
	chmod(path, mode);
	error[0] = '\0';
	return keyring_open(path, error, sizeof(error));
}

static struct keyring *
ring(const char *text)
{
	struct keyring *keyring = ring_of(text, strlen(text), 0600);

	if (keyring == NULL)
		print_message("# %s\n", error);
	assert_non_null(keyring);
	return keyring;
}

static void
expect_refused(const char *text, size_t bytes, mode_t mode, const char *message)
{
	assert_null(ring_of(text, bytes, mode));
	assert_memory_equal(error, path, strlen(path));
	assert_string_equal(error + strlen(path), message);
}

static void
sealed_text_opens_in_its_row(void **state)
{
	struct keyring *keyring = ring("1 " KEY_A "\n" INDEX);
	struct buf sealed = BUF_INIT(0), again = BUF_INIT(0);

	(void)state;
	keyring_seal(keyring, 1, ROW, ADDRESS, &sealed);
	assert_int_equal(sealed.bytes, 2 + 12 + strlen(ADDRESS) + 16);
	assert_string_equal(keyring_open_text(keyring, 1, ROW,
				(uint8_t *)sealed.data, sealed.bytes, arena),
	    ADDRESS);
	keyring_seal(keyring, 1, ROW, ADDRESS, &again);
	assert_memory_not_equal(sealed.data, again.data, sealed.bytes);
	buf_clear(&sealed);
	keyring_seal(keyring, 1, ROW, "", &sealed);
	assert_string_equal(keyring_open_text(keyring, 1, ROW,
				(uint8_t *)sealed.data, sealed.bytes, arena),
	    "");
	buf_free(&sealed);
	buf_free(&again);
	keyring_free(keyring);
}

static void
sealed_text_opens_nowhere_else(void **state)
{
	struct keyring *keyring = ring("1 " KEY_A "\n" INDEX);
	struct buf sealed = BUF_INIT(0);

	(void)state;
	keyring_seal(keyring, 1, ROW, ADDRESS, &sealed);
	assert_null(keyring_open_text(keyring, 1, "1/contact/address/731/42/2",
	    (uint8_t *)sealed.data, sealed.bytes, arena));
	assert_null(keyring_open_text(
	    keyring, 2, ROW, (uint8_t *)sealed.data, sealed.bytes, arena));
	/* another tenant whose derived key takes the same place */
	assert_null(keyring_open_text(
	    keyring, 65, ROW, (uint8_t *)sealed.data, sealed.bytes, arena));
	assert_string_equal(keyring_open_text(keyring, 1, ROW,
				(uint8_t *)sealed.data, sealed.bytes, arena),
	    ADDRESS);
	buf_free(&sealed);
	keyring_free(keyring);
}

static void
changed_or_cut_bytes_do_not_open(void **state)
{
	struct keyring *keyring = ring("1 " KEY_A "\n2 " KEY_B "\n" INDEX);
	struct buf sealed = BUF_INIT(0);

	(void)state;
	keyring_seal(keyring, 1, ROW, ADDRESS, &sealed);
	for (size_t i = 0; i < sealed.bytes; i++) {
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			sealed.data[i] ^= (char)bit;
			assert_null(keyring_open_text(keyring, 1, ROW,
			    (uint8_t *)sealed.data, sealed.bytes, arena));
			sealed.data[i] ^= (char)bit;
		}
		assert_null(keyring_open_text(
		    keyring, 1, ROW, (uint8_t *)sealed.data, i, arena));
	}
	buf_free(&sealed);
	keyring_free(keyring);
}

static void
rotated_ring_seals_with_the_first_and_opens_all(void **state)
{
	struct buf old = BUF_INIT(0), new = BUF_INIT(0);
	struct keyring *keyring = ring("1 " KEY_A "\n" INDEX);

	(void)state;
	keyring_seal(keyring, 1, ROW, ADDRESS, &old);
	keyring_free(keyring);
	keyring = ring("2 " KEY_B "\n1 " KEY_A "\n" INDEX);
	keyring_seal(keyring, 1, ROW, ADDRESS, &new);
	assert_int_equal(old.data[1], 1);
	assert_int_equal(new.data[1], 2);
	assert_string_equal(keyring_open_text(keyring, 1, ROW,
				(uint8_t *)old.data, old.bytes, arena),
	    ADDRESS);
	assert_string_equal(keyring_open_text(keyring, 1, ROW,
				(uint8_t *)new.data, new.bytes, arena),
	    ADDRESS);
	keyring_free(keyring);
	keyring = ring("2 " KEY_B "\n" INDEX);
	assert_null(keyring_open_text(
	    keyring, 1, ROW, (uint8_t *)old.data, old.bytes, arena));
	keyring_free(keyring);
	keyring = ring("1 " KEY_B "\n" INDEX); /* another key, same id */
	assert_null(keyring_open_text(
	    keyring, 1, ROW, (uint8_t *)old.data, old.bytes, arena));
	keyring_free(keyring);
	buf_free(&old);
	buf_free(&new);
}

/* The expected bytes are from Python: HMAC-SHA256 of 00000001 "phone" 00
 * and the number, under 32 bytes of 01. */
static void
replaced_ring_seals_with_the_new_and_keeps_its_index(void **state)
{
	struct keyring *keyring = ring("1 " KEY_A "\n" INDEX);
	struct keyring *other = ring("1 " KEY_A "\nindex " KEY_B "\n");
	struct buf sealed = BUF_INIT(0);
	struct keyring *fresh;

	(void)state;
	assert_false(keyring_may_replace(keyring, other));
	keyring_free(other);
	keyring_seal(keyring, 1, ROW, ADDRESS, &sealed);
	fresh = ring("2 " KEY_B "\n1 " KEY_A "\n" INDEX);
	assert_true(keyring_may_replace(keyring, fresh));
	keyring_replace(keyring, fresh);
	assert_string_equal(keyring_open_text(keyring, 1, ROW,
				(uint8_t *)sealed.data, sealed.bytes, arena),
	    ADDRESS);
	buf_clear(&sealed);
	keyring_seal(keyring, 1, ROW, ADDRESS, &sealed);
	assert_int_equal(sealed.data[1], 2);
	assert_string_equal(keyring_open_text(keyring, 1, ROW,
				(uint8_t *)sealed.data, sealed.bytes, arena),
	    ADDRESS);
	buf_free(&sealed);
	keyring_free(keyring);
}

static void
index_depends_on_tenant_field_and_value(void **state)
{
	struct keyring *keyring = ring(INDEX "1 " KEY_A);
	uint8_t index[16], other[16];
	char hex[33];

	(void)state;
	keyring_index(keyring, 1, "phone", ADDRESS, index);
	crypto_hex(index, sizeof(index), hex);
	assert_string_equal(hex, "b426bf2868ea4a026f58f4449cfee42e");
	keyring_index(keyring, 2, "phone", ADDRESS, other);
	assert_memory_not_equal(index, other, sizeof(index));
	keyring_index(keyring, 1, "phone+", &ADDRESS[1], other);
	assert_memory_not_equal(index, other, sizeof(index));
	keyring_free(keyring);
}

static void
malformed_rings_are_refused_with_their_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"1 " KEY_A "\n" INDEX "rest", ":3: expected `id base64` or "
					   "`index base64`"},
	    {"1 " KEY_A "\n\n" INDEX, ":2: expected `id base64` or "
				      "`index base64`"},
	    {"0 " KEY_A "\n" INDEX, ":1: expected a key id from 1 to 255"},
	    {"256 " KEY_A "\n" INDEX, ":1: expected a key id from 1 to 255"},
	    {"1x " KEY_A "\n" INDEX, ":1: expected a key id from 1 to 255"},
	    {"+1 " KEY_A "\n" INDEX, ":1: expected a key id from 1 to 255"},
	    {"indexes " KEY_A, ":1: expected a key id from 1 to 255"},
	    {"1 " KEY_A "\n1 " KEY_B "\n" INDEX, ":2: a second key of this "
						 "id"},
	    {"1 " KEY_A "\n" INDEX INDEX, ":3: a second index key"},
	    {"1 " KEY_A " \n" INDEX, ":1: expected base64 of 32 bytes"},
	    {"1 " KEY_A "\r\n" INDEX, ":1: expected base64 of 32 bytes"},
	    {"1 AAECAwQFBgcICQoLDA0ODw==\n" INDEX,
		":1: expected base64 of 32 bytes"},
	    {"1 AAEC" KEY_A "\n" INDEX, ":1: expected base64 of 32 bytes"},
	    {"1 " KEY_A "\n", ": no index key"}, {INDEX, ": no key"},
	    {"", ": no key"}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_refused(cases[i].text, strlen(cases[i].text), 0600,
		    cases[i].message);
	expect_refused("1 " KEY_A "\0\n" INDEX, sizeof("1 " KEY_A "\0\n" INDEX),
	    0600, ": not a text file");
}

static void
ring_open_to_others_is_refused(void **state)
{
	static const mode_t modes[] = {0640, 0620, 0604, 0601, 0660};

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++)
		expect_refused("1 " KEY_A "\n" INDEX,
		    strlen("1 " KEY_A "\n" INDEX), modes[i],
		    ": open to group or others; chmod 600");
	keyring_free(ring_of(
	    "1 " KEY_A "\n" INDEX, strlen("1 " KEY_A "\n" INDEX), 0400));
	assert_string_equal(error, "");
	assert_null(keyring_open(directory, error, sizeof(error)));
	assert_non_null(strstr(error, "not a regular file"));
	unlink(path);
	assert_null(keyring_open(path, error, sizeof(error)));
	assert_non_null(strstr(error, "No such file"));
}

static void
oversized_ring_is_refused(void **state)
{
	static char text[17 << 10];

	(void)state;
	memset(text, '1', sizeof(text));
	expect_refused(text, sizeof(text), 0600, ": too large for a key ring");
}

static void
created_ring_works_and_is_never_overwritten(void **state)
{
	struct keyring *keyring;
	struct stat status;

	(void)state;
	unlink(path);
	assert_int_equal(keyring_create(path, error, sizeof(error)), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	keyring = keyring_open(path, error, sizeof(error));
	assert_non_null(keyring);
	keyring_free(keyring);
	assert_int_equal(keyring_create(path, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "File exists"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sealed_text_opens_in_its_row),
	    cmocka_unit_test(sealed_text_opens_nowhere_else),
	    cmocka_unit_test(changed_or_cut_bytes_do_not_open),
	    cmocka_unit_test(rotated_ring_seals_with_the_first_and_opens_all),
	    cmocka_unit_test(
		replaced_ring_seals_with_the_new_and_keeps_its_index),
	    cmocka_unit_test(index_depends_on_tenant_field_and_value),
	    cmocka_unit_test(malformed_rings_are_refused_with_their_line),
	    cmocka_unit_test(ring_open_to_others_is_refused),
	    cmocka_unit_test(oversized_ring_is_refused),
	    cmocka_unit_test(created_ring_works_and_is_never_overwritten),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
