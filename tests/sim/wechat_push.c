/*
 * What is pushed to whoever listens: /wechat/push has a follower do
 * something; /wechat/pushes shows the last pushes byte for byte, for whoever
 * opens them with a library of others.  Owns the pushes under way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "tests/sim/wechat_unit.h"

#define WINDOW_US (48 * HOUR_US) /* of answers to what was said */
#define WINDOW_SENDS 5
#define SESSION_US MINUTE_US /* of answers to who entered */
#define SESSION_SENDS 2
#define LISTED_MAX 8    /* templates in one push */
#define PUSHES_MAX 1000 /* under way */
#define PUSH_TRIES 3
#define PUSH_TIMEOUT_US (5 * SECOND_US)
#define BLOCK_BYTES 32 /* of the padding */

static void
push_free(struct push *push)
{
	loop_timer_free(push->timer);
	free(push->url);
	free(push->body);
	free(push);
}

/* How a push is made wrong, for whoever must not believe it. */
struct wrong {
	bool signature, appid, padding, altered, plain;
};

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *
sign(const char *const *parts, size_t count, struct arena *arena)
{
	const char *sorted[4];
	struct buf all = BUF_INIT(0);
	char *hex = arena_alloc(arena, 41);
	uint8_t digest[20];

	memcpy(sorted, parts, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_texts);
	for (size_t i = 0; i < count; i++)
		buf_text(&all, sorted[i]);
	crypto_sha1(all.data, all.bytes, digest);
	buf_free(&all);
	crypto_hex(digest, sizeof(digest), hex);
	return hex;
}

/* Random bytes, length, message, appid, padding; encrypted, in base64. */
static const char *
seal(struct wechat *wechat, const char *message, const struct wrong *wrong,
    struct arena *arena)
{
	struct buf plain = BUF_INIT(0), text = BUF_INIT(0);
	uint8_t *sealed;
	size_t pad;
	bool good;
	const char *copy;

	for (int i = 0; i < 2; i++)
		buf_u64(&plain, sim_random(wechat->sim));
	buf_u32(&plain, (uint32_t)strlen(message)); /* big-endian */
	buf_text(&plain, message);
	buf_text(&plain, wrong->appid ? "wx0000000000000000" : wechat->appid);
	pad = BLOCK_BYTES - plain.bytes % BLOCK_BYTES;
	for (size_t i = 0; i < pad; i++)
		buf_char(
		    &plain, (char)(wrong->padding && i == 0 ? pad + 1 : pad));
	sealed = arena_alloc(arena, plain.bytes);
	good = crypto_aes_cbc_encrypt(wechat->key, wechat->key,
	    (const uint8_t *)plain.data, plain.bytes, sealed);
	if (!good)
		abort();
	crypto_base64(sealed, plain.bytes, &text);
	copy = arena_text(arena, buf_string(&text));
	buf_free(&plain);
	buf_free(&text);
	return copy;
}

/* Put the body of a push into `body`; its URL, signed, is returned. */
static const char *
dress(struct wechat *wechat, const char *url, const char *openid,
    const char *xml, const struct wrong *wrong, struct buf *body,
    struct arena *arena)
{
	const char *timestamp =
	    arena_printf(arena, "%lld", (long long)(clock_wall() / SECOND_US));
	const char *nonce = arena_printf(
	    arena, "%u", (unsigned)(sim_random(wechat->sim) % 1000000000));
	const char *parts[] = {
	    wrong->signature ? "another-token" : wechat->callback_token,
	    timestamp, nonce, NULL};
	const char *query =
	    arena_printf(arena, "signature=%s&timestamp=%s&nonce=%s&openid=%s",
		sign(parts, 3, arena), timestamp, nonce, openid);

	if (wechat->mode == MODE_PLAIN || wrong->plain) {
		buf_text(body, xml);
		return arena_printf(arena, "%s?%s", url, query);
	}
	parts[3] = seal(wechat, xml, wrong, arena);
	if (wechat->agentid != NULL) {
		buf_printf(body,
		    "<xml><ToUserName><![CDATA[%s]]></ToUserName>\n"
		    "<Encrypt><![CDATA[%s%s]]></Encrypt>\n"
		    "<AgentID><![CDATA[%s]]></AgentID>\n</xml>",
		    wechat->appid, parts[3], wrong->altered ? "AAAA" : "",
		    wechat->agentid);
		return arena_printf(arena,
		    "%s?msg_signature=%s&timestamp=%s&nonce=%s", url,
		    sign(parts, 4, arena), timestamp, nonce);
	}
	if (xml[0] == '{') {
		buf_printf(body,
		    "%s\"ToUserName\":\"gh_0\",\"Encrypt\":\"%s%s\"}",
		    wechat->mode == MODE_COMPATIBLE
			? "{\"FromUserName\":\"oX\","
			: "{",
		    parts[3], wrong->altered ? "AAAA" : "");
		return arena_printf(arena,
		    "%s?%s&encrypt_type=aes&msg_signature=%s", url, query,
		    sign(parts, 4, arena));
	}
	/* compatible: what is clear stands beside what is encrypted */
	if (wechat->mode == MODE_COMPATIBLE)
		buf_add(body, xml, strlen(xml) - strlen("</xml>"));
	else
		buf_text(body, "<xml>\n    <ToUserName><![CDATA[gh_0]]>"
			       "</ToUserName>\n");
	buf_printf(body, "    <Encrypt><![CDATA[%s%s]]></Encrypt>\n</xml>",
	    parts[3], wrong->altered ? "AAAA" : "");
	return arena_printf(arena, "%s?%s&encrypt_type=aes&msg_signature=%s",
	    url, query, sign(parts, 4, arena));
}

static const char *
begin_xml(const char *openid, const char *type, struct arena *arena)
{
	return arena_printf(arena,
	    "<xml><ToUserName><![CDATA[gh_0]]></ToUserName>\n"
	    "<FromUserName><![CDATA[%s]]></FromUserName>\n"
	    "<CreateTime>%lld</CreateTime>\n"
	    "<MsgType><![CDATA[%s]]></MsgType>\n",
	    openid, (long long)(clock_wall() / SECOND_US), type);
}

/* Something in the List of an event about messages that were agreed to. */
struct listed {
	const char *template, *status; /* of a prompt: accept, reject */
	const char *msgid, *code;      /* of a receipt */
};

static void
write_listed(
    const struct wechat *wechat, const struct listed *listed, struct buf *out)
{
	if (!wechat->json)
		buf_printf(out, "<List><TemplateId><![CDATA[%s]]></TemplateId>",
		    listed->template);
	else
		buf_printf(out, "{\"TemplateId\":\"%s\",", listed->template);
	if (!wechat->json && listed->status != NULL)
		buf_printf(out,
		    "<SubscribeStatusString><![CDATA[%s]]>"
		    "</SubscribeStatusString><PopupScene>0</PopupScene></List>",
		    listed->status);
	else if (!wechat->json)
		buf_printf(out,
		    "<MsgID>%s</MsgID><ErrorCode>%s</ErrorCode>"
		    "<ErrorStatus><![CDATA[x]]></ErrorStatus></List>",
		    listed->msgid, listed->code);
	else if (listed->status != NULL)
		buf_printf(out,
		    "\"SubscribeStatusString\":\"%s\",\"PopupScene\":\"0\"}",
		    listed->status);
	else
		buf_printf(out,
		    "\"MsgID\":\"%s\",\"ErrorCode\":\"%s\","
		    "\"ErrorStatus\":\"x\"}",
		    listed->msgid, listed->code);
}

/* One thing in JSON stands without its array. */
static const char *
listed_event(struct wechat *wechat, const char *openid, const char *event,
    const char *wrapper, const struct listed *list, size_t count,
    struct arena *arena)
{
	struct buf text = BUF_INIT(0);
	const char *copy;

	if (wechat->json)
		buf_printf(&text,
		    "{\"ToUserName\":\"gh_0\",\"FromUserName\":\"%s\","
		    "\"CreateTime\":\"%lld\",\"MsgType\":\"event\","
		    "\"Event\":\"%s\",\"List\":%s",
		    openid, (long long)(clock_wall() / SECOND_US), event,
		    count == 1 ? "" : "[");
	else
		buf_printf(&text, "%s<Event><![CDATA[%s]]></Event>\n<%s>",
		    begin_xml(openid, "event", arena), event, wrapper);
	for (size_t i = 0; i < count; i++) {
		buf_text(&text, wechat->json && i > 0 ? "," : "");
		write_listed(wechat, &list[i], &text);
	}
	if (wechat->json)
		buf_text(&text, count == 1 ? "}" : "]}");
	else
		buf_printf(&text, "</%s>\n</xml>", wrapper);
	copy = arena_text(arena, buf_string(&text));
	buf_free(&text);
	return copy;
}

/* What was agreed to, refused or taken back: text names the templates. */
static const char *
agreed(struct wechat *wechat, const char *what, const char *openid,
    const char *text, struct arena *arena)
{
	bool accept = strcmp(what, "accept") == 0;
	bool back = strcmp(what, "take_back") == 0;
	struct listed list[LISTED_MAX];
	size_t count = 0;
	char *save = NULL, *words = arena_text(arena, text);

	for (char *word = strtok_r(words, " ", &save);
	     word != NULL && count < LISTED_MAX;
	     word = strtok_r(NULL, " ", &save)) {
		list[count++] = (struct listed){
		    .template = word, .status = accept ? "accept" : "reject"};
		wechat_change_credit(wechat, openid, word, accept);
	}
	return listed_event(wechat, openid,
	    back ? "subscribe_msg_change_event" : "subscribe_msg_popup_event",
	    back ? "SubscribeMsgChangeEvent" : "SubscribeMsgPopupEvent", list,
	    count, arena);
}

static const char *
subscribed_receipt(struct wechat *wechat, bool delivered, const char *code,
    const struct entry *entry, struct arena *arena)
{
	const struct listed listed = {
	    .template = entry->template[0] == '\0' ? "T" : entry->template,
	    .msgid = entry->message_id,
	    .code = delivered ? "0" : code};

	return listed_event(wechat, entry->address, "subscribe_msg_sent_event",
	    "SubscribeMsgSentEvent", &listed, 1, arena);
}

const char *
wechat_receipt(struct wechat *wechat, bool delivered, const char *code,
    const struct entry *entry, struct buf *body, struct arena *arena)
{
	const char *status = delivered ? "success"
			     : strncmp(code, "failed", 6) == 0
				 ? code
				 : "failed: system failed";
	const char *xml = arena_printf(arena,
	    "%s<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>\n"
	    "<MsgID>%s</MsgID>\n<Status><![CDATA[%s]]></Status>\n</xml>",
	    begin_xml(entry->address, "event", arena), entry->message_id,
	    status);

	if (wechat->credits != NULL)
		xml = subscribed_receipt(wechat, delivered, code, entry, arena);
	return dress(wechat, wechat->sim->callback[ENDPOINT_WECHAT],
	    entry->address, xml, &(struct wrong){0}, body, arena);
}

/* What a follower does, as XML; NULL: nothing of the kind. */
static const char *
xml_of(struct wechat *wechat, const char *what, const char *openid,
    const char *text, struct arena *arena)
{
	static const char *const events[] = {"subscribe", "unsubscribe",
	    "CLICK", "SCAN", "VIEW", "user_enter_tempsession"};
	uint64_t number = 23987654321098765u + ++wechat->numbered;

	if (strcmp(what, "accept") == 0 || strcmp(what, "reject") == 0 ||
	    strcmp(what, "take_back") == 0)
		return agreed(wechat, what, openid, text, arena);
	if (wechat->json && strcmp(what, "text") == 0)
		return arena_printf(arena,
		    "{\"ToUserName\":\"gh_0\",\"FromUserName\":\"%s\","
		    "\"CreateTime\":%lld,\"MsgType\":\"text\","
		    "\"Content\":\"%s\",\"MsgId\":%llu}",
		    openid, (long long)(clock_wall() / SECOND_US), text,
		    (unsigned long long)number);
	if (strcmp(what, "text") == 0)
		return arena_printf(arena,
		    "%s<Content><![CDATA[%s]]></Content>\n"
		    "<MsgId>%llu</MsgId>\n</xml>",
		    begin_xml(openid, what, arena), text,
		    (unsigned long long)number);
	if (strcmp(what, "voice") == 0 || strcmp(what, "image") == 0)
		return arena_printf(arena,
		    "%s<MediaId><![CDATA[media]]></MediaId>\n"
		    "<MsgId>%llu</MsgId>\n</xml>",
		    begin_xml(openid, what, arena), (unsigned long long)number);
	if (strcmp(what, "doctype") == 0)
		return arena_printf(arena,
		    "<!DOCTYPE xml [<!ENTITY e \"x\">]>"
		    "%s<Content>&e;</Content>\n<MsgId>%llu</MsgId>\n</xml>",
		    begin_xml(openid, "text", arena),
		    (unsigned long long)number);
	for (size_t i = 0; i < COUNT(events); i++)
		if (strcmp(what, events[i]) == 0)
			return arena_printf(arena,
			    "%s<Event><![CDATA[%s]]></Event>\n"
			    "<EventKey><![CDATA[%s]]></EventKey>\n</xml>",
			    begin_xml(openid, "event", arena), what, text);
	return NULL;
}

/* What it changes here. */
static void
note_deed(struct wechat *wechat, const char *what, const char *openid)
{
	struct follower *follower = wechat_make_follower(wechat, openid);

	if (follower == NULL)
		return;
	if (strcmp(what, "unsubscribe") == 0)
		follower->left = true;
	else if (strcmp(what, "subscribe") == 0)
		follower->left = follower->off = false;
	else if (strcmp(what, "off") == 0)
		follower->off = true;
	else if (strcmp(what, "text") == 0 || strcmp(what, "voice") == 0 ||
		 strcmp(what, "image") == 0) {
		follower->until = clock_boot() + WINDOW_US;
		follower->sends = WINDOW_SENDS;
	} else if (strcmp(what, "user_enter_tempsession") == 0 &&
		   (follower->until < clock_boot() ||
		       follower->sends < SESSION_SENDS)) {
		follower->until = clock_boot() + SESSION_US;
		follower->sends = SESSION_SENDS;
	}
}

bool
wechat_acknowledged(const struct http_response *response)
{
	return response->end == HTTP_ANSWERED && response->status == 200 &&
	       (response->body_bytes == 0 ||
		   strcmp(response->body, "success") == 0);
}

static void
keep_push(const struct push *push, const struct http_response *response)
{
	struct wechat *wechat = push->wechat;
	char **slot = &wechat->pushes[wechat->pushed++ % PUSHES_KEPT];
	struct buf text = BUF_INIT(0);
	struct json_writer writer;

	json_write_init(&writer, &text);
	json_write_object(&writer);
	json_write_member(&writer, "query", strchr(push->url, '?') + 1);
	json_write_member(&writer, "body", push->body);
	json_write_key(&writer, "try");
	json_write_i64(&writer, push->tries);
	json_write_key(&writer, "status");
	json_write_i64(
	    &writer, response->end == HTTP_ANSWERED ? response->status : 0);
	json_write_member(&writer, "answer",
	    response->end == HTTP_ANSWERED ? response->body : "");
	json_write_key(&writer, "ms");
	json_write_i64(&writer, (clock_boot() - push->began_at) / 1000);
	json_write_end_object(&writer);
	free(*slot);
	*slot = mem_text(buf_string(&text));
	buf_free(&text);
}

static void
forget_push(struct push *push)
{
	struct push **link = &push->wechat->first;

	while (*link != push)
		link = &(*link)->next;
	*link = push->next;
	push->wechat->push_count--;
	push_free(push);
}

static void post_push(void *arg);

static void
on_pushed(const struct http_response *response, void *arg)
{
	struct push *push = arg;

	push->call = NULL;
	keep_push(push, response);
	if (wechat_acknowledged(response)) {
		push->wechat->acknowledged++;
		forget_push(push);
	} else if (push->tries == PUSH_TRIES) {
		push->wechat->dropped++;
		forget_push(push);
	} else {
		loop_timer_arm(push->timer, 0);
	}
}

static void
post_push(void *arg)
{
	struct push *push = arg;
	const struct http_header type = {"Content-Type", "text/xml"};
	const struct http_request request = {.method = "POST",
	    .url = push->url,
	    .headers = &type,
	    .header_count = 1,
	    .body = push->body,
	    .body_bytes = strlen(push->body),
	    .timeout_us = PUSH_TIMEOUT_US,
	    .plain_allowed = true};

	push->tries++;
	push->began_at = clock_boot();
	push->call =
	    http_client_send(push->wechat->client, &request, on_pushed, push);
}

static bool
flag(const struct json *object, const char *key)
{
	const char *word = json_get_text(object, "wrong");

	return word != NULL && strcmp(word, key) == 0;
}

void
wechat_push(struct wechat *wechat, const struct json *object,
    const char *openid, const char *xml, struct arena *arena)
{
	const struct wrong wrong = {flag(object, "signature"),
	    flag(object, "appid"), flag(object, "padding"),
	    flag(object, "altered"), flag(object, "plain")};
	struct push *push = mem_alloc(sizeof(*push));
	struct buf body = BUF_INIT(0);

	push->wechat = wechat;
	push->url =
	    mem_text(dress(wechat, wechat->sim->callback[wechat->endpoint],
		openid, xml, &wrong, &body, arena));
	push->body = mem_text(buf_string(&body));
	push->timer = loop_timer_create(wechat->sim->loop, post_push, push);
	push->next = wechat->first;
	wechat->first = push;
	wechat->push_count++;
	buf_free(&body);
	post_push(push);
}

const char *
wechat_push_obstacle(const struct wechat *wechat)
{
	if (wechat->sim->callback[wechat->endpoint] == NULL ||
	    wechat->callback_token == NULL)
		return "there is no callback";
	if (wechat->push_count == PUSHES_MAX)
		return "too many are under way";
	return NULL;
}

const char *
wechat_verify_query(
    struct wechat *wechat, const char *echo, struct arena *arena)
{
	const char *parts[] = {wechat->callback_token,
	    arena_printf(arena, "%lld", (long long)(clock_wall() / SECOND_US)),
	    "77", seal(wechat, echo, &(struct wrong){0}, arena)};
	struct buf text = BUF_INIT(0);
	const char *query;

	/* base64 has three characters that a query cannot carry */
	for (const char *at = parts[3]; *at != '\0'; at++)
		if (strchr("+/=", *at) != NULL)
			buf_printf(&text, "%%%02X", (unsigned)*at);
		else
			buf_char(&text, *at);
	query = arena_printf(arena,
	    "msg_signature=%s&timestamp=%s&nonce=%s&echostr=%s",
	    sign(parts, 4, arena), parts[1], parts[2], buf_string(&text));
	buf_free(&text);
	return query;
}

/* NULL, or why this cannot be pushed. */
static const char *
do_deed(struct wechat *wechat, const struct json *object, struct arena *arena)
{
	const char *what = json_get_text(object, "event");
	const char *openid = json_get_text(object, "from");
	const char *text = json_get_text(object, "text");
	const char *xml, *obstacle;

	if (what == NULL || !wechat_is_openid(openid))
		return "event, and from: an openid";
	if (strcmp(what, "off") == 0) {
		note_deed(wechat, what, openid);
		return NULL;
	}
	/* given or used up where we are not told of it */
	if (strcmp(what, "give") == 0 || strcmp(what, "take") == 0) {
		wechat_change_credit(wechat, openid, text != NULL ? text : "",
		    strcmp(what, "give") == 0);
		return NULL;
	}
	obstacle = wechat_push_obstacle(wechat);
	if (obstacle != NULL)
		return obstacle;
	xml = json_get_text(object, "xml");
	if (xml == NULL)
		xml = xml_of(
		    wechat, what, openid, text != NULL ? text : "", arena);
	if (xml == NULL)
		return "event: text, voice, image, subscribe, unsubscribe, "
		       "CLICK, SCAN, VIEW, doctype, off, accept, reject, "
		       "take_back, give, take or user_enter_tempsession";
	note_deed(wechat, what, openid);
	wechat_push(wechat, object, openid, xml, arena);
	return NULL;
}

static void
push_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;
	struct json_error error = {.reason = "not an object"};
	struct json_writer writer;
	const struct json *object = json_parse(
	    request->body, request->body_bytes, NULL, request->arena, &error);
	const char *reason = json_is(object, JSON_OBJECT)
				 ? do_deed(sim->wechat, object, request->arena)
				 : error.reason;

	reply->status = reason == NULL ? 202 : 400;
	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "code", reason == NULL ? "OK" : "invalid");
	if (reason != NULL)
		json_write_member(&writer, "message", reason);
	json_write_end_object(&writer);
}

void
wechat_write_pushes(const struct wechat *wechat, struct json_writer *writer)
{
	size_t first =
	    wechat->pushed > PUSHES_KEPT ? wechat->pushed - PUSHES_KEPT : 0;

	json_write_array(writer);
	for (size_t i = first; i < wechat->pushed; i++)
		json_write_raw(writer, wechat->pushes[i % PUSHES_KEPT]);
	json_write_end_array(writer);
}

static void
pushes_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct json_writer writer;

	(void)request;
	json_write_init(&writer, &reply->body);
	wechat_write_pushes(((struct sim *)arg)->wechat, &writer);
}

void
wechat_serve_pushes(struct sim *sim)
{
	door_route(sim->door, "/wechat/push", push_on_request, sim);
	door_route(sim->door, "/wechat/pushes", pushes_on_request, sim);
}

void
wechat_pushes_end(struct wechat *wechat)
{
	while (wechat->first != NULL) {
		struct push *push = wechat->first;

		wechat->first = push->next;
		if (push->call != NULL)
			http_client_cancel(push->call);
		push_free(push);
	}
	for (size_t i = 0; i < PUSHES_KEPT; i++)
		free(wechat->pushes[i]);
}
