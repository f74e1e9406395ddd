/*
 * Receipts.  Owns a heap of receipts by due time for each endpoint, the
 * posts under way and a ring of past posts.  A post carries what is due, at
 * most 100 (webhook, WeChat: one); each receipt that was not acknowledged comes
 * back later.
 */
#include "tests/sim/receipt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_client.h"
#include "tests/sim/fault.h"
#include "tests/sim/sms_template.h"
#include "tests/sim/webhook.h"
#include "tests/sim/wechat.h"

#define QUEUE_MAX 600000 /* per endpoint */
#define BATCH_MAX 100
#define POSTS_MAX 8 /* under way, per endpoint */
#define CALLBACKS_KEPT 65536
#define CALLBACK_BYTES_MAX (128u << 20)
#define GATHER_US (10 * 1000)
#define EARLY_ANSWER_US (300 * 1000)
#define TRIES_MAX 4 /* at once, then after 1, 5 and 10 min */
#define TENCENT_TRIES_MAX 3
#define WECHAT_TRIES_MAX 3 /* one after the other */
#define CODES_MAX 64

struct receipt {
	int64_t due_at;
	uint64_t order; /* among those due at one time */
	uint64_t seq;   /* of the ledger; 0: of a message nobody knows */
	enum endpoint endpoint;
	int tries;
	bool delivered;
	const char *code;
};

struct post { /* a callback under way */
	struct receipts *receipts;
	enum endpoint endpoint;
	int64_t at;
	size_t count;
	struct receipt items[BATCH_MAX];
	char *log; /* JSON array of what it tells */
	struct http_call *call;
};

struct callback { /* a past post */
	int64_t at;
	enum endpoint endpoint;
	int status; /* 0: no answer */
	bool acknowledged;
	char *items;
	size_t bytes;
};

struct queue { /* a heap */
	struct receipt *heap;
	size_t count;
	size_t capacity;
};

struct receipts {
	struct sim *sim;
	struct http_client *client;
	struct loop_timer *timer;
	int64_t wake_at; /* of the timer, while it is armed */
	struct queue queues[ENDPOINT_COUNT];
	struct post *posts[ENDPOINT_COUNT][POSTS_MAX]; /* NULL: a free slot */
	char codes[CODES_MAX]
		  [64];        /* of undelivered receipts, as they came up */
	struct callback *past; /* CALLBACKS_KEPT */
	uint64_t first, last;  /* kept: first..last, from 1 */
	size_t past_bytes;
	int64_t dropped; /* queue full, or given up after the last try */
	int64_t acknowledged;
};

static void receipts_due(void *arg);

struct receipts *
receipts_create(struct sim *sim)
{
	struct receipts *receipts = mem_alloc(sizeof(*receipts));

	receipts->sim = sim;
	receipts->client = http_client_create(sim->loop);
	receipts->timer = loop_timer_create(sim->loop, receipts_due, receipts);
	receipts->past = mem_alloc(CALLBACKS_KEPT * sizeof(*receipts->past));
	receipts->first = 1;
	return receipts;
}

/* ---- the heap ---- */

static bool
earlier(const struct receipt *a, const struct receipt *b)
{
	if (a->due_at != b->due_at)
		return a->due_at < b->due_at;
	return a->order < b->order;
}

static void
queue_push(struct receipts *receipts, struct receipt receipt)
{
	struct queue *queue = &receipts->queues[receipt.endpoint];
	size_t at = queue->count;

	if (queue->count == QUEUE_MAX) {
		receipts->dropped++;
		return;
	}
	if (queue->count == queue->capacity) {
		queue->capacity = queue->capacity * 2 + 1024;
		queue->heap = mem_resize(
		    queue->heap, queue->capacity, sizeof(*queue->heap));
	}
	queue->count++;
	while (at > 0 && earlier(&receipt, &queue->heap[(at - 1) / 2])) {
		queue->heap[at] = queue->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	queue->heap[at] = receipt;
}

static struct receipt
queue_pop(struct queue *queue)
{
	struct receipt top = queue->heap[0];
	struct receipt moved = queue->heap[--queue->count];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= queue->count)
			break;
		if (child + 1 < queue->count &&
		    earlier(&queue->heap[child + 1], &queue->heap[child]))
			child++;
		if (!earlier(&queue->heap[child], &moved))
			break;
		queue->heap[at] = queue->heap[child];
		at = child;
	}
	queue->heap[at] = moved;
	return top;
}

static int
free_slot(const struct receipts *receipts, enum endpoint endpoint)
{
	for (int i = 0; i < POSTS_MAX; i++)
		if (receipts->posts[endpoint][i] == NULL)
			return i;
	return -1;
}

/* Wait for the earliest that can be posted. */
static void
rearm(struct receipts *receipts)
{
	int64_t now = clock_boot();
	int64_t due_at = AT_NEVER;

	for (int i = 0; i < ENDPOINT_COUNT; i++)
		if (receipts->queues[i].count > 0 &&
		    receipts->queues[i].heap[0].due_at < due_at &&
		    free_slot(receipts, i) >= 0)
			due_at = receipts->queues[i].heap[0].due_at;
	if (due_at == AT_NEVER)
		return;
	if (due_at < now + GATHER_US)
		due_at = now + GATHER_US;
	/* never later than before: a steady stream would put it off for ever */
	if (loop_timer_armed(receipts->timer) && receipts->wake_at <= due_at)
		return;
	receipts->wake_at = due_at;
	loop_timer_arm(receipts->timer, due_at - now);
}

/* ---- planning ---- */

/* A copy of the code that stays when the switch changes. */
static const char *
keep_code(struct receipts *receipts, const char *code)
{
	for (size_t i = 0; i < CODES_MAX; i++) {
		if (receipts->codes[i][0] == '\0')
			(void)snprintf(receipts->codes[i],
			    sizeof(receipts->codes[i]), "%s", code);
		if (strcmp(receipts->codes[i], code) == 0)
			return receipts->codes[i];
	}
	return "UNDELIV";
}

static int64_t
due_in(struct receipts *receipts, enum endpoint endpoint)
{
	struct sim *sim = receipts->sim;
	const struct fault *late =
	    fault_strikes(sim->faults, FAULT_RECEIPTS_LATE, endpoint);
	int64_t delay = sim->receipt_delay_us;

	if (late != NULL)
		delay += late->ms * 1000;
	if (fault_strikes(sim->faults, FAULT_RECEIPTS_SHUFFLED, endpoint) !=
	    NULL)
		delay += (int64_t)(sim_random(sim) %
				   (uint64_t)(3 * sim->receipt_delay_us +
					      SECOND_US));
	return delay;
}

static void
push_copies(struct receipts *receipts, const struct receipt *receipt,
    int copies, bool early)
{
	struct receipt copy = *receipt;

	for (int i = 0; i < copies; i++) {
		copy.due_at = clock_boot() +
			      (early ? 0 : due_in(receipts, receipt->endpoint));
		queue_push(receipts, copy);
	}
	rearm(receipts);
}

static int
copies_now(struct receipts *receipts, enum endpoint endpoint)
{
	struct faults *faults = receipts->sim->faults;

	if (fault_strikes(faults, FAULT_RECEIPTS_OFF, endpoint) != NULL)
		return 0;
	if (fault_strikes(faults, FAULT_RECEIPTS_TRIPLE, endpoint) != NULL)
		return 3;
	if (fault_strikes(faults, FAULT_RECEIPTS_DOUBLE, endpoint) != NULL)
		return 2;
	return 1;
}

int64_t
receipts_plan(struct receipts *receipts, struct entry *entry)
{
	struct faults *faults = receipts->sim->faults;
	enum endpoint endpoint = entry->endpoint;
	struct receipt receipt = {.order = entry->seq,
	    .seq = entry->seq,
	    .endpoint = endpoint,
	    .delivered = true,
	    .code = endpoint == ENDPOINT_TENCENT  ? "DELIVRD"
		    : endpoint == ENDPOINT_WECHAT ? "success"
						  : "DELIVERED"};
	const struct fault *bad =
	    fault_strikes(faults, FAULT_RECEIPTS_UNDELIVERED, endpoint);
	bool early =
	    fault_strikes(faults, FAULT_RECEIPTS_EARLY, endpoint) != NULL;
	int copies = copies_now(receipts, endpoint);

	if (bad != NULL) {
		receipt.delivered = false;
		receipt.code = keep_code(receipts, bad->code);
	}
	entry->receipt_code = receipt.code;
	entry->receipt = bad != NULL ? RECEIPT_UNDELIVERED : RECEIPT_DELIVERED;
	entry->receipt_at =
	    entry->at + (early ? 0 : receipts->sim->receipt_delay_us);
	if (receipts->sim->callback[endpoint] == NULL)
		return 0;
	push_copies(receipts, &receipt, copies, early);
	if (fault_strikes(faults, FAULT_RECEIPTS_UNKNOWN, endpoint) != NULL) {
		receipt.seq = 0;
		receipt.order = sim_random(receipts->sim);
		push_copies(receipts, &receipt, 1, false);
	}
	return early ? EARLY_ANSWER_US : 0;
}

/* ---- what a receipt says ---- */

/* The message spoken of; one made up for an id that nobody knows. */
static struct entry
entry_of(struct receipts *receipts, const struct receipt *receipt,
    struct arena *arena)
{
	const struct entry *entry =
	    ledger_get(receipts->sim->ledger, receipt->seq);
	struct entry unknown = {.endpoint = receipt->endpoint,
	    .at = clock_wall(),
	    .receipt_at = clock_wall(),
	    .address = "+8613900000000",
	    .template = "",
	    .signature = "",
	    .text = "",
	    .params = "{}"};

	if (entry != NULL)
		return *entry;
	if (receipt->endpoint == ENDPOINT_WECHAT)
		unknown.address = "oNobodyKnowsThisOne000000000";
	unknown.reference = arena_printf(
	    arena, "unknown%u", (unsigned)(receipt->order % 1000000000));
	unknown.message_id = arena_printf(arena,
	    receipt->endpoint == ENDPOINT_WECHAT ? "9%017llu" : "9%017llu^0",
	    (unsigned long long)receipt->order % 100000000000000000ull);
	return unknown;
}

/* The number as Aliyun writes it: 11 digits at home, no plus abroad. */
static const char *
aliyun_number(const char *address)
{
	if (strncmp(address, "+86", 3) == 0)
		return address + 3;
	return address[0] == '+' ? address + 1 : address;
}

static void
write_aliyun(struct json_writer *writer, const struct receipt *receipt,
    const struct entry *entry, struct arena *arena)
{

	json_write_object(writer);
	json_write_member(
	    writer, "phone_number", aliyun_number(entry->address));
	json_write_member(
	    writer, "send_time", sim_china_text(entry->at, arena));
	json_write_member(
	    writer, "report_time", sim_china_text(entry->receipt_at, arena));
	json_write_key(writer, "success");
	json_write_bool(writer, receipt->delivered);
	json_write_member(writer, "err_code", receipt->code);
	json_write_member(writer, "err_msg",
	    receipt->delivered ? "用户接收成功" : "用户接收失败");
	json_write_member(writer, "sms_size",
	    arena_printf(arena, "%d", sms_parts(entry->text)));
	json_write_member(writer, "biz_id", entry->message_id);
	json_write_member(writer, "out_id", entry->reference);
	json_write_end_object(writer);
}

/* ext comes back because SessionContext is switched on for this account. */
static void
write_tencent(struct json_writer *writer, const struct receipt *receipt,
    const struct entry *entry, struct arena *arena)
{
	const char *digits = entry->address + 1;
	size_t nation = strncmp(digits, "86", 2) == 0 ? 2
			: digits[0] == '1'            ? 1
						      : 3;

	json_write_object(writer);
	json_write_member(writer, "user_receive_time",
	    sim_china_text(entry->receipt_at, arena));
	json_write_member(
	    writer, "nationcode", arena_text_n(arena, digits, nation));
	json_write_member(writer, "mobile", digits + nation);
	json_write_member(
	    writer, "report_status", receipt->delivered ? "SUCCESS" : "FAIL");
	json_write_member(writer, "errmsg", receipt->code);
	json_write_member(writer, "description",
	    receipt->delivered ? "用户短信送达成功" : "用户短信接收失败");
	json_write_member(writer, "sid", entry->message_id);
	json_write_member(writer, "ext", entry->reference);
	json_write_end_object(writer);
}

static void
write_loopback(struct json_writer *writer, const struct receipt *receipt,
    const struct entry *entry, struct arena *arena)
{
	json_write_object(writer);
	json_write_member(writer, "reference", entry->reference);
	json_write_member(writer, "message_id", entry->message_id);
	json_write_key(writer, "delivered");
	json_write_bool(writer, receipt->delivered);
	if (!receipt->delivered)
		json_write_member(writer, "code", receipt->code);
	json_write_member(
	    writer, "at", sim_time_text(entry->receipt_at, arena));
	json_write_end_object(writer);
}

static void
write_webhook(struct json_writer *writer, const struct receipt *receipt,
    const struct entry *entry, struct arena *arena)
{
	json_write_object(writer);
	json_write_member(writer, "type",
	    receipt->delivered ? "message.delivered" : "message.undelivered");
	json_write_member(
	    writer, "timestamp", sim_time_text(entry->receipt_at, arena));
	json_write_key(writer, "data");
	json_write_object(writer);
	json_write_member(writer, "reference", entry->reference);
	json_write_member(writer, "id", entry->message_id);
	if (!receipt->delivered)
		json_write_member(writer, "code", receipt->code);
	json_write_end_object(writer);
	json_write_end_object(writer);
}

/* The same for every endpoint, for whoever reads /callbacks. */
static void
write_log(struct json_writer *writer, const struct receipt *receipt,
    const struct entry *entry)
{
	json_write_object(writer);
	json_write_member(writer, "reference", entry->reference);
	json_write_member(writer, "message_id", entry->message_id);
	json_write_member(writer, "address", entry->address);
	json_write_key(writer, "delivered");
	json_write_bool(writer, receipt->delivered);
	json_write_member(writer, "code", receipt->code);
	json_write_key(writer, "known");
	json_write_bool(writer, receipt->seq != 0);
	json_write_key(writer, "try");
	json_write_i64(writer, receipt->tries);
	json_write_end_object(writer);
}

/* ---- posting ---- */

/* Make room for one more: neither too many nor too many bytes. */
static void
forget_callbacks(struct receipts *receipts, size_t bytes)
{
	while (receipts->first <= receipts->last &&
	       (receipts->last + 1 - receipts->first == CALLBACKS_KEPT ||
		   receipts->past_bytes + bytes > CALLBACK_BYTES_MAX)) {
		struct callback *old =
		    &receipts->past[receipts->first++ % CALLBACKS_KEPT];

		receipts->past_bytes -= old->bytes;
		free(old->items);
		*old = (struct callback){0};
	}
}

/* Takes post->log. */
static void
remember(struct post *post, int status, bool acknowledged)
{
	struct receipts *receipts = post->receipts;
	size_t bytes = strlen(post->log);

	forget_callbacks(receipts, bytes);
	receipts->past_bytes += bytes;
	receipts->past[++receipts->last % CALLBACKS_KEPT] = (struct callback){
	    post->at, post->endpoint, status, acknowledged, post->log, bytes};
	post->log = NULL;
}

/* Is the body an object with a number of this name?  *value has it. */
static bool
read_number(
    const struct http_response *response, const char *name, int64_t *value)
{
	struct arena *arena = arena_create();
	struct json_error error;
	const struct json *answer = json_parse(
	    response->body, response->body_bytes, NULL, arena, &error);
	const struct json *member =
	    json_is(answer, JSON_OBJECT) ? json_get(answer, name) : NULL;
	bool number = json_is(member, JSON_NUMBER);

	if (!json_i64(member, value))
		*value = -1;
	arena_free(arena);
	return number;
}

/* Aliyun looks at the status and that `code` is a number, Tencent at 0. */
bool
receipts_acknowledged(
    enum endpoint endpoint, const struct http_response *response)
{
	int64_t value;

	if (response->end != HTTP_ANSWERED)
		return false;
	if (endpoint == ENDPOINT_ALIYUN)
		return response->status == 200 &&
		       read_number(response, "code", &value);
	if (endpoint == ENDPOINT_TENCENT)
		return response->status == 200 &&
		       read_number(response, "result", &value) && value == 0;
	if (endpoint == ENDPOINT_WECHAT)
		return wechat_acknowledged(response);
	return response->status / 100 == 2;
}

int64_t
receipts_wait_us(const struct sim *sim, enum endpoint endpoint, int tries)
{
	static const int64_t wait_us[TRIES_MAX] = {
	    0, 1 * MINUTE_US, 5 * MINUTE_US, 10 * MINUTE_US};
	int most = endpoint == ENDPOINT_TENCENT ? TENCENT_TRIES_MAX : TRIES_MAX;

	if (endpoint == ENDPOINT_WECHAT)
		return tries >= WECHAT_TRIES_MAX ? -1 : 0;
	if (tries >= most)
		return -1;
	return wait_us[tries] / 1000 * sim->retry_scale_micro / 1000;
}

static void
come_back(struct receipts *receipts, struct receipt receipt)
{
	int64_t wait_us =
	    receipts_wait_us(receipts->sim, receipt.endpoint, receipt.tries);

	if (wait_us < 0) {
		receipts->dropped++;
		return;
	}
	receipt.due_at = clock_boot() + wait_us;
	queue_push(receipts, receipt);
}

static void
free_post(struct post *post)
{
	struct receipts *receipts = post->receipts;

	for (int i = 0; i < POSTS_MAX; i++)
		if (receipts->posts[post->endpoint][i] == post)
			receipts->posts[post->endpoint][i] = NULL;
	free(post->log);
	free(post);
}

static void
post_done(const struct http_response *response, void *arg)
{
	struct post *post = arg;
	struct receipts *receipts = post->receipts;
	bool acknowledged = receipts_acknowledged(post->endpoint, response);

	remember(post, response->end == HTTP_ANSWERED ? response->status : 0,
	    acknowledged);
	for (size_t i = 0; i < post->count; i++) {
		struct entry *entry =
		    ledger_get(receipts->sim->ledger, post->items[i].seq);

		if (!acknowledged)
			come_back(receipts, post->items[i]);
		else if (entry != NULL)
			entry->receipt_stored = true;
	}
	if (acknowledged)
		receipts->acknowledged += (int64_t)post->count;
	free_post(post);
	rearm(receipts);
}

/* Signed at each try anew; returns where it goes. */
static const char *
write_wechat_post(
    struct post *post, struct buf *body, struct buf *log, struct arena *arena)
{
	struct receipt *receipt = &post->items[0];
	struct entry entry = entry_of(post->receipts, receipt, arena);
	struct json_writer note;

	receipt->tries++;
	json_write_init(&note, log);
	json_write_array(&note);
	write_log(&note, receipt, &entry);
	json_write_end_array(&note);
	return wechat_receipt(post->receipts->sim->wechat, receipt->delivered,
	    receipt->code, &entry, body, arena);
}

static void
write_post(struct post *post, struct buf *body, struct buf *log)
{
	struct arena *arena = arena_create();
	struct json_writer out, note;

	json_write_init(&out, body);
	json_write_init(&note, log);
	if (post->endpoint != ENDPOINT_WEBHOOK)
		json_write_array(&out);
	json_write_array(&note);
	for (size_t i = 0; i < post->count; i++) {
		struct receipt *receipt = &post->items[i];
		struct entry entry = entry_of(post->receipts, receipt, arena);

		receipt->tries++;
		if (post->endpoint == ENDPOINT_ALIYUN)
			write_aliyun(&out, receipt, &entry, arena);
		else if (post->endpoint == ENDPOINT_TENCENT)
			write_tencent(&out, receipt, &entry, arena);
		else if (post->endpoint == ENDPOINT_WEBHOOK)
			write_webhook(&out, receipt, &entry, arena);
		else
			write_loopback(&out, receipt, &entry, arena);
		write_log(&note, receipt, &entry);
	}
	if (post->endpoint != ENDPOINT_WEBHOOK)
		json_write_end_array(&out);
	json_write_end_array(&note);
	arena_free(arena);
}

/* Signed; the id is the receipt's own, so that it stays on a repeat. */
static size_t
webhook_headers(const struct post *post, const struct buf *body,
    struct arena *arena, struct http_header headers[WEBHOOK_HEADERS])
{
	const struct receipt *receipt = &post->items[0];
	const char *id = arena_printf(arena, "evt_%llu_%llu",
	    (unsigned long long)receipt->seq,
	    (unsigned long long)receipt->order);

	webhook_sign(post->receipts->sim->webhook, id, body, arena, headers);
	return WEBHOOK_HEADERS;
}

static void
send_post(struct post *post)
{
	struct receipts *receipts = post->receipts;
	struct arena *arena = arena_create();
	struct http_header headers[WEBHOOK_HEADERS] = {
	    {"Content-Type", "application/json; charset=utf-8"}};
	struct buf body = BUF_INIT(0), log = BUF_INIT(0);
	struct http_request request = {.method = "POST",
	    .url = receipts->sim->callback[post->endpoint],
	    .headers = headers,
	    .header_count = 1,
	    .plain_allowed = true};

	if (post->endpoint == ENDPOINT_WECHAT) {
		headers[0].value = "text/xml";
		request.url = write_wechat_post(post, &body, &log, arena);
		request.timeout_us = 5 * SECOND_US;
	} else {
		write_post(post, &body, &log);
	}
	if (post->endpoint == ENDPOINT_WEBHOOK)
		request.header_count =
		    webhook_headers(post, &body, arena, headers);
	post->log = mem_text(buf_string(&log));
	post->at = clock_wall();
	request.body = body.data;
	request.body_bytes = body.bytes;
	post->call =
	    http_client_send(receipts->client, &request, post_done, post);
	buf_free(&body);
	buf_free(&log);
	arena_free(arena);
}

/* A message that the ledger has forgotten gets no receipt any more. */
static void
add_item(struct post *post, struct receipt receipt)
{
	struct receipts *receipts = post->receipts;

	if (receipt.seq != 0 &&
	    ledger_get(receipts->sim->ledger, receipt.seq) == NULL)
		receipts->dropped++;
	else
		post->items[post->count++] = receipt;
}

static size_t
items_max(enum endpoint endpoint)
{
	return endpoint == ENDPOINT_WEBHOOK || endpoint == ENDPOINT_WECHAT
		   ? 1
		   : BATCH_MAX;
}

/* Post what is due on this endpoint, as far as there are slots. */
static void
post_due(struct receipts *receipts, enum endpoint endpoint)
{
	struct queue *queue = &receipts->queues[endpoint];
	int64_t now = clock_boot();

	while (queue->count > 0 && queue->heap[0].due_at <= now) {
		int slot = free_slot(receipts, endpoint);
		struct post *post;

		if (slot < 0)
			return;
		post = mem_alloc(sizeof(*post));
		post->receipts = receipts;
		post->endpoint = endpoint;
		receipts->posts[endpoint][slot] = post;
		while (post->count < items_max(endpoint) && queue->count > 0 &&
		       queue->heap[0].due_at <= now)
			add_item(post, queue_pop(queue));
		if (post->count > 0)
			send_post(post);
		else
			free_post(post);
	}
}

static void
receipts_due(void *arg)
{
	struct receipts *receipts = arg;

	for (int i = 0; i < ENDPOINT_COUNT; i++)
		post_due(receipts, i);
	rearm(receipts);
}

void
receipts_free(struct receipts *receipts)
{
	for (int i = 0; i < ENDPOINT_COUNT; i++) {
		for (int slot = 0; slot < POSTS_MAX; slot++) {
			struct post *post = receipts->posts[i][slot];

			if (post == NULL)
				continue;
			http_client_cancel(post->call);
			free_post(post);
		}
		free(receipts->queues[i].heap);
	}
	while (receipts->first <= receipts->last)
		free(receipts->past[receipts->first++ % CALLBACKS_KEPT].items);
	http_client_free(receipts->client);
	loop_timer_free(receipts->timer);
	free(receipts->past);
	free(receipts);
}

/* ---- views ---- */

void
receipts_write(struct receipts *receipts, uint64_t since, uint64_t limit,
    struct buf *out, struct arena *arena)
{
	struct json_writer writer;
	uint64_t seq = since + 1;

	if (seq < receipts->first)
		seq = receipts->first;
	json_write_init(&writer, out);
	json_write_object(&writer);
	json_write_key(&writer, "callbacks");
	json_write_array(&writer);
	for (; seq <= receipts->last && limit > 0; seq++, limit--) {
		const struct callback *past =
		    &receipts->past[seq % CALLBACKS_KEPT];

		json_write_object(&writer);
		json_write_key(&writer, "seq");
		json_write_i64(&writer, (int64_t)seq);
		json_write_member(
		    &writer, "at", sim_time_text(past->at, arena));
		json_write_member(
		    &writer, "endpoint", endpoint_word(past->endpoint));
		json_write_key(&writer, "status");
		json_write_i64(&writer, past->status);
		json_write_key(&writer, "acknowledged");
		json_write_bool(&writer, past->acknowledged);
		json_write_key(&writer, "items");
		json_write_raw(&writer, past->items);
		json_write_end_object(&writer);
	}
	json_write_end_array(&writer);
	json_write_key(&writer, "next");
	json_write_i64(&writer, (int64_t)seq - 1);
	json_write_key(&writer, "forgotten");
	json_write_i64(&writer, (int64_t)receipts->first - 1);
	json_write_end_object(&writer);
}

void
receipts_write_summary(struct receipts *receipts, struct json_writer *writer)
{
	int64_t queued = 0, under_way = 0;

	for (int i = 0; i < ENDPOINT_COUNT; i++) {
		queued += (int64_t)receipts->queues[i].count;
		for (int slot = 0; slot < POSTS_MAX; slot++)
			under_way += receipts->posts[i][slot] != NULL;
	}
	json_write_key(writer, "receipts_acknowledged");
	json_write_i64(writer, receipts->acknowledged);
	json_write_key(writer, "receipts_queued");
	json_write_i64(writer, queued);
	json_write_key(writer, "receipts_under_way");
	json_write_i64(writer, under_way);
	json_write_key(writer, "receipts_dropped");
	json_write_i64(writer, receipts->dropped);
}
