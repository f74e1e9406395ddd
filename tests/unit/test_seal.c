/*
 * Sealed fields open in their own row only, and an address is found again by
 * its index, within its tenant and channel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow/seal.h"

#define ADDRESS "+8619900000001"

static const struct seal_person owner = {7, 731, 42};

struct world {
	struct keyring *keyring;
	struct arena *arena;
	struct buf sealed;
};

static int
set_up(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	char folder[] = "/tmp/adherd-seal-XXXXXX";
	char path[64], error[256];

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/keyring", folder);
	assert_int_equal(keyring_create(path, error, sizeof(error)), 0);
	w->keyring = keyring_open(path, error, sizeof(error));
	assert_non_null(w->keyring);
	(void)unlink(path);
	(void)rmdir(folder);
	w->arena = arena_create();
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	buf_free(&w->sealed);
	arena_free(w->arena);
	keyring_free(w->keyring);
	free(w);
	return 0;
}

static const char *
open_address(struct world *w, const struct seal_person *person, int32_t no)
{
	return seal_open_address(w->keyring, person, no,
	    (const uint8_t *)w->sealed.data, w->sealed.bytes, w->arena);
}

static void
test_address_opens_in_its_own_row_only(void **state)
{
	static const struct seal_person others[] = {
	    {8, 731, 42}, {7, 732, 42}, {7, 731, 43}, {7, 73, 142}};
	struct world *w = *state;

	seal_address(w->keyring, &owner, 3, ADDRESS, &w->sealed);
	assert_string_equal(open_address(w, &owner, 3), ADDRESS);
	assert_null(open_address(w, &owner, 4));
	for (size_t i = 0; i < COUNT(others); i++)
		assert_null(open_address(w, &others[i], 3));
}

static void
test_name_is_no_address(void **state)
{
	struct world *w = *state;
	const uint8_t *data;

	seal_name(w->keyring, &owner, "李梅", &w->sealed);
	data = (const uint8_t *)w->sealed.data;
	assert_string_equal(
	    seal_open_name(w->keyring, &owner, data, w->sealed.bytes, w->arena),
	    "李梅");
	for (int32_t no = 0; no < 3; no++)
		assert_null(open_address(w, &owner, no));
}

static void
test_index_is_the_same_within_tenant_and_channel_only(void **state)
{
	struct world *w = *state;
	uint8_t index[16], again[16], other[16];

	seal_address_index(w->keyring, 7, CHANNEL_SMS, ADDRESS, index);
	seal_address_index(w->keyring, 7, CHANNEL_SMS, ADDRESS, again);
	assert_memory_equal(index, again, sizeof(index));
	seal_address_index(w->keyring, 8, CHANNEL_SMS, ADDRESS, other);
	assert_memory_not_equal(index, other, sizeof(index));
	seal_address_index(w->keyring, 7, CHANNEL_PUSH, ADDRESS, other);
	assert_memory_not_equal(index, other, sizeof(index));
	seal_address_index(w->keyring, 7, CHANNEL_SMS, ADDRESS "1", other);
	assert_memory_not_equal(index, other, sizeof(index));
}

static void
test_wecom_userids_are_one_whatever_their_case(void **state)
{
	struct world *w = *state;
	uint8_t index[16], again[16];

	seal_address_index(w->keyring, 7, CHANNEL_WECOM, "ZhangSan", index);
	seal_address_index(w->keyring, 7, CHANNEL_WECOM, "zhangsAN", again);
	assert_memory_equal(index, again, sizeof(index));
	seal_address_index(w->keyring, 7, CHANNEL_WECOM, "zhangsi", again);
	assert_memory_not_equal(index, again, sizeof(index));
	/* an openid's case tells two people apart */
	seal_address_index(w->keyring, 7, CHANNEL_WECHAT_OA, "oZ_a", index);
	seal_address_index(w->keyring, 7, CHANNEL_WECHAT_OA, "oz_a", again);
	assert_memory_not_equal(index, again, sizeof(index));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_address_opens_in_its_own_row_only, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_name_is_no_address, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_index_is_the_same_within_tenant_and_channel_only, set_up,
		tear_down),
	    cmocka_unit_test_setup_teardown(
		test_wecom_userids_are_one_whatever_their_case, set_up,
		tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
