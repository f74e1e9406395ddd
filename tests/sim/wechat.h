#ifndef ADHERD_TESTS_SIM_WECHAT_H
#define ADHERD_TESTS_SIM_WECHAT_H

#include "base/http_client.h"
#include "tests/sim/ledger.h"

/*
 * WeChat's side of an official account: tokens, template messages,
 * customer-service messages, and pushes, plain or encrypted.  Written from
 * the vendor's description, sharing nothing with the gateway.
 */
struct wechat;

struct wechat_settings { /* borrowed for the call; NULL: not given */
	const char *appid;
	const char *secret; /* NULL: nothing is served */
	const char *callback_token;
	const char *aes_key; /* EncodingAESKey */
	const char *mode;    /* plain, compatible or safe */
};

/* A bad key or mode ends the program. */
struct wechat *wechat_create(
    struct sim *sim, const struct wechat_settings *settings);
void wechat_free(struct wechat *wechat);
void wechat_serve(struct sim *sim);
/* The XML of a receipt, and where it is posted: signed, maybe encrypted. */
const char *wechat_receipt(struct wechat *wechat, bool delivered,
    const char *code, const struct entry *entry, struct buf *body,
    struct arena *arena);
/* Is that the answer that ends the pushing? */
bool wechat_acknowledged(const struct http_response *response);
void wechat_write_summary(
    const struct wechat *wechat, struct json_writer *writer);

#endif
