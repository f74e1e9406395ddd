#ifndef ADHERD_FLOW_GATEWAY_REQUEST_H
#define ADHERD_FLOW_GATEWAY_REQUEST_H

#include "base/http_client.h"
#include "flow/gateway_load.h"

/*
 * One request to a provider, as the files of the gateways share it; internal
 * to flow/gateway_*.c.  gateway_host.c makes those of messages and questions,
 * gateway_token.c those for tokens.
 */
struct request { /* one on its way */
	struct gateway *gateway;
	struct gateway_config *config; /* held */
	struct arena *arena;
	const struct gw_message *messages;
	size_t count;
	struct gw_outcome *outcomes;
	const struct gw_query *query;
	int64_t started_at;  /* unmoved */
	int64_t begin_until; /* unmoved; AT_NEVER: whenever it can */
	/* have the plug-in write it, and start it */
	void (*write)(struct request *request);
	/* it surely did not leave, for want of a token */
	void (*give_up)(
	    struct request *request, enum pace_sign sign, const char *code);
	int64_t token_at; /* end of the token that it has */
	bool renewed;     /* it had another token before */
	bool repeated;    /* it may have been taken before */
	bool repeatable;
	struct request *next; /* of those that wait for a token */
	void (*sent)(const struct gw_outcome *outcomes,
	    const struct gateway_rest *rest, void *arg);
	void (*queried)(const struct gw_query_result *result,
	    const struct gateway_rest *rest, void *arg);
	void *arg;
};

/* With memory of its own; it has no place in the window yet. */
struct request *request_create(struct gateway *gateway, void *arg);
void request_free(struct request *request);
/* Begin a call into the plug-in; request_call_end() when it returned. */
void request_call(const struct gateway *gateway,
    const struct gateway_config *config, struct arena *arena,
    struct gw_call *call);
void request_call_end(const struct gateway *gateway);
/* A plug-in reaches only hosts that its settings name. */
bool request_url_allowed(const struct request *request, const char *url);
void request_start(struct request *request, const struct gw_request *wire,
    void (*done)(const struct http_response *http, void *arg));
struct gw_response *request_response(
    struct request *request, const struct http_response *http);
/* What may be logged and stored of a code. */
const char *request_code(struct arena *arena, const char *code);

#endif
