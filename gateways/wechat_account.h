#ifndef ADHERD_GATEWAY_WECHAT_ACCOUNT_H
#define ADHERD_GATEWAY_WECHAT_ACCOUNT_H

/*
 * What an official account and a mini program have in common: settings, the
 * token, values by the types of a template's fields, customer-service
 * messages, outcomes, and pushes in XML or JSON, plain or encrypted.  Not part
 * of the interface.
 */
#include "wechat.h"
#include "wechat_xml.h"

#define WECHAT_OPENID_BYTES_MAX 64
#define WECHAT_EVENTS_MAX 16 /* in one push */
#define WECHAT_FIELD_NAME_MAX 32
#define WECHAT_SYMBOLS " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

/* The rows of gw_api.options that every account has. */
#define WECHAT_ACCOUNT_OPTIONS \
	{"appid", GW_OPTION_TEXT, .required = true, \
	    .help = "AppID of the account, wx and 16 digits and letters."}, \
	    {"app-secret", GW_OPTION_TEXT, .required = true, .secret = true, \
		.help = "AppSecret of the account."}, \
	    {"endpoint", GW_OPTION_URL, \
		.standard = "https://api.weixin.qq.com", \
		.help = "Where requests go, without a path."}, \
	    {"callback-mode", GW_OPTION_TEXT, .standard = "safe", \
		.help = "How messages are pushed: safe (encrypted), " \
			"compatible or " \
			"plain."}, \
	    WECHAT_CALLBACK_OPTIONS

enum wechat_mode {
	WECHAT_MODE_NONE,
	WECHAT_MODE_PLAIN,
	WECHAT_MODE_COMPATIBLE,
	WECHAT_MODE_SAFE
};

struct wechat_field { /* a type of values: its key is the type and a number */
	const char *type;
	size_t characters_max;
	bool cut;          /* a longer one is cut, else refused */
	const char *ascii; /* of ASCII only these; NULL: any */
	bool wide;         /* characters beyond ASCII may be in it */
	const char *needs; /* one of these at least; NULL: nothing */
};

static const struct wechat_field wechat_fields[] = {
    {"thing", 20, true, NULL, true, NULL},
    {"const", 20, false, NULL, true, NULL},
    {"character_string", 32, false, NULL, false, NULL},
    {"number", 32, false, DIGITS ".-", false, DIGITS},
    {"letter", 32, false, LETTERS, false, NULL},
    {"symbol", 5, false, WECHAT_SYMBOLS, false, NULL},
    {"phrase", 5, false, "", true, NULL},
    {"phone_number", 17, false, DIGITS "+-() *", false, DIGITS},
    {"car_number", 8, false, NULL, true, NULL},
    {"time", 48, false, DIGITS ":-/.~ ", true, ":"},
    {"date", 48, false, DIGITS ":-/.~ ", true, DIGITS},
    {"amount", 16, false, DIGITS WECHAT_SYMBOLS, true, DIGITS},
    {"name", 20, false, LETTERS " .", true, NULL},
};

#define WECHAT_NAME_MIXED_MAX 10 /* characters, where one is beyond ASCII */

/* ---- settings ---- */

static inline enum wechat_mode
wechat_mode_of(struct gw_call *call)
{
	static const char *const words[] = {
	    "none", "plain", "compatible", "safe"};
	const char *word = gw_setting(call, "callback-mode");

	for (enum wechat_mode mode = WECHAT_MODE_PLAIN;
	     mode <= WECHAT_MODE_SAFE; mode++)
		if (strcmp(words[mode], word) == 0)
			return mode;
	return WECHAT_MODE_NONE;
}

static inline const char *
wechat_check_callbacks(struct gw_call *call)
{
	const char *wrong = wechat_check_secrets(call);

	if (wrong != NULL)
		return wrong;
	if (wechat_mode_of(call) == WECHAT_MODE_NONE)
		return "callback-mode: safe, compatible or plain";
	if (wechat_mode_of(call) != WECHAT_MODE_PLAIN &&
	    gw_setting(call, "callback-token") != NULL &&
	    gw_setting(call, "callback-aes-key") == NULL)
		return "callback-aes-key-file: is missing, unless "
		       "callback-mode = plain";
	return NULL;
}

static inline const char *
wechat_check(struct gw_call *call)
{
	const char *appid = gw_setting(call, "appid");

	if (!wechat_all_of(appid, LETTERS DIGITS "_-") ||
	    strlen(appid) > WECHAT_OPENID_BYTES_MAX)
		return "appid: letters and digits, such as wx0123456789abcdef";
	if (gw_setting(call, "app-secret")[0] == '\0')
		return "app-secret is empty";
	if (wechat_endpoint(call) == NULL)
		return "endpoint: scheme, host and port, no path";
	return wechat_check_callbacks(call);
}

/* ---- requests ---- */

static inline void
wechat_auth(struct gw_call *call, struct gw_request *request)
{
	struct gw_buf *body = call->host->buf(call);

	wechat_add_member(call, body, "{", "grant_type", "client_credential");
	wechat_add_member(call, body, ",", "appid", gw_setting(call, "appid"));
	wechat_add_member(
	    call, body, ",", "secret", gw_setting(call, "app-secret"));
	call->host->buf_text(body, "}");
	wechat_post(call,
	    call->host->format(
		call, "%s/cgi-bin/stable_token", wechat_endpoint(call)),
	    body, request);
}

/* ---- values ---- */

/* The type that a key begins with; NULL: none that has a length. */
static inline const struct wechat_field *
wechat_field_of(const char *key)
{
	for (size_t i = 0; i < COUNT(wechat_fields); i++) {
		size_t bytes = strlen(wechat_fields[i].type);

		if (strncmp(key, wechat_fields[i].type, bytes) == 0 &&
		    wechat_all_of(key + bytes, DIGITS))
			return &wechat_fields[i];
	}
	return NULL;
}

/* Bytes of so many characters at most. */
static inline size_t
wechat_bytes_of(const char *text, size_t characters)
{
	size_t bytes = 0;

	for (; text[bytes] != '\0'; bytes++)
		if (((unsigned char)text[bytes] & 0xc0) != 0x80 &&
		    characters-- == 0)
			break;
	return bytes;
}

/* Are its characters those of its type? */
static inline bool
wechat_value_fits(const struct wechat_field *field, const char *value)
{
	bool wide = false;

	for (const char *at = value; *at != '\0'; at++) {
		bool beyond = (unsigned char)*at >= 0x80;

		wide |= beyond;
		if (beyond ? !field->wide
			   : field->ascii != NULL &&
				 strchr(field->ascii, *at) == NULL)
			return false;
	}
	if (wide && strcmp(field->type, "name") == 0 &&
	    value[wechat_bytes_of(value, WECHAT_NAME_MIXED_MAX)] != '\0')
		return false;
	return field->needs == NULL ||
	       value[strcspn(value, field->needs)] != '\0';
}

/* As the type of its key takes it; NULL: it cannot be said. */
static inline const char *
wechat_value_of(struct gw_call *call, const struct gw_pair *parameter)
{
	const struct wechat_field *field = wechat_field_of(parameter->name);
	const char *value = wechat_one_line(call, parameter->value, false);

	if (value[0] == '\0')
		return NULL;
	if (field == NULL)
		return value;
	if (!wechat_value_fits(field, value))
		return NULL;
	if (value[wechat_bytes_of(value, field->characters_max)] == '\0')
		return value;
	if (!field->cut)
		return NULL;
	return call->host->format(call, "%.*s…",
	    (int)wechat_bytes_of(value, field->characters_max - 1), value);
}

static inline bool
wechat_is_openid(const char *text)
{
	return wechat_all_of(text, LETTERS DIGITS "_-") &&
	       strlen(text) <= WECHAT_OPENID_BYTES_MAX;
}

/* Which field: its name, where that is one, never what it says. */
static inline const char *
wechat_value_code(struct gw_call *call, const struct gw_pair *parameter)
{
	if (strlen(parameter->name) > WECHAT_FIELD_NAME_MAX ||
	    !wechat_all_of(parameter->name, LETTERS DIGITS "_"))
		return "value";
	return call->host->format(call, "value %s", parameter->name);
}

/* Why this message cannot be sent: rejected, or verdict 0 if it can. */
static inline struct gw_outcome
wechat_obstacle(struct gw_call *call, const struct gw_message *message)
{
	if (!wechat_is_openid(message->address))
		return wechat_outcome(
		    GW_REJECTED, GW_SCOPE_RECIPIENT, "address");
	/* our setting may be what is wrong: not the address's fault */
	if (message->appid != NULL &&
	    strcmp(message->appid, gw_setting(call, "appid")) != 0)
		return wechat_outcome(GW_REJECTED, GW_SCOPE_MESSAGE, "appid");
	if (message->template_code == NULL &&
	    (message->text == NULL || message->text[0] == '\0'))
		return wechat_outcome(GW_REJECTED, GW_SCOPE_MESSAGE, "text");
	for (size_t i = 0;
	     i < message->parameter_count && message->template_code != NULL;
	     i++)
		if (wechat_value_of(call, &message->parameters[i]) == NULL)
			return wechat_outcome(GW_REJECTED, GW_SCOPE_MESSAGE,
			    wechat_value_code(call, &message->parameters[i]));
	return (struct gw_outcome){0};
}

/* "data":{"thing1":{"value":"…"},…} */
static inline void
wechat_write_data(
    struct gw_call *call, const struct gw_message *message, struct gw_buf *body)
{
	const struct gw_host *host = call->host;

	host->buf_text(body, ",\"data\":{");
	for (size_t i = 0; i < message->parameter_count; i++) {
		host->buf_text(body, i > 0 ? "," : "");
		host->buf_json(body, message->parameters[i].name);
		wechat_add_member(call, body, ":{", "value",
		    wechat_value_of(call, &message->parameters[i]));
		host->buf_text(body, "}");
	}
	host->buf_text(body, "}");
}

/* kind: template, subscribe or custom */
static inline void
wechat_post_message(struct gw_call *call, const char *kind, struct gw_buf *body,
    struct gw_request *request)
{
	wechat_post(call,
	    call->host->format(call,
		"%s/cgi-bin/message/%s/send?access_token=%s",
		wechat_endpoint(call), kind,
		call->host->percent(
		    call, call->token != NULL ? call->token : "")),
	    body, request);
}

static inline void
wechat_write_answer(
    struct gw_call *call, const struct gw_message *message, struct gw_buf *body)
{
	wechat_add_member(call, body, "{", "touser", message->address);
	wechat_add_member(call, body, ",", "msgtype", "text");
	wechat_add_member(call, body, ",\"text\":{", "content",
	    wechat_one_line(call, message->text, true));
	call->host->buf_text(body, "}}");
}

/* The body of a registered text, as an account has it. */
typedef void wechat_template_writer(struct gw_call *call,
    const struct gw_message *message, struct gw_buf *body);

/* As gw_api.send has it; kind is that of registered texts. */
static inline int
wechat_send(struct gw_call *call, const struct gw_message *message,
    const char *kind, wechat_template_writer *write_template,
    struct gw_request *request, struct gw_outcome *outcome)
{
	bool template = message->template_code != NULL;
	struct gw_buf *body = call->host->buf(call);

	*outcome = wechat_obstacle(call, message);
	if (outcome->verdict != 0)
		return -1;
	if (template)
		write_template(call, message, body);
	else
		wechat_write_answer(call, message, body);
	wechat_post_message(call, template ? kind : "custom", body, request);
	return 0;
}

static inline void
wechat_sent(struct gw_call *call, const struct gw_message *messages,
    size_t count, const struct gw_response *response,
    struct gw_outcome *outcomes)
{
	const struct gw_host *host = call->host;
	const struct gw_json *answer =
	    host->json_parse(call, response->body, response->body_bytes);
	const char *code = wechat_member(call, answer, "errcode");
	const char *id = wechat_member(call, answer, "msgid");

	(void)count; /* 1 */
	if (response->status != 200) {
		outcomes[0] = wechat_judge_status(call, response->status);
		return;
	}
	if (code == NULL || strlen(code) > 16) {
		outcomes[0] =
		    wechat_outcome(GW_UNKNOWN, GW_SCOPE_MESSAGE, "unreadable");
		return;
	}
	outcomes[0] = strcmp(code, "0") == 0
			  ? wechat_outcome(GW_ACCEPTED, GW_SCOPE_MESSAGE, code)
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

/* What a push in JSON may say at its top, and of each thing in its List. */
static inline void
wechat_push_take(struct gw_call *call, const struct gw_json *object,
    const char *prefix, size_t parent, struct wechat_xml *push)
{
	static const char *const keys[] = {"ToUserName", "FromUserName",
	    "CreateTime", "MsgType", "Event", "EventKey", "Content", "MsgId",
	    "MsgID", "Status", "Encrypt", "TemplateId", "SubscribeStatusString",
	    "PopupScene", "ErrorCode", "ErrorStatus"};

	for (size_t i = 0;
	     i < COUNT(keys) && push->count < WECHAT_XML_ELEMENTS_MAX; i++) {
		const char *text = wechat_member(call, object, keys[i]);

		if (text != NULL)
			push->leaves[push->count++] = (struct wechat_xml_leaf){
			    call->host->format(call, "%s%s", prefix, keys[i]),
			    text, parent};
	}
}

/* List is an array, or the one thing that would be in it. */
static inline const struct wechat_xml *
wechat_push_of_json(struct gw_call *call, const struct gw_json *object)
{
	const struct gw_host *host = call->host;
	const struct gw_json *list = host->json_get(object, "List");
	struct wechat_xml *push = host->alloc(call, sizeof(*push));

	if (host->json_type(object) != GW_JSON_OBJECT)
		return NULL;
	wechat_push_take(call, object, "", 1, push);
	if (host->json_type(list) == GW_JSON_OBJECT)
		wechat_push_take(call, list, "List/", 2, push);
	else if (host->json_type(list) == GW_JSON_ARRAY)
		for (size_t i = 0;
		     i < host->json_count(list) && i < WECHAT_EVENTS_MAX; i++)
			wechat_push_take(
			    call, host->json_at(list, i), "List/", i + 2, push);
	return push;
}

/* A push in XML, or in JSON as a mini program may have it. */
static inline const struct wechat_xml *
wechat_push_parse(struct gw_call *call, const char *data, size_t bytes)
{
	if (bytes == 0 || data[0] != '{')
		return wechat_xml_read(call, data, bytes);
	if (bytes > WECHAT_XML_BYTES_MAX)
		return NULL;
	return wechat_push_of_json(
	    call, call->host->json_parse(call, data, bytes));
}

/*
 * The message in a push, as far as it is to be believed; NULL with *problem.
 * Of one that says things both ways only what is encrypted counts.
 */
static inline const struct wechat_xml *
wechat_read_push(struct gw_call *call, const struct gw_callback *callback,
    const char **problem)
{
	const char *type =
	    wechat_parameter(call, callback->query, "encrypt_type");
	bool plain = type == NULL || strcmp(type, "raw") == 0;
	enum wechat_mode mode = wechat_mode_of(call);
	const struct wechat_xml *xml;
	const char *encrypted = NULL, *message;
	size_t bytes = 0;

	*problem = "not signed";
	/* before a byte of it is read */
	if (plain && (mode == WECHAT_MODE_SAFE ||
			 !wechat_is_signed(call, callback->query, NULL)))
		return NULL;
	if (!plain && (mode == WECHAT_MODE_PLAIN || strcmp(type, "aes") != 0))
		return NULL;
	xml = wechat_push_parse(call, callback->body, callback->body_bytes);
	if (!plain) {
		encrypted = wechat_xml_get(xml, "Encrypt");
		if (encrypted == NULL || encrypted[0] == '\0' ||
		    !wechat_is_signed(call, callback->query, encrypted))
			return NULL;
		message = wechat_open_push(
		    call, gw_setting(call, "appid"), encrypted, &bytes);
		xml = message != NULL ? wechat_push_parse(call, message, bytes)
				      : NULL;
	}
	*problem = "malformed";
	return xml;
}

/* What an account makes of an event: how many events of ours, from the first.
 */
typedef int wechat_event_reader(struct gw_call *call,
    const struct wechat_xml *xml, struct gw_event *events);

/* Events in it, 0 for what is none of ours; -1 if it is no message. */
static inline int
wechat_read_what(struct gw_call *call, const struct wechat_xml *xml,
    wechat_event_reader *read_event, struct gw_event *events)
{
	const char *type = wechat_read_head(xml, events);

	if (type == NULL || !wechat_is_openid(events->address))
		return -1;
	if (strcmp(type, "event") == 0)
		return read_event(call, xml, events);
	return wechat_read_words(call, xml, type, events) ? 1 : 0;
}

/* The asking whether the address is ours: what it says comes back. */
static inline int
wechat_greet(struct gw_call *call, const char *query, struct gw_answer *reply)
{
	const char *echo = wechat_parameter(call, query, "echostr");

	if (echo == NULL || !wechat_is_signed(call, query, NULL)) {
		*reply = wechat_answer(403, "not signed");
		return -1;
	}
	*reply = wechat_answer(200, echo);
	return 0;
}

static inline int
wechat_receive(struct gw_call *call, const struct gw_callback *callback,
    wechat_event_reader *read_event, const struct gw_event **events,
    struct gw_answer *reply)
{
	struct gw_event *found =
	    call->host->alloc(call, WECHAT_EVENTS_MAX * sizeof(*found));
	const struct wechat_xml *xml;
	const char *problem;
	int count;

	if (strcmp(callback->method, "GET") == 0)
		return wechat_greet(call, callback->query, reply);
	xml = wechat_read_push(call, callback, &problem);
	count =
	    xml != NULL ? wechat_read_what(call, xml, read_event, found) : -1;
	*events = found;
	*reply = count >= 0 ? wechat_answer(200, "success")
			    : wechat_answer(
				  strcmp(problem, "malformed") == 0 ? 400 : 403,
				  problem);
	return count;
}

#endif
