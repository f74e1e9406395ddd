#ifndef ADHERD_TESTS_SIM_ACS_H
#define ADHERD_TESTS_SIM_ACS_H

#include "tests/sim/door.h"
#include "tests/sim/sim.h"

/*
 * Aliyun's request signatures, as the provider checks them: ACS3-HMAC-SHA256
 * and the older RPC scheme with HMAC-SHA1.  Written from the vendor's pages,
 * sharing nothing with the gateway.
 */
struct acs_param { /* decoded */
	const char *name;
	const char *value;
	bool in_query;
};

struct acs_params {
	struct acs_param *list;
	size_t count;
};

struct acs_refusal { /* code NULL: genuine */
	int status;
	const char *code;
	const char *message;
};

/* The parameters of the query and of a form body. */
struct acs_params acs_params_read(const struct door_request *request);
const char *acs_param(const struct acs_params *params, const char *name);
/* Is this request signed with our key, in time and for the first time? */
struct acs_refusal acs_verify(struct sim *sim,
    const struct door_request *request, const struct acs_params *params);

/* What was signed lately: the last million nonces. */
struct nonces *nonces_create(void);
void nonces_free(struct nonces *nonces);
/* False if it was seen before. */
bool nonces_add(struct nonces *nonces, const char *nonce);

#endif
