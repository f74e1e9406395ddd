/*
 * A WeChat official account (service account): template messages to its
 * followers, customer-service messages for answers to what they said, and the
 * pushes of receipts, messages and events, plain or encrypted.
 *
 * Tokens are those of stable_token, which a second asking does not end.  The
 * provider knows a client_msg_id for ten minutes, in which a template message
 * may be repeated; a customer-service message has nothing of the kind, and no
 * receipt.
 */
#include "wechat.h"
#include "wechat_xml.h"

#define OPENID_BYTES_MAX 64
#define CLIENT_ID_BYTES_MAX 32
#define TEXT_BYTES_MAX 8192 /* of a reply: all that the host keeps */
#define SECRETS 2           /* the one in use, and the old one */
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum mode { MODE_NONE, MODE_PLAIN, MODE_COMPATIBLE, MODE_SAFE };

struct field { /* a type of values: its key is the type and a number */
	const char *type;
	size_t characters_max;
	bool cut; /* a longer one is cut, else refused */
};

static const struct field fields[] = {
    {"thing", 20, true},
    {"const", 20, false},
    {"character_string", 32, false},
    {"number", 32, false},
    {"letter", 32, false},
    {"symbol", 5, false},
    {"phrase", 5, false},
    {"phone_number", 17, false},
    {"car_number", 8, false},
};

static const struct gw_option options[] = {
    {"appid", GW_OPTION_TEXT, .required = true,
	.help = "AppID of the account, wx and 16 digits and letters."},
    {"app-secret", GW_OPTION_TEXT, .required = true, .secret = true,
	.help = "AppSecret of the account."},
    {"endpoint", GW_OPTION_URL, .standard = "https://api.weixin.qq.com",
	.help = "Where requests go, without a path."},
    {"callback-mode", GW_OPTION_TEXT, .standard = "safe",
	.help = "How messages are pushed: safe (encrypted), compatible or "
		"plain."},
    {"callback-token", GW_OPTION_TEXT, .secret = true,
	.help = "Token of the pushes; without it none is believed."},
    {"callback-old-token", GW_OPTION_TEXT, .secret = true,
	.help = "The one before, which is still believed."},
    {"callback-aes-key", GW_OPTION_TEXT, .secret = true,
	.help = "EncodingAESKey of the pushes, 43 characters."},
    {"callback-old-aes-key", GW_OPTION_TEXT, .secret = true,
	.help = "The one before, which still opens them."},
    {"miniprogram-appid", GW_OPTION_TEXT,
	.help = "AppID of a mini program that template messages open."},
    {"miniprogram-page", GW_OPTION_TEXT, .help = "Page of the mini program."},
};

/* ---- settings ---- */

static enum mode
mode_of(struct gw_call *call)
{
	static const char *const words[] = {
	    "none", "plain", "compatible", "safe"};
	const char *word = gw_setting(call, "callback-mode");

	for (enum mode mode = MODE_PLAIN; mode <= MODE_SAFE; mode++)
		if (strcmp(words[mode], word) == 0)
			return mode;
	return MODE_NONE;
}

/* Scheme, host and port, without a slash at the end; NULL: it is not that. */
static const char *
endpoint_of(struct gw_call *call)
{
	const char *endpoint = gw_setting(call, "endpoint");
	size_t scheme = strncmp(endpoint, "https://", 8) == 0  ? 8
			: strncmp(endpoint, "http://", 7) == 0 ? 7
							       : 0;
	size_t bytes = scheme + strcspn(endpoint + scheme, "/?#");

	if (scheme == 0 || bytes == scheme ||
	    (endpoint[bytes] != '\0' && strcmp(endpoint + bytes, "/") != 0))
		return NULL;
	return call->host->format(call, "%.*s", (int)bytes, endpoint);
}

static const char *
check_callbacks(struct gw_call *call)
{
	static const char *const keys[SECRETS] = {
	    "callback-aes-key", "callback-old-aes-key"};
	const char *token = gw_setting(call, "callback-token");

	if (token != NULL && token[0] == '\0')
		return "callback-token is empty";
	if (token == NULL && gw_setting(call, "callback-old-token") != NULL)
		return "callback-old-token-file: without callback-token-file";
	for (size_t i = 0; i < SECRETS; i++)
		if (gw_setting(call, keys[i]) != NULL &&
		    wechat_aes_key(call, gw_setting(call, keys[i])) == NULL)
			return call->host->format(
			    call, "%s-file: 43 characters of base64", keys[i]);
	if (gw_setting(call, keys[0]) == NULL &&
	    gw_setting(call, keys[1]) != NULL)
		return "callback-old-aes-key-file: without "
		       "callback-aes-key-file";
	if (mode_of(call) == MODE_NONE)
		return "callback-mode: safe, compatible or plain";
	if (mode_of(call) != MODE_PLAIN && token != NULL &&
	    gw_setting(call, keys[0]) == NULL)
		return "callback-aes-key-file: is missing, unless "
		       "callback-mode = plain";
	return NULL;
}

static const char *
check(struct gw_call *call)
{
	const char *appid = gw_setting(call, "appid");

	if (!wechat_all_of(appid, LETTERS DIGITS "_-") ||
	    strlen(appid) > OPENID_BYTES_MAX)
		return "appid: letters and digits, such as wx0123456789abcdef";
	if (gw_setting(call, "app-secret")[0] == '\0')
		return "app-secret is empty";
	if (endpoint_of(call) == NULL)
		return "endpoint: scheme, host and port, no path";
	if (gw_setting(call, "miniprogram-page") != NULL &&
	    gw_setting(call, "miniprogram-appid") == NULL)
		return "miniprogram-page: without miniprogram-appid";
	return check_callbacks(call);
}

/* ---- requests ---- */

/* Append a member; nothing where there is no value. */
static void
add_member(struct gw_call *call, struct gw_buf *body, const char *before,
    const char *key, const char *value)
{
	if (value == NULL)
		return;
	call->host->buf_text(body, before);
	call->host->buf_json(body, key);
	call->host->buf_text(body, ":");
	call->host->buf_json(body, value);
}

static void
post(struct gw_call *call, const char *url, struct gw_buf *body,
    struct gw_request *request)
{
	static const struct gw_pair type = {
	    "content-type", "application/json; charset=utf-8"};

	*request = (struct gw_request){.method = "POST",
	    .url = url,
	    .headers = &type,
	    .header_count = 1,
	    .body = call->host->buf_string(body),
	    .body_bytes = call->host->buf_bytes(body)};
}

static void
auth(struct gw_call *call, struct gw_request *request)
{
	struct gw_buf *body = call->host->buf(call);

	add_member(call, body, "{", "grant_type", "client_credential");
	add_member(call, body, ",", "appid", gw_setting(call, "appid"));
	add_member(call, body, ",", "secret", gw_setting(call, "app-secret"));
	call->host->buf_text(body, "}");
	post(call,
	    call->host->format(
		call, "%s/cgi-bin/stable_token", endpoint_of(call)),
	    body, request);
}

/* ---- values ---- */

/* The type that a key begins with; NULL: none that has a length. */
static const struct field *
field_of(const char *key)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		size_t bytes = strlen(fields[i].type);

		if (strncmp(key, fields[i].type, bytes) == 0 &&
		    wechat_all_of(key + bytes, DIGITS))
			return &fields[i];
	}
	return NULL;
}

/* Bytes of so many characters at most. */
static size_t
bytes_of(const char *text, size_t characters)
{
	size_t bytes = 0;

	for (; text[bytes] != '\0'; bytes++)
		if (((unsigned char)text[bytes] & 0xc0) != 0x80 &&
		    characters-- == 0)
			break;
	return bytes;
}

/* Without line breaks and control characters, which no value may have. */
static char *
one_line(struct gw_call *call, const char *text, bool breaks)
{
	char *copy = call->host->format(call, "%s", text);

	for (char *at = copy; *at != '\0'; at++)
		if (((unsigned char)*at < ' ' && !(breaks && *at == '\n')) ||
		    *at == 0x7f)
			*at = ' ';
	return copy;
}

/* As the type of its key takes it; NULL: it cannot be said. */
static const char *
value_of(struct gw_call *call, const struct gw_pair *parameter)
{
	const struct field *field = field_of(parameter->name);
	const char *value = one_line(call, parameter->value, false);

	if (value[0] == '\0')
		return NULL;
	if (field == NULL ||
	    value[bytes_of(value, field->characters_max)] == '\0')
		return value;
	if (!field->cut)
		return NULL;
	return call->host->format(call, "%.*s…",
	    (int)bytes_of(value, field->characters_max - 1), value);
}

/* ---- sending ---- */

static struct gw_outcome
outcome_of(enum gw_verdict verdict, enum gw_scope scope, const char *code)
{
	return (struct gw_outcome){
	    .verdict = verdict, .scope = scope, .code = code};
}

static bool
is_openid(const char *text)
{
	return wechat_all_of(text, LETTERS DIGITS "_-") &&
	       strlen(text) <= OPENID_BYTES_MAX;
}

/* Why this message cannot be sent: rejected, or verdict 0 if it can. */
static struct gw_outcome
obstacle(struct gw_call *call, const struct gw_message *message)
{
	if (!is_openid(message->address))
		return outcome_of(GW_REJECTED, GW_SCOPE_RECIPIENT, "address");
	/* our setting may be what is wrong: not the address's fault */
	if (message->appid != NULL &&
	    strcmp(message->appid, gw_setting(call, "appid")) != 0)
		return outcome_of(GW_REJECTED, GW_SCOPE_MESSAGE, "appid");
	if (message->template_code == NULL &&
	    (message->text == NULL || message->text[0] == '\0'))
		return outcome_of(GW_REJECTED, GW_SCOPE_MESSAGE, "text");
	for (size_t i = 0;
	     i < message->parameter_count && message->template_code != NULL;
	     i++)
		if (value_of(call, &message->parameters[i]) == NULL)
			return outcome_of(
			    GW_REJECTED, GW_SCOPE_MESSAGE, "value");
	return (struct gw_outcome){0};
}

/* The reference, or a digest of one that is too long; the same on a repeat. */
static const char *
client_id(struct gw_call *call, const char *reference)
{
	uint8_t digest[32];

	if (strlen(reference) <= CLIENT_ID_BYTES_MAX)
		return reference;
	call->host->sha256(call, reference, strlen(reference), digest);
	return call->host->hex(call, digest, CLIENT_ID_BYTES_MAX / 2);
}

static void
write_template(
    struct gw_call *call, const struct gw_message *message, struct gw_buf *body)
{
	const struct gw_host *host = call->host;
	const char *program = gw_setting(call, "miniprogram-appid");

	add_member(call, body, "{", "touser", message->address);
	add_member(call, body, ",", "template_id", message->template_code);
	add_member(call, body, ",", "url", message->link);
	if (program != NULL) {
		add_member(call, body, ",\"miniprogram\":{", "appid", program);
		add_member(call, body, ",", "pagepath",
		    gw_setting(call, "miniprogram-page"));
		host->buf_text(body, "}");
	}
	add_member(call, body, ",", "client_msg_id",
	    client_id(call, message->reference));
	host->buf_text(body, ",\"data\":{");
	for (size_t i = 0; i < message->parameter_count; i++) {
		host->buf_text(body, i > 0 ? "," : "");
		host->buf_json(body, message->parameters[i].name);
		add_member(call, body, ":{", "value",
		    value_of(call, &message->parameters[i]));
		host->buf_text(body, "}");
	}
	host->buf_text(body, "}}");
}

static void
write_answer(
    struct gw_call *call, const struct gw_message *message, struct gw_buf *body)
{
	add_member(call, body, "{", "touser", message->address);
	add_member(call, body, ",", "msgtype", "text");
	add_member(call, body, ",\"text\":{", "content",
	    one_line(call, message->text, true));
	call->host->buf_text(body, "}}");
}

static int
send(struct gw_call *call, const struct gw_message *messages, size_t count,
    struct gw_request *request, struct gw_outcome *outcomes)
{
	const struct gw_message *message = &messages[0];
	bool template = message->template_code != NULL;
	struct gw_buf *body = call->host->buf(call);

	(void)count; /* 1 */
	outcomes[0] = obstacle(call, message);
	if (outcomes[0].verdict != 0)
		return -1;
	if (template)
		write_template(call, message, body);
	else
		write_answer(call, message, body);
	post(call,
	    call->host->format(call,
		"%s/cgi-bin/message/%s/send?access_token=%s", endpoint_of(call),
		template ? "template" : "custom",
		call->host->percent(
		    call, call->token != NULL ? call->token : "")),
	    body, request);
	request->repeatable = template;
	return 0;
}

/* ---- the answer ---- */

/* Refusals come with status 200: another one is of what stands before. */
static struct gw_outcome
judge_status(struct gw_call *call, int status)
{
	return outcome_of(status / 100 == 4 ? GW_RETRY : GW_UNKNOWN,
	    GW_SCOPE_GATEWAY, call->host->format(call, "HTTP %d", status));
}

static void
sent(struct gw_call *call, const struct gw_message *messages, size_t count,
    const struct gw_response *response, struct gw_outcome *outcomes)
{
	const struct gw_host *host = call->host;
	const struct gw_json *answer =
	    host->json_parse(call, response->body, response->body_bytes);
	const char *code = wechat_member(call, answer, "errcode");
	const char *id = wechat_member(call, answer, "msgid");

	(void)count; /* 1 */
	if (response->status != 200) {
		outcomes[0] = judge_status(call, response->status);
		return;
	}
	if (code == NULL || strlen(code) > 16) {
		outcomes[0] =
		    outcome_of(GW_UNKNOWN, GW_SCOPE_MESSAGE, "unreadable");
		return;
	}
	outcomes[0] = strcmp(code, "0") == 0
			  ? outcome_of(GW_ACCEPTED, GW_SCOPE_MESSAGE, code)
			  : wechat_judge(call, code, messages[0].repeated);
	if (outcomes[0].verdict != GW_ACCEPTED)
		return;
	if (messages[0].template_code != NULL && id != NULL &&
	    wechat_all_of(id, DIGITS))
		outcomes[0].provider_id = id;
	/* nothing else would lead a receipt here */
	outcomes[0].no_receipt = outcomes[0].provider_id == NULL;
}

/* ---- what is pushed ---- */

static struct gw_answer
answer(int status, const char *body)
{
	return (struct gw_answer){status, "text/plain", body, strlen(body)};
}

/* Is it signed with the token, or the one before? */
static bool
is_genuine(struct gw_call *call, const char *query, const char *encrypted)
{
	static const char *const tokens[SECRETS] = {
	    "callback-token", "callback-old-token"};
	const char *timestamp = wechat_parameter(call, query, "timestamp");
	const char *nonce = wechat_parameter(call, query, "nonce");
	const char *signature = wechat_parameter(
	    call, query, encrypted != NULL ? "msg_signature" : "signature");
	bool genuine = false;

	for (size_t i = 0; i < SECRETS; i++)
		genuine |= wechat_genuine(call, gw_setting(call, tokens[i]),
		    timestamp, nonce, encrypted, signature);
	return genuine && wechat_timely(call, timestamp);
}

/* Opened with the key, or the one before; NULL: it is not for us. */
static const struct wechat_xml *
open_push(struct gw_call *call, const char *encrypted)
{
	static const char *const keys[SECRETS] = {
	    "callback-aes-key", "callback-old-aes-key"};

	for (size_t i = 0; i < SECRETS; i++) {
		size_t bytes = 0;
		const char *message =
		    wechat_open(call, gw_setting(call, keys[i]),
			gw_setting(call, "appid"), encrypted, &bytes);

		if (message != NULL)
			return wechat_xml_read(call, message, bytes);
	}
	return NULL;
}

/*
 * The message in a push, as far as it is to be believed; NULL with *problem.
 * Of one that says things both ways only what is encrypted counts.
 */
static const struct wechat_xml *
read_push(struct gw_call *call, const struct gw_callback *callback,
    const char **problem)
{
	const char *type =
	    wechat_parameter(call, callback->query, "encrypt_type");
	bool plain = type == NULL || strcmp(type, "raw") == 0;
	enum mode mode = mode_of(call);
	const struct wechat_xml *xml;
	const char *encrypted = NULL;

	*problem = "not signed";
	/* before a byte of it is read */
	if (plain &&
	    (mode == MODE_SAFE || !is_genuine(call, callback->query, NULL)))
		return NULL;
	if (!plain && (mode == MODE_PLAIN || strcmp(type, "aes") != 0))
		return NULL;
	xml = wechat_xml_read(call, callback->body, callback->body_bytes);
	if (!plain) {
		encrypted = wechat_xml_get(xml, "Encrypt");
		if (encrypted == NULL || encrypted[0] == '\0' ||
		    !is_genuine(call, callback->query, encrypted))
			return NULL;
		xml = open_push(call, encrypted);
	}
	*problem = "malformed";
	return xml;
}

/* ---- what it says ---- */

/* Each event type takes the message into the event; false: it is ignored. */
static bool
read_left(
    struct gw_call *call, const struct wechat_xml *xml, struct gw_event *event)
{
	(void)call;
	(void)xml;
	event->type = GW_EVENT_ADDRESS;
	event->address_bad = true;
	event->opted_out = true;
	return true;
}

static bool
read_came(
    struct gw_call *call, const struct wechat_xml *xml, struct gw_event *event)
{
	(void)call;
	(void)xml;
	event->type = GW_EVENT_ADDRESS;
	return true;
}

/* What the menu was set up to say. */
static bool
read_click(
    struct gw_call *call, const struct wechat_xml *xml, struct gw_event *event)
{
	(void)call;
	event->type = GW_EVENT_REPLY;
	event->text = wechat_xml_get(xml, "EventKey");
	return event->text != NULL && event->text[0] != '\0' &&
	       strlen(event->text) <= TEXT_BYTES_MAX;
}

/* "failed: system failed" has a blank, or has none. */
static const char *
status_code(const char *status)
{
	static const char *const words[][2] = {
	    {"success", "success"},
	    {"user block", "user_block"},
	    {"system failed", "system_failed"},
	    {"freq limit", "freq_limit"},
	};

	if (strncmp(status, "failed:", 7) == 0)
		status += 7;
	status += strspn(status, " ");
	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(status, words[i][0]) == 0)
			return words[i][1];
	return "failed";
}

static bool
read_receipt(
    struct gw_call *call, const struct wechat_xml *xml, struct gw_event *event)
{
	const char *status = wechat_xml_get(xml, "Status");

	(void)call;
	event->type = GW_EVENT_RECEIPT;
	event->provider_id = wechat_xml_get(xml, "MsgID");
	if (status == NULL || event->provider_id == NULL ||
	    !wechat_all_of(event->provider_id, DIGITS) ||
	    strlen(event->provider_id) > 20)
		return false;
	event->delivered = strcmp(status, "success") == 0;
	event->code = event->delivered ? "success" : status_code(status);
	event->opted_out = strcmp(event->code, "user_block") == 0;
	return true;
}

static const struct event_kind {
	const char *name;
	bool (*read)(struct gw_call *call, const struct wechat_xml *xml,
	    struct gw_event *event);
} event_kinds[] = {
    {"subscribe", read_came},
    {"unsubscribe", read_left},
    {"CLICK", read_click},
    {"TEMPLATESENDJOBFINISH", read_receipt},
};

static const char *
or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* An event has no number: who, when and what make one. */
static bool
read_event(
    struct gw_call *call, const struct wechat_xml *xml, struct gw_event *event)
{
	const char *name = or_empty(wechat_xml_get(xml, "Event"));

	event->id = call->host->format(call, "%s/%s/%s/%s%s", event->address,
	    wechat_xml_get(xml, "CreateTime"), name,
	    or_empty(wechat_xml_get(xml, "EventKey")),
	    or_empty(wechat_xml_get(xml, "MsgID")));
	for (size_t i = 0; i < COUNT(event_kinds); i++)
		if (strcmp(event_kinds[i].name, name) == 0)
			return event_kinds[i].read(call, xml, event);
	return false;
}

/* A text; of a picture or a voice that there was one, for a person to see. */
static bool
read_words(struct gw_call *call, const struct wechat_xml *xml, const char *type,
    struct gw_event *event)
{
	static const char *const others[] = {
	    "image", "voice", "video", "shortvideo", "location", "link"};

	event->type = GW_EVENT_REPLY;
	event->id = wechat_xml_get(xml, "MsgId");
	event->text = strcmp(type, "text") == 0
			  ? wechat_xml_get(xml, "Content")
			  : call->host->format(call, "[%s]", type);
	if (strcmp(type, "text") != 0 &&
	    !wechat_is_one_of(type, others, COUNT(others)))
		return false;
	return event->id != NULL && event->text != NULL &&
	       event->text[0] != '\0' && strlen(event->text) <= TEXT_BYTES_MAX;
}

/* Events in it: 1, or 0 for what is none of ours; -1 if it is no message. */
static int
read_what(
    struct gw_call *call, const struct wechat_xml *xml, struct gw_event *event)
{
	const char *type = wechat_xml_get(xml, "MsgType");
	const char *created = wechat_xml_get(xml, "CreateTime");
	bool ours;

	event->address = wechat_xml_get(xml, "FromUserName");
	if (type == NULL || created == NULL ||
	    !wechat_all_of(created, DIGITS) || strlen(created) > 11 ||
	    event->address == NULL || !is_openid(event->address))
		return -1;
	event->at_us = strtoll(created, NULL, 10) * SECOND_US;
	ours = strcmp(type, "event") == 0 ? read_event(call, xml, event)
					  : read_words(call, xml, type, event);
	return ours ? 1 : 0;
}

/* The asking whether the address is ours: what it says comes back. */
static int
greet(struct gw_call *call, const char *query, struct gw_answer *reply)
{
	const char *echo = wechat_parameter(call, query, "echostr");

	if (echo == NULL || !is_genuine(call, query, NULL)) {
		*reply = answer(403, "not signed");
		return -1;
	}
	*reply = answer(200, echo);
	return 0;
}

static int
receive(struct gw_call *call, const struct gw_callback *callback,
    const struct gw_event **events, struct gw_answer *reply)
{
	struct gw_event *event = call->host->alloc(call, sizeof(*event));
	const struct wechat_xml *xml;
	const char *problem;
	int count;

	if (strcmp(callback->method, "GET") == 0)
		return greet(call, callback->query, reply);
	xml = read_push(call, callback, &problem);
	count = xml != NULL ? read_what(call, xml, event) : -1;
	*events = event;
	*reply = count >= 0
		     ? answer(200, "success")
		     : answer(strcmp(problem, "malformed") == 0 ? 400 : 403,
			   problem);
	return count;
}

const struct gw_api adherd_gateway = {
    .abi = GW_ABI,
    .size = sizeof(struct gw_api),
    .name = "wechat_oa",
    .kind = GW_KIND_MESSAGES,
    .flags = GW_RECEIPTS | GW_REPLIES | GW_TEMPLATES | GW_FREE_ANSWERS,
    .channels = "wechat_oa",
    .options = options,
    .option_count = COUNT(options),
    .batch_max = 1,
    .check = check,
    .auth = auth,
    .authed = wechat_token,
    .send = send,
    .sent = sent,
    .receive = receive,
};
