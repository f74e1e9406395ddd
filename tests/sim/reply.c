/*
 * Replies.  Owns those that are under way or wait to come again, at most
 * REPLIES_MAX, each with its body, a timer and the call; and what was said
 * last, KEPT_MAX in a ring, for who looks at the phones.
 */
#include "tests/sim/reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/http_client.h"
#include "tests/sim/ledger.h"
#include "tests/sim/number.h"
#include "tests/sim/receipt.h"

#define REPLIES_MAX 1000
#define TEXT_BYTES_MAX 2000
#define EXTEND_DIGITS_MAX 20
#define FROM_BYTES_MAX 16 /* E.164 */
#define KEPT_MAX 2000
#define PHONE_REPLIES_MAX 50

struct reply { /* owned by replies */
	struct replies *replies;
	enum endpoint endpoint;
	int64_t number;
	char *body;
	struct loop_timer *timer;
	struct http_call *call; /* NULL: it waits */
	int tries;
	struct reply *next;
};

struct kept {           /* what was said, and how far it came */
	int64_t number; /* 0: a free place */
	int64_t at;
	enum endpoint endpoint;
	const char *state; /* a constant: sent, stored, lost */
	char *from;
	char *text;
};

struct replies {
	struct sim *sim;
	struct http_client *client;
	struct reply *first;
	size_t count;
	struct kept *kept; /* KEPT_MAX, by number */
	int64_t numbered;  /* so many came up */
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
	replies->kept = mem_alloc(KEPT_MAX * sizeof(*replies->kept));
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
	for (size_t i = 0; i < KEPT_MAX; i++) {
		free(replies->kept[i].from);
		free(replies->kept[i].text);
	}
	free(replies->kept);
	free(replies);
}

/* ---- what was said ---- */

/* NULL: forgotten, or never said. */
static struct kept *
kept_of(const struct replies *replies, int64_t number)
{
	struct kept *kept = &replies->kept[number % KEPT_MAX];

	return number > 0 && kept->number == number ? kept : NULL;
}

static void
keep(struct replies *replies, enum endpoint endpoint, int64_t number,
    const char *from, const char *text)
{
	struct kept *kept = &replies->kept[number % KEPT_MAX];

	free(kept->from);
	free(kept->text);
	*kept = (struct kept){number, clock_wall(), endpoint, "sent",
	    mem_text(from), mem_text(text)};
}

static void
keep_state(struct replies *replies, int64_t number, const char *state)
{
	struct kept *kept = kept_of(replies, number);

	if (kept != NULL)
		kept->state = state;
}

static void
write_kept(
    struct json_writer *writer, const struct kept *kept, struct arena *arena)
{
	json_write_object(writer);
	json_write_key(writer, "number");
	json_write_i64(writer, kept->number);
	json_write_member(writer, "at", sim_time_text(kept->at, arena));
	json_write_member(writer, "gateway", endpoint_word(kept->endpoint));
	json_write_member(writer, "text", kept->text);
	json_write_member(writer, "state", kept->state);
	json_write_end_object(writer);
}

void
replies_write_phone(const struct replies *replies, struct json_writer *writer,
    const char *address, struct arena *arena)
{
	const struct kept *list[PHONE_REPLIES_MAX];
	const struct kept *kept;
	size_t count = 0;

	for (int64_t number = replies->numbered;
	     count < PHONE_REPLIES_MAX &&
	     (kept = kept_of(replies, number)) != NULL;
	     number--)
		if (strcmp(kept->from, address) == 0)
			list[count++] = kept;
	json_write_array(writer);
	while (count > 0)
		write_kept(writer, list[--count], arena);
	json_write_end_array(writer);
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
		keep_state(replies, reply->number, "stored");
		forget(reply);
		return;
	}
	wait_us = receipts_wait_us(replies->sim, reply->endpoint, reply->tries);
	if (wait_us < 0) {
		replies->dropped++;
		keep_state(replies, reply->number, "lost");
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

bool
reply_has_path(const struct sim *sim, enum endpoint endpoint, const char *from)
{
	return (endpoint == ENDPOINT_ALIYUN || endpoint == ENDPOINT_TENCENT) &&
	       sim->callback[endpoint] != NULL &&
	       strncmp(from, "+86", 3) == 0 && number_all_digits(from + 3) &&
	       strlen(from) <= FROM_BYTES_MAX;
}

/* Nothing, or digits: what follows our number. */
static bool
is_extend(const struct json *value, const char **extend)
{
	*extend = value == NULL ? "" : json_text(value);
	return *extend != NULL &&
	       (**extend == '\0' || number_all_digits(*extend)) &&
	       strlen(*extend) <= EXTEND_DIGITS_MAX;
}

/* NULL, or why this is no reply that can be sent. */
static const char *
read_words(struct replies *replies, const struct json *object,
    enum endpoint *endpoint, struct words *words)
{
	const char *word = json_get_text(object, "endpoint");
	const struct entry *last;

	words->from = json_get_text(object, "from");
	words->text = json_get_text(object, "text");
	if (word != NULL && strcmp(word, "tencent") == 0)
		*endpoint = ENDPOINT_TENCENT;
	else if (word != NULL && strcmp(word, "aliyun") == 0)
		*endpoint = ENDPOINT_ALIYUN;
	else
		return "endpoint: aliyun or tencent";
	if (replies->sim->callback[*endpoint] == NULL)
		return "endpoint: has no callback";
	if (words->from == NULL ||
	    !reply_has_path(replies->sim, *endpoint, words->from))
		return "from: +86 and a number";
	if (words->text == NULL || strlen(words->text) > TEXT_BYTES_MAX)
		return "text: at most 2000 bytes";
	if (!is_extend(json_get(object, "extend"), &words->extend))
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
	reply->number = words->number;
	reply->body = body_of(endpoint, words, arena);
	reply->timer = loop_timer_create(replies->sim->loop, reply_post, reply);
	reply->next = replies->first;
	replies->first = reply;
	replies->count++;
	keep(replies, endpoint, words->number, words->from, words->text);
	reply_post(reply);
}

/* Ourselves by a name that no stranger's can resolve to? */
static bool
is_own_host(const char *host)
{
	static const char *const names[] = {"127.0.0.1", "localhost"};

	for (size_t i = 0; i < COUNT(names); i++) {
		size_t bytes = strlen(names[i]);

		if (strncmp(host, names[i], bytes) == 0 &&
		    (host[bytes] == '\0' ||
			(host[bytes] == ':' &&
			    number_all_digits(host + bytes + 1))))
			return true;
	}
	return false;
}

/*
 * A browser names the page that a post comes from: it has to be ours, under
 * a name of our own, or a name that was made to point here would pass.  Who
 * names none is no browser.
 */
static bool
is_from_elsewhere(const struct door_request *request)
{
	const char *origin = door_header(request, "origin");
	const char *host = door_header(request, "host");

	if (origin == NULL)
		return false;
	return host == NULL || !is_own_host(host) ||
	       strcmp(origin,
		   arena_printf(request->arena, "http://%s", host)) != 0;
}

/* The one type that no form can send, and no page elsewhere unasked. */
static bool
is_json_type(const char *type)
{
	static const char json[] = "application/json";
	size_t bytes = sizeof(json) - 1;

	return type != NULL && strncasecmp(type, json, bytes) == 0 &&
	       strchr("; \t", type[bytes]) != NULL;
}

/* 0, or the status of a request that is refused unread. */
static int
refuses(const struct door_request *request, const char **reason)
{
	if (strcmp(request->method, "POST") != 0) {
		*reason = "POST alone";
		return 405;
	}
	if (is_from_elsewhere(request)) {
		*reason = "Origin: of another page";
		return 403;
	}
	if (!is_json_type(door_header(request, "content-type"))) {
		*reason = "Content-Type: application/json alone";
		return 415;
	}
	return 0;
}

/* The status, and where it is none of success the reason. */
static int
take_reply(struct replies *replies, const struct door_request *request,
    const char **reason)
{
	struct words words = {0};
	struct json_error error = {.reason = "not an object"};
	enum endpoint endpoint = ENDPOINT_ALIYUN;
	const struct json *object;
	int status = refuses(request, reason);

	if (status != 0)
		return status;
	object = json_parse(
	    request->body, request->body_bytes, NULL, request->arena, &error);
	*reason = json_is(object, JSON_OBJECT)
		      ? read_words(replies, object, &endpoint, &words)
		      : error.reason;
	if (*reason != NULL)
		return 400;
	reply_begin(replies, endpoint, &words, request->arena);
	return 202;
}

void
reply_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct json_writer writer;
	const char *reason = NULL;

	reply->status = take_reply(arg, request, &reason);
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
