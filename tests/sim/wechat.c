/*
 * The interface of an official account, and of a mini program: /cgi-bin/token
 * and stable_token, message/template/send, message/subscribe/send and
 * message/custom/send.  A follower of whom credits are known is a mini
 * program's.  Owns tokens, followers, credits and the client_msg_ids that were
 * taken; wechat_push.c what is pushed.
 */
#include "tests/sim/wechat_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/log.h"
#include "tests/sim/fault.h"
#include "tests/sim/receipt.h"
#include "tests/sim/sms_template.h"
#include "tests/sim/table.h"

#define TOKEN_S 7200
#define TOKEN_OVERLAP_US (5 * MINUTE_US)
#define FOLLOWERS_MAX 100000
#define TAKEN_MAX 1000000
#define TWIN_US MINUTE_US        /* told as 40241 */
#define SAME_US (10 * MINUTE_US) /* delivered once */
#define CREDITS_MAX 100000
#define CLIENT_ID_BYTES_MAX 32
#define CONTENT_BYTES_MAX 2048
#define FIRST_MSGID UINT64_C(3557254367693750000) /* more than 2^53 */

struct call { /* one request */
	struct wechat *wechat;
	struct sim *sim;
	const struct door_request *request;
	const struct json *body;
	struct arena *arena;
	struct door_reply *reply;
	struct fault_choice choice;
};

struct refusal { /* errcode 0: none */
	int64_t code;
	const char *message;
};

/* ---- settings ---- */

static void
read_key(struct wechat *wechat, const char *text)
{
	char padded[64];

	(void)snprintf(padded, sizeof(padded), "%s=", text);
	if (strlen(text) != 43 ||
	    crypto_base64_decode(padded, strlen(padded), wechat->key,
		sizeof(wechat->key)) != KEY_BYTES)
		fatal(EXIT_CONFIGURATION,
		    "an EncodingAESKey has 43 characters of base64");
	wechat->has_key = true;
}

struct wechat *
wechat_create(struct sim *sim, const struct wechat_settings *settings)
{
	static const char *const words[] = {"plain", "compatible", "safe"};
	struct wechat *wechat = mem_alloc(sizeof(*wechat));

	wechat->sim = sim;
	wechat->endpoint =
	    settings->agentid != NULL ? ENDPOINT_WECOM : ENDPOINT_WECHAT;
	wechat->taken = table_create(TAKEN_MAX);
	wechat->client = http_client_create(sim->loop);
	if (settings->secret == NULL)
		return wechat;
	wechat->appid = mem_text(settings->appid);
	wechat->secret = mem_text(settings->secret);
	if (settings->agentid != NULL)
		wechat->agentid = mem_text(settings->agentid);
	if (settings->callback_token != NULL)
		wechat->callback_token = mem_text(settings->callback_token);
	if (settings->aes_key != NULL)
		read_key(wechat, settings->aes_key);
	for (wechat->mode = MODE_PLAIN;
	     strcmp(words[wechat->mode], settings->mode) != 0; wechat->mode++)
		if (wechat->mode == MODE_SAFE)
			fatal(EXIT_CONFIGURATION,
			    "--wechat-mode: plain, compatible or safe");
	wechat->json = strcmp(settings->format, "json") == 0;
	if (!wechat->json && strcmp(settings->format, "xml") != 0)
		fatal(EXIT_CONFIGURATION, "--wechat-format: xml or json");
	if (wechat->mode != MODE_PLAIN && !wechat->has_key)
		fatal(EXIT_CONFIGURATION, "--wechat-aes-key-file: missing");
	return wechat;
}

void
wechat_free(struct wechat *wechat)
{
	wechat_pushes_end(wechat);
	while (wechat->followers != NULL) {
		struct follower *follower = wechat->followers;

		wechat->followers = follower->next;
		free(follower);
	}
	while (wechat->credits != NULL) {
		struct credit *credit = wechat->credits;

		wechat->credits = credit->next;
		free(credit);
	}
	http_client_free(wechat->client);
	table_free(wechat->taken);
	free(wechat->appid);
	free(wechat->secret);
	free(wechat->callback_token);
	free(wechat->agentid);
	free(wechat);
}

/* ---- answers ---- */

/* {"errcode":N,"errmsg":"… rid: …"}, always with status 200. */
static void
answer(struct call *call, int64_t code, const char *message)
{
	struct json_writer writer;

	json_write_init(&writer, &call->reply->body);
	json_write_object(&writer);
	json_write_key(&writer, "errcode");
	json_write_i64(&writer, code);
	json_write_member(&writer, "errmsg",
	    code == 0 ? message
		      : arena_printf(call->arena, "%s rid: %08x-%08x", message,
			    (unsigned)sim_random(call->sim),
			    (unsigned)sim_random(call->sim)));
	json_write_end_object(&writer);
}

/* A parameter of the query as it stands, or NULL. */
static const char *
query_text(const struct call *call, const char *name)
{
	const char *at = call->request->query;
	size_t bytes = strlen(name);

	while (strncmp(at, name, bytes) != 0 || at[bytes] != '=') {
		at += strcspn(at, "&");
		if (*at++ == '\0')
			return NULL;
	}
	at += bytes + 1;
	return arena_text_n(call->arena, at, strcspn(at, "&"));
}

/* ---- tokens ---- */

static struct issued *
newest_token(struct wechat *wechat, bool stable)
{
	for (size_t i = 0; i < TOKENS_KEPT && i < wechat->token_count; i++) {
		struct issued *token =
		    &wechat
			 ->tokens[(wechat->token_count - 1 - i) % TOKENS_KEPT];

		if (token->stable == stable)
			return token;
	}
	return NULL;
}

static struct issued *
issue_token(struct wechat *wechat, bool stable)
{
	struct issued *before = newest_token(wechat, stable);
	struct issued *token;
	int64_t now = clock_boot();

	if (before != NULL && before->until > now + TOKEN_OVERLAP_US)
		before->until = now + TOKEN_OVERLAP_US;
	token = &wechat->tokens[wechat->token_count++ % TOKENS_KEPT];
	token->stable = stable;
	token->until = now + TOKEN_S * SECOND_US;
	(void)snprintf(token->text, sizeof(token->text),
	    "AccessTokenOfTheSimulator_%zu_%016llx%016llx-",
	    wechat->token_count, (unsigned long long)sim_random(wechat->sim),
	    (unsigned long long)sim_random(wechat->sim));
	return token;
}

static void
write_token(struct call *call, const struct issued *token)
{
	struct json_writer writer;

	json_write_init(&writer, &call->reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "access_token", token->text);
	json_write_key(&writer, "expires_in");
	json_write_i64(&writer, (token->until - clock_boot()) / SECOND_US);
	json_write_end_object(&writer);
}

/* Right account, right secret; or it was refused. */
static bool
check_account(
    struct call *call, const char *grant, const char *appid, const char *secret)
{
	if (grant == NULL || strcmp(grant, "client_credential") != 0)
		answer(call, 40002, "invalid grant_type");
	else if (appid == NULL)
		answer(call, 41002, "appid missing");
	else if (secret == NULL)
		answer(call, 41004, "appsecret missing");
	else if (strcmp(appid, call->wechat->appid) != 0)
		answer(call, 40013, "invalid appid");
	else if (strcmp(secret, call->wechat->secret) != 0)
		answer(call, 40125, "invalid appsecret");
	else
		return true;
	return false;
}

/* The older interface: each asking makes another token. */
static void
run_token(struct call *call)
{
	if (strcmp(call->request->method, "GET") != 0)
		answer(call, 43001, "require GET method");
	else if (check_account(call, query_text(call, "grant_type"),
		     query_text(call, "appid"), query_text(call, "secret")))
		write_token(call, issue_token(call->wechat, false));
}

static void
run_stable_token(struct call *call)
{
	const struct json *body = call->body;
	bool force = json_is(json_get(body, "force_refresh"), JSON_TRUE);
	struct issued *token;

	if (!check_account(call, json_get_text(body, "grant_type"),
		json_get_text(body, "appid"), json_get_text(body, "secret")))
		return;
	token = newest_token(call->wechat, true);
	if (token == NULL || force ||
	    token->until <= clock_boot() + TOKEN_OVERLAP_US) {
		if (token != NULL && force)
			token->until = 0;
		token = issue_token(call->wechat, true);
	}
	write_token(call, token);
}

/* Is the token in the query one of ours, and still good? */
static struct refusal
check_token(const struct call *call)
{
	const char *text = query_text(call, "access_token");
	const struct wechat *wechat = call->wechat;

	if (text == NULL || text[0] == '\0')
		return (struct refusal){41001, "access_token missing"};
	for (size_t i = 0; i < TOKENS_KEPT; i++)
		if (strcmp(wechat->tokens[i].text, text) == 0)
			return wechat->tokens[i].until > clock_boot()
				   ? (struct refusal){0}
				   : (struct refusal){
					 42001, "access_token expired"};
	return (struct refusal){
	    40001, "invalid credential, access_token is invalid or not latest"};
}

/* ---- followers ---- */

static struct follower *
find_follower(struct wechat *wechat, const char *openid)
{
	struct follower *follower = wechat->followers;

	while (follower != NULL && strcmp(follower->openid, openid) != 0)
		follower = follower->next;
	return follower;
}

struct follower *
wechat_make_follower(struct wechat *wechat, const char *openid)
{
	struct follower *follower = find_follower(wechat, openid);

	if (follower != NULL || wechat->follower_count == FOLLOWERS_MAX)
		return follower;
	follower = mem_alloc(sizeof(*follower));
	(void)snprintf(
	    follower->openid, sizeof(follower->openid), "%s", openid);
	follower->until = AT_UNKNOWN;
	follower->next = wechat->followers;
	wechat->followers = follower;
	wechat->follower_count++;
	return follower;
}

/* Openids begin with an o. */
bool
wechat_is_openid(const char *text)
{
	return text != NULL && text[0] == 'o' && strlen(text) >= 6 &&
	       strlen(text) <= OPENID_BYTES_MAX &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
		   '\0';
}

/* Can this person be written to? */
static struct refusal
check_recipient(struct call *call, const char *openid)
{
	const struct follower *follower;

	if (!wechat_is_openid(openid))
		return (struct refusal){40003, "invalid openid"};
	follower = find_follower(call->wechat, openid);
	if (follower != NULL && follower->left)
		return (struct refusal){43004, "require subscribe"};
	if (follower != NULL && follower->off)
		return (struct refusal){48002, "user reject msg"};
	return (struct refusal){0};
}

/* ---- values ---- */

static size_t
characters(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static bool
only_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* Does the value keep to the type that its key begins with? */
static bool
value_fits(const char *key, const char *value)
{
	static const struct {
		const char *type;
		size_t most;
		bool ascii;
	} types[] = {{"thing", 20, false}, {"const", 20, false},
	    {"character_string", 32, true}, {"number", 32, true},
	    {"letter", 32, true}, {"symbol", 5, true}, {"phrase", 5, false},
	    {"phone_number", 17, true}, {"car_number", 8, false}};

	for (const char *at = value; *at != '\0'; at++)
		if ((unsigned char)*at < ' ')
			return false;
	for (size_t i = 0; i < COUNT(types); i++) {
		size_t bytes = strlen(types[i].type);

		if (strncmp(key, types[i].type, bytes) == 0 &&
		    key[bytes] >= '0' && key[bytes] <= '9')
			return characters(value) <= types[i].most &&
			       (!types[i].ascii || only_ascii(value));
	}
	return true;
}

/* "…{{thing1.DATA}}…" with its values; what is wrong with them. */
static struct refusal
render(struct call *call, const struct sms_template *template,
    const struct json *data, struct buf *out)
{
	const char *at = template->text;
	uint32_t used = 0;

	json_each (member, data) {
		const char *value = json_get_text(member, "value");

		if (value == NULL || value[0] == '\0' ||
		    !value_fits(member->key, value))
			return (struct refusal){47003,
			    arena_printf(call->arena,
				"argument invalid! data.%s.value invalid",
				member->key)};
	}
	while (*at != '\0') {
		const char *end = strstr(at, ".DATA}}");
		const char *value;

		if (strncmp(at, "{{", 2) != 0 || end == NULL) {
			buf_add(out, at++, 1);
			continue;
		}
		value = json_get_text(
		    json_get(data, arena_text_n(call->arena, at + 2,
				       (size_t)(end - at - 2))),
		    "value");
		if (value == NULL)
			return (struct refusal){47003,
			    "argument invalid! data: a value is missing"};
		buf_text(out, value);
		used++;
		at = end + 7;
	}
	return used == data->count
		   ? (struct refusal){0}
		   : (struct refusal){
			 47003, "argument invalid! data: not in the template"};
}

bool
wechat_has_only(const struct json *object, const char *const *keys)
{
	if (!json_is(object, JSON_OBJECT))
		return false;
	json_each (member, object) {
		const char *const *key = keys;

		while (*key != NULL && strcmp(*key, member->key) != 0)
			key++;
		if (*key == NULL)
			return false;
	}
	return true;
}

/* ---- sending ---- */

static const char *
json_of(const struct call *call, const struct json *value)
{
	struct buf text = BUF_INIT(64u << 10);
	struct json_writer writer;
	const char *copy;

	json_write_init(&writer, &text);
	json_write_tree(&writer, value);
	copy = arena_text(call->arena, buf_string(&text));
	buf_free(&text);
	return copy;
}

static struct entry *
take(struct call *call, const char *openid, const char *template,
    const char *text, const char *params, const char *reference)
{
	struct sim *sim = call->sim;
	struct entry entry = {.at = clock_wall(),
	    .endpoint = ENDPOINT_WECHAT,
	    .request = ++sim->requests,
	    .reference = reference,
	    .address = openid,
	    .channel =
		call->wechat->credits != NULL ? "wechat_mini" : "wechat_oa",
	    .template = template,
	    .signature = "",
	    .text = text,
	    .params = params,
	    .outcome = fault_outcome_word(&call->choice)};

	entry.message_id = arena_printf(call->arena, "%llu",
	    (unsigned long long)(FIRST_MSGID + ledger_last(sim->ledger) + 1));
	return ledger_add(sim->ledger, &entry);
}

static void
answer_msgid(struct call *call, const char *msgid)
{
	struct json_writer writer;

	json_write_init(&writer, &call->reply->body);
	json_write_object(&writer);
	json_write_key(&writer, "errcode");
	json_write_i64(&writer, 0);
	json_write_member(&writer, "errmsg", "ok");
	json_write_key(&writer, "msgid");
	json_write_raw(&writer, msgid);
	json_write_end_object(&writer);
}

/* The one that was taken under this id in the last minutes, or NULL. */
static struct entry *
find_twin(const struct call *call, const char *openid, const char *id)
{
	const char *const texts[] = {openid, id};
	struct entry *entry =
	    id == NULL
		? NULL
		: ledger_get(call->sim->ledger,
		      table_get(call->wechat->taken, sim_hash(texts, 2)));

	return entry != NULL && entry->at > clock_wall() - SAME_US ? entry
								   : NULL;
}

static void
remember_twin(
    struct call *call, const char *openid, const char *id, uint64_t seq)
{
	const char *const texts[] = {openid, id};
	struct wechat *wechat = call->wechat;

	if (id == NULL || wechat->taken_count >= TAKEN_MAX)
		return;
	table_put(wechat->taken, sim_hash(texts, 2), seq);
	wechat->taken_count++;
}

/* Shape of a template message. */
static struct refusal
check_template(const struct call *call)
{
	static const char *const keys[] = {"touser", "template_id", "url",
	    "miniprogram", "client_msg_id", "data", "color", "topcolor", NULL};
	static const char *const program_keys[] = {"appid", "pagepath", NULL};
	const struct json *program = json_get(call->body, "miniprogram");
	const char *id = json_get_text(call->body, "client_msg_id");

	if (!wechat_has_only(call->body, keys) ||
	    !json_is(json_get(call->body, "data"), JSON_OBJECT))
		return (struct refusal){47001, "data format error"};
	if (program != NULL && (!wechat_has_only(program, program_keys) ||
				   json_get_text(program, "appid") == NULL))
		return (struct refusal){40165, "invalid weapp pagepath"};
	if (json_get(call->body, "client_msg_id") != NULL &&
	    (id == NULL || strlen(id) > CLIENT_ID_BYTES_MAX ||
		id[strspn(id, "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] !=
		    '\0'))
		return (struct refusal){45067, "clientmsgid is too long"};
	return (struct refusal){0};
}

static void
send_template(struct call *call, const struct sms_template *template)
{
	const struct json *data = json_get(call->body, "data");
	const char *openid = json_get_text(call->body, "touser");
	const char *id = json_get_text(call->body, "client_msg_id");
	struct buf text = BUF_INIT(16384);
	struct refusal refusal = render(call, template, data, &text);
	struct entry *entry;
	int64_t wait;

	if (refusal.code != 0) {
		answer(call, refusal.code, refusal.message);
	} else {
		entry = take(call, openid, template->code,
		    arena_text(call->arena, buf_string(&text)),
		    json_of(call, data), id != NULL ? id : "");
		remember_twin(call, openid, id, entry->seq);
		answer_msgid(call, entry->message_id);
		wait = receipts_plan(call->sim->receipts, entry);
		if (wait > call->reply->delay_us)
			call->reply->delay_us = wait;
		ledger_flush(call->sim->ledger);
	}
	buf_free(&text);
}

static void
run_template(struct call *call)
{
	const char *openid = json_get_text(call->body, "touser");
	const char *code = json_get_text(call->body, "template_id");
	const struct sms_template *template =
	    code == NULL ? NULL : sms_template_find(call->sim->templates, code);
	struct refusal refusal = check_template(call);
	const struct entry *twin;

	if (refusal.code == 0)
		refusal = check_recipient(call, openid);
	if (refusal.code == 0 && template == NULL)
		refusal = (struct refusal){40037, "invalid template_id"};
	if (refusal.code != 0) {
		answer(call, refusal.code, refusal.message);
		return;
	}
	twin =
	    find_twin(call, openid, json_get_text(call->body, "client_msg_id"));
	if (twin == NULL)
		send_template(call, template);
	else if (twin->at > clock_wall() - TWIN_US)
		answer(call, 40241, "duplicate in 60 seconds");
	else
		answer_msgid(call, twin->message_id);
}

/* Only to somebody who said something lately, and not too often. */
static void
run_custom(struct call *call)
{
	static const char *const keys[] = {
	    "touser", "msgtype", "text", "customservice", NULL};
	const char *openid = json_get_text(call->body, "touser");
	const char *type = json_get_text(call->body, "msgtype");
	const char *content =
	    json_get_text(json_get(call->body, "text"), "content");
	struct refusal refusal = check_recipient(call, openid);
	struct follower *follower =
	    refusal.code == 0 ? find_follower(call->wechat, openid) : NULL;

	if (!wechat_has_only(call->body, keys) || type == NULL ||
	    strcmp(type, "text") != 0)
		refusal = (struct refusal){47001, "data format error"};
	else if (content == NULL || content[0] == '\0')
		refusal = (struct refusal){44004, "empty content"};
	else if (strlen(content) > CONTENT_BYTES_MAX)
		refusal = (struct refusal){45002, "content size out of limit"};
	else if (refusal.code == 0 &&
		 (follower == NULL || follower->until == AT_UNKNOWN ||
		     clock_boot() > follower->until))
		refusal = (struct refusal){45015,
		    "response out of time limit or subscription is canceled"};
	else if (refusal.code == 0 && follower->sends == 0)
		refusal =
		    (struct refusal){45047, "out of response count limit"};
	if (refusal.code != 0) {
		answer(call, refusal.code, refusal.message);
		return;
	}
	follower->sends--;
	(void)take(call, openid, "", content, "{}", "");
	ledger_flush(call->sim->ledger);
	answer(call, 0, "ok");
}

/* ---- messages that were agreed to ---- */

static struct credit *
find_credit(struct wechat *wechat, const char *openid, const char *template)
{
	struct credit *credit = wechat->credits;

	while (credit != NULL && (strcmp(credit->openid, openid) != 0 ||
				     strcmp(credit->template, template) != 0))
		credit = credit->next;
	return credit;
}

/* One more, or none any more. */
void
wechat_change_credit(
    struct wechat *wechat, const char *openid, const char *template, bool more)
{
	struct credit *credit = find_credit(wechat, openid, template);

	if (credit == NULL && wechat->credit_count < CREDITS_MAX) {
		credit = mem_alloc(sizeof(*credit));
		(void)snprintf(
		    credit->openid, sizeof(credit->openid), "%s", openid);
		(void)snprintf(
		    credit->template, sizeof(credit->template), "%s", template);
		credit->next = wechat->credits;
		wechat->credits = credit;
		wechat->credit_count++;
	}
	if (credit != NULL)
		credit->left = more ? credit->left + 1 : 0;
}

static bool
has_one_of(const char *text, const char *set)
{
	return text[strcspn(text, set)] != '\0';
}

/* Beyond lengths: what the types of a subscription message may hold. */
static bool
characters_fit(const char *key, const char *value)
{
	static const char digits[] = "0123456789";
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t type = strcspn(key, digits);
#define IS(word) (type == strlen(word) && strncmp(key, word, type) == 0)
	if (key[type] == '\0')
		return false;
	if (IS("number"))
		return value[strspn(value, "0123456789.-")] == '\0';
	if (IS("letter"))
		return value[strspn(value, letters)] == '\0';
	if (IS("symbol"))
		return !has_one_of(value, digits) &&
		       !has_one_of(value, letters);
	if (IS("phrase"))
		return !has_one_of(value, digits) &&
		       !has_one_of(value, letters) && !has_one_of(value, " .,");
	if (IS("time"))
		return has_one_of(value, ":") && has_one_of(value, digits);
	if (IS("date"))
		return value[0] >= '0' && value[0] <= '9';
	if (IS("amount"))
		return has_one_of(value, digits) && characters(value) <= 16;
	if (IS("name"))
		return characters(value) <= (only_ascii(value) ? 20u : 10u);
	if (IS("phone_number"))
		return value[strspn(value, "0123456789+-() *")] == '\0';
	return IS("thing") || IS("character_string") || IS("car_number") ||
	       IS("enum") || IS("const");
#undef IS
}

static struct refusal
check_subscribed(struct call *call)
{
	static const char *const keys[] = {"touser", "template_id", "page",
	    "miniprogram_state", "lang", "data", NULL};
	static const char *const states[] = {
	    "developer", "trial", "formal", NULL};
	static const char *const langs[] = {
	    "zh_CN", "en_US", "zh_HK", "zh_TW", NULL};
	const struct json *data = json_get(call->body, "data");
	const char *state = json_get_text(call->body, "miniprogram_state");
	const char *lang = json_get_text(call->body, "lang");
	const char *page = json_get_text(call->body, "page");
	size_t known = 0;

	for (size_t i = 0; states[i] != NULL; i++)
		known += state != NULL && strcmp(state, states[i]) == 0;
	for (size_t i = 0; langs[i] != NULL; i++)
		known += lang != NULL && strcmp(lang, langs[i]) == 0;
	if (!wechat_has_only(call->body, keys) || !json_is(data, JSON_OBJECT) ||
	    known != 2)
		return (struct refusal){47001, "data format error"};
	if (page != NULL && (page[0] == '\0' || page[0] == '/'))
		return (struct refusal){41030, "invalid page"};
	json_each (member, data) {
		const char *value = json_get_text(member, "value");

		if (value == NULL || !characters_fit(member->key, value))
			return (struct refusal){47003,
			    arena_printf(call->arena,
				"argument invalid! data.%s.value invalid",
				member->key)};
	}
	return (struct refusal){0};
}

static void
spend_subscribed(
    struct call *call, const struct sms_template *template, const char *openid)
{
	const struct json *data = json_get(call->body, "data");
	struct credit *credit =
	    find_credit(call->wechat, openid, template->code);
	const char *page = json_get_text(call->body, "page");
	struct buf text = BUF_INIT(16384);
	struct refusal refusal = render(call, template, data, &text);
	struct entry *entry;
	int64_t wait;

	if (refusal.code == 0 && (credit == NULL || credit->left == 0))
		refusal =
		    (struct refusal){43101, "user refuse to accept the msg"};
	if (refusal.code != 0) {
		answer(call, refusal.code, refusal.message);
	} else {
		credit->left--;
		entry = take(call, openid, template->code,
		    arena_text(call->arena, buf_string(&text)),
		    json_of(call, data), page == NULL ? "" : page);
		answer_msgid(call, entry->message_id);
		wait = receipts_plan(call->sim->receipts, entry);
		if (wait > call->reply->delay_us)
			call->reply->delay_us = wait;
		ledger_flush(call->sim->ledger);
	}
	buf_free(&text);
}

static void
run_subscribed(struct call *call)
{
	const char *openid = json_get_text(call->body, "touser");
	const char *code = json_get_text(call->body, "template_id");
	const struct sms_template *template =
	    code == NULL ? NULL : sms_template_find(call->sim->templates, code);
	struct refusal refusal = check_subscribed(call);
	struct follower *follower;

	if (refusal.code == 0)
		refusal = check_recipient(call, openid);
	if (refusal.code == 0 && template == NULL)
		refusal = (struct refusal){40037, "invalid template_id"};
	if (refusal.code != 0) {
		answer(call, refusal.code, refusal.message);
		return;
	}
	follower = wechat_make_follower(call->wechat, openid);
	if (follower != NULL && clock_boot() < follower->busy_until) {
		answer(call, 43108, "concurrent calls for one user");
		return;
	}
	spend_subscribed(call, template, openid);
	if (follower != NULL)
		follower->busy_until = clock_boot() + call->reply->delay_us;
}

/* ---- requests ---- */

/* The object in the body, in characters that are not escaped. */
static bool
read_body(struct call *call)
{
	const struct json_limits limits = {.bytes_max = 1u << 20};
	struct json_error error;

	if (strcmp(call->request->method, "POST") != 0) {
		answer(call, 43002, "require POST method");
		return false;
	}
	if (strstr(call->request->body, "\\u") != NULL) {
		answer(call, 40033,
		    "invalid charset. please check your "
		    "request, if include \\uxxxx will create "
		    "fail!");
		return false;
	}
	call->body = json_parse(call->request->body, call->request->body_bytes,
	    &limits, call->arena, &error);
	if (json_is(call->body, JSON_OBJECT))
		return true;
	answer(call, 47001, "data format error");
	return false;
}

static void
run_message(struct call *call, void (*run)(struct call *call))
{
	const struct fault *fault = call->choice.code;
	struct refusal refusal = check_token(call);

	if (refusal.code != 0)
		answer(call, refusal.code, refusal.message);
	else if (!read_body(call))
		return;
	else if (fault != NULL)
		answer(call, strtoll(fault->code, NULL, 10), fault->message);
	else
		run(call);
}

static void
on_request(const struct door_request *request, struct door_reply *reply,
    struct sim *sim, enum endpoint endpoint, void (*run)(struct call *call))
{
	struct call call = {.wechat = sim->wechat,
	    .sim = sim,
	    .request = request,
	    .arena = request->arena,
	    .reply = reply};

	if (sim->wechat->secret == NULL) {
		reply->status = 404;
		buf_text(&reply->body, "no --wechat-secret-file was given");
		return;
	}
	call.choice = fault_choose(sim->faults, endpoint);
	if (call.choice.refusal != NULL) {
		fault_refuse(&call.choice, reply);
		return;
	}
	if (endpoint == ENDPOINT_WECHAT) {
		run_message(&call, run);
	} else {
		sim->wechat->token_requests++;
		if (call.choice.code != NULL)
			answer(&call, strtoll(call.choice.code->code, NULL, 10),
			    call.choice.code->message);
		else if (run == run_token || read_body(&call))
			run(&call);
	}
	fault_spoil(&call.choice, reply);
}

static void
on_token(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	on_request(request, reply, arg, ENDPOINT_WECHAT_TOKEN, run_token);
}

static void
on_stable_token(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	on_request(
	    request, reply, arg, ENDPOINT_WECHAT_TOKEN, run_stable_token);
}

static void
on_template(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	on_request(request, reply, arg, ENDPOINT_WECHAT, run_template);
}

static void
on_custom(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	on_request(request, reply, arg, ENDPOINT_WECHAT, run_custom);
}

static void
on_subscribed(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	on_request(request, reply, arg, ENDPOINT_WECHAT, run_subscribed);
}

/* Every token ends now, as when somebody refreshes with force. */
static void
expire_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct wechat *wechat = ((struct sim *)arg)->wechat;

	(void)request;
	for (size_t i = 0; i < TOKENS_KEPT; i++)
		wechat->tokens[i].until = 0;
	buf_text(&reply->body, "{}");
}

void
wechat_write_summary(const struct wechat *wechat, struct json_writer *writer)
{
	json_write_key(writer, "wechat_token_requests");
	json_write_i64(writer, wechat->token_requests);
	json_write_key(writer, "wechat_tokens");
	json_write_i64(writer, (int64_t)wechat->token_count);
	json_write_key(writer, "wechat_pushes_acknowledged");
	json_write_i64(writer, wechat->acknowledged);
	json_write_key(writer, "wechat_pushes_dropped");
	json_write_i64(writer, wechat->dropped);
}

void
wechat_serve(struct sim *sim)
{
	door_route(sim->door, "/cgi-bin/token", on_token, sim);
	door_route(sim->door, "/cgi-bin/stable_token", on_stable_token, sim);
	door_route(
	    sim->door, "/cgi-bin/message/template/send", on_template, sim);
	door_route(
	    sim->door, "/cgi-bin/message/subscribe/send", on_subscribed, sim);
	door_route(sim->door, "/cgi-bin/message/custom/send", on_custom, sim);
	wechat_serve_pushes(sim);
	door_route(sim->door, "/wechat/expire", expire_on_request, sim);
}
