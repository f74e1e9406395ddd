#ifndef ADHERD_FLOW_GATEWAY_LOAD_H
#define ADHERD_FLOW_GATEWAY_LOAD_H

#include "flow/gateway_host.h"

/* What the files of the gateways share; internal to flow/gateway_*.c. */
struct gateway_config { /* what the file says of a gateway; replaced whole */
	struct arena *arena;            /* of all that it holds */
	uint32_t users;                 /* the gateway, and its requests */
	const struct gw_pair *settings; /* in the order of api.options */
	size_t setting_count;
	bool plain_http;
	const char *ca_file;
	const char *callback_secret, *callback_old_secret;
	uint8_t digest[32]; /* of the settings: what a token is bound to */
};

struct token;

struct gateway_private {
	struct gw_api api; /* a copy: fields that it lacks are zero */
	struct gateway_config *config;
	int64_t took_us;     /* a request, moving average */
	struct token *token; /* NULL: the plug-in wants none */
};

/* A request keeps the config that it began with. */
struct gateway_config *gateway_config_hold(struct gateway_config *config);
void gateway_config_release(struct gateway_config *config);

struct pause {
	const char *gateway, *scope;
	int64_t until_at; /* unmoved */
	int64_t set_at; /* by us, and maybe not stored yet; AT_UNKNOWN: read */
	bool told;      /* the log has its beginning */
	bool by_hand;   /* an operator's */
	bool gone;      /* before its time: the next reading asks by whom */
};

struct gateways {
	struct arena *arena;
	struct list list; /* struct gateway * */
	struct arena *pause_arena;
	struct list pauses; /* struct pause */
	struct loop *loop;
	struct http_client *client;
	const struct clock *clock;
	struct accounts *accounts;
	struct state_file *state; /* NULL: nothing is remembered */
	struct db *token_db;      /* NULL: there are no tokens */
	struct keyring *keyring;  /* that seals them */
	int64_t lease_us, request_us, connect_us, probe_us;
};

#endif
