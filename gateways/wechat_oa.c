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
#include "wechat_account.h"

#define CLIENT_ID_BYTES_MAX 32

static const struct gw_option options[] = {
    WECHAT_ACCOUNT_OPTIONS,
    {"miniprogram-appid", GW_OPTION_TEXT,
	.help = "AppID of a mini program that template messages open."},
    {"miniprogram-page", GW_OPTION_TEXT, .help = "Page of the mini program."},
};

static const char *
check(struct gw_call *call)
{
	const char *problem = wechat_check(call);

	if (problem == NULL && gw_setting(call, "miniprogram-page") != NULL &&
	    gw_setting(call, "miniprogram-appid") == NULL)
		return "miniprogram-page: without miniprogram-appid";
	return problem;
}

/* ---- sending ---- */

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

	wechat_add_member(call, body, "{", "touser", message->address);
	wechat_add_member(
	    call, body, ",", "template_id", message->template_code);
	wechat_add_member(call, body, ",", "url", message->link);
	if (program != NULL) {
		wechat_add_member(
		    call, body, ",\"miniprogram\":{", "appid", program);
		wechat_add_member(call, body, ",", "pagepath",
		    gw_setting(call, "miniprogram-page"));
		host->buf_text(body, "}");
	}
	wechat_add_member(call, body, ",", "client_msg_id",
	    client_id(call, message->reference));
	wechat_write_data(call, message, body);
	host->buf_text(body, "}");
}

static int
send(struct gw_call *call, const struct gw_message *messages, size_t count,
    struct gw_request *request, struct gw_outcome *outcomes)
{
	(void)count; /* 1 */
	if (wechat_send(call, &messages[0], "template", write_template, request,
		&outcomes[0]) != 0)
		return -1;
	request->repeatable = messages[0].template_code != NULL;
	return 0;
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
	       strlen(event->text) <= WECHAT_TEXT_BYTES_MAX;
}

/* "failed: system failed" has a blank, or has none. */
static const char *
status_code(const char *status)
{
	static const char *const words[][2] = {
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
	status += strspn(status, " ");
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

/* An event has no number: who, when and what make one. */
static int
read_event(
    struct gw_call *call, const struct wechat_xml *xml, struct gw_event *event)
{
	const char *name = wechat_or_empty(wechat_xml_get(xml, "Event"));

	event->id = call->host->format(call, "%s/%s/%s/%s%s", event->address,
	    wechat_xml_get(xml, "CreateTime"), name,
	    wechat_or_empty(wechat_xml_get(xml, "EventKey")),
	    wechat_or_empty(wechat_xml_get(xml, "MsgID")));
	for (size_t i = 0; i < COUNT(event_kinds); i++)
		if (strcmp(event_kinds[i].name, name) == 0)
			return event_kinds[i].read(call, xml, event) ? 1 : 0;
	return 0;
}

static int
receive(struct gw_call *call, const struct gw_callback *callback,
    const struct gw_event **events, struct gw_answer *reply)
{
	return wechat_receive(call, callback, read_event, events, reply);
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
    .auth = wechat_auth,
    .authed = wechat_token,
    .send = send,
    .sent = wechat_sent,
    .receive = receive,
};
