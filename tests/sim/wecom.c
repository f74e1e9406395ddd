/*
 * WeCom's interface: /cgi-bin/gettoken, message/send and webhook/send;
 * /wecom/push has a member do something, which is pushed, /wecom/pushes shows
 * the last of them, /wecom/verify how an address is asked whether it is ours,
 * /wecom/expire ends the token.  Members whose userid begins with "gone" are
 * not there, with "bare" have no licence.  Owns the members' minutes and
 * hours: what is too much for one is dropped without a word.
 */
#include "tests/sim/wecom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/sim/fault.h"
#include "tests/sim/table.h"

#define TOKEN_S 7200
#define TOKEN_BYTES 64
#define USERS_MAX 1000
#define USERID_BYTES_MAX 64
#define MEMBERS_MAX 100000
#define MINUTE_MAX 30
#define HOUR_MAX 1000
#define ROBOT_MAX 20 /* a minute */
#define TEXT_BYTES_MAX 2048
#define MARKDOWN_BYTES_MAX 4096
#define INTERVAL_S 1800
#define INTERVAL_S_MAX 14400
#define TAKEN_MAX 1000000

struct allowance { /* so many in the minute or hour that began then */
	int64_t began_at;
	int count;
};

struct member {
	char userid[USERID_BYTES_MAX + 1];
	struct allowance minute, hour;
	struct member *next;
};

struct wecom {
	struct sim *sim;
	char *corpid, *secret;
	struct wechat *pushing;
	char token[TOKEN_BYTES];
	int64_t token_until; /* clock_boot() */
	int64_t token_requests, dropped, repeated;
	struct allowance robot;
	struct member *members;
	size_t member_count, taken_count;
	struct table *taken; /* body to the ledger */
	uint64_t numbered;
};

struct call { /* one request */
	struct wecom *wecom;
	struct sim *sim;
	const struct door_request *request;
	const struct json *body;
	struct arena *arena;
	struct door_reply *reply;
	struct fault_choice choice;
};

struct wecom *
wecom_create(struct sim *sim, const struct wechat_settings *settings)
{
	struct wecom *wecom = mem_alloc(sizeof(*wecom));
	struct wechat_settings pushing = *settings;

	wecom->sim = sim;
	wecom->taken = table_create(TAKEN_MAX);
	if (settings->secret != NULL) {
		wecom->corpid = mem_text(settings->appid);
		wecom->secret = mem_text(settings->secret);
	}
	/* nothing is pushed without a key */
	if (settings->aes_key == NULL)
		pushing.secret = NULL;
	wecom->pushing = wechat_create(sim, &pushing);
	return wecom;
}

void
wecom_free(struct wecom *wecom)
{
	while (wecom->members != NULL) {
		struct member *member = wecom->members;

		wecom->members = member->next;
		free(member);
	}
	wechat_free(wecom->pushing);
	table_free(wecom->taken);
	free(wecom->corpid);
	free(wecom->secret);
	free(wecom);
}

/* ---- answers ---- */

static void
begin_answer(struct json_writer *writer, struct call *call, int64_t code,
    const char *message)
{
	json_write_init(writer, &call->reply->body);
	json_write_object(writer);
	json_write_key(writer, "errcode");
	json_write_i64(writer, code);
	json_write_member(writer, "errmsg", message);
}

static void
answer(struct call *call, int64_t code, const char *message)
{
	struct json_writer writer;

	begin_answer(&writer, call, code, message);
	json_write_end_object(&writer);
}

/* A parameter of the query as it stands; "" if it is not there. */
static const char *
query_text(const struct call *call, const char *name)
{
	const char *at = call->request->query;
	size_t bytes = strlen(name);

	while (strncmp(at, name, bytes) != 0 || at[bytes] != '=') {
		at += strcspn(at, "&");
		if (*at++ == '\0')
			return "";
	}
	at += bytes + 1;
	return arena_text_n(call->arena, at, strcspn(at, "&"));
}

/* One more, within what a window takes? */
static bool
allow(struct allowance *allowance, int64_t window_us, int most)
{
	int64_t now = clock_boot();

	if (allowance->count == 0 || now >= allowance->began_at + window_us)
		*allowance = (struct allowance){now, 0};
	return allowance->count < most && ++allowance->count > 0;
}

/* ---- the token ---- */

static void
run_token(struct call *call)
{
	struct wecom *wecom = call->wecom;
	struct json_writer writer;

	if (strcmp(call->request->method, "GET") != 0) {
		answer(call, 43001, "require GET method");
	} else if (strcmp(query_text(call, "corpid"), wecom->corpid) != 0) {
		answer(call, 40013, "invalid corpid");
	} else if (strcmp(query_text(call, "corpsecret"), wecom->secret) != 0) {
		answer(call, 40001, "invalid credential");
	} else {
		if (wecom->token_until <= clock_boot()) {
			(void)snprintf(wecom->token, sizeof(wecom->token),
			    "CorpToken_%016llx",
			    (unsigned long long)sim_random(call->sim));
			wecom->token_until = clock_boot() + TOKEN_S * SECOND_US;
		}
		begin_answer(&writer, call, 0, "ok");
		json_write_member(&writer, "access_token", wecom->token);
		json_write_key(&writer, "expires_in");
		json_write_i64(
		    &writer, (wecom->token_until - clock_boot()) / SECOND_US);
		json_write_end_object(&writer);
	}
}

static bool
check_token(struct call *call)
{
	const struct wecom *wecom = call->wecom;
	const char *token = query_text(call, "access_token");

	if (token[0] == '\0')
		answer(call, 41001, "access_token missing");
	else if (strcmp(token, wecom->token) != 0)
		answer(call, 40014, "invalid access_token");
	else if (wecom->token_until <= clock_boot())
		answer(call, 42001, "access_token expired");
	else
		return true;
	return false;
}

/* ---- shapes ---- */

/* What is said in the member that the type names; NULL: it is refused. */
static const char *
content_of(struct call *call, const char *const *keys)
{
	const char *type = json_get_text(call->body, "msgtype");
	const char *content;

	if (!wechat_has_only(call->body, keys) || type == NULL ||
	    (strcmp(type, "text") != 0 && strcmp(type, "markdown") != 0)) {
		answer(call, 40008, "invalid message type");
		return NULL;
	}
	content = json_get_text(json_get(call->body, type), "content");
	if (content == NULL || content[0] == '\0') {
		answer(call, 40035, "content is missing");
		return NULL;
	}
	return content;
}

static struct entry *
take(struct call *call, const char *address, const char *text,
    const char *message_id)
{
	struct sim *sim = call->sim;

	return ledger_add(
	    sim->ledger, &(struct entry){.at = clock_wall(),
			     .endpoint = ENDPOINT_WECOM,
			     .request = sim->requests,
			     .reference = "",
			     .address = address,
			     .channel = "wecom",
			     .template = "",
			     .signature = "",
			     .text = text,
			     .params = "{}",
			     .message_id = message_id,
			     .outcome = fault_outcome_word(&call->choice)});
}

/* ---- to members ---- */

static struct member *
member_of(struct wecom *wecom, const char *userid)
{
	struct member *member = wecom->members;

	while (member != NULL && strcmp(member->userid, userid) != 0)
		member = member->next;
	if (member != NULL || wecom->member_count == MEMBERS_MAX)
		return member;
	member = mem_alloc(sizeof(*member));
	(void)snprintf(member->userid, sizeof(member->userid), "%s", userid);
	member->next = wecom->members;
	wecom->members = member;
	wecom->member_count++;
	return member;
}

static void
name_member(struct buf *list, const char *userid)
{
	buf_text(list, list->bytes > 0 ? "|" : "");
	for (; *userid != '\0'; userid++)
		buf_char(list, *userid >= 'A' && *userid <= 'Z'
				   ? (char)(*userid - 'A' + 'a')
				   : *userid);
}

/* Cut as they cut it: nobody is told. */
static void
deliver(struct call *call, const char *userid, const char *content,
    const char *message_id)
{
	struct wecom *wecom = call->wecom;
	struct member *member = member_of(wecom, userid);

	if (member == NULL || !allow(&member->minute, MINUTE_US, MINUTE_MAX) ||
	    !allow(&member->hour, HOUR_US, HOUR_MAX)) {
		wecom->dropped++;
		return;
	}
	(void)take(call, userid,
	    arena_text_n(
		call->arena, content, strnlen(content, TEXT_BYTES_MAX)),
	    message_id);
}

/* Was this very body taken lately?  Its number, or NULL. */
static const char *
find_twin(const struct call *call, int64_t interval_s)
{
	const struct entry *entry = ledger_get(call->sim->ledger,
	    table_get(call->wecom->taken, sim_hash(&call->request->body, 1)));

	return entry != NULL &&
		       entry->at > clock_wall() - interval_s * SECOND_US
		   ? entry->message_id
		   : NULL;
}

static void
answer_sent(struct call *call, const char *message_id, const struct buf *gone,
    const struct buf *bare)
{
	struct json_writer writer;

	begin_answer(&writer, call, 0, "ok");
	json_write_member(&writer, "invaliduser",
	    gone->bytes > 0 ? buf_string((struct buf *)gone) : "");
	json_write_member(&writer, "unlicenseduser",
	    bare->bytes > 0 ? buf_string((struct buf *)bare) : "");
	json_write_member(&writer, "msgid", message_id);
	json_write_end_object(&writer);
}

static void
send_to(struct call *call, char *users, const char *content, bool check)
{
	struct wecom *wecom = call->wecom;
	const char *id = arena_printf(call->arena, "wecom_%llu",
	    (unsigned long long)++call->sim->requests);
	struct buf gone = BUF_INIT(0), bare = BUF_INIT(0);
	uint64_t before = ledger_last(call->sim->ledger);
	size_t good = 0;

	for (char *user = strsep(&users, "|"); user != NULL;
	     user = strsep(&users, "|")) {
		if (strncmp(user, "gone", 4) == 0) {
			name_member(&gone, user);
		} else if (strncmp(user, "bare", 4) == 0) {
			name_member(&bare, user);
		} else {
			deliver(call, user, content, id);
			good++;
		}
	}
	if (good == 0 && bare.bytes == 0)
		answer(call, 81013, "user & party & tag all invalid");
	else
		answer_sent(call, id, &gone, &bare);
	if (check && ledger_last(call->sim->ledger) > before &&
	    wecom->taken_count++ < TAKEN_MAX)
		table_put(wecom->taken, sim_hash(&call->request->body, 1),
		    ledger_last(call->sim->ledger));
	ledger_flush(call->sim->ledger);
	buf_free(&gone);
	buf_free(&bare);
}

/* Users, at most 1,000, each a userid. */
static bool
are_users(const char *users)
{
	size_t count = 0;

	if (users == NULL)
		return false;
	while (true) {
		size_t bytes = strcspn(users, "|");

		if (bytes == 0 || bytes > USERID_BYTES_MAX ||
		    strspn(users, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "_-@.") < bytes)
			return false;
		count++;
		if (users[bytes] == '\0')
			return count <= USERS_MAX;
		users += bytes + 1;
	}
}

/* A number, or what holds where it is none. */
static int64_t
integer_of(const struct call *call, const char *key, int64_t standard)
{
	int64_t value;

	return json_i64(json_get(call->body, key), &value) ? value : standard;
}

static void
run_message(struct call *call)
{
	static const char *const keys[] = {"touser", "toparty", "totag",
	    "msgtype", "agentid", "text", "markdown", "safe",
	    "enable_duplicate_check", "duplicate_check_interval", NULL};
	const char *users = json_get_text(call->body, "touser");
	const int64_t agentid = integer_of(call, "agentid", 0);
	const int64_t check = integer_of(call, "enable_duplicate_check", 0);
	const int64_t interval_s =
	    integer_of(call, "duplicate_check_interval", INTERVAL_S);
	const char *content, *twin;

	if (!check_token(call))
		return;
	content = content_of(call, keys);
	if (content == NULL)
		return;
	if (agentid != strtoll(WECOM_AGENTID, NULL, 10)) {
		answer(call, 40056, "invalid agentid");
	} else if (!are_users(users)) {
		answer(call, 40031, "invalid userid list");
	} else if (interval_s < 0 || interval_s > INTERVAL_S_MAX) {
		answer(call, 40035, "duplicate_check_interval");
	} else {
		twin = check != 0 ? find_twin(call, interval_s) : NULL;
		if (twin != NULL) {
			call->wecom->repeated++;
			answer_sent(
			    call, twin, &(struct buf){0}, &(struct buf){0});
		} else {
			send_to(call, arena_text(call->arena, users), content,
			    check != 0);
		}
	}
}

/* ---- the robot ---- */

static void
run_robot(struct call *call)
{
	static const char *const keys[] = {"msgtype", "text", "markdown", NULL};
	const char *content, *type;
	struct buf address = BUF_INIT(0);
	bool markdown;

	if (strcmp(query_text(call, "key"), WECOM_ROBOT_KEY) != 0) {
		answer(call, 93000, "invalid webhook url");
		return;
	}
	content = content_of(call, keys);
	if (content == NULL)
		return;
	type = json_get_text(call->body, "msgtype");
	markdown = strcmp(type, "markdown") == 0;
	if (strlen(content) >
	    (markdown ? MARKDOWN_BYTES_MAX : TEXT_BYTES_MAX)) {
		answer(call, 40058, "content exceed max length");
		return;
	}
	if (!allow(&call->wecom->robot, MINUTE_US, ROBOT_MAX)) {
		answer(call, 45009, "api freq out of limit");
		return;
	}
	buf_text(&address, "robot:");
	json_each (
	    member, json_get(json_get(call->body, type), "mentioned_list"))
		buf_printf(&address, "%s%s",
		    address.bytes > strlen("robot:") ? "|" : "",
		    json_text(member));
	call->sim->requests++;
	(void)take(
	    call, arena_text(call->arena, buf_string(&address)), content, "");
	ledger_flush(call->sim->ledger);
	buf_free(&address);
	answer(call, 0, "ok");
}

/* ---- requests ---- */

static bool
read_body(struct call *call)
{
	const struct json_limits limits = {.bytes_max = 1u << 20};
	struct json_error error;

	if (strcmp(call->request->method, "POST") != 0) {
		answer(call, 43002, "require POST method");
		return false;
	}
	call->body = json_parse(call->request->body, call->request->body_bytes,
	    &limits, call->arena, &error);
	if (json_is(call->body, JSON_OBJECT))
		return true;
	answer(call, 40035, "no JSON object");
	return false;
}

static void
on_request(const struct door_request *request, struct door_reply *reply,
    struct sim *sim, void (*run)(struct call *call))
{
	struct call call = {.wecom = sim->wecom,
	    .sim = sim,
	    .request = request,
	    .arena = request->arena,
	    .reply = reply};

	if (sim->wecom->secret == NULL) {
		reply->status = 404;
		buf_text(&reply->body, "no --wechat-secret-file was given");
		return;
	}
	call.choice = fault_choose(sim->faults,
	    run == run_token ? ENDPOINT_WECOM_TOKEN : ENDPOINT_WECOM);
	if (call.choice.refusal != NULL) {
		fault_refuse(&call.choice, reply);
		return;
	}
	sim->wecom->token_requests += run == run_token;
	if (call.choice.code != NULL)
		answer(&call, strtoll(call.choice.code->code, NULL, 10),
		    call.choice.code->message);
	else if (run == run_token || read_body(&call))
		run(&call);
	fault_spoil(&call.choice, reply);
}

static void
on_token(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	on_request(request, reply, arg, run_token);
}

static void
on_message(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	on_request(request, reply, arg, run_message);
}

static void
on_robot(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	on_request(request, reply, arg, run_robot);
}

/* ---- pushing ---- */

/* What a member does, as XML. */
static const char *
xml_of(struct wecom *wecom, const char *what, const char *from,
    const char *text, struct arena *arena)
{
	bool event = strcmp(what, "text") != 0 && strcmp(what, "image") != 0;
	const char *inner =
	    event ? arena_printf(arena,
			"<Event><![CDATA[%s]]></Event><EventKey></EventKey>",
			what)
		  : arena_printf(arena,
			"<%s><![CDATA[%s]]></%s><MsgId>%llu</MsgId>",
			strcmp(what, "text") == 0 ? "Content" : "PicUrl", text,
			strcmp(what, "text") == 0 ? "Content" : "PicUrl",
			(unsigned long long)(4561255354251345929u +
					     ++wecom->numbered));

	return arena_printf(arena,
	    "<xml><ToUserName><![CDATA[%s]]></ToUserName>\n"
	    "<FromUserName><![CDATA[%s]]></FromUserName>\n"
	    "<CreateTime>%lld</CreateTime>\n"
	    "<MsgType><![CDATA[%s]]></MsgType>\n%s\n"
	    "<AgentID>%s</AgentID>\n</xml>",
	    wecom->corpid, from, (long long)(clock_wall() / SECOND_US),
	    event ? "event" : what, inner, WECOM_AGENTID);
}

static const char *
push(struct wecom *wecom, const struct json *object, struct arena *arena)
{
	const char *what = json_get_text(object, "event");
	const char *from = json_get_text(object, "from");
	const char *text = json_get_text(object, "text");
	const char *obstacle = wechat_push_obstacle(wecom->pushing);

	if (what == NULL || from == NULL)
		return "event, and from: a userid";
	if (obstacle != NULL)
		return obstacle;
	wechat_push(wecom->pushing, object, from,
	    xml_of(wecom, what, from, text != NULL ? text : "", arena), arena);
	return NULL;
}

static void
push_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;
	struct json_error error = {.reason = "not an object"};
	const struct json *object = json_parse(
	    request->body, request->body_bytes, NULL, request->arena, &error);
	const char *reason = json_is(object, JSON_OBJECT)
				 ? push(sim->wecom, object, request->arena)
				 : error.reason;

	reply->status = reason == NULL ? 202 : 400;
	buf_text(&reply->body, reason == NULL ? "OK" : reason);
}

static void
pushes_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct json_writer writer;

	(void)request;
	json_write_init(&writer, &reply->body);
	wechat_write_pushes(((struct sim *)arg)->wecom->pushing, &writer);
}

/* A query as the console asks with, and what must come back. */
static void
verify_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct wecom *wecom = ((struct sim *)arg)->wecom;
	const char *echo = arena_printf(
	    request->arena, "%llu", (unsigned long long)sim_random(wecom->sim));
	struct json_writer writer;

	if (wechat_push_obstacle(wecom->pushing) != NULL) {
		reply->status = 400;
		return;
	}
	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "query",
	    wechat_verify_query(wecom->pushing, echo, request->arena));
	json_write_member(&writer, "echo", echo);
	json_write_end_object(&writer);
}

static void
expire_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	(void)request;
	((struct sim *)arg)->wecom->token_until = 0;
	buf_text(&reply->body, "{}");
}

void
wecom_write_summary(const struct wecom *wecom, struct json_writer *writer)
{
	json_write_key(writer, "wecom_token_requests");
	json_write_i64(writer, wecom->token_requests);
	json_write_key(writer, "wecom_dropped");
	json_write_i64(writer, wecom->dropped);
	json_write_key(writer, "wecom_repeated");
	json_write_i64(writer, wecom->repeated);
}

void
wecom_serve(struct sim *sim)
{
	door_route(sim->door, "/cgi-bin/gettoken", on_token, sim);
	door_route(sim->door, "/cgi-bin/message/send", on_message, sim);
	door_route(sim->door, "/cgi-bin/webhook/send", on_robot, sim);
	door_route(sim->door, "/wecom/push", push_on_request, sim);
	door_route(sim->door, "/wecom/pushes", pushes_on_request, sim);
	door_route(sim->door, "/wecom/verify", verify_on_request, sim);
	door_route(sim->door, "/wecom/expire", expire_on_request, sim);
}
