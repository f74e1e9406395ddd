#ifndef ADHERD_FLOW_GATEWAY_HOST_H
#define ADHERD_FLOW_GATEWAY_HOST_H

#include "base/clock.h"
#include "base/http_client.h"
#include "care/dossier.h"
#include "flow/settings.h"
#include "gateways/gateway.h"

/*
 * The host of the gateways: loads plug-ins, checks their settings, does
 * their I/O, counts what is on its way to each provider, and knows what is
 * paused.
 */
struct gateways;

struct gateway { /* a loaded plug-in with its settings and window */
	const char *name;
	const struct gw_api *api; /* owned by gateways */
	enum channel channel;
	int32_t tenant_id;
	int16_t lane;       /* where people wait for it; from its name */
	uint32_t window;    /* requests in flight at most */
	uint32_t batch_max; /* messages in one request */
	bool takes_callbacks;
	bool abroad;        /* carries data abroad */
	uint32_t in_flight; /* requests */
	uint32_t queued;    /* messages planned and not yet answered */
	struct gateways *gateways;
	struct gateway_private *own;
};

/*
 * Load what the configuration names.  NULL with error: a missing file, one
 * that others may write, another ABI, an unknown or missing key, settings
 * that the plug-in refuses.  conf, client and clock must outlive it;
 * client may be NULL where nothing is sent (adherctl).
 */
struct gateways *gateways_load(struct conf *conf,
    const struct settings *settings, struct loop *loop,
    struct http_client *client, const struct clock *clock,
    struct conf_error *error);
void gateways_free(struct gateways *gateways); /* nothing may be in flight */
size_t gateways_count(const struct gateways *gateways);
struct gateway *gateways_at(const struct gateways *gateways, size_t index);
struct gateway *gateways_find(
    const struct gateways *gateways, const char *name);
/*
 * The first in file order that serves this channel of this tenant; NULL.
 * One that carries data abroad only where abroad says that it may.
 */
struct gateway *gateways_for(const struct gateways *gateways, int32_t tenant_id,
    enum channel channel, bool abroad);

/*
 * Messages that may be planned for it now: what its window can take away
 * well within the lease, less what is queued already; 0 while paused.
 */
uint32_t gateway_room(const struct gateway *gateway);
/* Pauses: scope "" is the gateway, "template:CODE", "sender:NAME". */
bool gateway_paused(const struct gateway *gateway, const char *scope);
void gateways_pauses_clear(struct gateways *gateways);
void gateways_pause(struct gateways *gateways, const char *gateway,
    const char *scope, int64_t until_at);

/*
 * Send 1..batch_max messages in one request; they must live until done,
 * which is called exactly once, from the loop, with one outcome a message.
 * The caller keeps in_flight below window; it counts here.
 */
void gateway_send(struct gateway *gateway, const struct gw_message *messages,
    size_t count, void (*done)(const struct gw_outcome *outcomes, void *arg),
    void *arg);
/* Ask about one unknown delivery; query must live until done. */
void gateway_query(struct gateway *gateway, const struct gw_query *query,
    void (*done)(const struct gw_query_result *result, void *arg), void *arg);
/*
 * Translate a callback whose secret was right.  Number of events in the
 * arena, or -1; *answer is filled in both cases.
 */
must_check int gateway_receive(struct gateway *gateway,
    const struct gw_callback *callback, struct arena *arena,
    const struct gw_event **events, struct gw_answer *answer);
/* Is this the callback secret, or the one before? Constant time. */
bool gateway_secret_is(const struct gateway *gateway, const char *secret);

#endif
