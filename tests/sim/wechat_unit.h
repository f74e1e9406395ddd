#ifndef ADHERD_TESTS_SIM_WECHAT_UNIT_H
#define ADHERD_TESTS_SIM_WECHAT_UNIT_H

#include "base/json.h"
#include "tests/sim/table.h"
#include "tests/sim/wechat.h"

/*
 * What the files of WeChat share: wechat.c answers requests, wechat_push.c
 * pushes what followers do.
 */
#define TOKEN_BYTES 96
#define TOKENS_KEPT 64
#define OPENID_BYTES_MAX 64
#define PUSHES_KEPT 64
#define KEY_BYTES 32

enum mode { MODE_PLAIN, MODE_COMPATIBLE, MODE_SAFE };

struct issued { /* a token */
	char text[TOKEN_BYTES];
	int64_t until; /* clock_boot() */
	bool stable;
};

struct follower {
	char openid[OPENID_BYTES_MAX + 1];
	bool left;          /* does not follow any more */
	bool off;           /* switched messages off */
	int64_t until;      /* answers are taken; clock_boot(), AT_UNKNOWN */
	int sends;          /* that are left until then */
	int64_t busy_until; /* clock_boot(): a request is being answered */
	struct follower *next;
};

struct credit { /* what somebody gave for a template */
	char openid[OPENID_BYTES_MAX + 1];
	char template[OPENID_BYTES_MAX + 1];
	int64_t left;
	struct credit *next;
};

struct push { /* of what a follower did; owned by wechat */
	struct wechat *wechat;
	char *url, *body;
	struct loop_timer *timer;
	struct http_call *call; /* NULL: it waits */
	int64_t began_at;
	int tries;
	struct push *next;
};

struct wechat {
	struct sim *sim;
	char *appid, *secret, *callback_token;
	char *agentid;          /* NULL: no WeCom */
	enum endpoint endpoint; /* whose callback it is */
	uint8_t key[KEY_BYTES + 2];
	bool has_key;
	enum mode mode;
	bool json; /* pushes are */
	struct credit *credits;
	size_t credit_count;
	struct issued tokens[TOKENS_KEPT];
	size_t token_count; /* issued so far; a ring */
	int64_t token_requests;
	struct follower *followers;
	size_t follower_count;
	struct table *taken; /* openid and client_msg_id to the ledger */
	size_t taken_count;
	struct http_client *client;
	struct push *first; /* under way */
	size_t push_count;
	int64_t acknowledged, dropped;
	uint64_t numbered;         /* messages of followers */
	char *pushes[PUSHES_KEPT]; /* JSON; a ring */
	size_t pushed;
};

/* ---- wechat.c ---- */
bool wechat_is_openid(const char *text);
/* NULL: there are too many. */
struct follower *wechat_make_follower(
    struct wechat *wechat, const char *openid);
/* One more, or none from now on. */
void wechat_change_credit(
    struct wechat *wechat, const char *openid, const char *template, bool more);

/* ---- wechat_push.c ---- */
void wechat_serve_pushes(struct sim *sim);
/* Those under way are forgotten, and those that were kept. */
void wechat_pushes_end(struct wechat *wechat);

#endif
