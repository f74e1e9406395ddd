/*
 * The door for callbacks.  A wrong gateway and a wrong secret look the
 * same from outside; neither path nor body is ever logged.
 */
#include "door/callback.h"

#include <string.h>

#include "base/log.h"
#include "base/metric.h"

#define PREFIX "/callback/"
#define PARTS_BYTES_MAX 512 /* of a path */

struct waiting { /* for its events to be stored; in the exchange's arena */
	struct http_exchange *exchange;
	const struct gateway *gateway;
	struct gw_answer answer;
};

static void
reply_problem(struct http_exchange *exchange, int status, const char *text)
{
	http_exchange_reply_text(exchange, status, "text/plain", text);
}

static void
reply_answer(struct http_exchange *exchange, const struct gw_answer *answer)
{
	http_exchange_reply(exchange, answer->status,
	    answer->content_type == NULL ? "text/plain" : answer->content_type,
	    answer->body == NULL ? "" : answer->body,
	    answer->body == NULL ? 0 : answer->body_bytes);
}

/* Words of our own; the gateway's name only where the secret was right. */
static void
count_callback(const struct gateway *gateway, const char *status)
{
	metric_add(METRIC_CALLBACKS, gateway == NULL ? "none" : gateway->name,
	    status, 1);
}

static void
on_stored(bool stored, void *arg)
{
	struct waiting *waiting = arg;

	count_callback(waiting->gateway, stored ? "stored" : "not_stored");
	if (stored)
		reply_answer(waiting->exchange, &waiting->answer);
	else
		reply_problem(waiting->exchange, 503, "try again later\n");
}

/* Split /callback/NAME/SECRET/rest; NULL where the secret is not right. */
static struct gateway *
authorize(const struct callbacks *callbacks, struct http_exchange *exchange,
    const char **rest)
{
	struct arena *arena = http_exchange_arena(exchange);
	const char *path = http_exchange_path(exchange) + strlen(PREFIX);
	size_t name_bytes = strcspn(path, "/");
	const char *secret = path + name_bytes + (path[name_bytes] == '/');
	size_t secret_bytes = strcspn(secret, "/");
	struct gateway *gateway;

	if (strlen(path) > PARTS_BYTES_MAX)
		return NULL;
	*rest = secret + secret_bytes;
	gateway = gateways_find(
	    callbacks->gateways, arena_text_n(arena, path, name_bytes));
	if (gateway == NULL || !gateway->takes_callbacks ||
	    !gateway_secret_is(
		gateway, arena_text_n(arena, secret, secret_bytes)))
		return NULL;
	return gateway;
}

static const char *
method_word(enum http_method method)
{
	return method == HTTP_GET ? "GET" : "POST";
}

/* Headers that signature schemes name; a plug-in sees no others. */
static void
take_headers(struct http_exchange *exchange, struct gw_callback *callback)
{
	static const char *const names[] = {"content-type", "webhook-id",
	    "webhook-timestamp", "webhook-signature", "user-agent"};
	struct gw_pair *pairs = arena_array(
	    http_exchange_arena(exchange), COUNT(names), sizeof(*pairs));

	for (unsigned i = 0; i < COUNT(names); i++) {
		const char *value = http_exchange_header(exchange, names[i]);

		if (value != NULL)
			pairs[callback->header_count++] =
			    (struct gw_pair){names[i], value};
	}
	callback->headers = pairs;
}

static void
on_callback(struct http_exchange *exchange, void *arg)
{
	struct callbacks *callbacks = arg;
	struct arena *arena = http_exchange_arena(exchange);
	struct gw_callback callback = {
	    .method = method_word(http_exchange_method(exchange)),
	    .query = http_exchange_query(exchange),
	};
	const struct gw_event *events = NULL;
	struct gateway *gateway;
	struct waiting *waiting;
	int count;

	gateway = authorize(callbacks, exchange, &callback.path);
	if (gateway != NULL && !inbox_ready(callbacks->inbox)) {
		count_callback(gateway, "not_stored");
		reply_problem(exchange, 503, "starting\n");
		return;
	}
	if (gateway == NULL) {
		count_callback(NULL, "refused");
		log_warning("callback.refused",
		    log_s(REASON, "wrong gateway or secret"));
		reply_problem(exchange, 404, "not found\n");
		return;
	}
	callback.body = http_exchange_body(exchange, &callback.body_bytes);
	take_headers(exchange, &callback);
	waiting = arena_alloc(arena, sizeof(*waiting));
	waiting->exchange = exchange;
	waiting->gateway = gateway;
	count = gateway_receive(
	    gateway, &callback, arena, &events, &waiting->answer);
	if (count < 0)
		log_warning("callback.refused", log_s(GATEWAY, gateway->name),
		    log_s(REASON, "malformed or forged"));
	if (count <= 0) {
		count_callback(gateway, count < 0 ? "refused" : "ignored");
		reply_answer(exchange, &waiting->answer);
		return;
	}
	inbox_store(callbacks->inbox, gateway, events, (size_t)count, on_stored,
	    waiting);
}

void
callback_serve(struct http_server *server, struct callbacks *callbacks)
{
	http_server_route(
	    server, HTTP_GET | HTTP_POST, PREFIX, on_callback, callbacks);
}
