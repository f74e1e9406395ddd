/*
 * POST /webhook takes what is signed and well-formed, GET /webhook/requests
 * shows the last requests byte for byte, for whoever verifies them with a
 * library of others.  Owns the references that were taken and those requests.
 */
#include "tests/sim/webhook.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/crypto.h"
#include "base/log.h"
#include "tests/sim/fault.h"
#include "tests/sim/receipt.h"
#include "tests/sim/table.h"

#define BATCH_MAX 20
#define TAKEN_MAX 1000000 /* references; later ones are not remembered */
#define REQUESTS_KEPT 64
#define TOLERANCE_S 300
#define KEY_BYTES_MIN 24
#define KEY_BYTES_MAX 64
#define ID_BYTES_MAX 128
#define REFERENCE_BYTES_MAX 64
#define ADDRESS_BYTES_MAX 256
#define TEXT_BYTES_MAX 8192

struct secret { /* bytes 0: there is none */
	uint8_t key[KEY_BYTES_MAX + 3];
	size_t bytes;
};

struct webhook {
	struct secret ours, callbacks;
	struct table *taken; /* reference to its number in the ledger */
	size_t taken_count;
	char *requests[REQUESTS_KEPT]; /* JSON; a ring */
	size_t request_count;
};

struct message {
	const char *reference, *address, *text;
	const char *template, *signature; /* "" if none */
	const struct json *parameters;    /* or NULL */
};

struct batch { /* one request */
	struct sim *sim;
	const struct door_request *request;
	struct arena *arena;
	struct door_reply *reply;
	struct fault_choice choice;
	const char *channel;
	const char *timestamp;
	struct message messages[BATCH_MAX];
	size_t count;
};

static void
read_secret(const char *text, struct secret *secret)
{
	long bytes;

	if (text == NULL)
		return;
	if (strncmp(text, "whsec_", 6) == 0)
		text += 6;
	bytes = crypto_base64_decode(
	    text, strlen(text), secret->key, sizeof(secret->key));
	if (bytes < KEY_BYTES_MIN || bytes > KEY_BYTES_MAX)
		fatal(EXIT_CONFIGURATION, "a webhook secret: whsec_ and "
					  "base64 of 24 to 64 bytes");
	secret->bytes = (size_t)bytes;
}

struct webhook *
webhook_create(const char *secret, const char *callback_secret)
{
	struct webhook *webhook = mem_alloc(sizeof(*webhook));

	read_secret(secret, &webhook->ours);
	read_secret(callback_secret, &webhook->callbacks);
	webhook->taken = table_create(TAKEN_MAX);
	return webhook;
}

void
webhook_free(struct webhook *webhook)
{
	for (size_t i = 0; i < REQUESTS_KEPT; i++)
		free(webhook->requests[i]);
	table_free(webhook->taken);
	free(webhook);
}

/* ---- signatures ---- */

/* "v1,…" over id, timestamp and body. */
static const char *
sign(const struct secret *secret, const char *id, const char *timestamp,
    const void *body, size_t body_bytes, struct arena *arena)
{
	struct buf content = BUF_INIT(0), text = BUF_INIT(0);
	uint8_t digest[32];
	const char *signature;

	buf_printf(&content, "%s.%s.", id, timestamp);
	buf_add(&content, body, body_bytes);
	crypto_hmac_sha256(
	    secret->key, secret->bytes, content.data, content.bytes, digest);
	buf_text(&text, "v1,");
	crypto_base64(digest, sizeof(digest), &text);
	signature = arena_text(arena, buf_string(&text));
	buf_free(&content);
	buf_free(&text);
	return signature;
}

void
webhook_sign(const struct webhook *webhook, const char *id,
    const struct buf *body, struct arena *arena,
    struct http_header headers[WEBHOOK_HEADERS])
{
	const char *timestamp =
	    arena_printf(arena, "%lld", (long long)(clock_wall() / SECOND_US));

	headers[0] = (struct http_header){"Content-Type", "application/json"};
	headers[1] = (struct http_header){"webhook-id", id};
	headers[2] = (struct http_header){"webhook-timestamp", timestamp};
	headers[3] = (struct http_header){
	    "webhook-signature", sign(&webhook->callbacks, id, timestamp,
				     body->data, body->bytes, arena)};
}

/* Is one of the entries, parted by blanks, this one? */
static bool
listed(const char *list, const char *signature)
{
	size_t bytes = strlen(signature);

	for (;;) {
		size_t entry = strcspn(list, " ");

		if (entry == bytes && strncmp(list, signature, bytes) == 0)
			return true;
		if (list[entry] == '\0')
			return false;
		list += entry + 1;
	}
}

static bool
timely(const struct sim *sim, const char *timestamp)
{
	int64_t now = (clock_wall() + sim->clock_ahead_us) / SECOND_US;
	int64_t given;

	if (timestamp[0] == '\0' || strlen(timestamp) > 12 ||
	    timestamp[strspn(timestamp, "0123456789")] != '\0')
		return false;
	given = strtoll(timestamp, NULL, 10);
	return given >= now - TOLERANCE_S && given <= now + TOLERANCE_S;
}

/* NULL, or why this is not from the one who knows our secret. */
static const char *
not_genuine(const struct batch *batch, const char *id, const char *timestamp)
{
	const struct door_request *request = batch->request;
	const char *list = door_header(request, "webhook-signature");

	if (id == NULL || id[0] == '\0' || strlen(id) > ID_BYTES_MAX ||
	    strchr(id, '.') != NULL)
		return "webhook-id";
	if (timestamp == NULL || !timely(batch->sim, timestamp))
		return "webhook-timestamp";
	if (list == NULL ||
	    !listed(
		list, sign(&batch->sim->webhook->ours, id, timestamp,
			  request->body, request->body_bytes, batch->arena)))
		return "webhook-signature";
	return NULL;
}

/* ---- shapes ---- */

/* Does the object have these members and no others?  "?" before: or not. */
static bool
has_only(const struct json *object, const char *const *keys)
{
	uint32_t found = 0;

	if (!json_is(object, JSON_OBJECT))
		return false;
	for (; *keys != NULL; keys++) {
		bool optional = **keys == '?';
		bool there = json_get(object, *keys + optional) != NULL;

		if (!there && !optional)
			return false;
		found += there;
	}
	return found == object->count;
}

static bool
fits(const char *text, size_t bytes_max)
{
	return text != NULL && text[0] != '\0' && strlen(text) <= bytes_max;
}

/* "2026-03-08T02:00:00Z" in seconds since 1970, or -1. */
static int64_t
seconds_of(const char *text)
{
	struct tm when = {0};
	const char *end =
	    text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &when) : NULL;

	if (end == NULL || *end != '\0' || strlen(text) != 20)
		return -1;
	return (int64_t)timegm(&when);
}

static bool
all_texts(const struct json *object)
{
	json_each (member, object)
		if (!json_is(member, JSON_STRING))
			return false;
	return true;
}

/* NULL, or what is wrong with a message. */
static const char *
read_message(const struct batch *batch, const struct json *object,
    struct message *message)
{
	static const char *const keys[] = {"reference", "address", "text",
	    "locale", "?appid", "?template", "?parameters", "?signature",
	    "?extension", "?link", "?valid_until", NULL};
	const char *until = json_get_text(object, "valid_until");

	if (!has_only(object, keys))
		return "a message: unknown or missing member";
	json_each (member, object)
		if (strcmp(member->key, "parameters") != 0 &&
		    !json_is(member, JSON_STRING))
			return "a message: a member is no text";
	*message = (struct message){json_get_text(object, "reference"),
	    json_get_text(object, "address"), json_get_text(object, "text"),
	    json_get_text(object, "template"),
	    json_get_text(object, "signature"), json_get(object, "parameters")};
	if (!fits(message->reference, REFERENCE_BYTES_MAX) ||
	    message->reference[strspn(message->reference,
		"abcdefghijklmnopqrstuvwxyz234567")] != '\0')
		return "reference: 1 to 64 of a-z 2-7";
	if (!fits(message->text, TEXT_BYTES_MAX))
		return "text: 1 to 8192 bytes";
	if ((message->template != NULL) != (message->parameters != NULL) ||
	    (message->parameters != NULL &&
		(!json_is(message->parameters, JSON_OBJECT) ||
		    !all_texts(message->parameters))))
		return "template and parameters: both, or neither";
	if (until != NULL && seconds_of(until) <= seconds_of(batch->timestamp))
		return "valid_until: later than timestamp";
	return NULL;
}

static bool
known_channel(const char *channel)
{
	static const char *const words[] = {
	    "sms", "push", "wechat_oa", "wechat_mini"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (channel != NULL && strcmp(words[i], channel) == 0)
			return true;
	return false;
}

/* NULL, or what is wrong with the body. */
static const char *
read_body(struct batch *batch, const struct json *body, const char *seconds)
{
	static const char *const keys[] = {"type", "timestamp", "data", NULL};
	static const char *const data_keys[] = {"channel", "messages", NULL};
	const struct json *data = json_get(body, "data");
	const struct json *messages = json_get(data, "messages");
	const char *type = json_get_text(body, "type");

	batch->timestamp = json_get_text(body, "timestamp");
	batch->channel = json_get_text(data, "channel");
	if (!has_only(body, keys) || !has_only(data, data_keys))
		return "unknown or missing member";
	if (type == NULL || strcmp(type, "message.send") != 0)
		return "type: message.send";
	if (seconds_of(batch->timestamp) != strtoll(seconds, NULL, 10))
		return "timestamp: that of webhook-timestamp";
	if (!known_channel(batch->channel))
		return "channel: sms, push, wechat_oa or wechat_mini";
	if (!json_is(messages, JSON_ARRAY) || messages->count == 0 ||
	    messages->count > BATCH_MAX)
		return "messages: 1 to 20";
	json_each (item, messages) {
		const char *problem =
		    read_message(batch, item, &batch->messages[batch->count++]);

		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/* One message has its reference as the id, several have a digest. */
static bool
id_fits(const struct batch *batch, const char *id)
{
	if (batch->count == 1)
		return strcmp(id, batch->messages[0].reference) == 0;
	return strncmp(id, "batch_", 6) == 0 &&
	       strspn(id + 6, "0123456789abcdef") == 32 && id[38] == '\0';
}

/* ---- taking ---- */

static const char *
parameters_text(const struct batch *batch, const struct json *parameters)
{
	struct buf text = BUF_INIT(64u << 10);
	struct json_writer writer;
	const char *copy;

	if (parameters == NULL)
		return "{}";
	json_write_init(&writer, &text);
	json_write_tree(&writer, parameters);
	copy = arena_text(batch->arena, buf_string(&text));
	buf_free(&text);
	return copy;
}

static const char *
id_of(const struct batch *batch, uint64_t seq)
{
	return arena_printf(batch->arena, "wh-%llu", (unsigned long long)seq);
}

/* Put a new message into the ledger; its number there. */
static uint64_t
take_new(struct batch *batch, const struct message *message)
{
	struct sim *sim = batch->sim;
	struct entry entry = {.at = clock_wall(),
	    .endpoint = ENDPOINT_WEBHOOK,
	    .request = sim->requests,
	    .reference = message->reference,
	    .address = message->address,
	    .channel = batch->channel,
	    .template = message->template != NULL ? message->template : "",
	    .signature = message->signature != NULL ? message->signature : "",
	    .text = message->text,
	    .params = parameters_text(batch, message->parameters),
	    .outcome = fault_outcome_word(&batch->choice)};
	struct entry *kept;
	int64_t wait;

	entry.message_id = id_of(batch, ledger_last(sim->ledger) + 1);
	kept = ledger_add(sim->ledger, &entry);
	wait = receipts_plan(sim->receipts, kept);
	if (wait > batch->reply->delay_us)
		batch->reply->delay_us = wait;
	return kept->seq;
}

/* Each reference once: a repeat is told what the first was told. */
static uint64_t
take(struct batch *batch, const struct message *message)
{
	struct webhook *webhook = batch->sim->webhook;
	uint64_t hash = sim_hash(&message->reference, 1);
	uint64_t seq = table_get(webhook->taken, hash);

	if (seq != 0)
		return seq;
	seq = take_new(batch, message);
	if (webhook->taken_count < TAKEN_MAX) {
		table_put(webhook->taken, hash, seq);
		webhook->taken_count++;
	}
	return seq;
}

static void
write_result(struct batch *batch, struct json_writer *writer,
    const struct message *message)
{
	const struct fault *code = batch->choice.code;
	bool bad = message->address[0] == '\0' ||
		   strlen(message->address) > ADDRESS_BYTES_MAX ||
		   strchr(message->address, ' ') != NULL;

	json_write_object(writer);
	json_write_member(writer, "reference", message->reference);
	if (bad) {
		json_write_member(writer, "verdict", "rejected");
		json_write_member(writer, "scope", "recipient");
		json_write_member(writer, "code", "invalid_address");
	} else if (code != NULL) {
		json_write_member(writer, "verdict", "retry");
		json_write_member(writer, "code", code->code);
	} else {
		json_write_member(writer, "verdict", "accepted");
		json_write_member(
		    writer, "id", id_of(batch, take(batch, message)));
	}
	json_write_end_object(writer);
}

static void
take_all(struct batch *batch)
{
	struct json_writer writer;

	batch->sim->requests++;
	json_write_init(&writer, &batch->reply->body);
	json_write_object(&writer);
	json_write_key(&writer, "results");
	json_write_array(&writer);
	for (size_t i = 0; i < batch->count; i++)
		write_result(batch, &writer, &batch->messages[i]);
	json_write_end_array(&writer);
	json_write_end_object(&writer);
	ledger_flush(batch->sim->ledger);
}

/* ---- requests ---- */

static void
refuse(struct door_reply *reply, int status, const char *error)
{
	struct json_writer writer;

	reply->status = status;
	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "error", error);
	json_write_end_object(&writer);
}

/* Keep the signed headers and the exact body of a request. */
static void
keep_request(struct webhook *webhook, const struct door_request *request)
{
	static const char *const names[] = {
	    "webhook-id", "webhook-timestamp", "webhook-signature"};
	char **slot =
	    &webhook->requests[webhook->request_count++ % REQUESTS_KEPT];
	struct buf text = BUF_INIT(0);
	struct json_writer writer;

	json_write_init(&writer, &text);
	json_write_object(&writer);
	for (size_t i = 0; i < COUNT(names); i++) {
		const char *value = door_header(request, names[i]);

		if (value != NULL)
			json_write_member(&writer, names[i], value);
	}
	json_write_member(&writer, "body", request->body);
	json_write_end_object(&writer);
	free(*slot);
	*slot = mem_text(buf_string(&text));
	buf_free(&text);
}

/* One that is genuine and well-formed is taken. */
static void
run_request(struct batch *batch)
{
	const struct door_request *request = batch->request;
	struct json_limits limits = {.bytes_max = 1u << 20};
	const char *id = door_header(request, "webhook-id");
	const char *timestamp = door_header(request, "webhook-timestamp");
	const char *type = door_header(request, "content-type");
	const char *problem = not_genuine(batch, id, timestamp);
	struct json_error error;
	const struct json *body;

	if (problem != NULL) {
		refuse(batch->reply, 401, problem);
		return;
	}
	body = json_parse(
	    request->body, request->body_bytes, &limits, batch->arena, &error);
	if (body == NULL)
		problem = error.reason;
	else if (type == NULL || strcasecmp(type, "application/json") != 0)
		problem = "content-type: application/json";
	else
		problem = read_body(batch, body, timestamp);
	if (problem == NULL && !id_fits(batch, id))
		problem = "webhook-id: not that of its messages";
	if (problem != NULL)
		refuse(batch->reply, 400, problem);
	else
		take_all(batch);
}

static void
webhook_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;
	struct batch batch = {.sim = sim,
	    .request = request,
	    .arena = request->arena,
	    .reply = reply};

	if (sim->webhook->ours.bytes == 0) {
		refuse(reply, 404, "no --webhook-secret-file was given");
		return;
	}
	if (strcmp(request->method, "POST") != 0) {
		refuse(reply, 405, "POST only");
		return;
	}
	keep_request(sim->webhook, request);
	batch.choice = fault_choose(sim->faults, ENDPOINT_WEBHOOK);
	if (batch.choice.refusal != NULL) {
		fault_refuse(&batch.choice, reply);
		return;
	}
	run_request(&batch);
	fault_spoil(&batch.choice, reply);
}

static void
requests_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	const struct sim *sim = arg;
	const struct webhook *webhook = sim->webhook;
	size_t first = webhook->request_count > REQUESTS_KEPT
			   ? webhook->request_count - REQUESTS_KEPT
			   : 0;
	struct json_writer writer;

	(void)request;
	json_write_init(&writer, &reply->body);
	json_write_array(&writer);
	for (size_t i = first; i < webhook->request_count; i++)
		json_write_raw(&writer, webhook->requests[i % REQUESTS_KEPT]);
	json_write_end_array(&writer);
}

void
webhook_serve(struct sim *sim)
{
	door_route(sim->door, "/webhook", webhook_on_request, sim);
	door_route(sim->door, "/webhook/requests", requests_on_request, sim);
}
