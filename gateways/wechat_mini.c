/*
 * A WeChat mini program: subscription messages, each of which spends a credit
 * that the patient gave for its template, customer-service messages for
 * answers to what they said, and the pushes of receipts, messages and credits
 * in XML or JSON, plain or encrypted.
 *
 * The provider knows no reference of ours: what has no answer is never
 * repeated, for the repeat might spend a second credit.
 */
#include "wechat_account.h"

static const struct gw_option options[] = {
    WECHAT_ACCOUNT_OPTIONS,
    {"page", GW_OPTION_TEXT,
	.help = "Page of the mini program that a message opens, such as "
		"pages/today?from=message."},
    {"state", GW_OPTION_TEXT, .standard = "formal",
	.help = "Which version it opens: formal, trial or developer."},
    {"ask-below", GW_OPTION_INTEGER, .standard = "3",
	.help = "With fewer credits left the page is opened with ask=1, to "
		"ask for more; 0: never."},
};

/* ---- settings ---- */

static const char *
check(struct gw_call *call)
{
	static const char *const states[] = {"formal", "trial", "developer"};
	const char *page = gw_setting(call, "page");
	const char *below = gw_setting(call, "ask-below");
	const char *problem = wechat_check(call);

	if (problem != NULL)
		return problem;
	if (!wechat_is_one_of(gw_setting(call, "state"), states, COUNT(states)))
		return "state: formal, trial or developer";
	if (page != NULL && (page[0] == '\0' || page[0] == '/' ||
				page[strcspn(page, " #\t\r\n")] != '\0'))
		return "page: a path without a slash before it, and its query";
	if (!wechat_all_of(below, DIGITS) || strlen(below) > 3)
		return "ask-below: 0 to 999";
	return NULL;
}

/* ---- sending ---- */

static bool
starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* The nearest of the four languages that the frame of a message has. */
static const char *
lang_of(const char *locale)
{
	if (locale == NULL || starts(locale, "zh-CN") ||
	    starts(locale, "zh-Hans"))
		return "zh_CN";
	if (starts(locale, "zh-HK") || starts(locale, "zh-MO"))
		return "zh_HK";
	if (starts(locale, "zh-TW") || starts(locale, "zh-Hant"))
		return "zh_TW";
	return starts(locale, "zh") ? "zh_CN" : "en_US";
}

/* The page asks for more where few are left; NULL: none is set. */
static const char *
page_of(struct gw_call *call, const struct gw_message *message)
{
	const char *page = gw_setting(call, "page");
	long below = strtol(gw_setting(call, "ask-below"), NULL, 10);

	if (page == NULL || message->credits_left < 0 ||
	    message->credits_left >= below)
		return page;
	return call->host->format(
	    call, "%s%sask=1", page, strchr(page, '?') == NULL ? "?" : "&");
}

static void
write_subscribed(
    struct gw_call *call, const struct gw_message *message, struct gw_buf *body)
{
	wechat_add_member(call, body, "{", "touser", message->address);
	wechat_add_member(
	    call, body, ",", "template_id", message->template_code);
	wechat_add_member(call, body, ",", "page", page_of(call, message));
	wechat_add_member(
	    call, body, ",", "miniprogram_state", gw_setting(call, "state"));
	wechat_add_member(call, body, ",", "lang", lang_of(message->locale));
	wechat_write_data(call, message, body);
	call->host->buf_text(body, "}");
}

static int
send(struct gw_call *call, const struct gw_message *messages, size_t count,
    struct gw_request *request, struct gw_outcome *outcomes)
{
	(void)count; /* 1 */
	return wechat_send(call, &messages[0], "subscribe", write_subscribed,
	    request, &outcomes[0]);
}

/* ---- what it says ---- */

/* The text of a name in one thing of the List. */
static const char *
of_thing(const struct wechat_xml *xml, size_t parent, const char *name)
{
	for (size_t i = 0; i < xml->count; i++) {
		const struct wechat_xml_leaf *leaf = &xml->leaves[i];
		size_t bytes = strlen(leaf->path), name_bytes = strlen(name);

		if (leaf->parent == parent && bytes > name_bytes &&
		    strcmp(leaf->path + bytes - name_bytes, name) == 0 &&
		    leaf->path[bytes - name_bytes - 1] == '/')
			return leaf->text;
	}
	return NULL;
}

/* Each takes one thing of a List into the event; false: it is ignored. */
static bool
read_credit(const struct wechat_xml *xml, size_t parent, struct gw_event *event)
{
	const char *status = of_thing(xml, parent, "SubscribeStatusString");

	event->type = GW_EVENT_CREDIT;
	event->credits = status != NULL && strcmp(status, "accept") == 0;
	return status != NULL &&
	       (event->credits > 0 || strcmp(status, "reject") == 0);
}

/* Only what is taken back: what is given was told when it was given. */
static bool
read_change(const struct wechat_xml *xml, size_t parent, struct gw_event *event)
{
	return read_credit(xml, parent, event) && event->credits == 0;
}

static bool
read_receipt(
    const struct wechat_xml *xml, size_t parent, struct gw_event *event)
{
	const char *code = of_thing(xml, parent, "ErrorCode");

	event->type = GW_EVENT_RECEIPT;
	event->provider_id = of_thing(xml, parent, "MsgID");
	if (code == NULL || strlen(code) > 16 || event->provider_id == NULL ||
	    !wechat_all_of(event->provider_id, DIGITS) ||
	    strlen(event->provider_id) > 20)
		return false;
	event->delivered = strcmp(code, "0") == 0;
	event->code = event->delivered ? "success" : code;
	return true;
}

static const struct event_kind {
	const char *name;
	bool (*read)(const struct wechat_xml *xml, size_t parent,
	    struct gw_event *event);
} event_kinds[] = {
    {"subscribe_msg_popup_event", read_credit},
    {"subscribe_msg_change_event", read_change},
    {"subscribe_msg_sent_event", read_receipt},
};

/* Who, when, what and which template make its number. */
static bool
read_thing(struct gw_call *call, const struct wechat_xml *xml, size_t parent,
    const struct event_kind *kind, struct gw_event *event)
{
	const char *template = of_thing(xml, parent, "TemplateId");

	if (template == NULL || strlen(template) > WECHAT_OPENID_BYTES_MAX ||
	    !wechat_is_openid(template))
		return false;
	event->code = template;
	event->id = call->host->format(call, "%s/%s/%s/%s/%s%s", event->address,
	    wechat_xml_get(xml, "CreateTime"), kind->name, template,
	    wechat_or_empty(of_thing(xml, parent, "SubscribeStatusString")),
	    wechat_or_empty(of_thing(xml, parent, "MsgID")));
	return kind->read(xml, parent, event);
}

static int
read_list(struct gw_call *call, const struct wechat_xml *xml,
    const struct event_kind *kind, struct gw_event *events)
{
	const struct gw_event first = *events;
	int count = 0;

	for (size_t i = 0; i < xml->count && count < WECHAT_EVENTS_MAX; i++) {
		const struct wechat_xml_leaf *leaf = &xml->leaves[i];
		const char *end = strrchr(leaf->path, '/');

		/* each thing is known by its template */
		if (end == NULL || strcmp(end, "/TemplateId") != 0)
			continue;
		events[count] = first;
		count +=
		    read_thing(call, xml, leaf->parent, kind, &events[count]);
	}
	return count;
}

static int
read_event(
    struct gw_call *call, const struct wechat_xml *xml, struct gw_event *events)
{
	const char *name = wechat_or_empty(wechat_xml_get(xml, "Event"));

	for (size_t i = 0; i < COUNT(event_kinds); i++)
		if (strcmp(event_kinds[i].name, name) == 0)
			return read_list(call, xml, &event_kinds[i], events);
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
    .name = "wechat_mini",
    .kind = GW_KIND_MESSAGES,
    .flags =
	GW_RECEIPTS | GW_REPLIES | GW_CREDITS | GW_TEMPLATES | GW_FREE_ANSWERS,
    .channels = "wechat_mini",
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
