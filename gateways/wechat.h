#ifndef ADHERD_GATEWAY_WECHAT_H
#define ADHERD_GATEWAY_WECHAT_H

/*
 * What WeChat's interfaces have in common: the answer with a token, error
 * codes, the signature of a push and the envelope of an encrypted one.  Not
 * part of the interface.
 */
#include "gateway.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SECOND_US INT64_C(1000000)
#define CHINA_OFFSET_S (8 * 3600) /* no summer time */
#define DAY_S 86400
#define WECHAT_TOLERANCE_S 300 /* of a push's timestamp */
#define WECHAT_AES_KEY_CHARACTERS 43
#define WECHAT_AES_KEY_BYTES 32
#define WECHAT_PAD_MAX 32        /* PKCS #7, with blocks of 32 */
#define WECHAT_PREFIX_BYTES 20   /* 16 random, 4 of length */
#define WECHAT_PARAMETER_MAX 512 /* bytes of one in a query */
#define WECHAT_PARTS 4           /* that a signature can be of */
#define WECHAT_SECRETS 2         /* the one in use, and the old one */
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* The options of what is pushed. */
#define WECHAT_CALLBACK_OPTIONS \
	{"callback-token", GW_OPTION_TEXT, .secret = true, \
	    .help = "Token of the pushes; without it none is believed."}, \
	    {"callback-old-token", GW_OPTION_TEXT, .secret = true, \
		.help = "The one before, which is still believed."}, \
	    {"callback-aes-key", GW_OPTION_TEXT, .secret = true, \
		.help = "EncodingAESKey of the pushes, 43 characters."}, \
	{ \
		"callback-old-aes-key", GW_OPTION_TEXT, \
		    .secret = true, \
		    .help = "The one before, which still opens them." \
	}

/* ---- reading ---- */

/* A member that is a number or a string and not empty, or NULL. */
static inline const char *
wechat_member(
    struct gw_call *call, const struct gw_json *object, const char *key)
{
	const struct gw_host *host = call->host;
	const struct gw_json *value = host->json_get(object, key);
	enum gw_json_type type = host->json_type(value);

	if ((type != GW_JSON_NUMBER && type != GW_JSON_STRING) ||
	    host->json_text(value)[0] == '\0')
		return NULL;
	return host->json_text(value);
}

static inline bool
wechat_all_of(const char *text, const char *characters)
{
	return text[0] != '\0' && text[strspn(text, characters)] == '\0';
}

static inline int
wechat_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A parameter of a query, decoded; NULL: missing, malformed or too long. */
static inline const char *
wechat_parameter(struct gw_call *call, const char *query, const char *name)
{
	char *value = call->host->alloc(call, WECHAT_PARAMETER_MAX + 1);
	size_t bytes = 0, name_bytes = strlen(name);

	while (
	    strncmp(query, name, name_bytes) != 0 || query[name_bytes] != '=') {
		query += strcspn(query, "&");
		if (*query++ == '\0')
			return NULL;
	}
	for (query += name_bytes + 1; *query != '\0' && *query != '&';
	     query++) {
		char c = *query == '+' ? ' ' : *query;

		if (c == '%') {
			int high = wechat_hex_digit(query[1]);
			int low = high < 0 ? -1 : wechat_hex_digit(query[2]);

			if (low < 0)
				return NULL;
			c = (char)(high << 4 | low);
			query += 2;
		}
		if (bytes == WECHAT_PARAMETER_MAX || c == '\0')
			return NULL;
		value[bytes++] = c;
	}
	return value;
}

/* ---- requests ---- */

static inline const char *
wechat_or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* Scheme, host and port, without a slash at the end; NULL: it is not that. */
static inline const char *
wechat_endpoint(struct gw_call *call)
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

/* Append a member; nothing where there is no value. */
static inline void
wechat_add_member(struct gw_call *call, struct gw_buf *body, const char *before,
    const char *key, const char *value)
{
	if (value == NULL)
		return;
	call->host->buf_text(body, before);
	call->host->buf_json(body, key);
	call->host->buf_text(body, ":");
	call->host->buf_json(body, value);
}

static inline void
wechat_post(struct gw_call *call, const char *url, struct gw_buf *body,
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

/* Without line breaks and control characters, which no value may have. */
static inline char *
wechat_one_line(struct gw_call *call, const char *text, bool breaks)
{
	char *copy = call->host->format(call, "%s", text);

	for (char *at = copy; *at != '\0'; at++)
		if (((unsigned char)*at < ' ' && !(breaks && *at == '\n')) ||
		    *at == 0x7f)
			*at = ' ';
	return copy;
}

/* ---- tokens ---- */

/* Of token and stable_token: as gw_api.authed has it. */
static inline int
wechat_token(struct gw_call *call, const struct gw_response *response,
    const char **token, int32_t *lifetime_s, const char **error)
{
	const struct gw_host *host = call->host;
	const struct gw_json *answer =
	    host->json_parse(call, response->body, response->body_bytes);
	const char *code = wechat_member(call, answer, "errcode");
	const char *expires = wechat_member(call, answer, "expires_in");
	long lifetime;

	*token = wechat_member(call, answer, "access_token");
	if (response->status == 200 && *token != NULL && expires != NULL &&
	    wechat_all_of(expires, DIGITS) &&
	    (code == NULL || code[0] == '0')) {
		lifetime = strtol(expires, NULL, 10);
		*lifetime_s = lifetime > DAY_S ? DAY_S : (int32_t)lifetime;
		return 0;
	}
	*error = response->status != 200
		     ? host->format(call, "HTTP %d", response->status)
		 : code != NULL ? code
				: "unreadable";
	return -1;
}

/* ---- error codes ---- */

enum wechat_wait {
	WECHAT_WAIT_NONE, /* the host's own */
	WECHAT_WAIT_SECOND,
	WECHAT_WAIT_MINUTE,
	WECHAT_WAIT_TOMORROW /* midnight in China */
};

struct wechat_rule { /* what an errcode says */
	const char *code;
	enum gw_verdict verdict;
	enum gw_scope scope;
	enum wechat_wait wait;
};

/*
 * Of accounts.  Retry with a scope above the message: that scope waits, and
 * where nothing says for how long, somebody must act.  Rejected with the scope
 * recipient: the address is not used until its owner follows again; with the
 * scope message, only this one goes another way, for nothing would tell when
 * the address can be used again.
 */
static const struct wechat_rule wechat_rules[] = {
    /* busy, also where too much comes at once */
    {"-1", GW_RETRY, GW_SCOPE_GATEWAY, WECHAT_WAIT_SECOND},
    /* the token: another one, once, then somebody must act */
    {"40001", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"40014", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"42001", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    /* appid, secret, addresses that may call, rights */
    {"40013", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"40125", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"41001", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"41002", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"41004", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"40164", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"89503", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"48001", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"48004", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"50004", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"43104", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"43106", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    /* the page of the mini program, which is a setting */
    {"41030", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    {"40165", GW_RETRY, GW_SCOPE_GATEWAY, 0},
    /* no such openid, or another account's; frozen or closed */
    {"40003", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    {"50002", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    /* does not follow; switched messages off */
    {"43004", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    {"50005", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    {"48002", GW_REJECTED, GW_SCOPE_RECIPIENT, 0},
    /* on our own list; refused or used up; outside the window of answers */
    {"43019", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"43101", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"45015", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"45047", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    /* the template: unknown, banned, of another kind */
    {"40037", GW_RETRY, GW_SCOPE_TEMPLATE, 0},
    {"43116", GW_RETRY, GW_SCOPE_TEMPLATE, 0},
    {"43102", GW_RETRY, GW_SCOPE_TEMPLATE, 0},
    /* what is said: JSON, values, words, length */
    {"41028", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"41029", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"47001", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"47002", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"40033", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"47003", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"45168", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"87014", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"45002", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"44004", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    {"45067", GW_REJECTED, GW_SCOPE_MESSAGE, 0},
    /* too much: today, this minute, for this person */
    {"45009", GW_RETRY, GW_SCOPE_GATEWAY, WECHAT_WAIT_TOMORROW},
    {"45011", GW_RETRY, GW_SCOPE_GATEWAY, WECHAT_WAIT_MINUTE},
    {"43108", GW_RETRY, GW_SCOPE_RECIPIENT, 0},
    {"43117", GW_RETRY, GW_SCOPE_RECIPIENT, 0},
    /* the same again within a minute */
    {"40241", GW_RETRY, GW_SCOPE_RECIPIENT, WECHAT_WAIT_MINUTE},
    {"45066", GW_RETRY, GW_SCOPE_MESSAGE, WECHAT_WAIT_MINUTE},
};

static inline int32_t
wechat_wait_s(const struct gw_call *call, enum wechat_wait wait)
{
	int32_t second =
	    (int32_t)((call->now_us / SECOND_US + CHINA_OFFSET_S) % DAY_S);

	switch (wait) {
	case WECHAT_WAIT_NONE:
		return 0;
	case WECHAT_WAIT_SECOND:
		return 1;
	case WECHAT_WAIT_MINUTE:
		return 60;
	case WECHAT_WAIT_TOMORROW:
		break;
	}
	return DAY_S - second;
}

static inline bool
wechat_is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, list[i]) == 0)
			return true;
	return false;
}

static inline struct gw_outcome
wechat_outcome(enum gw_verdict verdict, enum gw_scope scope, const char *code)
{
	return (struct gw_outcome){
	    .verdict = verdict, .scope = scope, .code = code};
}

/* Refusals come with status 200: another one is of what stands before. */
static inline struct gw_outcome
wechat_judge_status(struct gw_call *call, int status)
{
	return wechat_outcome(status / 100 == 4 ? GW_RETRY : GW_UNKNOWN,
	    GW_SCOPE_GATEWAY, call->host->format(call, "HTTP %d", status));
}

/* What a table says of the outcome's code, as far as it knows that. */
static inline void
wechat_apply(const struct gw_call *call, const struct wechat_rule *rules,
    size_t count, struct gw_outcome *outcome)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i].code, outcome->code) == 0) {
			outcome->verdict = rules[i].verdict;
			outcome->scope = rules[i].scope;
			outcome->retry_after_s =
			    wechat_wait_s(call, rules[i].wait);
		}
}

/* What an errcode other than 0 says; one that is not known: not taken. */
static inline struct gw_outcome
wechat_judge(struct gw_call *call, const char *code, bool repeated)
{
	static const char *const token_codes[] = {"40001", "40014", "42001"};
	/* the same message was taken before, and nothing was sent now */
	static const char *const twin_codes[] = {"40241", "45065"};
	struct gw_outcome outcome = {.verdict = GW_RETRY,
	    .scope = GW_SCOPE_MESSAGE,
	    .code = code,
	    .token_refused =
		wechat_is_one_of(code, token_codes, COUNT(token_codes)),
	    .opted_out = strcmp(code, "48002") == 0,
	    .credits_gone = strcmp(code, "43101") == 0};

	if (strcmp(code, "45065") == 0 ||
	    (repeated &&
		wechat_is_one_of(code, twin_codes, COUNT(twin_codes)))) {
		outcome.verdict = GW_ACCEPTED;
		return outcome;
	}
	wechat_apply(call, wechat_rules, COUNT(wechat_rules), &outcome);
	return outcome;
}

/* ---- pushes ---- */

/* Lower-case hex of SHA-1 over the parts, sorted as bytes. */
static inline const char *
wechat_signature(struct gw_call *call, const char *const *parts, size_t count)
{
	const char *sorted[WECHAT_PARTS];
	struct gw_buf *all = call->host->buf(call);
	uint8_t digest[20];

	for (size_t i = 0; i < count; i++) {
		size_t at = i;

		for (; at > 0 && strcmp(sorted[at - 1], parts[i]) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = parts[i];
	}
	for (size_t i = 0; i < count; i++)
		call->host->buf_text(all, sorted[i]);
	call->host->sha1(call, call->host->buf_string(all),
	    call->host->buf_bytes(all), digest);
	return call->host->hex(call, digest, sizeof(digest));
}

/*
 * Is this the signature of a push?  encrypted: what an encrypted one holds,
 * else NULL.  An empty or missing token believes nothing.
 */
static inline bool
wechat_genuine(struct gw_call *call, const char *token, const char *timestamp,
    const char *nonce, const char *encrypted, const char *signature)
{
	const char *const parts[WECHAT_PARTS] = {
	    token, timestamp, nonce, encrypted};
	const char *ours;

	if (token == NULL || token[0] == '\0' || timestamp == NULL ||
	    nonce == NULL || signature == NULL)
		return false;
	ours = wechat_signature(call, parts, encrypted == NULL ? 3 : 4);
	return strlen(signature) == strlen(ours) &&
	       call->host->equal(call, ours, signature, strlen(ours));
}

/* Seconds since 1970, near enough to now? */
static inline bool
wechat_timely(const struct gw_call *call, const char *timestamp)
{
	int64_t apart_s;

	if (timestamp == NULL || !wechat_all_of(timestamp, DIGITS) ||
	    strlen(timestamp) > 12)
		return false;
	apart_s = strtoll(timestamp, NULL, 10) - call->now_us / SECOND_US;
	return apart_s >= -WECHAT_TOLERANCE_S && apart_s <= WECHAT_TOLERANCE_S;
}

/* The 32 bytes of an EncodingAESKey; NULL if it is none. */
static inline const uint8_t *
wechat_aes_key(struct gw_call *call, const char *text)
{
	uint8_t *key;

	if (text == NULL || strlen(text) != WECHAT_AES_KEY_CHARACTERS ||
	    call->host->base64_decode(call,
		call->host->format(call, "%s=", text),
		&key) != WECHAT_AES_KEY_BYTES)
		return NULL;
	return key;
}

/* Bytes without the padding; 0 if that is not as it should be. */
static inline size_t
wechat_unpadded(const uint8_t *data, size_t bytes)
{
	size_t pad = bytes > 0 ? data[bytes - 1] : 0;

	if (pad < 1 || pad > WECHAT_PAD_MAX || pad > bytes)
		return 0;
	for (size_t i = bytes - pad; i < bytes; i++)
		if (data[i] != pad)
			return 0;
	return bytes - pad;
}

/*
 * Open an envelope: 16 random bytes, the message's length, the message, and
 * whom it is for, which must be us.  The message, NUL-terminated, or NULL.
 */
static inline char *
wechat_open(struct gw_call *call, const char *aes_key, const char *us,
    const char *encrypted, size_t *bytes)
{
	const struct gw_host *host = call->host;
	const uint8_t *key = wechat_aes_key(call, aes_key);
	size_t us_bytes = strlen(us), total;
	uint8_t *sealed, *plain;
	uint32_t length;
	long count;

	if (key == NULL || us_bytes == 0)
		return NULL;
	count = host->base64_decode(call, encrypted, &sealed);
	if (count <= 0)
		return NULL;
	plain = host->alloc(call, (size_t)count + 1);
	if (!host->aes_cbc_decrypt(
		call, key, key, sealed, (size_t)count, plain))
		return NULL;
	total = wechat_unpadded(plain, (size_t)count);
	if (total < WECHAT_PREFIX_BYTES + us_bytes)
		return NULL;
	length = (uint32_t)plain[16] << 24 | (uint32_t)plain[17] << 16 |
		 (uint32_t)plain[18] << 8 | plain[19];
	if (length != total - WECHAT_PREFIX_BYTES - us_bytes ||
	    memcmp(plain + WECHAT_PREFIX_BYTES + length, us, us_bytes) != 0)
		return NULL;
	plain[WECHAT_PREFIX_BYTES + length] = '\0';
	*bytes = length;
	return (char *)plain + WECHAT_PREFIX_BYTES;
}

static inline struct gw_answer
wechat_answer(int status, const char *body)
{
	return (struct gw_answer){status, "text/plain", body, strlen(body)};
}

/* Is it signed with the token, or the one before? */
static inline bool
wechat_is_signed(struct gw_call *call, const char *query, const char *encrypted)
{
	static const char *const tokens[WECHAT_SECRETS] = {
	    "callback-token", "callback-old-token"};
	const char *timestamp = wechat_parameter(call, query, "timestamp");
	const char *nonce = wechat_parameter(call, query, "nonce");
	const char *signature = wechat_parameter(
	    call, query, encrypted != NULL ? "msg_signature" : "signature");
	bool genuine = false;

	for (size_t i = 0; i < WECHAT_SECRETS; i++)
		genuine |= wechat_genuine(call, gw_setting(call, tokens[i]),
		    timestamp, nonce, encrypted, signature);
	return genuine && wechat_timely(call, timestamp);
}

/* Opened with the key, or the one before; NULL: it is not for us. */
static inline const char *
wechat_open_push(
    struct gw_call *call, const char *us, const char *encrypted, size_t *bytes)
{
	static const char *const keys[WECHAT_SECRETS] = {
	    "callback-aes-key", "callback-old-aes-key"};

	for (size_t i = 0; i < WECHAT_SECRETS; i++) {
		const char *message = wechat_open(
		    call, gw_setting(call, keys[i]), us, encrypted, bytes);

		if (message != NULL)
			return message;
	}
	return NULL;
}

/* Are the tokens and keys of pushes usable?  NULL, or what is wrong. */
static inline const char *
wechat_check_secrets(struct gw_call *call)
{
	static const char *const keys[WECHAT_SECRETS] = {
	    "callback-aes-key", "callback-old-aes-key"};
	const char *token = gw_setting(call, "callback-token");

	if (token != NULL && token[0] == '\0')
		return "callback-token is empty";
	if (token == NULL && gw_setting(call, "callback-old-token") != NULL)
		return "callback-old-token-file: without callback-token-file";
	for (size_t i = 0; i < WECHAT_SECRETS; i++)
		if (gw_setting(call, keys[i]) != NULL &&
		    wechat_aes_key(call, gw_setting(call, keys[i])) == NULL)
			return call->host->format(
			    call, "%s-file: 43 characters of base64", keys[i]);
	return gw_setting(call, keys[0]) == NULL &&
		       gw_setting(call, keys[1]) != NULL
		   ? "callback-old-aes-key-file: without "
		     "callback-aes-key-file"
		   : NULL;
}

#endif
