#ifndef ADHERD_TESTS_SIM_TC3_H
#define ADHERD_TESTS_SIM_TC3_H

#include "tests/sim/sim.h"

/*
 * Tencent Cloud's request signature TC3-HMAC-SHA256, as the provider checks
 * it.  Written from the vendor's pages, sharing nothing with the gateway.
 */
struct tc3_refusal { /* code NULL: genuine */
	const char *code;
	const char *message;
};

/* Is this request signed with our key for this service, and in time? */
struct tc3_refusal tc3_verify(const struct sim *sim,
    const struct door_request *request, const char *service);

#endif
