/*
 * Tokens of providers.  A token is known by its end: two copies that have the
 * same end have the same token.  The claim is a lease in the database, so a
 * copy that dies while it refreshes keeps the others waiting for that long
 * and no longer.
 */
#include "flow/gateway_token.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/log.h"
#include "flow/seal.h"

#define SPARE_US (10 * SECOND_US)  /* what ends sooner goes with nobody */
#define AHEAD_US (240 * SECOND_US) /* refreshed so long before its end */
#define LEASE_SPARE_US (5 * SECOND_US)
#define AGAIN_US (10 * SECOND_US) /* after a refresh, good or not */
#define URGENT_US SECOND_US       /* the same, where a request waits */
#define LOOK_US (300 * 1000)      /* while somebody waits */
#define TOKEN_BYTES_MAX 4096
#define LIFETIME_S_MIN 60
#define LIFETIME_S_MAX (30 * 86400)
#define HOLDER_BYTES 8

struct token {
	struct gateway *gateway;
	char *text;         /* owned; NULL: none */
	int64_t end_at;     /* unmoved */
	uint8_t digest[32]; /* of the settings that it was got with */
	int64_t useless_at; /* end of one that will not do; AT_UNKNOWN */
	bool busy;          /* asking the database, or the provider */
	bool claimed;       /* the refresh is ours */
	bool told;          /* the log has the failure */
	int64_t again_at;   /* clock_boot(): not asked before */
	int64_t ended_at;   /* clock_boot(): of the last refresh */
	char holder[2 * HOLDER_BYTES + 1];
	struct loop_timer *timer;
	struct request *first; /* those that wait */
};

static void on_timer(void *arg);
static void on_token(const struct http_response *http, void *arg);

static int64_t
now_of(const struct token *token)
{
	return clock_unmoved(token->gateway->gateways->clock);
}

struct token *
token_create(struct gateway *gateway)
{
	struct token *token = mem_alloc(sizeof(*token));
	uint8_t random[HOLDER_BYTES];

	token->gateway = gateway;
	token->end_at = token->useless_at = AT_UNKNOWN;
	crypto_random(random, sizeof(random));
	crypto_hex(random, sizeof(random), token->holder);
	if (gateway->gateways->loop != NULL)
		token->timer =
		    loop_timer_create(gateway->gateways->loop, on_timer, token);
	return token;
}

static void
forget_text(struct token *token)
{
	if (token->text == NULL)
		return;
	crypto_wipe(token->text, strlen(token->text));
	free(token->text);
	token->text = NULL;
}

void
token_free(struct token *token)
{
	if (token == NULL)
		return;
	assert(token->first == NULL);
	forget_text(token);
	loop_timer_free(token->timer);
	free(token);
}

/* Other settings: it may be of another account. */
static bool
is_usable(const struct token *token)
{
	return token->text != NULL && token->end_at != token->useless_at &&
	       token->end_at > now_of(token) + SPARE_US &&
	       memcmp(token->digest, token->gateway->own->config->digest,
		   sizeof(token->digest)) == 0;
}

const char *
token_text(const struct gateway *gateway)
{
	const struct token *token = gateway->own->token;

	return token != NULL && is_usable(token) ? token->text : NULL;
}

int64_t
token_end(const struct gateway *gateway)
{
	return gateway->own->token == NULL ? AT_UNKNOWN
					   : gateway->own->token->end_at;
}

void
token_refused(struct gateway *gateway, int64_t end_at)
{
	struct token *token = gateway->own->token;

	if (token->end_at != end_at || token->useless_at == end_at)
		return;
	log_notice("gateway.token_refused", log_s(GATEWAY, gateway->name));
	token->useless_at = end_at;
	token->again_at = 0;
}

/* ---- those that wait ---- */

static void
write_waiting(struct token *token)
{
	while (token->first != NULL && is_usable(token)) {
		struct request *request = token->first;

		token->first = request->next;
		request->next = NULL;
		request->token_at = token->end_at;
		request->write(request);
	}
}

static void
give_up_waiting(struct token *token, enum pace_sign sign, const char *code)
{
	struct request *list = token->first;

	token->first = NULL;
	while (list != NULL) {
		struct request *request = list;

		list = request->next;
		request->next = NULL;
		request->give_up(request, sign, code);
	}
}

/* Nobody waits for longer than a request may take, or past its time. */
static void
expire_waiting(struct token *token)
{
	int64_t now = now_of(token);
	struct request **link = &token->first;

	while (*link != NULL) {
		struct request *request = *link;

		if (now < request->begin_until &&
		    now < request->started_at +
			      token->gateway->gateways->request_us) {
			link = &request->next;
			continue;
		}
		*link = request->next;
		request->next = NULL;
		request->give_up(request, PACE_FAILED, "no_token");
	}
}

/* ---- refreshing ---- */

static void
take_text(struct token *token, const char *text, int64_t end_at)
{
	forget_text(token);
	token->text = mem_text(text);
	token->end_at = end_at;
	memcpy(token->digest, token->gateway->own->config->digest,
	    sizeof(token->digest));
}

static void
end_refresh(struct token *token)
{
	token->busy = false;
	token->claimed = false;
	token->ended_at = clock_boot();
	token->again_at = token->ended_at + AGAIN_US;
}

static void
on_stored(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct token *token = arg;

	if (outcome == DB_FAILED)
		log_warning("gateway.token_not_stored",
		    log_s(GATEWAY, token->gateway->name),
		    log_s(SQLSTATE, sqlstate));
}

/* For the other copies; text NULL: only the claim is given back. */
static void
store(struct token *token, const char *text)
{
	const struct gateway *gateway = token->gateway;
	struct db_unit *unit = db_unit_begin(gateway->gateways->token_db);
	struct buf sealed = BUF_INIT(TOKEN_BYTES_MAX + 64);

	db_unit_add(unit, "gateway_token_store", NULL, NULL);
	db_param_text(unit, gateway->name);
	db_param_text(unit, token->holder);
	if (text != NULL) {
		seal_token(gateway->gateways->keyring, gateway->tenant_id,
		    gateway->name, token->digest, text, &sealed);
		db_param_bytes(unit, sealed.data, sealed.bytes);
	} else {
		db_param_null(unit);
	}
	db_param_at(unit, token->end_at);
	db_unit_send(unit, on_stored, token);
	buf_free(&sealed);
}

static void
refresh_failed(struct token *token, enum pace_sign sign, const char *code)
{
	if (!token->told)
		log_warning("gateway.token_failed",
		    log_s(GATEWAY, token->gateway->name), log_s(CODE, code));
	token->told = true;
	store(token, NULL);
	end_refresh(token);
	give_up_waiting(token, sign, code);
}

/* What a header or a URL can carry. */
static bool
is_plain(const char *text)
{
	size_t bytes = strnlen(text, TOKEN_BYTES_MAX + 1);

	for (size_t i = 0; i < bytes; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	return bytes > 0 && bytes <= TOKEN_BYTES_MAX;
}

static void
refreshed(struct token *token, const char *text, int32_t lifetime_s)
{
	take_text(token, text, now_of(token) + lifetime_s * (int64_t)SECOND_US);
	store(token, text);
	end_refresh(token);
	token->told = false;
	log_notice("gateway.token_refreshed",
	    log_s(GATEWAY, token->gateway->name),
	    log_n(MS, lifetime_s * INT64_C(1000)));
	write_waiting(token);
}

static void
on_token(const struct http_response *http, void *arg)
{
	struct request *request = arg;
	struct gateway *gateway = request->gateway;
	struct token *token = gateway->own->token;
	const char *text = NULL, *error = NULL;
	int32_t lifetime_s = 0;
	struct gw_call call;

	if (http->end != HTTP_ANSWERED) {
		refresh_failed(token, PACE_FAILED, http->error);
		request_free(request);
		return;
	}
	request_call(gateway, request->config, request->arena, &call);
	if (gateway->api->authed(&call, request_response(request, http), &text,
		&lifetime_s, &error) != 0)
		text = NULL;
	request_call_end(gateway);
	if (text != NULL && is_plain(text) && lifetime_s >= LIFETIME_S_MIN &&
	    lifetime_s <= LIFETIME_S_MAX)
		refreshed(token, text, lifetime_s);
	else
		refresh_failed(token,
		    http->status >= 500 ? PACE_FAILED : PACE_REFUSED,
		    request_code(
			request->arena, error != NULL ? error : "token"));
	request_free(request);
}

static void
refresh(struct token *token)
{
	struct gateway *gateway = token->gateway;
	struct request *request = request_create(gateway, NULL);
	struct gw_request wire = {0};
	struct gw_call call;

	request->begin_until = AT_NEVER;
	request_call(gateway, request->config, request->arena, &call);
	gateway->api->auth(&call, &wire);
	request_call_end(gateway);
	if (request_url_allowed(request, wire.url)) {
		request_start(request, &wire, on_token);
		return;
	}
	if (wire.url == NULL) {
		refreshed(token, "", LIFETIME_S_MAX);
		request_free(request);
		return;
	}
	log_error("gateway.url_refused", log_s(GATEWAY, gateway->name));
	refresh_failed(token, PACE_REFUSED, "url_refused");
	request_free(request);
}

/* ---- what the database has ---- */

static void
take_claim(const struct db_result *result, void *arg)
{
	((struct token *)arg)->claimed = db_rows(result) == 1;
}

/* One that cannot be opened was got with other settings, or other keys. */
static void
take_row(const struct db_result *result, void *arg)
{
	struct token *token = arg;
	const struct gateway *gateway = token->gateway;
	struct arena *arena;
	const uint8_t *sealed;
	const char *text;
	int64_t end_at;
	size_t bytes;

	if (db_rows(result) == 0 || db_null(result, 0, 0))
		return;
	sealed = db_bytes(result, 0, 0, &bytes);
	end_at = db_at(result, 0, 1);
	if (is_usable(token) && end_at <= token->end_at)
		return;
	arena = arena_create();
	text = seal_open_token(gateway->gateways->keyring, gateway->tenant_id,
	    gateway->name, gateway->own->config->digest, sealed, bytes, arena);
	if (text != NULL)
		take_text(token, text, end_at);
	else
		token->useless_at = end_at;
	arena_free(arena);
}

static void
on_asked(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct token *token = arg;

	if (outcome == DB_OK && token->claimed) {
		refresh(token);
		return;
	}
	if (outcome == DB_FAILED)
		log_warning("gateway.token_not_read",
		    log_s(GATEWAY, token->gateway->name),
		    log_s(SQLSTATE, sqlstate));
	token->busy = false;
	token->claimed = false;
	/* another copy is at it, or it was useless: soon there is one */
	token->again_at = clock_boot() + LOOK_US;
	write_waiting(token);
}

static bool
is_wanted(const struct token *token)
{
	return !is_usable(token) || token->end_at <= now_of(token) + AHEAD_US;
}

/* What waits was let through by the breaker: it need not wait for us, too. */
static bool
may_ask(const struct token *token)
{
	int64_t now = clock_boot();

	return now >= token->again_at ||
	       (token->first != NULL && now >= token->ended_at + URGENT_US);
}

/* Claim the refresh where one is due, and read what is there. */
static void
ask(struct token *token)
{
	const struct gateways *gateways = token->gateway->gateways;
	int64_t now = now_of(token);
	struct db_unit *unit;

	if (token->busy || gateways->token_db == NULL ||
	    !gateways->clock->synced || !may_ask(token) || !is_wanted(token))
		return;
	token->busy = true;
	unit = db_unit_begin(gateways->token_db);
	db_unit_add(unit, "gateway_token_claim", take_claim, token);
	db_param_text(unit, token->gateway->name);
	db_param_text(unit, token->holder);
	db_param_at(unit, now);
	db_param_at(unit, now + gateways->request_us + LEASE_SPARE_US);
	db_param_at(unit, token->useless_at);
	db_param_at(unit, now + AHEAD_US);
	db_unit_add(unit, "gateway_token_read", take_row, token);
	db_param_text(unit, token->gateway->name);
	db_unit_send(unit, on_asked, token);
}

static void
on_timer(void *arg)
{
	struct token *token = arg;

	write_waiting(token);
	expire_waiting(token);
	ask(token);
	if (token->first != NULL)
		loop_timer_arm(token->timer, LOOK_US);
}

void
token_wait(struct request *request)
{
	struct token *token = request->gateway->own->token;
	struct request **link = &token->first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = request;
	if (!loop_timer_armed(token->timer))
		loop_timer_arm(token->timer, 0);
}

void
gateways_use_tokens(
    struct gateways *gateways, struct db *db, struct keyring *keyring)
{
	gateways->token_db = db;
	gateways->keyring = keyring;
}

void
gateways_look_at_tokens(struct gateways *gateways)
{
	for (size_t i = 0; i < gateways_count(gateways); i++) {
		struct gateway *gateway = gateways_at(gateways, i);

		if (gateway->own->token != NULL && !gateway->retired)
			ask(gateway->own->token);
	}
}
