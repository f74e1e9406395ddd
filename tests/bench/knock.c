/*
 * Callbacks at a door, as fast as they are answered: signed replies (Standard
 * Webhooks), each with an id and a number of its own, over kept-alive
 * connections.
 *
 *	adherd-knock URL SECRET COUNT IN_FLIGHT FIRST
 *	adherd-knock --answer PORT
 *
 * Prints the time from the first to the last answer, in us; ends with 1 where
 * one was not 2xx.  SECRET is base64, without "whsec_".  With --answer it is
 * the other side: libevent's own HTTP server that reads a body and answers
 * 200, which is what a door can do at most.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/http_client.h"

#define IN_FLIGHT_MAX 256

struct knock {
	struct loop *loop;
	struct http_client *client;
	const char *url;
	uint8_t key[64];
	size_t key_bytes;
	int64_t first, count, begun, answered, refused;
};

static void begin_more(struct knock *knock);

static void
on_answer(const struct http_response *response, void *arg)
{
	struct knock *knock = arg;

	knock->answered++;
	knock->refused +=
	    response->end != HTTP_ANSWERED || response->status / 100 != 2;
	if (knock->answered == knock->count)
		loop_stop(knock->loop);
	else
		begin_more(knock);
}

static void
sign(const struct knock *knock, const char *id, const char *timestamp,
    const struct buf *body, struct buf *signature)
{
	struct buf content = BUF_INIT(0);
	uint8_t digest[32];

	buf_printf(&content, "%s.%s.", id, timestamp);
	buf_add(&content, body->data, body->bytes);
	crypto_hmac_sha256(
	    knock->key, knock->key_bytes, content.data, content.bytes, digest);
	buf_text(signature, "v1,");
	crypto_base64(digest, sizeof(digest), signature);
	buf_free(&content);
}

static void
begin_more(struct knock *knock)
{
	struct buf body = BUF_INIT(0), signature = BUF_INIT(0);
	int64_t number = knock->first + knock->begun;
	char id[32], timestamp[24];
	struct http_request request = {
	    .method = "POST",
	    .url = knock->url,
	    .plain_allowed = true,
	};

	if (knock->begun == knock->count)
		return;
	knock->begun++;
	(void)snprintf(id, sizeof(id), "evt_%lld", (long long)number);
	(void)snprintf(timestamp, sizeof(timestamp), "%lld",
	    (long long)(clock_wall() / SECOND_US));
	buf_printf(&body,
	    "{\"type\":\"reply.received\",\"timestamp\":"
	    "\"2026-03-02T10:05:00+08:00\",\"data\":{\"address\":"
	    "\"+861990%07lld\",\"text\":\"要续药\"}}",
	    (long long)number);
	sign(knock, id, timestamp, &body, &signature);
	request.headers = (struct http_header[]){
	    {"Content-Type", "application/json"},
	    {"webhook-id", id},
	    {"webhook-timestamp", timestamp},
	    {"webhook-signature", buf_string(&signature)},
	};
	request.header_count = 4;
	request.body = body.data;
	request.body_bytes = body.bytes;
	(void)http_client_send(knock->client, &request, on_answer, knock);
	buf_free(&body);
	buf_free(&signature);
}

/* ---- the other side ---- */

static void
on_request(struct evhttp_request *request, void *arg)
{
	(void)arg;
	evhttp_send_reply(request, 200, "OK", NULL);
}

static int
answer(const char *port)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);

	evhttp_set_gencb(http, on_request, NULL);
	if (evhttp_bind_socket(http, "127.0.0.1", (uint16_t)atoi(port)) != 0)
		return 1;
	return event_base_dispatch(base);
}

int
main(int argc, char **argv)
{
	struct knock knock = {0};
	int64_t begun_at;
	long key_bytes;
	int in_flight;

	if (argc == 3 && strcmp(argv[1], "--answer") == 0)
		return answer(argv[2]);
	if (argc != 6)
		return 64;
	knock.url = argv[1];
	knock.count = atoll(argv[3]);
	in_flight = atoi(argv[4]);
	knock.first = atoll(argv[5]);
	key_bytes = crypto_base64_decode(
	    argv[2], strlen(argv[2]), knock.key, sizeof(knock.key));
	knock.key_bytes = key_bytes > 0 ? (size_t)key_bytes : 0;
	if (key_bytes <= 0 || knock.count < 1 || in_flight < 1 ||
	    in_flight > IN_FLIGHT_MAX)
		return 64;
	knock.loop = loop_create();
	knock.client = http_client_create(knock.loop);
	begun_at = clock_boot();
	for (int i = 0; i < in_flight; i++)
		begin_more(&knock);
	loop_run(knock.loop);
	(void)printf("%lld\n", (long long)(clock_boot() - begun_at));
	return knock.refused > 0;
}
