/*
 * The host's side of a gateway in use: builds calls, sends what plug-ins
 * wrote through the HTTP client, hands answers back, counts.  Owns every
 * request from gateway_send() until its done() returned.
 */
#include "flow/gateway_host.h"

#include <assert.h>
#include <string.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/watchdog.h"
#include "flow/gateway_call.h"
#include "flow/gateway_load.h"
#include "flow/gateway_token.h"

/*
 * Messages queued: so many windows of requests, and no more than so many
 * beyond one window, which is four rounds.
 */
#define QUEUE_WINDOWS 32
#define QUEUE_BEYOND 2000
#define CODE_BYTES_MAX 64
#define NUMBER_DIGITS 7 /* in a row: somebody's number */
#define BALANCE_US (15 * MINUTE_US)

void
request_call(const struct gateway *gateway, const struct gateway_config *config,
    struct arena *arena, struct gw_call *call)
{
	gateway_call_init(call, arena, gateway->name, config->settings,
	    config->setting_count, clock_unmoved(gateway->gateways->clock),
	    token_text(gateway));
	call->channel = channel_word(gateway->channel);
	watchdog_enter(gateway->name);
	if (gateway->gateways->state != NULL)
		state_file_calling(gateway->gateways->state, gateway->name);
}

void
request_call_end(const struct gateway *gateway)
{
	if (gateway->gateways->state != NULL)
		state_file_called(gateway->gateways->state);
	watchdog_leave();
}

size_t
gateways_count(const struct gateways *gateways)
{
	return gateways->list.count;
}

struct gateway *
gateways_at(const struct gateways *gateways, size_t index)
{
	assert(index < gateways->list.count);
	return ((struct gateway **)gateways->list.data)[index];
}

struct gateway *
gateways_find(const struct gateways *gateways, const char *name)
{
	for (size_t i = 0; i < gateways->list.count; i++)
		if (strcmp(gateways_at(gateways, i)->name, name) == 0)
			return gateways_at(gateways, i);
	return NULL;
}

struct gateway *
gateways_for(const struct gateways *gateways, int32_t tenant_id,
    enum channel channel, bool abroad)
{
	for (size_t i = 0; i < gateways->list.count; i++) {
		struct gateway *gateway = gateways_at(gateways, i);

		if (!gateway->retired && gateway->tenant_id == tenant_id &&
		    gateway->channel == channel &&
		    (abroad || !gateway->abroad) &&
		    gateway->api->kind == GW_KIND_MESSAGES)
			return gateway;
	}
	return NULL;
}

/* ---- room ---- */

/* What its account lets through, less what waits at others of the same. */
static uint64_t
room_by_account(const struct gateway *gateway)
{
	const struct gateways *gateways = gateway->gateways;
	uint64_t room, others = 0;

	if (account_is_free(gateway->account))
		return UINT32_MAX;
	room = account_room(gateway->account, clock_unmoved(gateways->clock),
	    gateways->lease_us / 4);
	for (size_t i = 0; i < gateways_count(gateways); i++) {
		const struct gateway *other = gateways_at(gateways, i);

		if (other != gateway && other->account == gateway->account)
			others += other->queued;
	}
	/* one at least, or the first would keep the others out for ever */
	return room > others ? room - others : room > 0 ? 1 : 0;
}

/* Messages that a request surely takes along: a text with a name is alone. */
static uint32_t
request_messages(const struct gateway *gateway)
{
	return (gateway->api->flags & GW_SAME_TEXT) != 0 ? 1
							 : gateway->batch_max;
}

uint32_t
gateway_room(const struct gateway *gateway)
{
	uint64_t window =
	    (uint64_t)gateway->pace.window * request_messages(gateway);
	uint64_t most = window;
	int64_t took_us = gateway->own->took_us;
	uint64_t by_account;

	if (gateway_paused(gateway, ""))
		return 0;
	if (gateway->pace.probing)
		return gateway->queued == 0 ? 1 : 0;
	/* a queue that a quarter of the lease empties at the present pace */
	if (took_us > 0) {
		uint64_t turns =
		    (uint64_t)(gateway->gateways->lease_us / 4 / took_us);

		most *= turns < 1               ? 1
			: turns < QUEUE_WINDOWS ? turns
						: QUEUE_WINDOWS;
		if (most > window + QUEUE_BEYOND)
			most = window + QUEUE_BEYOND;
	}
	by_account = room_by_account(gateway);
	if (by_account < most)
		most = by_account;
	return most > gateway->queued ? (uint32_t)(most - gateway->queued) : 0;
}

void
gateways_remember(struct gateways *gateways, struct state_file *state)
{
	gateways->state = state;
}

struct accounts *
gateways_accounts(const struct gateways *gateways)
{
	return gateways->accounts;
}

int64_t
gateways_probe_us(const struct gateways *gateways)
{
	return gateways->probe_us;
}

/* ---- requests ---- */

struct request *
request_create(struct gateway *gateway, void *arg)
{
	struct arena *arena = arena_create();
	struct request *request = arena_alloc(arena, sizeof(*request));

	request->gateway = gateway;
	request->config = gateway_config_hold(gateway->own->config);
	request->arena = arena;
	request->arg = arg;
	request->started_at = clock_unmoved(gateway->gateways->clock);
	request->token_at = AT_UNKNOWN;
	return request;
}

static struct request *
request_begin(struct gateway *gateway, void *arg)
{
	gateway->in_flight++;
	return request_create(gateway, arg);
}

/* Now, or once there is a token. */
static void
request_write(struct request *request)
{
	struct gateway *gateway = request->gateway;

	if (gateway->own->token != NULL && token_text(gateway) == NULL) {
		token_wait(request);
		return;
	}
	request->token_at = token_end(gateway);
	request->write(request);
}

/* Its place in the window is free before anybody is told. */
static void
request_end(struct request *request)
{
	assert(request->gateway->in_flight > 0);
	request->gateway->in_flight--;
}

void
request_free(struct request *request)
{
	gateway_config_release(request->config);
	arena_free(request->arena);
}

static void
tell_found(struct request *request, const struct gw_query_result *result,
    const struct gateway_rest *rest)
{
	request_end(request);
	request->queried(result, rest, request->arg);
	request_free(request);
}

static void
tell_sent(struct request *request, const struct gateway_rest *rest)
{
	request_end(request);
	request->sent(request->outcomes, rest, request->arg);
	request_free(request);
}

static void
set_all(struct request *request, enum gw_verdict verdict, const char *code)
{
	for (size_t i = 0; i < request->count; i++)
		request->outcomes[i] = (struct gw_outcome){
		    .verdict = verdict,
		    .scope = GW_SCOPE_GATEWAY,
		    .code = code,
		};
}

/*
 * A code is logged and stored: letters, digits and . _ : - of it, and no
 * run of digits that could be somebody's number.
 */
const char *
request_code(struct arena *arena, const char *code)
{
	size_t run = 0;
	char *text;

	if (code == NULL)
		return NULL;
	text = arena_text_n(arena, code, strnlen(code, CODE_BYTES_MAX));
	for (char *at = text; *at != '\0'; at++) {
		bool digit = *at >= '0' && *at <= '9';
		bool letter =
		    (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');

		run = digit ? run + 1 : 0;
		if (run == NUMBER_DIGITS)
			memset(at - run + 1, '#', run);
		else if (run > NUMBER_DIGITS)
			*at = '#';
		else if (!digit && !letter && strchr("._:-", *at) == NULL)
			*at = '_';
	}
	return text;
}

/* What a plug-in must not have left out; long codes are cut. */
static void
clean_outcomes(struct request *request)
{
	for (size_t i = 0; i < request->count; i++) {
		struct gw_outcome *o = &request->outcomes[i];

		if (o->verdict < GW_ACCEPTED || o->verdict > GW_UNKNOWN ||
		    o->scope < GW_SCOPE_RECIPIENT ||
		    o->scope > GW_SCOPE_GATEWAY)
			*o = (struct gw_outcome){GW_UNKNOWN, GW_SCOPE_GATEWAY,
			    .code = "plugin_incomplete"};
		o->code = request_code(request->arena, o->code);
		if (o->retry_after_s < 0)
			o->retry_after_s = 0;
	}
}

/* An error of the client is no answer: sure or unsure. */
static enum gw_verdict
verdict_of_end(enum http_end end)
{
	return end == HTTP_UNSENT ? GW_RETRY : GW_UNKNOWN;
}

struct gw_response *
request_response(struct request *request, const struct http_response *http)
{
	struct gw_response *response =
	    arena_alloc(request->arena, sizeof(*response));
	struct gw_pair *headers = arena_array(
	    request->arena, http->header_count + 1, sizeof(*headers));

	for (size_t i = 0; i < http->header_count; i++)
		headers[i] = (struct gw_pair){
		    http->headers[i].name, http->headers[i].value};
	*response = (struct gw_response){
	    .status = http->status,
	    .headers = headers,
	    .header_count = http->header_count,
	    .body = http->body,
	    .body_bytes = http->body_bytes,
	};
	return response;
}

/* A moving average, an eighth of each request. */
static void
note_pace(struct gateway *gateway, int64_t took_us)
{
	int64_t *average = &gateway->own->took_us;

	*average =
	    *average == 0 ? took_us : *average + (took_us - *average) / 8;
}

/* A plug-in that names no time leaves it to the Retry-After header. */
static void
take_response(struct request *request, struct gw_call *call,
    const struct gw_response *response)
{
	int32_t wait_s = gateway_call_retry_after_s(response, call->now_us);

	request->gateway->api->sent(call, request->messages, request->count,
	    response, request->outcomes);
	for (size_t i = 0; i < request->count; i++)
		if (request->outcomes[i].verdict == GW_RETRY &&
		    request->outcomes[i].retry_after_s == 0)
			request->outcomes[i].retry_after_s = wait_s;
}

/*
 * What a request says of the provider.  A whole answer that judges messages
 * is a good one, whatever the verdicts; where it speaks of the gateway, a
 * time or status 429 asks for patience, else somebody must act first.
 */
static enum pace_sign
read_sign(const struct request *request, const struct http_response *http)
{
	const struct gw_outcome *o = request->outcomes;

	if (http->end != HTTP_ANSWERED)
		return PACE_FAILED;
	for (size_t i = 0; i < request->count; i++)
		if (o[i].verdict != GW_UNKNOWN && o[i].scope < GW_SCOPE_GATEWAY)
			return PACE_GOOD;
	for (size_t i = 0; i < request->count; i++) {
		if (o[i].verdict == GW_ACCEPTED)
			return PACE_GOOD;
		if (o[i].verdict == GW_RETRY)
			return o[i].retry_after_s > 0 || http->status == 429
				   ? PACE_SLOWER
				   : PACE_REFUSED;
	}
	return o[0].verdict == GW_REJECTED ? PACE_REFUSED : PACE_FAILED;
}

/* The longest time that the outcomes ask for on behalf of the gateway. */
static int32_t
told_s(const struct request *request)
{
	int32_t longest_s = 0;

	for (size_t i = 0; i < request->count; i++)
		if (request->outcomes[i].scope == GW_SCOPE_GATEWAY &&
		    request->outcomes[i].retry_after_s > longest_s)
			longest_s = request->outcomes[i].retry_after_s;
	return longest_s;
}

/* Tell the breaker; does the gateway rest after this, and how long? */
static struct gateway_rest
note_answer(const struct request *request, enum pace_sign sign, int32_t told_s,
    const char *code)
{
	static const char *const words[] = {[PACE_GOOD] = "good",
	    [PACE_SLOWER] = "slower",
	    [PACE_FAILED] = "failed",
	    [PACE_REFUSED] = "refused"};
	struct gateway *gateway = request->gateway;
	bool was_probing = gateway->pace.probing;
	struct gateway_rest rest = {.why = words[sign], .code = code};
	uint32_t random;

	crypto_random(&random, sizeof(random));
	rest.pause_us = pace_note(&gateway->pace, sign, request->started_at,
	    clock_unmoved(gateway->gateways->clock),
	    gateway->in_flight >= gateway->pace.window, told_s * SECOND_US,
	    random);
	if (was_probing && !gateway->pace.probing)
		log_notice("gateway.resumed", log_s(GATEWAY, gateway->name),
		    log_s(SCOPE, ""), log_s(REASON, "answered"));
	return rest;
}

/* Its token was not good: once more, with another. */
static bool
renew(struct request *request)
{
	struct gateway *gateway = request->gateway;

	if (gateway->own->token == NULL || request->renewed ||
	    !request->outcomes[0].token_refused)
		return false;
	request->renewed = true;
	token_refused(gateway, request->token_at);
	request_write(request);
	return true;
}

/*
 * Nobody knows whether it was taken, and the provider knows it again: once
 * more, unless the provider is being tried, or time is up.
 */
static bool
repeat(struct request *request)
{
	struct gw_message *again;

	if (!request->repeatable || request->repeated ||
	    request->outcomes[0].verdict != GW_UNKNOWN ||
	    request->gateway->pace.probing ||
	    clock_unmoved(request->gateway->gateways->clock) >=
		request->begin_until)
		return false;
	again = arena_array(request->arena, request->count, sizeof(*again));
	for (size_t i = 0; i < request->count; i++) {
		again[i] = request->messages[i];
		again[i].repeated = true;
	}
	request->messages = again;
	request->repeated = true;
	request_write(request);
	return true;
}

/* A repeat that was not taken says nothing of what was sent before it. */
static void
doubt_repeated(struct request *request)
{
	for (size_t i = 0; i < request->count && request->repeated; i++)
		if (request->outcomes[i].verdict == GW_RETRY)
			request->outcomes[i].verdict = GW_UNKNOWN;
}

static void
send_on_response(const struct http_response *http, void *arg)
{
	struct request *request = arg;
	struct gateway_rest rest;
	enum pace_sign sign;
	struct gw_call call;

	note_pace(request->gateway, http->took_us);
	request_call(request->gateway, request->config, request->arena, &call);
	if (http->end != HTTP_ANSWERED)
		set_all(request, verdict_of_end(http->end), http->error);
	else
		take_response(request, &call, request_response(request, http));
	request_call_end(request->gateway);
	clean_outcomes(request);
	if (renew(request) || repeat(request))
		return;
	sign = read_sign(request, http);
	rest = note_answer(
	    request, sign, told_s(request), request->outcomes[0].code);
	doubt_repeated(request);
	tell_sent(request, &rest);
}

/* Scheme, host and port of a URL: bytes up to its path. */
static size_t
origin_bytes(const char *url)
{
	const char *host = strstr(url, "://");

	return host == NULL
		   ? 0
		   : (size_t)(host - url) + 3 + strcspn(host + 3, "/?#");
}

bool
request_url_allowed(const struct request *request, const char *url)
{
	const struct gateway_config *config = request->config;
	size_t bytes = url == NULL ? 0 : origin_bytes(url);

	for (size_t i = 0; i < config->setting_count && bytes > 0; i++) {
		const char *value = config->settings[i].value;

		if (request->gateway->api->options[i].type == GW_OPTION_URL &&
		    value != NULL && origin_bytes(value) == bytes &&
		    strncmp(value, url, bytes) == 0)
			return true;
	}
	return false;
}

void
request_start(struct request *request, const struct gw_request *wire,
    void (*done)(const struct http_response *http, void *arg))
{
	const struct gateway *gateway = request->gateway;
	struct http_header *headers = arena_array(
	    request->arena, wire->header_count + 1, sizeof(*headers));
	struct http_request http = {
	    .method = wire->method,
	    .url = wire->url,
	    .headers = headers,
	    .header_count = wire->header_count,
	    .body = wire->body,
	    .body_bytes = wire->body_bytes,
	    .http2 = wire->http2,
	    .plain_allowed = request->config->plain_http,
	    .ca_file = request->config->ca_file,
	    .connect_timeout_us = gateway->gateways->connect_us,
	    .timeout_us = gateway->gateways->request_us,
	};

	for (size_t i = 0; i < wire->header_count; i++)
		headers[i] = (struct http_header){
		    wire->headers[i].name, wire->headers[i].value};
	if (request->begin_until != AT_NEVER)
		http.begin_until = clock_boot() + request->begin_until -
				   clock_unmoved(gateway->gateways->clock);
	if (wire->timeout_ms > 0 &&
	    wire->timeout_ms * INT64_C(1000) < http.timeout_us)
		http.timeout_us = wire->timeout_ms * INT64_C(1000);
	(void)http_client_send(gateway->gateways->client, &http, done, request);
}

/* The plug-in could not express it: tell from the loop, as always. */
static void
send_deferred(void *arg)
{
	struct request *request = arg;

	clean_outcomes(request);
	tell_sent(request, &(struct gateway_rest){0});
}

/* There was no token: it surely did not leave, at least not this time. */
static void
send_give_up(struct request *request, enum pace_sign sign, const char *code)
{
	struct gateway_rest rest;

	set_all(request, GW_RETRY, code);
	clean_outcomes(request);
	rest = note_answer(request, sign, 0, request->outcomes[0].code);
	doubt_repeated(request);
	tell_sent(request, &rest);
}

static void
send_write(struct request *request)
{
	struct gateway *gateway = request->gateway;
	struct gw_request wire = {0};
	struct gw_call call;
	int status;

	request_call(gateway, request->config, request->arena, &call);
	status = gateway->api->send(
	    &call, request->messages, request->count, &wire, request->outcomes);
	request_call_end(gateway);
	request->repeatable = wire.repeatable;
	if (status == 0 && request_url_allowed(request, wire.url)) {
		request_start(request, &wire, send_on_response);
		return;
	}
	if (status == 0) {
		log_error("gateway.url_refused", log_s(GATEWAY, gateway->name));
		set_all(request, GW_RETRY, "url_refused");
	}
	loop_defer(gateway->gateways->loop, send_deferred, request);
}

void
gateway_send(struct gateway *gateway, const struct gw_message *messages,
    size_t count, int64_t begin_until,
    void (*done)(const struct gw_outcome *outcomes,
	const struct gateway_rest *rest, void *arg),
    void *arg)
{
	struct request *request = request_begin(gateway, arg);

	assert(count > 0 && count <= gateway->batch_max);
	request->messages = messages;
	request->count = count;
	request->begin_until = begin_until;
	request->sent = done;
	request->outcomes =
	    arena_array(request->arena, count, sizeof(*request->outcomes));
	request->write = send_write;
	request->give_up = send_give_up;
	request_write(request);
}

/* ---- asking ---- */

/*
 * What a question says of the provider.  One that it refuses, or answers
 * with what cannot be used, says nothing: messages may pass all the same.
 */
static struct gateway_rest
note_question(const struct request *request, const struct http_response *http,
    const struct gw_query_result *result, int32_t wait_s)
{
	if (http->end != HTTP_ANSWERED)
		return note_answer(request, PACE_FAILED, 0, http->error);
	if (result->found != GW_FOUND_UNSURE)
		return note_answer(request, PACE_GOOD, 0, NULL);
	if (http->status == 429)
		return note_answer(request, PACE_SLOWER, wait_s, result->code);
	if (http->status >= 500)
		return note_answer(request, PACE_FAILED, 0, result->code);
	return (struct gateway_rest){0};
}

static void
query_on_response(const struct http_response *http, void *arg)
{
	struct request *request = arg;
	struct gw_query_result result = {.found = GW_FOUND_UNSURE};
	struct gateway_rest rest;
	struct gw_call call;
	int32_t wait_s = 0;

	request_call(request->gateway, request->config, request->arena, &call);
	if (http->end == HTTP_ANSWERED) {
		const struct gw_response *response =
		    request_response(request, http);

		wait_s = gateway_call_retry_after_s(response, call.now_us);
		request->gateway->api->queried(
		    &call, request->query, response, &result);
	}
	request_call_end(request->gateway);
	result.code = request_code(request->arena, result.code);
	if (result.found < GW_FOUND_NOTHING || result.found > GW_FOUND_UNSURE)
		result.found = GW_FOUND_UNSURE;
	rest = note_question(request, http, &result, wait_s);
	tell_found(request, &result, &rest);
}

static void
query_deferred(void *arg)
{
	struct gw_query_result result = {.found = GW_FOUND_UNSURE};
	struct request *request = arg;

	tell_found(request, &result, &(struct gateway_rest){0});
}

static void
query_give_up(struct request *request, enum pace_sign sign, const char *code)
{
	struct gw_query_result result = {.found = GW_FOUND_UNSURE};
	struct gateway_rest rest = note_answer(request, sign, 0, code);

	tell_found(request, &result, &rest);
}

static void
query_write(struct request *request)
{
	struct gateway *gateway = request->gateway;
	struct gw_request wire = {0};
	struct gw_call call;

	request_call(gateway, request->config, request->arena, &call);
	if (gateway->api->query != NULL)
		gateway->api->query(&call, request->query, &wire);
	request_call_end(gateway);
	if (request_url_allowed(request, wire.url))
		request_start(request, &wire, query_on_response);
	else
		loop_defer(gateway->gateways->loop, query_deferred, request);
}

void
gateway_query(struct gateway *gateway, const struct gw_query *query,
    void (*done)(const struct gw_query_result *result,
	const struct gateway_rest *rest, void *arg),
    void *arg)
{
	struct request *request = request_begin(gateway, arg);

	request->query = query;
	request->begin_until = AT_NEVER;
	request->queried = done;
	request->write = query_write;
	request->give_up = query_give_up;
	request_write(request);
}

/* ---- what is left ---- */

/* A line when it falls below, not at each asking. */
static void
take_balance(struct gateway *gateway, int64_t left)
{
	bool was_low = gateway->balance != BALANCE_UNKNOWN &&
		       gateway->balance < gateway->balance_low;

	gateway->balance = left;
	if (left < gateway->balance_low && !was_low)
		log_warning("gateway.balance_low",
		    log_s(GATEWAY, gateway->name), log_n(COUNT, left));
	else if (left >= gateway->balance_low && was_low)
		log_notice("gateway.balance_enough",
		    log_s(GATEWAY, gateway->name), log_n(COUNT, left));
}

static void
end_balance(struct request *request)
{
	request->gateway->asking_balance = false;
	request_end(request);
	request_free(request);
}

static void
balance_on_response(const struct http_response *http, void *arg)
{
	struct request *request = arg;
	struct gateway *gateway = request->gateway;
	struct gw_call call;
	int64_t left;

	request_call(gateway, request->config, request->arena, &call);
	if (http->end == HTTP_ANSWERED &&
	    gateway->api->balanced(
		&call, request_response(request, http), &left) == 0)
		take_balance(gateway, left);
	request_call_end(gateway);
	end_balance(request);
}

static void
balance_give_up(struct request *request, enum pace_sign sign, const char *code)
{
	(void)sign;
	(void)code;
	end_balance(request);
}

static void
balance_write(struct request *request)
{
	struct gateway *gateway = request->gateway;
	struct gw_request wire = {0};
	struct gw_call call;

	request_call(gateway, request->config, request->arena, &call);
	gateway->api->balance(&call, &wire);
	request_call_end(gateway);
	if (request_url_allowed(request, wire.url))
		request_start(request, &wire, balance_on_response);
	else
		end_balance(request);
}

static void
ask_balance(struct gateway *gateway)
{
	struct request *request = request_begin(gateway, NULL);

	gateway->balance_asked_at = clock_boot();
	gateway->asking_balance = true;
	request->begin_until = AT_NEVER;
	request->write = balance_write;
	request->give_up = balance_give_up;
	request_write(request);
}

void
gateways_look_at_balances(struct gateways *gateways)
{
	int64_t now = clock_boot();

	for (size_t i = 0; i < gateways_count(gateways); i++) {
		struct gateway *g = gateways_at(gateways, i);
		int64_t wait_us =
		    g->balance == BALANCE_UNKNOWN ? MINUTE_US : BALANCE_US;

		if (g->api->balance != NULL && g->balance_low > 0 &&
		    !g->retired && !g->asking_balance &&
		    g->in_flight < g->pace.window &&
		    (g->balance_asked_at == 0 ||
			now >= g->balance_asked_at + wait_us))
			ask_balance(g);
	}
}

/* ---- callbacks ---- */

int
gateway_receive(struct gateway *gateway, const struct gw_callback *callback,
    struct arena *arena, const struct gw_event **events,
    struct gw_answer *answer)
{
	struct gw_call call;
	int count;

	*answer = (struct gw_answer){.status = 404};
	if (gateway->api->receive == NULL)
		return -1;
	request_call(gateway, gateway->own->config, arena, &call);
	count = gateway->api->receive(&call, callback, events, answer);
	request_call_end(gateway);
	return count;
}

static bool
secret_equals(const char *secret, const char *given)
{
	return secret != NULL && strlen(secret) == strlen(given) &&
	       crypto_equal(secret, given, strlen(secret));
}

bool
gateway_secret_is(const struct gateway *gateway, const char *secret)
{
	bool now = secret_equals(gateway->own->config->callback_secret, secret);
	bool before =
	    secret_equals(gateway->own->config->callback_old_secret, secret);

	return now || before;
}
