/*
 * A hospital's own gateway, by Standard Webhooks 1.0.0: messages are posted
 * to its URL as JSON; receipts, replies and credits come back as JSON to the
 * secret path.  Both ways are signed (HMAC-SHA256), each with a secret of its
 * own.  gateway(3) documents the bodies.
 *
 * The hospital promises to take each reference once.  So whatever may be
 * repeated is, and the id of a request is made of its references alone.
 */
#include "gateway.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define BATCH_MAX 20            /* about 20 kB, as the scheme advises */
#define EVENTS_MAX 1000         /* of one callback */
#define TOLERANCE_S 300         /* both ways, as the libraries have it */
#define TIMESTAMP_DIGITS_MAX 12 /* seconds */
#define KEY_BYTES_MIN 24
#define KEY_BYTES_MAX 64
#define SIGNATURE_BYTES 44 /* of base64 */
#define SECRETS 2          /* the one in use, and the old one */
#define ID_BYTES_MAX 128
#define REFERENCE_BYTES_MAX 64
#define ADDRESS_BYTES_MAX 256
#define EXTENSION_BYTES_MAX 32
#define CODE_BYTES_MAX 64
#define TEXT_BYTES_MAX 8192
#define CREDITS_MAX 1000
#define WAIT_S_MAX 86400
#define TIME_BYTES 19 /* of "2026-03-08T02:00:00" */
#define SECOND_US INT64_C(1000000)
#define DIGITS "0123456789"

struct word { /* of a JSON member, and what it stands for */
	const char *text;
	int value;
};

static const struct word verdict_words[] = {
    {"accepted", GW_ACCEPTED},
    {"retry", GW_RETRY},
    {"rejected", GW_REJECTED},
    {"unknown", GW_UNKNOWN},
};

static const struct word scope_words[] = {
    {"recipient", GW_SCOPE_RECIPIENT},
    {"message", GW_SCOPE_MESSAGE},
    {"template", GW_SCOPE_TEMPLATE},
    {"sender", GW_SCOPE_SENDER},
    {"gateway", GW_SCOPE_GATEWAY},
};

struct status_rule { /* what a refusal without a body of ours means */
	int status;
	enum gw_verdict verdict;
	enum gw_scope scope;
};

/*
 * Any other status below 500 says that the address or the secret is wrong
 * (401, 403, 404, 410, a redirect): the gateway waits for somebody to act.
 * Any other from 500 on may come after the messages were taken.
 */
static const struct status_rule status_rules[] = {
    {400, GW_REJECTED, GW_SCOPE_MESSAGE},
    {409, GW_RETRY, GW_SCOPE_MESSAGE}, /* it is working on them */
    {413, GW_REJECTED, GW_SCOPE_MESSAGE},
    {422, GW_REJECTED, GW_SCOPE_MESSAGE},
    {502, GW_RETRY, GW_SCOPE_GATEWAY},
    {503, GW_RETRY, GW_SCOPE_GATEWAY},
    {504, GW_RETRY, GW_SCOPE_GATEWAY},
};

static const struct gw_option options[] = {
    {"url", GW_OPTION_URL, .required = true,
	.help = "Where messages are posted, with the path."},
    {"signing-secret", GW_OPTION_TEXT, .required = true, .secret = true,
	.help = "Secret (whsec_ and base64 of 24 to 64 random bytes) that "
		"signs what is posted."},
    {"signing-old-secret", GW_OPTION_TEXT, .secret = true,
	.help = "The one before: while it is set, both sign."},
    {"verify-secret", GW_OPTION_TEXT, .secret = true,
	.help = "Another such secret, that signs callbacks; without it none "
		"is believed."},
    {"verify-old-secret", GW_OPTION_TEXT, .secret = true,
	.help = "The one before, which is still believed."},
};

/* ---- small helpers ---- */

/* A member that is a string, not empty and not too long, or NULL. */
static const char *
text_at(struct gw_call *call, const struct gw_json *object, const char *key,
    size_t bytes_max)
{
	const struct gw_host *host = call->host;
	const struct gw_json *value = host->json_get(object, key);
	const char *text = host->json_text(value);

	if (host->json_type(value) != GW_JSON_STRING || text[0] == '\0' ||
	    strlen(text) > bytes_max)
		return NULL;
	return text;
}

/* A member that is a whole number from 1 to most, or 0. */
static int32_t
number_at(struct gw_call *call, const struct gw_json *object, const char *key,
    int32_t most)
{
	const struct gw_host *host = call->host;
	const struct gw_json *value = host->json_get(object, key);
	const char *text = host->json_text(value);
	long number;

	if (host->json_type(value) != GW_JSON_NUMBER ||
	    text[strspn(text, DIGITS)] != '\0')
		return 0;
	number = strtol(text, NULL, 10); /* too large: LONG_MAX */
	return number <= most ? (int32_t)number : 0;
}

static bool
true_at(struct gw_call *call, const struct gw_json *object, const char *key)
{
	const struct gw_host *host = call->host;
	const struct gw_json *value = host->json_get(object, key);

	return host->json_type(value) == GW_JSON_BOOLEAN &&
	       strcmp(host->json_text(value), "true") == 0;
}

static bool
has(struct gw_call *call, const struct gw_json *object, const char *key)
{
	return call->host->json_type(call->host->json_get(object, key)) !=
	       GW_JSON_NONE;
}

/* The value of a word; 0 for one that is not in the list, or NULL. */
static int
word_value(const struct word *words, size_t count, const char *text)
{
	for (size_t i = 0; i < count && text != NULL; i++)
		if (strcmp(words[i].text, text) == 0)
			return words[i].value;
	return 0;
}

static const char *
instant_text(struct gw_call *call, int64_t at_us)
{
	return call->host->time_text(call, at_us, 0, "%Y-%m-%dT%H:%M:%SZ");
}

/* "Z", or "+08:00" in seconds; false if it is neither. */
static bool
read_offset(const char *text, int32_t *offset_s)
{
	static const char shape[] = "+00:00";
	int32_t minutes;

	*offset_s = 0;
	if (strcmp(text, "Z") == 0)
		return true;
	if (text[0] != '+' && text[0] != '-')
		return false;
	for (size_t i = 1; i < sizeof(shape); i++)
		if (shape[i] == '0' ? text[i] < '0' || text[i] > '9'
				    : text[i] != shape[i])
			return false;
	minutes = (text[4] - '0') * 10 + text[5] - '0';
	*offset_s = ((text[1] - '0') * 10 + text[2] - '0') * 3600;
	if (minutes > 59 || *offset_s > 14 * 3600)
		return false;
	*offset_s += minutes * 60;
	if (text[0] == '-')
		*offset_s = -*offset_s;
	return true;
}

/* RFC 3339; fractions beyond the microsecond are cut. */
static bool
read_instant(struct gw_call *call, const char *text, int64_t *at_us)
{
	int64_t fraction_us = 0, unit_us = SECOND_US / 10;
	int32_t offset_s;
	char *local;

	if (text == NULL || strlen(text) <= TIME_BYTES || text[10] != 'T')
		return false;
	local = call->host->format(call, "%.*s", TIME_BYTES, text);
	local[10] = ' ';
	text += TIME_BYTES;
	if (*text == '.') {
		if (strspn(++text, DIGITS) == 0)
			return false;
		for (; *text >= '0' && *text <= '9'; text++, unit_us /= 10)
			fraction_us += (*text - '0') * unit_us;
	}
	if (!read_offset(text, &offset_s) ||
	    !call->host->time_parse(call, local, offset_s, at_us))
		return false;
	*at_us += fraction_us;
	return true;
}

/* ---- signing ---- */

struct key {
	uint8_t *data;
	size_t bytes; /* 0: there is none */
};

/* The key of a secret; none where it is not set or cannot be one. */
static struct key
read_key(struct gw_call *call, const char *setting)
{
	static const char prefix[] = "whsec_";
	const char *secret = gw_setting(call, setting);
	struct key key = {0};
	long bytes;

	if (secret == NULL)
		return key;
	if (strncmp(secret, prefix, sizeof(prefix) - 1) == 0)
		secret += sizeof(prefix) - 1;
	bytes = call->host->base64_decode(call, secret, &key.data);
	if (bytes >= KEY_BYTES_MIN && bytes <= KEY_BYTES_MAX)
		key.bytes = (size_t)bytes;
	return key;
}

/* Base64 of the HMAC over "id.timestamp.body". */
static const char *
signature_of(struct gw_call *call, const struct key *key, const char *id,
    const char *timestamp, const void *body, size_t body_bytes)
{
	const struct gw_host *host = call->host;
	struct gw_buf *signed_bytes = host->buf(call);
	uint8_t digest[32];

	host->buf_text(signed_bytes, id);
	host->buf_text(signed_bytes, ".");
	host->buf_text(signed_bytes, timestamp);
	host->buf_text(signed_bytes, ".");
	host->buf_add(signed_bytes, body, body_bytes);
	host->hmac_sha256(call, key->data, key->bytes,
	    host->buf_string(signed_bytes), host->buf_bytes(signed_bytes),
	    digest);
	return host->base64(call, digest, sizeof(digest));
}

static bool
same_key(struct gw_call *call, const struct key *a, const struct key *b)
{
	return a->bytes > 0 && a->bytes == b->bytes &&
	       call->host->equal(call, a->data, b->data, a->bytes);
}

static const char *
check(struct gw_call *call)
{
	static const char *const names[] = {"signing-secret",
	    "signing-old-secret", "verify-secret", "verify-old-secret"};
	struct key keys[COUNT(names)];
	const char *url = gw_setting(call, "url");

	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return "url: http:// or https://";
	for (size_t i = 0; i < COUNT(names); i++) {
		keys[i] = read_key(call, names[i]);
		if (gw_setting(call, names[i]) != NULL && keys[i].bytes == 0)
			return call->host->format(call,
			    "%s-file: whsec_ and base64 of %d to %d bytes",
			    names[i], KEY_BYTES_MIN, KEY_BYTES_MAX);
	}
	/* or what we post could be posted back to us */
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 2; j < COUNT(names); j++)
			if (same_key(call, &keys[i], &keys[j]))
				return call->host->format(call,
				    "%s-file: the same secret as %s-file",
				    names[j], names[i]);
	if (keys[2].bytes == 0 && keys[3].bytes > 0)
		return "verify-old-secret-file: without verify-secret-file";
	return NULL;
}

/* ---- sending ---- */

/* Append a member that is a string; nothing where there is no value. */
static void
write_member(struct gw_call *call, struct gw_buf *buf, const char *before,
    const char *key, const char *value)
{
	if (value == NULL)
		return;
	call->host->buf_text(buf, before);
	call->host->buf_json(buf, key);
	call->host->buf_text(buf, ":");
	call->host->buf_json(buf, value);
}

static void
write_parameters(
    struct gw_call *call, struct gw_buf *buf, const struct gw_message *message)
{
	if (message->template_code == NULL)
		return;
	call->host->buf_text(buf, ",\"parameters\":{");
	for (size_t i = 0; i < message->parameter_count; i++)
		write_member(call, buf, i > 0 ? "," : "",
		    message->parameters[i].name, message->parameters[i].value);
	call->host->buf_text(buf, "}");
}

static void
write_message(
    struct gw_call *call, struct gw_buf *buf, const struct gw_message *message)
{
	write_member(call, buf, "{", "reference", message->reference);
	write_member(call, buf, ",", "address", message->address);
	write_member(call, buf, ",", "appid", message->appid);
	write_member(call, buf, ",", "text", message->text);
	write_member(call, buf, ",", "locale", message->locale);
	write_member(call, buf, ",", "template", message->template_code);
	write_parameters(call, buf, message);
	write_member(call, buf, ",", "signature", message->signature);
	write_member(call, buf, ",", "extension", message->extension);
	write_member(call, buf, ",", "link", message->link);
	if (message->valid_s > 0)
		write_member(call, buf, ",", "valid_until",
		    instant_text(
			call, call->now_us + message->valid_s * SECOND_US));
	call->host->buf_text(buf, "}");
}

static struct gw_buf *
write_body(
    struct gw_call *call, const struct gw_message *messages, size_t count)
{
	struct gw_buf *body = call->host->buf(call);

	write_member(call, body, "{", "type", "message.send");
	write_member(
	    call, body, ",", "timestamp", instant_text(call, call->now_us));
	write_member(call, body, ",\"data\":{", "channel",
	    call->channel != NULL ? call->channel : "");
	call->host->buf_text(body, ",\"messages\":[");
	for (size_t i = 0; i < count; i++) {
		call->host->buf_text(body, i > 0 ? "," : "");
		write_message(call, body, &messages[i]);
	}
	call->host->buf_text(body, "]}}");
	return body;
}

/* The same for the same messages: the reference, or a digest of them all. */
static const char *
request_id(
    struct gw_call *call, const struct gw_message *messages, size_t count)
{
	const struct gw_host *host = call->host;
	struct gw_buf *all = host->buf(call);
	uint8_t digest[32];

	if (count == 1)
		return messages[0].reference;
	for (size_t i = 0; i < count; i++) {
		host->buf_text(all, messages[i].reference);
		host->buf_text(all, "\n");
	}
	host->sha256(call, host->buf_string(all), host->buf_bytes(all), digest);
	return host->format(
	    call, "batch_%s", host->hex(call, digest, sizeof(digest) / 2));
}

/* "v1,…", and after it that of the old secret, if there is one. */
static const char *
sign(struct gw_call *call, const char *id, const char *timestamp,
    struct gw_buf *body)
{
	static const char *const names[SECRETS] = {
	    "signing-secret", "signing-old-secret"};
	const struct gw_host *host = call->host;
	struct gw_buf *list = host->buf(call);

	for (size_t i = 0; i < SECRETS; i++) {
		struct key key = read_key(call, names[i]);

		if (key.bytes == 0)
			continue;
		host->buf_text(list, i > 0 ? " v1," : "v1,");
		host->buf_text(
		    list, signature_of(call, &key, id, timestamp,
			      host->buf_string(body), host->buf_bytes(body)));
	}
	return host->buf_string(list);
}

static int
send(struct gw_call *call, const struct gw_message *messages, size_t count,
    struct gw_request *request, struct gw_outcome *outcomes)
{
	const struct gw_host *host = call->host;
	struct gw_buf *body = write_body(call, messages, count);
	const char *id = request_id(call, messages, count);
	const char *timestamp =
	    host->format(call, "%lld", (long long)(call->now_us / SECOND_US));
	const struct gw_pair list[] = {
	    {"content-type", "application/json"},
	    {"webhook-id", id},
	    {"webhook-timestamp", timestamp},
	    {"webhook-signature", sign(call, id, timestamp, body)},
	};
	struct gw_pair *headers = host->alloc(call, sizeof(list));

	(void)outcomes; /* every message can be expressed */
	memcpy(headers, list, sizeof(list));
	*request = (struct gw_request){.method = "POST",
	    .url = gw_setting(call, "url"),
	    .headers = headers,
	    .header_count = COUNT(list),
	    .body = host->buf_string(body),
	    .body_bytes = host->buf_bytes(body)};
	return 0;
}

/* ---- the answer ---- */

static struct gw_outcome
outcome_of(enum gw_verdict verdict, enum gw_scope scope, const char *code)
{
	return (struct gw_outcome){
	    .verdict = verdict, .scope = scope, .code = code};
}

/* Of a request that was refused as a whole, or whose fate is not known. */
static struct gw_outcome
judge_status(struct gw_call *call, int status)
{
	const char *code = call->host->format(call, "HTTP %d", status);

	for (size_t i = 0; i < COUNT(status_rules); i++)
		if (status_rules[i].status == status)
			return outcome_of(status_rules[i].verdict,
			    status_rules[i].scope, code);
	return outcome_of(
	    status < 500 ? GW_RETRY : GW_UNKNOWN, GW_SCOPE_GATEWAY, code);
}

/* What a result says; unknown where it is not as documented. */
static struct gw_outcome
judge_result(struct gw_call *call, const struct gw_json *result)
{
	const char *word = text_at(call, result, "verdict", CODE_BYTES_MAX);
	const char *code = text_at(call, result, "code", CODE_BYTES_MAX);
	int verdict = word_value(verdict_words, COUNT(verdict_words), word);
	int scope = has(call, result, "scope")
			? word_value(scope_words, COUNT(scope_words),
			      text_at(call, result, "scope", CODE_BYTES_MAX))
			: GW_SCOPE_MESSAGE;
	struct gw_outcome outcome;

	if (verdict == 0 || scope == 0)
		return outcome_of(GW_UNKNOWN, GW_SCOPE_MESSAGE, "unreadable");
	outcome = outcome_of((enum gw_verdict)verdict, (enum gw_scope)scope,
	    code != NULL ? code : word);
	if (verdict == GW_ACCEPTED)
		outcome.provider_id = text_at(call, result, "id", ID_BYTES_MAX);
	if (verdict == GW_RETRY)
		outcome.retry_after_s =
		    number_at(call, result, "retry_after_s", WAIT_S_MAX);
	if (verdict == GW_REJECTED && scope == GW_SCOPE_RECIPIENT)
		outcome.opted_out = true_at(call, result, "opted_out");
	return outcome;
}

static const struct gw_json *
find_result(
    struct gw_call *call, const struct gw_json *results, const char *reference)
{
	const struct gw_host *host = call->host;

	for (size_t i = 0; i < host->json_count(results); i++) {
		const struct gw_json *result = host->json_at(results, i);
		const char *named =
		    text_at(call, result, "reference", REFERENCE_BYTES_MAX);

		if (named != NULL && strcmp(named, reference) == 0)
			return result;
	}
	return NULL;
}

/* A good status: with no body all are taken, else each has its result. */
static void
judge_body(struct gw_call *call, const struct gw_message *messages,
    size_t count, const struct gw_response *response,
    struct gw_outcome *outcomes)
{
	const struct gw_host *host = call->host;
	const char *code = host->format(call, "HTTP %d", response->status);
	const struct gw_json *results = host->json_get(
	    host->json_parse(call, response->body, response->body_bytes),
	    "results");

	/* more than we sent: not about this request */
	if (host->json_type(results) != GW_JSON_ARRAY ||
	    host->json_count(results) > count)
		results = NULL;
	for (size_t i = 0; i < count; i++) {
		if (response->body_bytes == 0)
			outcomes[i] =
			    outcome_of(GW_ACCEPTED, GW_SCOPE_MESSAGE, code);
		else
			outcomes[i] = judge_result(call,
			    find_result(call, results, messages[i].reference));
	}
}

static void
sent(struct gw_call *call, const struct gw_message *messages, size_t count,
    const struct gw_response *response, struct gw_outcome *outcomes)
{
	if (response->status / 100 == 2) {
		judge_body(call, messages, count, response, outcomes);
		return;
	}
	for (size_t i = 0; i < count; i++)
		outcomes[i] = judge_status(call, response->status);
}

/* ---- whose callback it is ---- */

static const char *
header_of(const struct gw_callback *callback, const char *name)
{
	for (size_t i = 0; i < callback->header_count; i++)
		if (strcmp(callback->headers[i].name, name) == 0)
			return callback->headers[i].value;
	return NULL;
}

/* Printable, no blank, and no full stop: that ends it where it is signed. */
static bool
is_id(const char *text)
{
	size_t bytes = strlen(text);

	for (size_t i = 0; i < bytes; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '.')
			return false;
	return bytes > 0 && bytes <= ID_BYTES_MAX;
}

/* Whole seconds, near enough to now? */
static bool
is_timely(struct gw_call *call, const char *timestamp)
{
	size_t digits = strspn(timestamp, DIGITS);
	int64_t apart_s;

	if (digits > TIMESTAMP_DIGITS_MAX || timestamp[digits] != '\0')
		return false;
	apart_s = strtoll(timestamp, NULL, 10) - call->now_us / SECOND_US;
	return apart_s >= -TOLERANCE_S && apart_s <= TOLERANCE_S;
}

/* Is a v1 entry of the list this signature?  Looks at every entry. */
static bool
is_listed(struct gw_call *call, const char *list, const char *signature)
{
	bool found = false;

	while (*list != '\0') {
		size_t bytes = strcspn(list, " ");

		if (bytes == 3 + SIGNATURE_BYTES &&
		    strncmp(list, "v1,", 3) == 0)
			found |= call->host->equal(
			    call, list + 3, signature, SIGNATURE_BYTES);
		list += bytes;
		list += *list == ' ';
	}
	return found;
}

/* NULL, or why the callback is not to be believed. */
static const char *
verify(struct gw_call *call, const struct gw_callback *callback)
{
	static const char *const names[SECRETS] = {
	    "verify-secret", "verify-old-secret"};
	const char *id = header_of(callback, "webhook-id");
	const char *timestamp = header_of(callback, "webhook-timestamp");
	const char *list = header_of(callback, "webhook-signature");
	bool genuine = false;

	if (id == NULL || !is_id(id))
		return "webhook-id: 1 to 128 characters, no full stop";
	if (timestamp == NULL || !is_timely(call, timestamp))
		return "webhook-timestamp: seconds, within 5 minutes of now";
	if (list == NULL)
		return "webhook-signature: missing";
	for (size_t i = 0; i < SECRETS; i++) {
		struct key key = read_key(call, names[i]);

		if (key.bytes > 0)
			genuine |= is_listed(call, list,
			    signature_of(call, &key, id, timestamp,
				callback->body, callback->body_bytes));
	}
	return genuine ? NULL : "webhook-signature: no v1 entry matches";
}

/* ---- what it tells ---- */

/* Letters, digits and . _ : - only, for it is logged. */
static bool
is_code(const char *text)
{
	return text[strspn(text, DIGITS "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ._:-")] ==
	       '\0';
}

/* Each of these takes data into the event: NULL, or what is wrong. */
static const char *
read_receipt(
    struct gw_call *call, const struct gw_json *data, struct gw_event *event)
{
	event->type = GW_EVENT_RECEIPT;
	event->provider_id = text_at(call, data, "id", ID_BYTES_MAX);
	event->code = text_at(call, data, "code", CODE_BYTES_MAX);
	if (event->reference == NULL && event->provider_id == NULL)
		return "data.reference or data.id: missing";
	if (has(call, data, "code") &&
	    (event->code == NULL || !is_code(event->code)))
		return "data.code: 1 to 64 of A-Z a-z 0-9 . _ : -";
	return NULL;
}

static const char *
read_delivered(
    struct gw_call *call, const struct gw_json *data, struct gw_event *event)
{
	event->delivered = true;
	return read_receipt(call, data, event);
}

static const char *
read_undelivered(
    struct gw_call *call, const struct gw_json *data, struct gw_event *event)
{
	event->address_bad = true_at(call, data, "address_bad");
	event->opted_out = true_at(call, data, "opted_out");
	return read_receipt(call, data, event);
}

static const char *
read_reply(
    struct gw_call *call, const struct gw_json *data, struct gw_event *event)
{
	event->type = GW_EVENT_REPLY;
	event->text = text_at(call, data, "text", TEXT_BYTES_MAX);
	event->extension =
	    text_at(call, data, "extension", EXTENSION_BYTES_MAX);
	if (event->address == NULL)
		return "data.address: missing";
	if (event->text == NULL)
		return "data.text: 1 to 8192 bytes";
	if (has(call, data, "extension") &&
	    (event->extension == NULL ||
		event->extension[strspn(event->extension, DIGITS)] != '\0'))
		return "data.extension: 1 to 32 digits";
	return NULL;
}

static const char *
read_credit(
    struct gw_call *call, const struct gw_json *data, struct gw_event *event)
{
	event->type = GW_EVENT_CREDIT;
	event->credits = number_at(call, data, "credits", CREDITS_MAX);
	if (event->address == NULL)
		return "data.address: missing";
	return event->credits > 0 ? NULL : "data.credits: 1 to 1000";
}

static const struct kind {
	const char *type;
	const char *(*read)(struct gw_call *call, const struct gw_json *data,
	    struct gw_event *event);
} kinds[] = {
    {"credit.granted", read_credit},
    {"message.delivered", read_delivered},
    {"message.undelivered", read_undelivered},
    {"reply.received", read_reply},
};

static const char *
read_event(
    struct gw_call *call, const struct gw_json *item, struct gw_event *event)
{
	const struct gw_host *host = call->host;
	const struct gw_json *data = host->json_get(item, "data");
	const char *type = text_at(call, item, "type", CODE_BYTES_MAX);

	if (!read_instant(call,
		text_at(call, item, "timestamp", CODE_BYTES_MAX),
		&event->at_us))
		return "timestamp: RFC 3339 with an offset";
	if (host->json_type(data) != GW_JSON_OBJECT)
		return "data: an object";
	event->reference =
	    text_at(call, data, "reference", REFERENCE_BYTES_MAX);
	event->address = text_at(call, data, "address", ADDRESS_BYTES_MAX);
	if (has(call, data, "reference") && event->reference == NULL)
		return "data.reference: 1 to 64 bytes";
	if (has(call, data, "address") && event->address == NULL)
		return "data.address: 1 to 256 bytes";
	for (size_t i = 0; i < COUNT(kinds) && type != NULL; i++)
		if (strcmp(kinds[i].type, type) == 0)
			return kinds[i].read(call, data, event);
	return "type: message.delivered, message.undelivered, "
	       "reply.received or credit.granted";
}

/* {"error":…}; problem NULL: nothing to say. */
static struct gw_answer
answer(struct gw_call *call, int status, const char *problem)
{
	struct gw_buf *body = call->host->buf(call);

	write_member(call, body, "{", "error", problem);
	if (problem != NULL)
		call->host->buf_text(body, "}");
	return (struct gw_answer){status, "application/json",
	    call->host->buf_string(body), call->host->buf_bytes(body)};
}

/*
 * One event, or an array of them.  Each is known by the id of the callback
 * and its place, so that one which comes again is stored once.
 */
static const char *
read_events(struct gw_call *call, const struct gw_callback *callback,
    struct gw_event **events, size_t *count)
{
	const struct gw_host *host = call->host;
	const struct gw_json *body =
	    host->json_parse(call, callback->body, callback->body_bytes);
	bool single = host->json_type(body) == GW_JSON_OBJECT;
	const char *id = header_of(callback, "webhook-id");

	if (!single && host->json_type(body) != GW_JSON_ARRAY)
		return "body: an event, or an array of events, in JSON";
	*count = single ? 1 : host->json_count(body);
	if (*count > EVENTS_MAX)
		return "body: more than 1000 events";
	*events = host->alloc(call, (*count + 1) * sizeof(**events));
	for (size_t i = 0; i < *count; i++) {
		struct gw_event *event = &(*events)[i];
		const char *problem = read_event(
		    call, single ? body : host->json_at(body, i), event);

		if (problem != NULL)
			return host->format(call, "event %zu: %s", i, problem);
		event->id = single ? id : host->format(call, "%s/%zu", id, i);
	}
	return NULL;
}

static int
receive(struct gw_call *call, const struct gw_callback *callback,
    const struct gw_event **events, struct gw_answer *reply)
{
	struct gw_event *list = NULL;
	size_t count = 0;
	const char *problem;

	if (strcmp(callback->method, "POST") != 0) {
		*reply = answer(call, 405, "POST only");
		return -1;
	}
	problem = verify(call, callback);
	if (problem != NULL) {
		*reply = answer(call, 401, problem);
		return -1;
	}
	problem = read_events(call, callback, &list, &count);
	if (problem != NULL) {
		*reply = answer(call, 400, problem);
		return -1;
	}
	*events = list;
	*reply = answer(call, 204, NULL);
	return (int)count;
}

const struct gw_api adherd_gateway = {
    .abi = GW_ABI,
    .size = sizeof(struct gw_api),
    .name = "webhook",
    .kind = GW_KIND_MESSAGES,
    .flags = GW_DEDUPLICATES | GW_RECEIPTS | GW_REPLIES | GW_CODES,
    .channels = "sms,push,wechat_oa,wechat_mini",
    .options = options,
    .option_count = COUNT(options),
    .batch_max = BATCH_MAX,
    .check = check,
    .send = send,
    .sent = sent,
    .receive = receive,
};
