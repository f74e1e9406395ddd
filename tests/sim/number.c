/*
 * Phone numbers.  Pure.
 */
#include "tests/sim/number.h"

#include <string.h>

bool
number_all_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool
is_mainland(const char *text)
{
	return number_all_digits(text) && strlen(text) == 11 &&
	       text[0] == '1' && text[1] >= '3';
}

const char *
number_home(const char *number, struct arena *arena)
{
	static const char *const prefixes[] = {"+86", "0086", "86", ""};

	for (size_t i = 0; i < COUNT(prefixes); i++) {
		size_t bytes = strlen(prefixes[i]);

		if (strncmp(number, prefixes[i], bytes) == 0 &&
		    is_mainland(number + bytes))
			return arena_printf(arena, "+86%s", number + bytes);
	}
	return NULL;
}

bool
number_abroad(const char *digits)
{
	size_t bytes = strlen(digits);

	if (!number_all_digits(digits) || digits[0] == '0' || bytes < 7 ||
	    bytes > 15)
		return false;
	if (digits[0] == '1')
		return bytes == 11 && digits[1] >= '2';
	return strncmp(digits, "86", 2) != 0;
}
