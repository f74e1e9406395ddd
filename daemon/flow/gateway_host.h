#ifndef ADHERD_FLOW_GATEWAY_HOST_H
#define ADHERD_FLOW_GATEWAY_HOST_H

#include "base/clock.h"
#include "base/http_client.h"
#include "base/keyring.h"
#include "care/dossier.h"
#include "flow/account.h"
#include "flow/settings.h"
#include "flow/state_file.h"
#include "gateways/gateway.h"

/*
 * The host of the gateways: loads plug-ins, checks their settings, does
 * their I/O, counts what is on its way to each provider, and knows what is
 * paused.
 */
struct gateways;
struct gateways_change;

/* In the life of a process, those that were removed included. */
#define GATEWAYS_EVER_MAX 256

#define BALANCE_UNKNOWN INT64_MIN

struct gateway { /* a loaded plug-in with its settings and window */
	const char *name;
	const struct gw_api *api; /* owned by gateways */
	enum channel channel;
	int32_t tenant_id;
	int16_t lane;     /* where people wait for it; from its name */
	struct pace pace; /* how many requests may be in flight */
	struct account *account;
	uint32_t batch_max; /* messages in one request */
	bool takes_callbacks;
	bool retired;        /* a reload no longer names it: paused for good */
	bool abroad;         /* carries data abroad */
	bool reply_codes;    /* messages carry reply_code() as extension */
	int64_t balance_low; /* 0: no alarm */
	int64_t balance;     /* as last told; BALANCE_UNKNOWN */
	int64_t balance_asked_at; /* clock_boot(); 0: never */
	bool asking_balance;
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
/*
 * Read and check what another configuration would make of the gateways;
 * nothing in use is touched.  NULL with error: as gateways_load, or a
 * running gateway with another plug-in, channel or tenant.  conf and
 * settings must live until gateways_commit(), which puts the change in
 * force, or gateways_drop_change().  Requests under way keep the settings
 * that they began with; who is not named any more is retired.
 */
struct gateways_change *gateways_prepare(struct gateways *gateways,
    struct conf *conf, const struct settings *settings,
    struct conf_error *error);
void gateways_commit(struct gateways_change *change);
void gateways_drop_change(struct gateways_change *change);
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
 * Messages that may be planned for it now: what its window, rate and quota
 * can take away well within the lease, less what is queued already; 0 while
 * paused.
 */
uint32_t gateway_room(const struct gateway *gateway);
/*
 * Pauses: scope "" is the gateway, "template:CODE", "sender:NAME".  A
 * gateway whose quota is used up is paused too.
 */
bool gateway_paused(const struct gateway *gateway, const char *scope);
/* Pause here and now; the caller has it stored for the other copies. */
void gateways_pause(struct gateways *gateways, const char *gateway,
    const char *scope, int64_t until_at);
/*
 * Add the reading of the stored pauses to a unit: they replace what is
 * known here, but for what was paused here a moment ago.  now is unmoved.
 */
void gateways_read_pauses(
    struct gateways *gateways, struct db_unit *unit, int64_t now);
/* All at once, until an operator acts: pauses of the gateway "*". */
bool gateways_all_paused(const struct gateways *gateways);
/* Remember there whose plug-in runs; borrowed. */
void gateways_remember(struct gateways *gateways, struct state_file *state);
/* The accounts of all gateways. */
struct accounts *gateways_accounts(const struct gateways *gateways);
/*
 * Before anything is sent: where the tokens of providers are shared, and what
 * seals them.
 */
void gateways_use_tokens(
    struct gateways *gateways, struct db *db, struct keyring *keyring);
/* Have tokens that end soon refreshed: call each second. */
void gateways_look_at_tokens(struct gateways *gateways);
/* How long a scope that refuses rests before it is tried again. */
int64_t gateways_probe_us(const struct gateways *gateways);

struct gateway_rest {     /* what a request asks of the gateway as a whole */
	int64_t pause_us; /* it rests so long; 0: it goes on */
	const char *why;  /* slower, failed, refused */
	const char *code; /* the provider's, or NULL */
};

/*
 * Send 1..batch_max messages in one request; they must live until done,
 * which is called exactly once, from the loop.  The caller keeps in_flight
 * below the window, and takes the messages from the account; in_flight is
 * counted here.  After begin_until (unmoved) no request begins: it then
 * surely did not leave.  Where the plug-in wants a token, it waits for one;
 * one that was refused is replaced once.
 */
void gateway_send(struct gateway *gateway, const struct gw_message *messages,
    size_t count, int64_t begin_until,
    void (*done)(const struct gw_outcome *outcomes,
	const struct gateway_rest *rest, void *arg),
    void *arg);
/*
 * Ask about one unknown delivery; query must live until done.  It tells the
 * breaker what it learnt of the provider, as a message does.
 */
void gateway_query(struct gateway *gateway, const struct gw_query *query,
    void (*done)(const struct gw_query_result *result,
	const struct gateway_rest *rest, void *arg),
    void *arg);
/*
 * Where balance-low is set: ask for the balances that are older than a quarter
 * of an hour, or a minute where nothing was told, and warn of those that are
 * low.  Call each second.
 */
void gateways_look_at_balances(struct gateways *gateways);
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
