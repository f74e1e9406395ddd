#ifndef ADHERD_GATEWAY_CLOUD_SMS_H
#define ADHERD_GATEWAY_CLOUD_SMS_H

/*
 * What the plug-ins for the SMS services of China's clouds have in common:
 * reading JSON, numbers, the endpoint, the request that ACS3 and TC3 sign,
 * and what an HTTP status says.  Not part of the interface; a plug-in of
 * somebody else's needs gateway.h alone.
 */
#include "gateway.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CHINA_OFFSET_S (8 * 3600) /* no summer time */
#define DAY_S 86400
#define SECOND_US INT64_C(1000000)
#define EVENTS_MAX 1000      /* of one push */
#define REPLY_BYTES_MAX 8192 /* of its text: all that the host keeps */

struct rule { /* what a code means for one message */
	const char *code;
	enum gw_verdict verdict;
	enum gw_scope scope;
};

struct report { /* what a receipt's code says of the number */
	const char *code;
	bool address_bad;
	bool opted_out;
};

/* ---- reading ---- */

/* A member that is a string and not empty, or NULL. */
static inline const char *
string_at(struct gw_call *call, const struct gw_json *object, const char *key)
{
	const struct gw_host *host = call->host;
	const struct gw_json *value = host->json_get(object, key);
	const char *text = host->json_text(value);

	if (host->json_type(value) != GW_JSON_STRING || text[0] == '\0')
		return NULL;
	return text;
}

/* A member that may come as a string or as a number, or NULL. */
static inline const char *
text_at(struct gw_call *call, const struct gw_json *object, const char *key)
{
	return call->host->json_text(call->host->json_get(object, key));
}

static inline const char *
quoted(struct gw_call *call, const char *text)
{
	struct gw_buf *buf = call->host->buf(call);

	call->host->buf_json(buf, text);
	return call->host->buf_string(buf);
}

/* A time of the provider: China's, no zone; now if it cannot be read. */
static inline int64_t
china_instant(struct gw_call *call, const char *text)
{
	int64_t at_us;

	if (text == NULL ||
	    !call->host->time_parse(call, text, CHINA_OFFSET_S, &at_us))
		return call->now_us;
	return at_us;
}

static inline int32_t
china_second_of_day(int64_t at_us)
{
	return (int32_t)((at_us / SECOND_US + CHINA_OFFSET_S) % DAY_S);
}

static inline struct gw_outcome
outcome_of(enum gw_verdict verdict, enum gw_scope scope, const char *code)
{
	return (struct gw_outcome){
	    .verdict = verdict, .scope = scope, .code = code};
}

/* ---- numbers ---- */

static inline bool
all_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* 11 digits that the provider reads as a number at home. */
static inline bool
is_mainland(const char *digits)
{
	return strlen(digits) == 11 && digits[0] == '1';
}

/* The inverse, for numbers in pushes, or NULL. */
static inline const char *
e164(struct gw_call *call, const char *number)
{
	bool prefixed = true;

	if (number == NULL)
		return NULL;
	if (number[0] == '+')
		number++;
	else if (strncmp(number, "00", 2) == 0)
		number += 2;
	else
		prefixed = false;
	if (!all_digits(number) || strlen(number) > 15)
		return NULL;
	if (!prefixed && is_mainland(number))
		return call->host->format(call, "+86%s", number);
	return call->host->format(call, "+%s", number);
}

/* What the carriers' own codes say; NULL: nothing of the number. */
static inline const struct report *
carrier_report(const char *code)
{
	static const struct report reports[] = {
	    {"DBBLACK", .opted_out = true},
	    {"MBBLACK", .opted_out = true},
	    {"MK:0001", .address_bad = true},
	    {"MK:0005", .address_bad = true},
	};

	for (size_t i = 0; i < COUNT(reports); i++)
		if (strcmp(reports[i].code, code) == 0)
			return &reports[i];
	return NULL;
}

/* ---- signing ---- */

/* Where the host and port begin; NULL if this is no plain endpoint. */
static inline const char *
endpoint_authority(const char *endpoint)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "0123456789.-:[]";
	const char *authority = NULL;
	size_t bytes;

	if (strncmp(endpoint, "https://", 8) == 0)
		authority = endpoint + 8;
	else if (strncmp(endpoint, "http://", 7) == 0)
		authority = endpoint + 7;
	if (authority == NULL)
		return NULL;
	bytes = strspn(authority, allowed);
	if (bytes == 0 ||
	    strcmp(authority + bytes + (authority[bytes] == '/'), "") != 0)
		return NULL;
	return authority;
}

/* The Host header: without a slash at the end or the scheme's own port. */
static inline const char *
endpoint_host(struct gw_call *call, const char *endpoint)
{
	const char *authority = endpoint_authority(endpoint);
	const char *port = endpoint[4] == 's' ? ":443" : ":80";
	size_t bytes = strcspn(authority, "/");
	size_t port_bytes = strlen(port);

	if (bytes > port_bytes &&
	    strncmp(authority + bytes - port_bytes, port, port_bytes) == 0)
		bytes -= port_bytes;
	return call->host->format(call, "%.*s", (int)bytes, authority);
}

/* The URL of "/", with what the Host header says. */
static inline const char *
endpoint_url(struct gw_call *call, const char *endpoint)
{
	return call->host->format(call, "%.*s%s/",
	    (int)(endpoint_authority(endpoint) - endpoint), endpoint,
	    endpoint_host(call, endpoint));
}

static inline const char *
hex_sha256(struct gw_call *call, const char *text)
{
	uint8_t digest[32];

	call->host->sha256(call, text, strlen(text), digest);
	return call->host->hex(call, digest, sizeof(digest));
}

/* The names of the signed headers, joined by ";". */
static inline const char *
signed_names(struct gw_call *call, const struct gw_pair *headers, size_t count)
{
	struct gw_buf *buf = call->host->buf(call);

	for (size_t i = 0; i < count; i++) {
		call->host->buf_text(buf, i > 0 ? ";" : "");
		call->host->buf_text(buf, headers[i].name);
	}
	return call->host->buf_string(buf);
}

/* POST of "/"; headers are lower case, in order, trimmed. */
static inline const char *
canonical_request(struct gw_call *call, const char *query,
    const struct gw_pair *headers, size_t count, const char *body)
{
	const struct gw_host *host = call->host;
	struct gw_buf *buf = host->buf(call);

	host->buf_text(buf, host->format(call, "POST\n/\n%s\n", query));
	for (size_t i = 0; i < count; i++)
		host->buf_text(buf, host->format(call, "%s:%s\n",
					headers[i].name, headers[i].value));
	host->buf_text(buf,
	    host->format(call, "\n%s\n%s", signed_names(call, headers, count),
		hex_sha256(call, body)));
	return host->buf_string(buf);
}

/* ---- sending ---- */

static inline const char *
signature_of(struct gw_call *call, const struct gw_message *message)
{
	return message->signature != NULL ? message->signature
					  : gw_setting(call, "sign-name");
}

/* One JSON array over all messages, in their order. */
static inline const char *
json_array(struct gw_call *call, const struct gw_message *messages,
    size_t count,
    const char *(*item)(struct gw_call *, const struct gw_message *))
{
	struct gw_buf *buf = call->host->buf(call);

	for (size_t i = 0; i < count; i++) {
		call->host->buf_text(buf, i > 0 ? "," : "[");
		call->host->buf_text(buf, item(call, &messages[i]));
	}
	call->host->buf_text(buf, "]");
	return call->host->buf_string(buf);
}

/*
 * Can all of them be expressed?  Where obstacle() refuses one, outcomes has
 * it, and the others as refused for the batch: each is then sent alone.
 */
static inline bool
all_expressible(struct gw_call *call, const struct gw_message *messages,
    size_t count, struct gw_outcome *outcomes,
    struct gw_outcome (*obstacle)(
	struct gw_call *call, const struct gw_message *message))
{
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		outcomes[i] = obstacle(call, &messages[i]);
		good = good && outcomes[i].verdict == 0;
	}
	for (size_t i = 0; i < count && !good; i++)
		if (outcomes[i].verdict == 0)
			outcomes[i] =
			    outcome_of(GW_REJECTED, GW_SCOPE_MESSAGE, "batch");
	return good;
}

/* ---- answers ---- */

/* NULL: not in the table. */
static inline const struct rule *
rule_of(const struct rule *rules, size_t count, const char *code)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i].code, code) == 0)
			return &rules[i];
	return NULL;
}

/* By the HTTP status, where the code (or NULL) is not in the table. */
static inline struct gw_outcome
judge_status(struct gw_call *call, int status, const char *code)
{
	struct gw_outcome outcome = outcome_of(GW_UNKNOWN, GW_SCOPE_GATEWAY,
	    code != NULL ? code : call->host->format(call, "HTTP %d", status));

	if (status == 401 || status == 403 || status == 429 ||
	    (status / 100 == 4 && code == NULL)) {
		outcome.verdict = GW_RETRY;
	} else if (status / 100 == 4 || (status == 200 && code != NULL)) {
		/* refused for a reason that we do not know: not taken */
		outcome.verdict = GW_RETRY;
		outcome.scope = GW_SCOPE_MESSAGE;
	}
	return outcome;
}

/* Of a batch: refused for one of its members, we are not told which? */
static inline bool
blames_member(const struct gw_outcome *outcome)
{
	return (outcome->verdict == GW_REJECTED ||
		   outcome->verdict == GW_RETRY) &&
	       (outcome->scope == GW_SCOPE_RECIPIENT ||
		   outcome->scope == GW_SCOPE_MESSAGE);
}

/* Our answer to a push. */
static inline struct gw_answer
answer(int status, const char *body)
{
	return (struct gw_answer){
	    status, "application/json; charset=utf-8", body, strlen(body)};
}

#endif
