/*
 * Replies.  Owns those that are under way or wait to come again, at most
 * REPLIES_MAX, each with its body, a timer and the call.
 */
#include "tests/sim/reply.h"

#include <stdlib.h>
#include <string.h>

#include "base/http_client.h"
#include "tests/sim/ledger.h"
#include "tests/sim/number.h"
#include "tests/sim/receipt.h"

#define REPLIES_MAX 1000
#define TEXT_BYTES_MAX 2000
#define EXTEND_DIGITS_MAX 20

struct reply { /* owned by replies */
	struct replies *replies;
	enum endpoint endpoint;
	char *body;
	struct loop_timer *timer;
	struct http_call *call; /* NULL: it waits */
	int tries;
	struct reply *next;
};

struct replies {
	struct sim *sim;
	struct http_client *client;
	struct reply *first;
	size_t count;
	int64_t numbered; /* so many came up */
	int64_t acknowledged;
	int64_t dropped;
};

static void reply_post(void *arg);

struct replies *
replies_create(struct sim *sim)
{
	struct replies *replies = mem_alloc(sizeof(*replies));

	replies->sim = sim;
	replies->client = http_client_create(sim->loop);
	return replies;
}

static void
reply_free(struct reply *reply)
{
	loop_timer_free(reply->timer);
	free(reply->body);
	free(reply);
}

void
replies_free(struct replies *replies)
{
	while (replies->first != NULL) {
		struct reply *reply = replies->first;

		replies->first = reply->next;
		if (reply->call != NULL)
			http_client_cancel(reply->call);
		reply_free(reply);
	}
	http_client_free(replies->client);
	free(replies);
}

/* ---- posting ---- */

static void
forget(struct reply *reply)
{
	struct replies *replies = reply->replies;
	struct reply **link = &replies->first;

	while (*link != reply)
		link = &(*link)->next;
	*link = reply->next;
	replies->count--;
	reply_free(reply);
}

static void
reply_posted(const struct http_response *response, void *arg)
{
	struct reply *reply = arg;
	struct replies *replies = reply->replies;
	int64_t wait_us;

	reply->call = NULL;
	if (receipts_acknowledged(reply->endpoint, response)) {
		replies->acknowledged++;
		forget(reply);
		return;
	}
	wait_us = receipts_wait_us(replies->sim, reply->endpoint, reply->tries);
	if (wait_us < 0) {
		replies->dropped++;
		forget(reply);
		return;
	}
	loop_timer_arm(reply->timer, wait_us);
}

static void
reply_post(void *arg)
{
	struct reply *reply = arg;
	const struct http_header header = {
	    "Content-Type", "application/json; charset=utf-8"};
	const struct http_request request = {.method = "POST",
	    .url = reply->replies->sim->callback[reply->endpoint],
	    .headers = &header,
	    .header_count = 1,
	    .body = reply->body,
	    .body_bytes = strlen(reply->body),
	    .plain_allowed = true};

	reply->tries++;
	reply->call = http_client_send(
	    reply->replies->client, &request, reply_posted, reply);
}

/* ---- shapes ---- */

struct words {            /* what is said, and to whom */
	const char *from; /* E.164 */
	const char *text;
	const char *extend;
	const char *signature; /* that of the last message to this number */
	int64_t number;
};

static void
write_aliyun(
    struct json_writer *writer, const struct words *words, struct arena *arena)
{
	bool home = strncmp(words->from, "+86", 3) == 0;

	json_write_array(writer);
	json_write_object(writer);
	json_write_member(writer, "phone_number", words->from + (home ? 3 : 1));
	json_write_member(
	    writer, "send_time", sim_china_text(clock_wall(), arena));
	json_write_member(writer, "content", words->text);
	json_write_member(writer, "sign_name", words->signature);
	json_write_member(writer, "dest_code", words->extend);
	json_write_key(writer, "sequence_id");
	json_write_i64(writer, words->number);
	json_write_end_object(writer);
	json_write_end_array(writer);
}

static void
write_tencent(struct json_writer *writer, const struct words *words)
{
	json_write_object(writer);
	json_write_member(writer, "extend", words->extend);
	json_write_member(writer, "mobile", words->from + 3);
	json_write_member(writer, "nationcode", "86");
	json_write_member(writer, "sign", words->signature);
	json_write_member(writer, "text", words->text);
	json_write_key(writer, "time");
	json_write_i64(writer, clock_wall() / SECOND_US);
	json_write_end_object(writer);
}

static char *
body_of(enum endpoint endpoint, const struct words *words, struct arena *arena)
{
	struct buf body = BUF_INIT(0);
	struct json_writer writer;
	char *copy;

	json_write_init(&writer, &body);
	if (endpoint == ENDPOINT_TENCENT)
		write_tencent(&writer, words);
	else
		write_aliyun(&writer, words, arena);
	copy = mem_text(buf_string(&body));
	buf_free(&body);
	return copy;
}

/* ---- /reply ---- */

/* NULL, or why this is no reply that can be sent. */
static const char *
read_words(struct replies *replies, const struct json *object,
    enum endpoint *endpoint, struct words *words)
{
	const char *word = json_get_text(object, "endpoint");
	const struct entry *last;

	words->from = json_get_text(object, "from");
	words->text = json_get_text(object, "text");
	words->extend = json_get_text(object, "extend");
	if (words->extend == NULL)
		words->extend = "";
	if (word != NULL && strcmp(word, "tencent") == 0)
		*endpoint = ENDPOINT_TENCENT;
	else if (word != NULL && strcmp(word, "aliyun") == 0)
		*endpoint = ENDPOINT_ALIYUN;
	else
		return "endpoint: aliyun or tencent";
	if (replies->sim->callback[*endpoint] == NULL)
		return "endpoint: has no callback";
	if (words->from == NULL || strncmp(words->from, "+86", 3) != 0 ||
	    !number_all_digits(words->from + 3))
		return "from: +86 and a number";
	if (words->text == NULL || strlen(words->text) > TEXT_BYTES_MAX)
		return "text: at most 2000 bytes";
	if (strlen(words->extend) > EXTEND_DIGITS_MAX)
		return "extend: at most 20 digits";
	if (replies->count == REPLIES_MAX)
		return "too many are under way";
	last = ledger_phone(replies->sim->ledger, words->from);
	words->signature = last != NULL ? last->signature : "";
	words->number = ++replies->numbered;
	return NULL;
}

static void
reply_begin(struct replies *replies, enum endpoint endpoint,
    const struct words *words, struct arena *arena)
{
	struct reply *reply = mem_alloc(sizeof(*reply));

	reply->replies = replies;
	reply->endpoint = endpoint;
	reply->body = body_of(endpoint, words, arena);
	reply->timer = loop_timer_create(replies->sim->loop, reply_post, reply);
	reply->next = replies->first;
	replies->first = reply;
	replies->count++;
	reply_post(reply);
}

void
reply_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct replies *replies = arg;
	struct words words = {0};
	struct json_error error = {.reason = "not an object"};
	struct json_writer writer;
	enum endpoint endpoint = ENDPOINT_ALIYUN;
	const struct json *object = json_parse(
	    request->body, request->body_bytes, NULL, request->arena, &error);
	const char *reason =
	    json_is(object, JSON_OBJECT)
		? read_words(replies, object, &endpoint, &words)
		: error.reason;

	if (reason == NULL)
		reply_begin(replies, endpoint, &words, request->arena);
	reply->status = reason == NULL ? 202 : 400;
	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "code", reason == NULL ? "OK" : "invalid");
	if (reason != NULL)
		json_write_member(&writer, "message", reason);
	json_write_end_object(&writer);
}

void
replies_write_summary(const struct replies *replies, struct json_writer *writer)
{
	json_write_key(writer, "replies_under_way");
	json_write_i64(writer, (int64_t)replies->count);
	json_write_key(writer, "replies_acknowledged");
	json_write_i64(writer, replies->acknowledged);
	json_write_key(writer, "replies_dropped");
	json_write_i64(writer, replies->dropped);
}
