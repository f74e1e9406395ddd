#ifndef ADHERD_TESTS_SIM_GARBAGE_H
#define ADHERD_TESTS_SIM_GARBAGE_H

#include "tests/sim/door.h"

/*
 * Answers with status 200 that are no answers: html, cut (JSON that ends
 * early), types (every value of the wrong type), big (10 MB of good JSON),
 * gzip (16 MB in 100 kB), headers (1,000 of them), charset (GBK, and says so).
 */
bool garbage_known(const char *form);
/* Replace the answer that stands in reply. */
void garbage_fill(const char *form, struct door_reply *reply);

#endif
