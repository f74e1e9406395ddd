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
#include "flow/gateway_call.h"
#include "flow/gateway_load.h"

#define QUEUE_WINDOWS 16 /* messages queued, in windows of requests */
#define CODE_BYTES_MAX 64
#define NUMBER_DIGITS 7 /* in a row: somebody's number */
#define UNREACHABLE_S 5 /* a provider out of reach is tried again */
#define PAUSES_MAX 4096

struct request { /* one on its way */
	struct gateway *gateway;
	struct arena *arena;
	const struct gw_message *messages;
	size_t count;
	struct gw_outcome *outcomes;
	const struct gw_query *query;
	void (*sent)(const struct gw_outcome *outcomes, void *arg);
	void (*queried)(const struct gw_query_result *result, void *arg);
	void *arg;
};

static void
call_init(
    const struct gateway *gateway, struct arena *arena, struct gw_call *call)
{
	const struct gateway_private *own = gateway->own;

	gateway_call_init(call, arena, gateway->name, own->settings,
	    own->setting_count, clock_unmoved(gateway->gateways->clock), NULL);
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

		if (gateway->tenant_id == tenant_id &&
		    gateway->channel == channel &&
		    (abroad || !gateway->abroad) &&
		    gateway->api->kind == GW_KIND_MESSAGES)
			return gateway;
	}
	return NULL;
}

/* ---- room and pauses ---- */

uint32_t
gateway_room(const struct gateway *gateway)
{
	uint64_t most = (uint64_t)gateway->window * gateway->batch_max;
	int64_t took_us = gateway->own->took_us;

	if (gateway_paused(gateway, ""))
		return 0;
	/* a queue that a quarter of the lease empties at the present pace */
	if (took_us > 0) {
		uint64_t turns =
		    (uint64_t)(gateway->gateways->lease_us / 4 / took_us);

		most *= turns < 1               ? 1
			: turns < QUEUE_WINDOWS ? turns
						: QUEUE_WINDOWS;
	}
	return most > gateway->queued ? (uint32_t)(most - gateway->queued) : 0;
}

static struct pause *
pause_find(
    const struct gateways *gateways, const char *gateway, const char *scope)
{
	struct pause *pauses = gateways->pauses.data;

	for (size_t i = 0; i < gateways->pauses.count; i++)
		if (strcmp(pauses[i].gateway, gateway) == 0 &&
		    strcmp(pauses[i].scope, scope) == 0)
			return &pauses[i];
	return NULL;
}

bool
gateway_paused(const struct gateway *gateway, const char *scope)
{
	const struct pause *pause =
	    pause_find(gateway->gateways, gateway->name, scope);

	return pause != NULL &&
	       pause->until_at > clock_unmoved(gateway->gateways->clock);
}

void
gateways_pauses_clear(struct gateways *gateways)
{
	arena_reset(gateways->pause_arena);
	list_init(
	    &gateways->pauses, gateways->pause_arena, sizeof(struct pause));
}

void
gateways_pause(struct gateways *gateways, const char *gateway,
    const char *scope, int64_t until_at)
{
	struct pause *pause = pause_find(gateways, gateway, scope);

	if (pause == NULL) {
		if (gateways->pauses.count == PAUSES_MAX)
			return;
		pause = list_add(&gateways->pauses);
		pause->gateway = arena_text(gateways->pause_arena, gateway);
		pause->scope = arena_text(gateways->pause_arena, scope);
	}
	if (until_at > pause->until_at)
		pause->until_at = until_at;
}

/* ---- requests ---- */

static struct request *
request_begin(struct gateway *gateway, void *arg)
{
	struct arena *arena = arena_create();
	struct request *request = arena_alloc(arena, sizeof(*request));

	request->gateway = gateway;
	request->arena = arena;
	request->arg = arg;
	gateway->in_flight++;
	return request;
}

/* Its place in the window is free before anybody is told. */
static void
request_tell(struct request *request, const struct gw_query_result *result)
{
	assert(request->gateway->in_flight > 0);
	request->gateway->in_flight--;
	if (result != NULL)
		request->queried(result, request->arg);
	else
		request->sent(request->outcomes, request->arg);
	arena_free(request->arena);
}

static void
set_all(struct request *request, enum gw_verdict verdict, const char *code)
{
	for (size_t i = 0; i < request->count; i++)
		request->outcomes[i] = (struct gw_outcome){
		    .verdict = verdict,
		    .scope = GW_SCOPE_GATEWAY,
		    .code = code,
		    .retry_after_s = verdict == GW_RETRY ? UNREACHABLE_S : 0,
		};
}

/*
 * A code is logged and stored: letters, digits and . _ : - of it, and no
 * run of digits that could be somebody's number.
 */
static const char *
clean_code(struct arena *arena, const char *code)
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
		o->code = clean_code(request->arena, o->code);
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

static struct gw_response *
make_response(struct request *request, const struct http_response *http)
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

static void
send_on_response(const struct http_response *http, void *arg)
{
	struct request *request = arg;
	struct gw_call call;

	note_pace(request->gateway, http->took_us);
	call_init(request->gateway, request->arena, &call);
	if (http->end != HTTP_ANSWERED)
		set_all(request, verdict_of_end(http->end), http->error);
	else
		take_response(request, &call, make_response(request, http));
	clean_outcomes(request);
	request_tell(request, NULL);
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

/* A plug-in reaches only hosts that its settings name. */
static bool
url_allowed(const struct gateway *gateway, const char *url)
{
	const struct gateway_private *own = gateway->own;
	size_t bytes = url == NULL ? 0 : origin_bytes(url);

	for (size_t i = 0; i < own->setting_count && bytes > 0; i++) {
		const char *value = own->settings[i].value;

		if (gateway->api->options[i].type == GW_OPTION_URL &&
		    value != NULL && origin_bytes(value) == bytes &&
		    strncmp(value, url, bytes) == 0)
			return true;
	}
	return false;
}

static void
start_http(struct request *request, const struct gw_request *wire,
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
	    .plain_allowed = gateway->own->plain_http,
	    .ca_file = gateway->own->ca_file,
	    .connect_timeout_us = gateway->gateways->connect_us,
	    .timeout_us = gateway->gateways->request_us,
	};

	for (size_t i = 0; i < wire->header_count; i++)
		headers[i] = (struct http_header){
		    wire->headers[i].name, wire->headers[i].value};
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
	request_tell(request, NULL);
}

void
gateway_send(struct gateway *gateway, const struct gw_message *messages,
    size_t count, void (*done)(const struct gw_outcome *outcomes, void *arg),
    void *arg)
{
	struct request *request = request_begin(gateway, arg);
	struct gw_request wire = {0};
	struct gw_call call;
	int status;

	assert(count > 0 && count <= gateway->batch_max);
	request->messages = messages;
	request->count = count;
	request->sent = done;
	request->outcomes =
	    arena_array(request->arena, count, sizeof(*request->outcomes));
	call_init(gateway, request->arena, &call);
	status = gateway->api->send(
	    &call, messages, count, &wire, request->outcomes);
	if (status == 0 && url_allowed(gateway, wire.url)) {
		start_http(request, &wire, send_on_response);
		return;
	}
	if (status == 0) {
		log_error("gateway.url_refused", log_s(GATEWAY, gateway->name));
		set_all(request, GW_RETRY, "url_refused");
	}
	loop_defer(gateway->gateways->loop, send_deferred, request);
}

/* ---- asking ---- */

static void
query_on_response(const struct http_response *http, void *arg)
{
	struct request *request = arg;
	struct gw_query_result result = {.found = GW_FOUND_UNSURE};
	struct gw_call call;

	call_init(request->gateway, request->arena, &call);
	if (http->end == HTTP_ANSWERED)
		request->gateway->api->queried(&call, request->query,
		    make_response(request, http), &result);
	if (result.found < GW_FOUND_NOTHING || result.found > GW_FOUND_UNSURE)
		result.found = GW_FOUND_UNSURE;
	request_tell(request, &result);
}

static void
query_deferred(void *arg)
{
	struct gw_query_result result = {.found = GW_FOUND_UNSURE};
	struct request *request = arg;

	request_tell(request, &result);
}

void
gateway_query(struct gateway *gateway, const struct gw_query *query,
    void (*done)(const struct gw_query_result *result, void *arg), void *arg)
{
	struct request *request = request_begin(gateway, arg);
	struct gw_request wire = {0};
	struct gw_call call;

	request->query = query;
	request->queried = done;
	call_init(gateway, request->arena, &call);
	if (gateway->api->query != NULL)
		gateway->api->query(&call, query, &wire);
	if (url_allowed(gateway, wire.url))
		start_http(request, &wire, query_on_response);
	else
		loop_defer(gateway->gateways->loop, query_deferred, request);
}

/* ---- callbacks ---- */

int
gateway_receive(struct gateway *gateway, const struct gw_callback *callback,
    struct arena *arena, const struct gw_event **events,
    struct gw_answer *answer)
{
	struct gw_call call;

	*answer = (struct gw_answer){.status = 404};
	if (gateway->api->receive == NULL)
		return -1;
	call_init(gateway, arena, &call);
	return gateway->api->receive(&call, callback, events, answer);
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
	bool now = secret_equals(gateway->own->callback_secret, secret);
	bool before = secret_equals(gateway->own->callback_old_secret, secret);

	return now || before;
}
