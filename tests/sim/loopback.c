/*
 * The provider of our own loopback gateway: POST /loopback takes one message
 * or a batch, GET is refused.  Strict about shapes, as a witness should be.
 */
#include <string.h>

#include "tests/sim/fault.h"
#include "tests/sim/ledger.h"
#include "tests/sim/receipt.h"

#define BATCH_MAX 1000
#define ID_BYTES_MAX 64
#define ADDRESS_BYTES_MAX 256
#define TEXT_BYTES_MAX 8192

struct message {
	const char *id;
	const char *to;
	const char *channel; /* NULL: sms */
	const char *template;
	const char *text;
	const struct json *params; /* an object, or NULL */
};

struct batch { /* one request */
	struct sim *sim;
	struct arena *arena;
	struct door_reply *reply;
	struct fault_choice choice;
};

static const char *const message_keys[] = {
    "id", "to", "channel", "template", "text", "params"};

static void
refuse(
    struct door_reply *reply, int status, const char *code, const char *message)
{
	struct json_writer writer;

	reply->status = status;
	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "code", code);
	json_write_member(&writer, "message", message);
	json_write_end_object(&writer);
}

static bool
known_key(const char *key)
{
	for (size_t i = 0; i < COUNT(message_keys); i++)
		if (strcmp(message_keys[i], key) == 0)
			return true;
	return false;
}

static bool
fits(const char *text, size_t bytes_max)
{
	return text != NULL && text[0] != '\0' && strlen(text) <= bytes_max;
}

/* NULL, or what is wrong with the shape. */
static const char *
read_message(const struct json *object, struct message *message)
{
	if (!json_is(object, JSON_OBJECT))
		return "a message is an object";
	json_each (member, object)
		if (!known_key(member->key))
			return "unknown key in a message";
	message->id = json_get_text(object, "id");
	message->to = json_get_text(object, "to");
	message->channel = json_get_text(object, "channel");
	message->template = json_get_text(object, "template");
	message->text = json_get_text(object, "text");
	message->params = json_get(object, "params");
	if (!fits(message->id, ID_BYTES_MAX) ||
	    message->id[strspn(
		message->id, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
		return "id: 1 to 64 of a-z 0-9 -";
	if (!fits(message->text, TEXT_BYTES_MAX))
		return "text: 1 to 8192 bytes";
	if (message->to == NULL)
		return "to is missing";
	if (message->template == NULL)
		return "template is missing";
	if (message->params != NULL && !json_is(message->params, JSON_OBJECT))
		return "params: an object";
	return NULL;
}

/* The provider's verdict on one message: "OK" or a code. */
static const char *
judge(const struct batch *batch, const struct message *message)
{
	if (batch->choice.code != NULL)
		return batch->choice.code->code;
	if (!fits(message->to, ADDRESS_BYTES_MAX) ||
	    message->to[strcspn(message->to, " \t\r\n")] != '\0')
		return "invalid_address";
	return "OK";
}

static const char *
params_text(const struct batch *batch, const struct json *params)
{
	struct buf text = BUF_INIT(64u << 10);
	struct json_writer writer;
	const char *copy;

	if (params == NULL)
		return "{}";
	json_write_init(&writer, &text);
	json_write_tree(&writer, params);
	copy = arena_text(batch->arena, buf_string(&text));
	buf_free(&text);
	return copy;
}

/* Take one message; returns its id with us. */
static const char *
accept_one(struct batch *batch, const struct message *message)
{
	struct sim *sim = batch->sim;
	struct entry entry = {.at = clock_wall(),
	    .endpoint = ENDPOINT_LOOPBACK,
	    .request = sim->requests,
	    .reference = message->id,
	    .address = message->to,
	    .channel = message->channel != NULL ? message->channel : "sms",
	    .template = message->template,
	    .signature = "",
	    .text = message->text,
	    .params = params_text(batch, message->params),
	    .outcome = fault_outcome_word(&batch->choice)};
	struct entry *kept;
	int64_t wait;

	entry.message_id = arena_printf(batch->arena, "lo-%llu",
	    (unsigned long long)ledger_last(sim->ledger) + 1);
	sim->balance--;
	kept = ledger_add(sim->ledger, &entry);
	wait = receipts_plan(sim->receipts, kept);
	if (wait > batch->reply->delay_us)
		batch->reply->delay_us = wait;
	return entry.message_id;
}

static void
take_single(struct batch *batch, const struct message *message)
{
	const char *code = judge(batch, message);
	struct json_writer writer;

	json_write_init(&writer, &batch->reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "code", code);
	if (strcmp(code, "OK") == 0)
		json_write_member(&writer, "id", accept_one(batch, message));
	json_write_end_object(&writer);
}

static void
take_batch(struct batch *batch, const struct message *list, size_t count)
{
	struct json_writer writer;

	json_write_init(&writer, &batch->reply->body);
	json_write_object(&writer);
	json_write_key(&writer, "results");
	json_write_array(&writer);
	for (size_t i = 0; i < count; i++) {
		const char *code = judge(batch, &list[i]);

		json_write_object(&writer);
		json_write_member(&writer, "id", list[i].id);
		json_write_member(&writer, "code", code);
		if (strcmp(code, "OK") == 0)
			json_write_member(
			    &writer, "message_id", accept_one(batch, &list[i]));
		json_write_end_object(&writer);
	}
	json_write_end_array(&writer);
	json_write_end_object(&writer);
}

/* Read all, then take all: a bad shape takes nothing. */
static void
take(struct batch *batch, const struct json *object)
{
	const struct json *array = json_get(object, "messages");
	const struct json *first = array != NULL ? array->child : object;
	bool single = array == NULL;
	size_t count = 0;
	struct message *list;

	if (!single && (!json_is(array, JSON_ARRAY) || array->count == 0 ||
			   array->count > BATCH_MAX || object->count != 1)) {
		refuse(batch->reply, 400, "invalid_request",
		    "messages: 1 to 1000, and nothing beside");
		return;
	}
	list =
	    arena_array(batch->arena, single ? 1 : array->count, sizeof(*list));
	for (const struct json *item = first; item != NULL;
	     item = single ? NULL : item->next) {
		const char *reason = read_message(item, &list[count++]);

		if (reason != NULL) {
			refuse(batch->reply, 400, "invalid_request", reason);
			return;
		}
	}
	batch->sim->requests++;
	if (single)
		take_single(batch, &list[0]);
	else
		take_batch(batch, list, count);
	ledger_flush(batch->sim->ledger);
}

static void
loopback_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct batch batch = {
	    .sim = arg, .arena = request->arena, .reply = reply};
	struct json_limits limits = {.bytes_max = 8u << 20};
	struct json_error error;
	const struct json *object;

	batch.choice = fault_choose(batch.sim->faults, ENDPOINT_LOOPBACK);
	if (batch.choice.refusal != NULL) {
		fault_refuse(&batch.choice, reply);
		return;
	}
	if (strcmp(request->method, "POST") != 0) {
		refuse(reply, 405, "method_not_allowed", "POST only");
		return;
	}
	object = json_parse(request->body, request->body_bytes, &limits,
	    request->arena, &error);
	if (!json_is(object, JSON_OBJECT))
		refuse(reply, 400, "invalid_json",
		    object == NULL ? error.reason : "not an object");
	else
		take(&batch, object);
	fault_spoil(&batch.choice, reply);
}

static void
loopback_on_balance(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	const struct sim *sim = arg;
	struct json_writer writer;

	(void)request;
	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	json_write_key(&writer, "balance");
	json_write_i64(&writer, sim->balance);
	json_write_end_object(&writer);
}

void
loopback_serve(struct sim *sim)
{
	door_route(sim->door, "/loopback/balance", loopback_on_balance, sim);
	door_route(sim->door, "/loopback", loopback_on_request, sim);
}
