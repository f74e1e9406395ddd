#ifndef ADHERD_TESTS_SIM_SIM_H
#define ADHERD_TESTS_SIM_SIM_H

#include "base/clock.h"
#include "base/json.h"
#include "base/loop.h"
#include "tests/sim/door.h"

/*
 * The provider simulator: what its parts share.  It uses the daemon's base
 * library and nothing else of the daemon, so that it can bear witness.
 */
struct faults;
struct ledger;
struct receipts;
struct replies;
struct sms_templates;
struct nonces;
struct webhook;
struct wechat;
struct wecom;

enum endpoint {
	ENDPOINT_ALIYUN = 0,
	ENDPOINT_LOOPBACK = 1,
	ENDPOINT_TENCENT = 2,
	ENDPOINT_WEBHOOK = 3,
	ENDPOINT_WECHAT = 4,
	ENDPOINT_WECHAT_TOKEN = 5, /* faults only */
	ENDPOINT_WECOM = 6,
	ENDPOINT_WECOM_TOKEN = 7, /* faults only */
	ENDPOINT_COUNT
};

struct sim {
	struct loop *loop;
	struct door *door;
	struct faults *faults;
	struct ledger *ledger;
	struct receipts *receipts;
	struct replies *replies;
	struct sms_templates *templates;
	struct nonces *nonces;
	struct webhook *webhook;
	struct wechat *wechat;
	struct wecom *wecom;
	const char *access_key_id;
	const char *access_key_secret;
	const char *sdk_app_id;
	const char *callback[ENDPOINT_COUNT]; /* NULL: no receipts */
	int64_t receipt_delay_us;
	int64_t retry_scale_micro; /* of the provider's retry schedule */
	int64_t clock_ahead_us; /* of the provider's clock, signatures only */
	int64_t balance;        /* of /loopback; each message takes one */
	int64_t day_limit; /* per number, signature and template; 0: none */
	uint64_t requests; /* accepted so far; numbers them */
	int64_t signed_acs3, signed_rpc; /* genuine requests by each scheme */
	uint64_t random;                 /* state of sim_random() */
};

const char *endpoint_word(enum endpoint endpoint);
/* The next number of the seeded sequence (splitmix64). */
uint64_t sim_random(struct sim *sim);
/* "2026-03-08T02:00:00.123Z" */
const char *sim_time_text(int64_t at, struct arena *arena);
/* China time, as the vendor writes it: "2026-03-08 10:00:00", "20260308" */
const char *sim_china_text(int64_t at, struct arena *arena);
const char *sim_china_date(int64_t at, struct arena *arena);
/* FNV-1a over several strings, each ended; never 0. */
uint64_t sim_hash(const char *const *texts, size_t count);

/* The vendors of "/", told apart by the request's headers; arg is the sim. */
void aliyun_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg);
void tencent_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg);

/* Register the paths of each part. */
void loopback_serve(struct sim *sim);
void webhook_serve(struct sim *sim);
void views_serve(struct sim *sim); /* ledger, callbacks, control, phones, / */

#endif
