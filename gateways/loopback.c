/*
 * A provider of our own, for demonstrations, tests and benchmarks: one
 * message or a batch as JSON to one URL, receipts as a JSON array to the
 * secret path.  Nothing is signed: not for patients.
 */
#include "gateway.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define BATCH_MAX 1000
#define EVENTS_MAX 1000 /* of one post of receipts */
#define TIME_BYTES 19   /* of "2026-03-08T02:00:00" */

static const struct gw_option options[] = {
    {"url", GW_OPTION_URL, .required = true,
	.help = "Where messages are posted, with the path."},
};

/* A member that is a string and not empty, or NULL. */
static const char *
string_at(struct gw_call *call, const struct gw_json *object, const char *key)
{
	const struct gw_host *host = call->host;
	const struct gw_json *value = host->json_get(object, key);
	const char *text = host->json_text(value);

	if (host->json_type(value) != GW_JSON_STRING || text[0] == '\0')
		return NULL;
	return text;
}

static const char *
check(struct gw_call *call)
{
	const char *url = gw_setting(call, "url");

	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return "url: http:// or https://";
	return NULL;
}

/* ---- sending ---- */

/* Append a key and a string; before is what stands in front of them. */
static void
write_member(struct gw_call *call, struct gw_buf *buf, const char *before,
    const char *key, const char *value)
{
	call->host->buf_text(buf, before);
	call->host->buf_json(buf, key);
	call->host->buf_text(buf, ":");
	call->host->buf_json(buf, value);
}

static void
write_message(
    struct gw_call *call, struct gw_buf *buf, const struct gw_message *message)
{
	const char *code = message->template_code;

	write_member(call, buf, "{", "id", message->reference);
	write_member(call, buf, ",", "to", message->address);
	write_member(call, buf, ",", "template", code != NULL ? code : "");
	write_member(call, buf, ",", "text", message->text);
	call->host->buf_text(buf, ",\"params\":{");
	for (size_t i = 0; i < message->parameter_count; i++)
		write_member(call, buf, i > 0 ? "," : "",
		    message->parameters[i].name, message->parameters[i].value);
	call->host->buf_text(buf, "}}");
}

static int
send(struct gw_call *call, const struct gw_message *messages, size_t count,
    struct gw_request *request, struct gw_outcome *outcomes)
{
	static const struct gw_pair headers[] = {
	    {"content-type", "application/json"}};
	struct gw_buf *body = call->host->buf(call);

	(void)outcomes; /* every message can be expressed */
	if (count > 1)
		call->host->buf_text(body, "{\"messages\":[");
	for (size_t i = 0; i < count; i++) {
		call->host->buf_text(body, i > 0 ? "," : "");
		write_message(call, body, &messages[i]);
	}
	if (count > 1)
		call->host->buf_text(body, "]}");
	*request = (struct gw_request){.method = "POST",
	    .url = gw_setting(call, "url"),
	    .headers = headers,
	    .header_count = COUNT(headers),
	    .body = call->host->buf_string(body),
	    .body_bytes = call->host->buf_bytes(body)};
	return 0;
}

/* ---- the answer ---- */

/* Of one message: "OK", or why it was not taken. */
static struct gw_outcome
judge_code(const char *code, const char *provider_id)
{
	struct gw_outcome outcome = {
	    .verdict = GW_RETRY, .scope = GW_SCOPE_MESSAGE, .code = code};

	if (code == NULL) {
		outcome.verdict = GW_UNKNOWN;
		outcome.code = "unreadable";
	} else if (strcmp(code, "OK") == 0) {
		outcome.verdict = GW_ACCEPTED;
		outcome.provider_id = provider_id;
	} else if (strcmp(code, "invalid_address") == 0) {
		outcome.verdict = GW_REJECTED;
		outcome.scope = GW_SCOPE_RECIPIENT;
	}
	return outcome;
}

/* Of a request that was refused as a whole, or whose fate is not known. */
static struct gw_outcome
judge_status(struct gw_call *call, int status)
{
	struct gw_outcome outcome = {.verdict = GW_UNKNOWN,
	    .scope = GW_SCOPE_GATEWAY,
	    .code = call->host->format(call, "HTTP %d", status)};

	if (status == 400 || status == 413) { /* a message of ours is wrong */
		outcome.verdict = GW_REJECTED;
		outcome.scope = GW_SCOPE_MESSAGE;
	} else if (status / 100 == 4) {
		outcome.verdict = GW_RETRY;
	}
	return outcome;
}

/* Results come in our order; one that bears another id says nothing. */
static struct gw_outcome
judge_result(struct gw_call *call, const struct gw_json *result,
    const struct gw_message *message)
{
	const char *id = string_at(call, result, "id");

	if (id == NULL || strcmp(id, message->reference) != 0)
		return judge_code(NULL, NULL);
	return judge_code(string_at(call, result, "code"),
	    string_at(call, result, "message_id"));
}

static void
sent(struct gw_call *call, const struct gw_message *messages, size_t count,
    const struct gw_response *response, struct gw_outcome *outcomes)
{
	const struct gw_host *host = call->host;
	const struct gw_json *body =
	    host->json_parse(call, response->body, response->body_bytes);
	const struct gw_json *results = host->json_get(body, "results");

	for (size_t i = 0; i < count; i++) {
		if (response->status != 200)
			outcomes[i] = judge_status(call, response->status);
		else if (count == 1)
			outcomes[i] = judge_code(string_at(call, body, "code"),
			    string_at(call, body, "id"));
		else
			outcomes[i] = judge_result(
			    call, host->json_at(results, i), &messages[i]);
	}
}

/* ---- receipts ---- */

/* "2026-03-08T02:00:00.123Z"; now if it cannot be read. */
static int64_t
instant(struct gw_call *call, const char *text)
{
	char *copy;
	int64_t at_us;

	if (text == NULL || strlen(text) < TIME_BYTES || text[10] != 'T')
		return call->now_us;
	copy = call->host->format(call, "%.*s", TIME_BYTES, text);
	copy[10] = ' ';
	return call->host->time_parse(call, copy, 0, &at_us) ? at_us
							     : call->now_us;
}

static bool
read_receipt(
    struct gw_call *call, const struct gw_json *item, struct gw_event *event)
{
	const struct gw_host *host = call->host;
	const struct gw_json *delivered = host->json_get(item, "delivered");

	if (host->json_type(delivered) != GW_JSON_BOOLEAN)
		return false;
	*event = (struct gw_event){.type = GW_EVENT_RECEIPT,
	    .reference = string_at(call, item, "reference"),
	    .provider_id = string_at(call, item, "message_id"),
	    .code = string_at(call, item, "code"),
	    .at_us = instant(call, string_at(call, item, "at")),
	    .delivered = strcmp(host->json_text(delivered), "true") == 0};
	return event->reference != NULL;
}

static int
receive(struct gw_call *call, const struct gw_callback *callback,
    const struct gw_event **events, struct gw_answer *answer)
{
	const struct gw_host *host = call->host;
	const struct gw_json *items =
	    host->json_parse(call, callback->body, callback->body_bytes);
	size_t count = host->json_count(items);
	struct gw_event *list;

	*answer = (struct gw_answer){400, "application/json", "{}", 2};
	if (strcmp(callback->method, "POST") != 0) {
		answer->status = 405;
		return -1;
	}
	if (host->json_type(items) != GW_JSON_ARRAY || count > EVENTS_MAX)
		return -1;
	list = host->alloc(call, (count + 1) * sizeof(*list));
	for (size_t i = 0; i < count; i++)
		if (!read_receipt(call, host->json_at(items, i), &list[i]))
			return -1;
	*events = list;
	answer->status = 200;
	return (int)count;
}

/* ---- what is left ---- */

static void
balance(struct gw_call *call, struct gw_request *request)
{
	*request = (struct gw_request){.method = "GET",
	    .url = call->host->format(
		call, "%s/balance", gw_setting(call, "url"))};
}

static int
balanced(
    struct gw_call *call, const struct gw_response *response, int64_t *left)
{
	const struct gw_host *host = call->host;
	const struct gw_json *value = host->json_get(
	    host->json_parse(call, response->body, response->body_bytes),
	    "balance");
	const char *text = host->json_text(value);
	size_t digits;

	if (response->status != 200 || host->json_type(value) != GW_JSON_NUMBER)
		return -1;
	digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return -1;
	*left = 0;
	for (const char *digit = text; *digit != '\0'; digit++)
		*left = *left * 10 + (*digit - '0');
	return 0;
}

const struct gw_api adherd_gateway = {
    .abi = GW_ABI,
    .size = sizeof(struct gw_api),
    .name = "loopback",
    .kind = GW_KIND_MESSAGES,
    .flags = GW_RECEIPTS,
    .channels = "sms,push,wechat_oa,wechat_mini",
    .options = options,
    .option_count = COUNT(options),
    .batch_max = BATCH_MAX,
    .check = check,
    .send = send,
    .sent = sent,
    .receive = receive,
    .balance = balance,
    .balanced = balanced,
};
