#ifndef ADHERD_TESTS_FUZZ_H
#define ADHERD_TESTS_FUZZ_H

#include <stdint.h>
#include <stdlib.h>

/* What every fuzzer has: one input, and a promise whose breach is a finding. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define must(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

#endif
