/*
 * Parts of an SMS, against the published counts in
 * tests/vectors/vectors-sms.json and the mainland providers' own example.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "care/segment.h"
#include "read_json.h"

#define VECTORS "tests/vectors/vectors-sms.json"

static void
check_vector(const struct json *vector)
{
	const char *text = json_get_text(json_get(vector, "inputs"), "text");
	const struct json *expected = json_get(vector, "canonical");
	const struct json *parts = json_get(expected, "units_per_segment");
	const char *encoding = json_get_text(expected, "encoding");
	struct segments s;
	int64_t units;
	uint32_t i = 0;

	assert_int_equal(
	    segment_text(SEGMENT_INTERNATIONAL, NULL, text, &s), 0);
	assert_int_equal(
	    s.encoding == SEGMENT_GSM7, strcmp(encoding, "gsm7") == 0);
	assert_true(json_i64(json_get(expected, "units"), &units));
	assert_int_equal(s.units, units);
	assert_int_equal(s.count, parts->count);
	json_each (part, parts) {
		assert_true(json_i64(part, &units));
		assert_int_equal(s.parts[i++], units);
	}
}

static void
published_texts_split_as_published(void **state)
{
	struct arena *arena = arena_create();
	const struct json *vectors = read_json(VECTORS, arena);
	int checked = 0;

	(void)state;
	json_each (vector, vectors)
		if (strcmp(json_get_text(vector, "scheme"), "SMS-segmenting") ==
		    0) {
			check_vector(vector);
			checked++;
		}
	assert_int_equal(checked, 15);
	arena_free(arena);
}

/* Split a piece that is repeated; the parts as "67+67+26". */
static void
expect(enum segment_rule rule, const char *signature, const char *piece,
    int times, const char *expected)
{
	struct buf text = {0}, parts = {0};
	struct segments s;

	for (int i = 0; i < times; i++)
		buf_text(&text, piece);
	assert_int_equal(
	    segment_text(rule, signature, buf_string(&text), &s), 0);
	for (uint32_t i = 0; i < s.count; i++)
		buf_printf(&parts, "%s%u", i == 0 ? "" : "+", s.parts[i]);
	assert_string_equal(buf_string(&parts), expected);
	buf_free(&text);
	buf_free(&parts);
}

static void
mainland_counts_latin_letters_as_characters(void **state)
{
	(void)state;
	expect(SEGMENT_MAINLAND, NULL, "a", 70, "70");
	expect(SEGMENT_MAINLAND, NULL, "a", 160, "67+67+26");
}

static void
mainland_signature_counts(void **state)
{
	(void)state;
	expect(SEGMENT_MAINLAND, "示例医院", "药", 64, "70");
	expect(SEGMENT_MAINLAND, "示例医院", "药", 65, "67+4");
}

static void
surrogate_pairs_stay_together(void **state)
{
	(void)state;
	expect(SEGMENT_INTERNATIONAL, NULL, "💊", 36, "66+6");
	expect(SEGMENT_MAINLAND, NULL, "💊", 36, "66+6");
}

static void
every_character_of_the_gsm_table_is_known(void **state)
{
	(void)state;
	expect(SEGMENT_INTERNATIONAL, NULL,
	    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./"
	    "0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
	    "¿abcdefghijklmnopqrstuvwxyzäöñüà",
	    1, "127");
	expect(SEGMENT_INTERNATIONAL, NULL, "\f^{}\\[~]|€", 1, "20");
	expect(SEGMENT_INTERNATIONAL, NULL, "`", 71, "67+4");
}

static void
empty_text_is_one_message(void **state)
{
	(void)state;
	expect(SEGMENT_INTERNATIONAL, NULL, "", 1, "0");
}

static void
more_parts_than_can_be_numbered_are_refused(void **state)
{
	struct buf text = {0};
	struct segments s;

	(void)state;
	for (int i = 0; i < SEGMENTS_MAX * 67; i++)
		buf_text(&text, "药");
	assert_int_equal(
	    segment_text(SEGMENT_MAINLAND, NULL, buf_string(&text), &s), 0);
	assert_int_equal(s.count, SEGMENTS_MAX);
	buf_text(&text, "药");
	assert_int_equal(
	    segment_text(SEGMENT_MAINLAND, NULL, buf_string(&text), &s), -1);
	buf_free(&text);
}

static void
bytes_that_are_no_text_are_refused(void **state)
{
	struct segments s;

	(void)state;
	assert_int_equal(
	    segment_text(SEGMENT_INTERNATIONAL, NULL, "a\xff", &s), -1);
	assert_int_equal(
	    segment_text(SEGMENT_INTERNATIONAL, NULL, "\xed\xa0\x80", &s), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_texts_split_as_published),
	    cmocka_unit_test(mainland_counts_latin_letters_as_characters),
	    cmocka_unit_test(mainland_signature_counts),
	    cmocka_unit_test(surrogate_pairs_stay_together),
	    cmocka_unit_test(every_character_of_the_gsm_table_is_known),
	    cmocka_unit_test(empty_text_is_one_message),
	    cmocka_unit_test(more_parts_than_can_be_numbered_are_refused),
	    cmocka_unit_test(bytes_that_are_no_text_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
