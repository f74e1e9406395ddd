/*
 * Splitting an SMS into parts, as the networks count them.  Pure; the
 * tables are GSM 03.38 with its extension table.
 */
#include "care/segment.h"

#include <string.h>
#include <utf8proc.h>

/* What one SMS holds alone, and as one part of several. */
static const struct {
	uint32_t alone, part;
} capacities[] = {
    [SEGMENT_GSM7] = {160, 153},
    [SEGMENT_UCS2] = {70, 67},
};

/* The default alphabet beyond ASCII. Capital cedilla only. */
static const uint16_t gsm_letters[] = {0xa1, 0xa3, 0xa4, 0xa5, 0xa7, 0xbf, 0xc4,
    0xc5, 0xc6, 0xc7, 0xc9, 0xd1, 0xd6, 0xd8, 0xdc, 0xdf, 0xe0, 0xe4, 0xe5,
    0xe6, 0xe8, 0xe9, 0xec, 0xf1, 0xf2, 0xf6, 0xf8, 0xf9, 0xfc, 0x393, 0x394,
    0x398, 0x39b, 0x39e, 0x3a0, 0x3a3, 0x3a6, 0x3a8, 0x3a9};

/* Septets of a character: 2 with an escape, 0 if it has none. */
static uint32_t
gsm_septets(int32_t code)
{
	if (code == 0x20ac || code == '\f')
		return 2;
	if (code < 0x80) {
		if (code > 0 && strchr("^{}\\[~]|", code) != NULL)
			return 2;
		return (code >= ' ' && code < 0x7f && code != '`') ||
		       code == '\n' || code == '\r';
	}
	for (size_t i = 0; i < COUNT(gsm_letters); i++)
		if (gsm_letters[i] == code)
			return 1;
	return 0;
}

static uint32_t
units_of(enum segment_encoding encoding, int32_t code)
{
	if (encoding == SEGMENT_GSM7)
		return gsm_septets(code);
	return code > 0xffff ? 2 : 1;
}

/* The next character of *text, 0 at its end, -1 if it is not UTF-8. */
static int32_t
next_code(const char **text)
{
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)*text;
	utf8proc_int32_t code;
	utf8proc_ssize_t bytes;

	if (*at == 0)
		return 0;
	bytes = utf8proc_iterate(at, -1, &code);
	if (bytes <= 0)
		return -1;
	*text += bytes;
	return code;
}

/* Is every character in the table? False too for what is not UTF-8. */
static bool
fits_gsm(const char *text)
{
	int32_t code;

	while ((code = next_code(&text)) > 0)
		if (gsm_septets(code) == 0)
			return false;
	return code == 0;
}

/* Append to parts that hold at most part_max units each. */
static int
fill_parts(struct segments *segments, uint32_t part_max, const char *text)
{
	int32_t code;

	while ((code = next_code(&text)) > 0) {
		uint32_t units = units_of(segments->encoding, code);

		if (segments->parts[segments->count - 1] + units > part_max) {
			if (segments->count == SEGMENTS_MAX)
				return -1;
			segments->parts[segments->count++] = 0;
		}
		segments->parts[segments->count - 1] += (uint8_t)units;
		segments->units += units;
	}
	return code < 0 ? -1 : 0;
}

int
segment_text(enum segment_rule rule, const char *signature, const char *text,
    struct segments *segments)
{
	const char *pieces[] = {signature == NULL ? "" : "【",
	    signature == NULL ? "" : signature, signature == NULL ? "" : "】",
	    text};
	enum segment_encoding encoding =
	    rule == SEGMENT_INTERNATIONAL && signature == NULL && fits_gsm(text)
		? SEGMENT_GSM7
		: SEGMENT_UCS2;
	uint32_t part_max = capacities[encoding].alone;

	/* alone if it fits, else once more in the smaller parts */
	for (int round = 0; round < 2; round++) {
		*segments = (struct segments){.encoding = encoding, .count = 1};
		for (size_t i = 0; i < COUNT(pieces); i++)
			if (fill_parts(segments, part_max, pieces[i]) != 0)
				return -1;
		if (segments->count == 1)
			return 0;
		part_max = capacities[encoding].part;
	}
	return 0;
}
