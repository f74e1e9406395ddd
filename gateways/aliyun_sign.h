#ifndef ADHERD_GATEWAY_ALIYUN_SIGN_H
#define ADHERD_GATEWAY_ALIYUN_SIGN_H

/*
 * How Aliyun's requests are signed: ACS3-HMAC-SHA256, where the action is a
 * header, and the older RPC scheme by HMAC-SHA1, where all is parameters.
 * A part of sms_aliyun.c, which has the settings endpoint, access-key-id,
 * access-key-secret and signature.
 */
#include "cloud_sms.h"

#define NONCE_BYTES 16
#define PARAMETERS_MAX 24 /* of a request, those of the scheme included */
#define FORM_TYPE "application/x-www-form-urlencoded"

struct action { /* a request to be signed */
	const char *name;
	const char *version;
	const struct gw_pair *parameters; /* in the order of their names */
	size_t parameter_count;
	bool form; /* parameters in the body, not in the query */
};

static inline const char *
encode_parameters(struct gw_call *call, const struct action *action)
{
	const struct gw_host *host = call->host;
	struct gw_buf *buf = host->buf(call);

	for (size_t i = 0; i < action->parameter_count; i++) {
		host->buf_text(buf, i > 0 ? "&" : "");
		host->buf_text(
		    buf, host->percent(call, action->parameters[i].name));
		host->buf_text(buf, "=");
		host->buf_text(
		    buf, host->percent(call, action->parameters[i].value));
	}
	return host->buf_string(buf);
}

static inline const char *
authorization(struct gw_call *call, const char *canonical, const char *names)
{
	const struct gw_host *host = call->host;
	const char *secret = gw_setting(call, "access-key-secret");
	const char *to_sign = host->format(
	    call, "ACS3-HMAC-SHA256\n%s", hex_sha256(call, canonical));
	uint8_t digest[32];

	host->hmac_sha256(
	    call, secret, strlen(secret), to_sign, strlen(to_sign), digest);
	return host->format(call,
	    "ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%s",
	    gw_setting(call, "access-key-id"), names,
	    host->hex(call, digest, sizeof(digest)));
}

static inline const char *
nonce(struct gw_call *call)
{
	uint8_t random[NONCE_BYTES];

	call->host->random(call, random, sizeof(random));
	return call->host->hex(call, random, sizeof(random));
}

/* ---- ACS3 ---- */

static inline void
sign_acs3(struct gw_call *call, const struct action *action,
    struct gw_request *request)
{
	const struct gw_host *host = call->host;
	const char *endpoint = gw_setting(call, "endpoint");
	const char *parameters = encode_parameters(call, action);
	const char *query = action->form ? "" : parameters;
	const char *body = action->form ? parameters : "";
	const struct gw_pair signed_headers[] = {
	    {"content-type", FORM_TYPE},
	    {"host", endpoint_host(call, endpoint)},
	    {"x-acs-action", action->name},
	    {"x-acs-content-sha256", hex_sha256(call, body)},
	    {"x-acs-date",
		host->time_text(call, call->now_us, 0, "%Y-%m-%dT%H:%M:%SZ")},
	    {"x-acs-signature-nonce", nonce(call)},
	    {"x-acs-version", action->version},
	};
	/* without a body there is no content type */
	size_t skip = action->form ? 0 : 1;
	size_t count = COUNT(signed_headers) - skip;
	struct gw_pair *headers =
	    host->alloc(call, (count + 2) * sizeof(*headers));

	memcpy(headers, signed_headers + skip, count * sizeof(*headers));
	headers[count] = (struct gw_pair){"accept", "application/json"};
	headers[count + 1] = (struct gw_pair){"authorization",
	    authorization(call,
		canonical_request(call, query, headers, count, body),
		signed_names(call, headers, count))};
	*request = (struct gw_request){.method = "POST",
	    .url = host->format(call, "%s%s%s", endpoint_url(call, endpoint),
		query[0] != '\0' ? "?" : "", query),
	    .headers = headers,
	    .header_count = count + 2,
	    .body = body,
	    .body_bytes = strlen(body)};
}

/* ---- RPC ---- */

/* Put a parameter where its name belongs. */
static inline void
insert_parameter(struct gw_pair *list, size_t *count, struct gw_pair pair)
{
	size_t at = (*count)++;

	for (; at > 0 && strcmp(list[at - 1].name, pair.name) > 0; at--)
		list[at] = list[at - 1];
	list[at] = pair;
}

/* Base64 of the HMAC over the method and what was encoded, in order. */
static inline const char *
rpc_signature(struct gw_call *call, const char *method, const char *canonical)
{
	const struct gw_host *host = call->host;
	const char *key =
	    host->format(call, "%s&", gw_setting(call, "access-key-secret"));
	const char *to_sign = host->format(
	    call, "%s&%%2F&%s", method, host->percent(call, canonical));
	uint8_t digest[20];

	host->hmac_sha1(
	    call, key, strlen(key), to_sign, strlen(to_sign), digest);
	return host->base64(call, digest, sizeof(digest));
}

/* All in a form, so that nothing of a patient stands in a URL. */
static inline void
sign_rpc(struct gw_call *call, const struct action *action,
    struct gw_request *request)
{
	static const struct gw_pair headers[] = {
	    {"accept", "application/json"}, {"content-type", FORM_TYPE}};
	const struct gw_host *host = call->host;
	const struct gw_pair public[] = {
	    {"AccessKeyId", gw_setting(call, "access-key-id")},
	    {"Action", action->name},
	    {"Format", "JSON"},
	    {"RegionId", "cn-hangzhou"},
	    {"SignatureMethod", "HMAC-SHA1"},
	    {"SignatureNonce", nonce(call)},
	    {"SignatureVersion", "1.0"},
	    {"Timestamp",
		host->time_text(call, call->now_us, 0, "%Y-%m-%dT%H:%M:%SZ")},
	    {"Version", action->version},
	};
	struct gw_pair list[PARAMETERS_MAX] = {0};
	struct action whole = {.parameters = list};
	const char *canonical;

	for (size_t i = 0; i < COUNT(public); i++)
		insert_parameter(list, &whole.parameter_count, public[i]);
	for (size_t i = 0; i < action->parameter_count; i++)
		insert_parameter(
		    list, &whole.parameter_count, action->parameters[i]);
	canonical = encode_parameters(call, &whole);
	*request = (struct gw_request){.method = "POST",
	    .url = endpoint_url(call, gw_setting(call, "endpoint")),
	    .headers = headers,
	    .header_count = COUNT(headers),
	    .body = host->format(call, "%s&Signature=%s", canonical,
		host->percent(call, rpc_signature(call, "POST", canonical)))};
	request->body_bytes = strlen(request->body);
}

/* Make the signed request of an action, as the settings say. */
static inline void
sign(struct gw_call *call, const struct action *action,
    struct gw_request *request)
{
	if (strcmp(gw_setting(call, "signature"), "rpc") == 0)
		sign_rpc(call, action, request);
	else
		sign_acs3(call, action, request);
}

#endif
