#ifndef ADHERD_TESTS_SIM_WECHAT_H
#define ADHERD_TESTS_SIM_WECHAT_H

#include "base/http_client.h"
#include "tests/sim/ledger.h"

/*
 * WeChat's side of an official account or a mini program: tokens, template and
 * subscription messages, customer-service messages, and pushes, plain or
 * encrypted.  Written from the vendor's description, sharing nothing with the
 * gateway.
 */
struct wechat;

struct wechat_settings { /* borrowed for the call; NULL: not given */
	const char *appid;
	const char *secret; /* NULL: nothing is served */
	const char *callback_token;
	const char *aes_key; /* EncodingAESKey */
	const char *mode;    /* plain, compatible or safe */
	const char *format;  /* of pushes: xml or json */
	const char *agentid; /* of WeCom, whose pushes have another envelope */
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
/* Is it an object, with members only of these? */
bool wechat_has_only(const struct json *object, const char *const *keys);
/* Is that the answer that ends the pushing? */
bool wechat_acknowledged(const struct http_response *response);
/* Push this XML, up to three times; `wrong` names what is wrong about it. */
void wechat_push(struct wechat *wechat, const struct json *wrong,
    const char *from, const char *xml, struct arena *arena);
/* Is there where to push to, and room for one more?  NULL, or why not. */
const char *wechat_push_obstacle(const struct wechat *wechat);
/* The last pushes, as an array. */
void wechat_write_pushes(
    const struct wechat *wechat, struct json_writer *writer);
/* The query of WeCom's asking whether an address is ours. */
const char *wechat_verify_query(
    struct wechat *wechat, const char *echo, struct arena *arena);
void wechat_write_summary(
    const struct wechat *wechat, struct json_writer *writer);

#endif
