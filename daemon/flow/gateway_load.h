#ifndef ADHERD_FLOW_GATEWAY_LOAD_H
#define ADHERD_FLOW_GATEWAY_LOAD_H

#include "flow/gateway_host.h"

/* What loader and host of the gateways share; internal to flow/gateway_*.c. */
struct gateway_private {
	struct gw_api api; /* a copy: fields that it lacks are zero */
	const struct gw_pair *settings; /* in the order of api.options */
	size_t setting_count;
	bool plain_http;
	const char *ca_file;
	const char *callback_secret, *callback_old_secret;
	int64_t took_us; /* a request, moving average */
};

struct pause {
	const char *gateway, *scope;
	int64_t until_at; /* unmoved */
};

struct gateways {
	struct arena *arena;
	struct list list; /* struct gateway * */
	struct arena *pause_arena;
	struct list pauses; /* struct pause */
	struct loop *loop;
	struct http_client *client;
	const struct clock *clock;
	int64_t lease_us, request_us, connect_us;
};

#endif
