/*
 * Random lives whose facts the fuzzer chooses: see tests/life.
 */
#include "fuzz.h"
#include "tests/life/life.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct life_tally tally;

	life_live(data, bytes, &tally);
	return 0;
}
