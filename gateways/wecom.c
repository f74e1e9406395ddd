/*
 * WeCom, for the care team: messages of an application to members of the
 * company, messages of a robot to the group that it is in, and what members
 * write to the application, which is pushed, always encrypted.
 *
 * An address is a member's userid, or "robot:" with the member to be called,
 * or @all, or nobody.  The provider drops what is sent again with the same
 * bytes within 45 seconds, so a message of the application may be repeated;
 * a robot's may not.  There are no receipts.
 */
#include "wechat.h"
#include "wechat_xml.h"

#define BATCH_MAX 1000
#define USERID_BYTES_MAX 64
#define LINK_BYTES_MAX 1024
#define TEXT_BYTES_MAX 2048 /* what is longer, they cut */
#define MARKDOWN_BYTES_MAX 4096
#define CODE_BYTES_MAX 16
#define ID_BYTES_MAX 128
/* So long the same words are one message: as our repeat goes, no longer. */
#define TWIN_S "45"
#define ROBOT "robot:"
#define ELLIPSIS "…"

static const struct gw_option options[] = {
    {"corpid", GW_OPTION_TEXT,
	.help = "Id of the company, ww and 16 digits and letters."},
    {"corpsecret", GW_OPTION_TEXT, .secret = true,
	.help = "Secret of the application."},
    {"agentid", GW_OPTION_TEXT,
	.help = "AgentId of the application, such as 1000002."},
    {"robot-key", GW_OPTION_TEXT, .secret = true,
	.help = "Key of a group's robot: what its address has after key=."},
    {"robot-format", GW_OPTION_TEXT, .standard = "text",
	.help = "How the robot speaks: text or markdown."},
    {"endpoint", GW_OPTION_URL, .standard = "https://qyapi.weixin.qq.com",
	.help = "Where requests go, without a path."},
    WECHAT_CALLBACK_OPTIONS,
};

/*
 * Rejected with the scope recipient: a member who is not there, may not see
 * the application, or has no licence.
 */
static const struct wechat_rule rules[] = {
    {"-1", GW_RETRY, GW_SCOPE_GATEWAY, WECHAT_WAIT_SECOND},
    /* the token: another one, once, then somebody must act */
    {"40014", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"42001", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    /* company, secret, application, addresses that may call, rights */
    {"40001", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"40013", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"40056", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"40091", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"41001", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"48002", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"50003", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"60011", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"60020", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"301002", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    /* the robot's key */
    {"93000", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"40003", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    {"40031", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    {"46004", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    {"81013", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    {"82001", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    /* too much this minute, too much at once */
    {"45009", GW_RETRY, GW_SCOPE_GATEWAY, WECHAT_WAIT_MINUTE},
    {"45033", GW_RETRY, GW_SCOPE_GATEWAY, WECHAT_WAIT_SECOND},
    /* what is said, and to how many */
    {"40008", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"40035", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"40058", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"45002", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"40032", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"82002", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"82003", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
};

/* ---- settings ---- */

static bool
has_application(struct gw_call *call)
{
	return gw_setting(call, "corpid") != NULL;
}

static const char *
check_application(struct gw_call *call)
{
	const char *corpid = gw_setting(call, "corpid");
	const char *secret = gw_setting(call, "corpsecret");
	const char *agentid = gw_setting(call, "agentid");

	if (corpid == NULL)
		return secret != NULL || agentid != NULL ? "corpid: is missing"
							 : NULL;
	if (!wechat_all_of(corpid, LETTERS DIGITS "_-") ||
	    strlen(corpid) > USERID_BYTES_MAX)
		return "corpid: letters and digits, such as ww0123456789abcdef";
	if (secret == NULL || secret[0] == '\0')
		return "corpsecret-file: is missing, or empty";
	if (agentid == NULL || !wechat_all_of(agentid, DIGITS) ||
	    agentid[0] == '0' || strlen(agentid) > 10)
		return "agentid: a number, such as 1000002";
	return NULL;
}

static const char *
check_pushes(struct gw_call *call)
{
	const char *wrong = wechat_check_secrets(call);
	bool token = gw_setting(call, "callback-token") != NULL;

	if (wrong != NULL)
		return wrong;
	if (token && !has_application(call))
		return "callback-token-file: without corpid";
	if (token && gw_setting(call, "callback-aes-key") == NULL)
		return "callback-aes-key-file: is missing";
	return NULL;
}

static const char *
check(struct gw_call *call)
{
	const char *robot = gw_setting(call, "robot-key");
	const char *format = gw_setting(call, "robot-format");
	const char *wrong = check_application(call);

	if (wrong != NULL)
		return wrong;
	if (robot == NULL && !has_application(call))
		return "corpid, corpsecret-file and agentid, or "
		       "robot-key-file: neither is there";
	if (robot != NULL && !wechat_all_of(robot, LETTERS DIGITS "-"))
		return "robot-key-file: letters, digits and hyphens";
	if (strcmp(format, "text") != 0 && strcmp(format, "markdown") != 0)
		return "robot-format: text or markdown";
	if (wechat_endpoint(call) == NULL)
		return "endpoint: scheme, host and port, no path";
	return check_pushes(call);
}

/* ---- the token ---- */

/* A robot alone needs none. */
static void
auth(struct gw_call *call, struct gw_request *request)
{
	const struct gw_host *host = call->host;

	request->method = "GET";
	if (has_application(call))
		request->url = host->format(call,
		    "%s/cgi-bin/gettoken?corpid=%s&corpsecret=%s",
		    wechat_endpoint(call),
		    host->percent(call, gw_setting(call, "corpid")),
		    host->percent(call, gw_setting(call, "corpsecret")));
}

/* ---- addresses ---- */

/* Nothing that could stand for several, or for all. */
static bool
is_userid(const char *text)
{
	return wechat_all_of(text, LETTERS DIGITS "_-@.") &&
	       strlen(text) <= USERID_BYTES_MAX &&
	       strchr("_-@.", text[0]) == NULL;
}

static bool
is_robot(const struct gw_message *message)
{
	return strncmp(message->address, ROBOT, strlen(ROBOT)) == 0;
}

/* Whom the robot calls; "": nobody. */
static const char *
called_by_robot(const struct gw_message *message)
{
	return message->address + strlen(ROBOT);
}

static bool
is_address(const struct gw_message *message)
{
	const char *called;

	if (!is_robot(message))
		return is_userid(message->address);
	called = called_by_robot(message);
	return called[0] == '\0' || strcmp(called, "@all") == 0 ||
	       is_userid(called);
}

/* ---- sending ---- */

static bool
same(const char *a, const char *b)
{
	return strcmp(wechat_or_empty(a), wechat_or_empty(b)) == 0;
}

/* Why this message cannot be sent: rejected, or verdict 0 if it can. */
static struct gw_outcome
obstacle(struct gw_call *call, const struct gw_message *message)
{
	if (!is_address(message))
		return wechat_outcome(
		    GW_REJECTED, GW_SCOPE_RECIPIENT, "address");
	/* our setting is what is wrong: not the address's fault */
	if (is_robot(message) && gw_setting(call, "robot-key") == NULL)
		return wechat_outcome(
		    GW_REJECTED, GW_SCOPE_MESSAGE, "no_robot");
	if (!is_robot(message) && !has_application(call))
		return wechat_outcome(
		    GW_REJECTED, GW_SCOPE_MESSAGE, "no_application");
	if (wechat_or_empty(message->text)[0] == '\0')
		return wechat_outcome(GW_REJECTED, GW_SCOPE_MESSAGE, "text");
	if (strlen(wechat_or_empty(message->link)) > LINK_BYTES_MAX)
		return wechat_outcome(GW_REJECTED, GW_SCOPE_MESSAGE, "link");
	return (struct gw_outcome){0};
}

/* Can these travel together?  Else each is sent alone. */
static bool
are_alike(const struct gw_message *messages, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (is_robot(&messages[i]) != is_robot(&messages[0]) ||
		    !same(messages[i].text, messages[0].text) ||
		    !same(messages[i].link, messages[0].link))
			return false;
	return true;
}

static bool
can_be_sent(struct gw_call *call, const struct gw_message *messages,
    size_t count, struct gw_outcome *outcomes)
{
	bool good = are_alike(messages, count);

	for (size_t i = 0; i < count; i++) {
		outcomes[i] = obstacle(call, &messages[i]);
		good = good && outcomes[i].verdict == 0;
	}
	for (size_t i = 0; i < count && !good; i++)
		if (outcomes[i].verdict == 0)
			outcomes[i] = wechat_outcome(
			    GW_REJECTED, GW_SCOPE_MESSAGE, "batch");
	return good;
}

/* Bytes of the text up to the end of a character, so many at most. */
static size_t
whole_bytes(const char *text, size_t bytes_max)
{
	size_t bytes = bytes_max;

	while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
		bytes--;
	return bytes;
}

/* The text, shortened where it must be, and after it all of the link. */
static const char *
content_of(
    struct gw_call *call, const struct gw_message *message, size_t bytes_max)
{
	const char *text = wechat_one_line(call, message->text, true);
	const char *link =
	    wechat_one_line(call, wechat_or_empty(message->link), false);
	const char *between = link[0] != '\0' ? "\n" : "";
	size_t room = bytes_max - strlen(between) - strlen(link);

	if (strlen(text) <= room)
		return call->host->format(call, "%s%s%s", text, between, link);
	return call->host->format(call, "%.*s" ELLIPSIS "%s%s",
	    (int)whole_bytes(text, room - strlen(ELLIPSIS)), text, between,
	    link);
}

static void
write_application(struct gw_call *call, const struct gw_message *messages,
    size_t count, struct gw_request *request)
{
	const struct gw_host *host = call->host;
	struct gw_buf *body = host->buf(call), *users = host->buf(call);

	for (size_t i = 0; i < count; i++) {
		host->buf_text(users, i > 0 ? "|" : "");
		host->buf_text(users, messages[i].address);
	}
	wechat_add_member(call, body, "{", "touser", host->buf_string(users));
	wechat_add_member(call, body, ",", "msgtype", "text");
	host->buf_text(body, ",\"agentid\":");
	host->buf_text(body, gw_setting(call, "agentid"));
	wechat_add_member(call, body, ",\"text\":{", "content",
	    content_of(call, &messages[0], TEXT_BYTES_MAX));
	host->buf_text(body, "},\"safe\":0,\"enable_duplicate_check\":1,"
			     "\"duplicate_check_interval\":" TWIN_S "}");
	wechat_post(call,
	    host->format(call, "%s/cgi-bin/message/send?access_token=%s",
		wechat_endpoint(call),
		host->percent(call, wechat_or_empty(call->token))),
	    body, request);
	request->repeatable = true;
}

/* Whom to call, as a list. */
static void
write_called(struct gw_call *call, const struct gw_message *messages,
    size_t count, struct gw_buf *body)
{
	const char *before = ",\"mentioned_list\":[";

	for (size_t i = 0; i < count; i++) {
		const char *called = called_by_robot(&messages[i]);

		if (called[0] == '\0')
			continue;
		call->host->buf_text(body, before);
		call->host->buf_json(body, called);
		before = ",";
	}
	call->host->buf_text(body, before[1] != '\0' ? "" : "]");
}

/* Markdown calls nobody: only a text has a list for that. */
static void
write_robot(struct gw_call *call, const struct gw_message *messages,
    size_t count, struct gw_request *request)
{
	const struct gw_host *host = call->host;
	const char *format = gw_setting(call, "robot-format");
	bool markdown = strcmp(format, "markdown") == 0;
	struct gw_buf *body = host->buf(call);

	wechat_add_member(call, body, "{", "msgtype", format);
	host->buf_text(body, ",");
	host->buf_json(body, format);
	wechat_add_member(call, body, ":{", "content",
	    content_of(call, &messages[0],
		markdown ? MARKDOWN_BYTES_MAX : TEXT_BYTES_MAX));
	if (!markdown)
		write_called(call, messages, count, body);
	host->buf_text(body, "}}");
	wechat_post(call,
	    host->format(call, "%s/cgi-bin/webhook/send?key=%s",
		wechat_endpoint(call),
		host->percent(call, gw_setting(call, "robot-key"))),
	    body, request);
}

static int
send(struct gw_call *call, const struct gw_message *messages, size_t count,
    struct gw_request *request, struct gw_outcome *outcomes)
{
	if (!can_be_sent(call, messages, count, outcomes))
		return -1;
	if (is_robot(&messages[0]))
		write_robot(call, messages, count, request);
	else
		write_application(call, messages, count, request);
	return 0;
}

/* ---- the answer ---- */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Does "zhangsan|lisi" name this one?  They write it in lower case. */
static bool
names(const char *list, const char *userid)
{
	while (list != NULL && *list != '\0') {
		size_t bytes = strcspn(list, "|"), i = 0;

		while (i < bytes && lower(list[i]) == lower(userid[i]))
			i++;
		if (i == bytes && userid[i] == '\0')
			return true;
		list += bytes + (list[bytes] == '|');
	}
	return false;
}

/* Taken, but not for everybody. */
static struct gw_outcome
judge_member(struct gw_call *call, const struct gw_json *answer,
    const struct gw_message *message)
{
	static const char *const lists[] = {"invaliduser", "unlicenseduser"};
	struct gw_outcome outcome =
	    wechat_outcome(GW_ACCEPTED, GW_SCOPE_MESSAGE, "0");
	const char *id = wechat_member(call, answer, "msgid");

	for (size_t i = 0; i < COUNT(lists); i++)
		if (names(wechat_member(call, answer, lists[i]),
			message->address))
			return wechat_outcome(
			    GW_REJECTED, GW_SCOPE_RECIPIENT, lists[i]);
	if (id != NULL && strlen(id) <= ID_BYTES_MAX)
		outcome.provider_id = id;
	return outcome;
}

/* One that is not known: not taken. */
static struct gw_outcome
judge_code(
    struct gw_call *call, const char *code, const struct gw_message *message)
{
	struct gw_outcome outcome =
	    wechat_outcome(GW_RETRY, GW_SCOPE_MESSAGE, code);

	wechat_apply(call, rules, COUNT(rules), &outcome);
	if (!is_robot(message))
		outcome.token_refused =
		    strcmp(code, "40014") == 0 || strcmp(code, "42001") == 0;
	else if (outcome.scope == GW_SCOPE_GATEWAY && has_application(call))
		/* the application is another account, which need not rest */
		outcome.scope = GW_SCOPE_RECIPIENT;
	return outcome;
}

static struct gw_outcome
judge(struct gw_call *call, const struct gw_response *response,
    const struct gw_json *answer, const struct gw_message *message)
{
	const char *code = wechat_member(call, answer, "errcode");

	if (response->status != 200)
		return wechat_judge_status(call, response->status);
	if (code == NULL || strlen(code) > CODE_BYTES_MAX)
		return wechat_outcome(
		    GW_UNKNOWN, GW_SCOPE_MESSAGE, "unreadable");
	return strcmp(code, "0") == 0 ? judge_member(call, answer, message)
				      : judge_code(call, code, message);
}

static void
sent(struct gw_call *call, const struct gw_message *messages, size_t count,
    const struct gw_response *response, struct gw_outcome *outcomes)
{
	const struct gw_json *answer =
	    call->host->json_parse(call, response->body, response->body_bytes);

	for (size_t i = 0; i < count; i++)
		outcomes[i] = judge(call, response, answer, &messages[i]);
}

/* ---- what is pushed ---- */

/* What is inside, if it is signed and for us; NULL with *reply. */
static const char *
open_signed(struct gw_call *call, const char *query, const char *encrypted,
    size_t *bytes, struct gw_answer *reply)
{
	const char *message;

	*reply = wechat_answer(403, "not signed");
	if (wechat_or_empty(encrypted)[0] == '\0' ||
	    !wechat_is_signed(call, query, encrypted))
		return NULL;
	message = wechat_open_push(call,
	    wechat_or_empty(gw_setting(call, "corpid")), encrypted, bytes);
	*reply = wechat_answer(400, "malformed");
	return message;
}

/* The asking whether the address is ours: encrypted, it comes back clear. */
static int
greet(struct gw_call *call, const char *query, struct gw_answer *reply)
{
	size_t bytes = 0;
	const char *echo = open_signed(call, query,
	    wechat_parameter(call, query, "echostr"), &bytes, reply);

	if (echo == NULL)
		return -1;
	*reply = (struct gw_answer){200, "text/plain", echo, bytes};
	return 0;
}

/* Events in it: 1, or 0 for what is none of ours; -1 if it is no message. */
static int
read_what(
    struct gw_call *call, const struct wechat_xml *xml, struct gw_event *event)
{
	const char *type = wechat_read_head(xml, event);

	if (type == NULL)
		return -1;
	return strcmp(type, "text") == 0 && is_userid(event->address) &&
		       wechat_read_words(call, xml, type, event)
		   ? 1
		   : 0;
}

static int
receive(struct gw_call *call, const struct gw_callback *callback,
    const struct gw_event **events, struct gw_answer *reply)
{
	struct gw_event *event = call->host->alloc(call, sizeof(*event));
	const struct wechat_xml *xml;
	const char *message;
	size_t bytes = 0;
	int count = -1;

	if (strcmp(callback->method, "GET") == 0)
		return greet(call, callback->query, reply);
	xml = wechat_xml_read(call, callback->body, callback->body_bytes);
	message = open_signed(call, callback->query,
	    wechat_xml_get(xml, "Encrypt"), &bytes, reply);
	if (message != NULL) {
		xml = wechat_xml_read(call, message, bytes);
		count = xml != NULL ? read_what(call, xml, event) : -1;
	}
	*events = event;
	if (count >= 0)
		*reply = wechat_answer(200, "success");
	return count;
}

const struct gw_api adherd_gateway = {
    .abi = GW_ABI,
    .size = sizeof(struct gw_api),
    .name = "wecom",
    .kind = GW_KIND_MESSAGES,
    .flags = GW_REPLIES | GW_SAME_TEXT,
    .channels = "wecom",
    .options = options,
    .option_count = COUNT(options),
    .batch_max = BATCH_MAX,
    .check = check,
    .auth = auth,
    .authed = wechat_token,
    .send = send,
    .sent = sent,
    .receive = receive,
};
