#ifndef ADHERD_TESTS_SIM_NUMBER_H
#define ADHERD_TESTS_SIM_NUMBER_H

#include "base/mem.h"

/* Phone numbers as China's vendors take them. */

bool number_all_digits(const char *text);
/* +86, 0086, 86 or nothing, and a mobile number of the mainland: as E.164. */
const char *number_home(const char *number, struct arena *arena);
/* A country code other than 86 and a number; +1 has ten digits more. */
bool number_abroad(const char *digits);

#endif
