/*
 * Verification of Aliyun's signatures.  Owns the ring of nonces; all else
 * lives in the request's arena.
 */
#include "tests/sim/acs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/crypto.h"
#include "tests/sim/signing.h"
#include "tests/sim/table.h"

#define NONCES_MAX 1000000
#define PARAMS_MAX 256
#define TOLERANCE_US (15 * MINUTE_US)

struct nonces {
	uint64_t *ring; /* NONCES_MAX hashes, oldest overwritten */
	size_t next;
	struct table *seen;
};

struct nonces *
nonces_create(void)
{
	struct nonces *nonces = mem_alloc(sizeof(*nonces));

	nonces->ring = mem_alloc(NONCES_MAX * sizeof(*nonces->ring));
	nonces->seen = table_create(NONCES_MAX);
	return nonces;
}

void
nonces_free(struct nonces *nonces)
{
	table_free(nonces->seen);
	free(nonces->ring);
	free(nonces);
}

bool
nonces_add(struct nonces *nonces, const char *nonce)
{
	uint64_t hash = sim_hash(&nonce, 1);
	uint64_t *slot = &nonces->ring[nonces->next];

	if (table_get(nonces->seen, hash) != 0)
		return false;
	if (*slot != 0)
		table_remove(nonces->seen, *slot);
	*slot = hash;
	table_put(nonces->seen, hash, 1);
	nonces->next = (nonces->next + 1) % NONCES_MAX;
	return true;
}

/* ---- parameters ---- */

static int
hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static const char *
decode(const char *text, size_t bytes, struct arena *arena)
{
	char *out = arena_alloc(arena, bytes + 1);
	size_t to = 0;

	for (size_t i = 0; i < bytes; i++) {
		int high = -1, low = -1;

		if (text[i] == '%' && i + 2 < bytes) {
			high = hex_digit(text[i + 1]);
			low = hex_digit(text[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			out[to++] = (char)(high << 4 | low);
			i += 2;
		} else {
			out[to++] = text[i] == '+' ? ' ' : text[i];
		}
	}
	out[to] = '\0';
	return out;
}

static void
read_form(const char *text, size_t text_bytes, bool in_query,
    struct arena *arena, struct acs_params *params)
{
	const char *end = text + text_bytes;

	while (text < end && params->count < PARAMS_MAX) {
		const char *stop = memchr(text, '&', (size_t)(end - text));
		const char *equals;

		if (stop == NULL)
			stop = end;
		equals = memchr(text, '=', (size_t)(stop - text));
		if (equals == NULL)
			equals = stop;
		if (stop > text)
			params->list[params->count++] = (struct acs_param){
			    decode(text, (size_t)(equals - text), arena),
			    equals == stop
				? ""
				: decode(equals + 1,
				      (size_t)(stop - equals - 1), arena),
			    in_query};
		text = stop + 1;
	}
}

struct acs_params
acs_params_read(const struct door_request *request)
{
	struct acs_params params = {0};
	const char *type = door_header(request, "content-type");

	params.list =
	    arena_array(request->arena, PARAMS_MAX + 1, sizeof(*params.list));
	read_form(request->query, strlen(request->query), true, request->arena,
	    &params);
	if (type != NULL &&
	    strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0)
		read_form(request->body, request->body_bytes, false,
		    request->arena, &params);
	return params;
}

const char *
acs_param(const struct acs_params *params, const char *name)
{
	for (size_t i = 0; i < params->count; i++)
		if (strcmp(params->list[i].name, name) == 0)
			return params->list[i].value;
	return NULL;
}

/* ---- canonical forms ---- */

/* RFC 3986: all but the unreserved set, upper-case hex. */
static void
encode(const char *text, struct buf *out)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if ((byte >= '0' && byte <= '9') ||
		    (byte >= 'A' && byte <= 'Z') ||
		    (byte >= 'a' && byte <= 'z') || byte == '-' ||
		    byte == '_' || byte == '.' || byte == '~')
			buf_char(out, (char)byte);
		else
			buf_printf(out, "%%%02X", byte);
	}
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
compare_params(const void *left, const void *right)
{
	const struct acs_param *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order != 0 ? order : strcmp(a->value, b->value);
}

/* Encoded k=v sorted by key, joined by &; all, or the query's alone. */
static void
canonical_params(const struct acs_params *params, bool query_only,
    struct arena *arena, struct buf *out)
{
	struct acs_param *sorted = arena_copy(
	    arena, params->list, (params->count + 1) * sizeof(*sorted));
	const char *between = "";

	qsort(sorted, params->count, sizeof(*sorted), compare_params);
	for (size_t i = 0; i < params->count; i++) {
		if (query_only && !sorted[i].in_query)
			continue;
		if (!query_only && strcmp(sorted[i].name, "Signature") == 0)
			continue;
		buf_text(out, between);
		encode(sorted[i].name, out);
		buf_char(out, '=');
		encode(sorted[i].value, out);
		between = "&";
	}
}

/* All values of one header, trimmed, sorted, joined; false if it is absent. */
static bool
canonical_header(
    const struct door_request *request, const char *name, struct buf *out)
{
	const char **values = arena_array(
	    request->arena, request->header_count + 1, sizeof(*values));
	size_t count = 0;

	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			values[count++] = signing_trimmed(
			    request->headers[i].value, request->arena);
	qsort(values, count, sizeof(*values), compare_texts);
	buf_printf(out, "%s:", name);
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s", i > 0 ? "," : "", values[i]);
	buf_char(out, '\n');
	return count > 0;
}

/* ---- ACS3 ---- */

/* "ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…", exactly. */
static const char *const authorization_labels[] = {
    "ACS3-HMAC-SHA256 Credential=", ",SignedHeaders=", ",Signature="};

/* The first header that had to be signed and was not, or NULL. */
static const char *
unsigned_header(const struct door_request *request, const char *list)
{
	if (!signing_listed("host", list))
		return "host";
	for (size_t i = 0; i < request->header_count; i++) {
		const char *name = request->headers[i].name;
		bool needed = strncasecmp(name, "x-acs-", 6) == 0 ||
			      (request->body_bytes > 0 &&
				  strcasecmp(name, "content-type") == 0);

		if (needed && !signing_listed(name, list))
			return name;
	}
	return NULL;
}

/* The signed headers in order; false if one is absent or out of order. */
static bool
canonical_headers(
    const struct door_request *request, const char *list, struct buf *out)
{
	const char *previous = "";

	while (*list != '\0') {
		size_t bytes = strcspn(list, ";");
		const char *name = arena_text_n(request->arena, list, bytes);

		if (strcmp(previous, name) >= 0 ||
		    !canonical_header(request, name, out))
			return false;
		previous = name;
		list += bytes;
		list += *list == ';';
	}
	return true;
}

static struct acs_refusal
not_matched(const char *string_to_sign, struct arena *arena)
{
	return (struct acs_refusal){400, "SignatureDoesNotMatch",
	    arena_printf(arena,
		"Specified signature is not matched with our calculation. "
		"server string to sign is:%s",
		string_to_sign)};
}

/* The string to sign; NULL with the reason if the request cannot have one. */
static const char *
acs3_string_to_sign(const struct door_request *request,
    const struct acs_params *params, const char *signed_headers,
    const char **reason)
{
	const char *claimed = door_header(request, "x-acs-content-sha256");
	const char *missing = unsigned_header(request, signed_headers);
	struct buf canonical = BUF_INIT(16u << 20);
	char digest[65];
	const char *result = NULL;

	signing_hex_sha256(request->body, request->body_bytes, digest);
	buf_printf(&canonical, "%s\n%s\n", request->method, request->path);
	canonical_params(params, true, request->arena, &canonical);
	buf_char(&canonical, '\n');
	if (claimed == NULL || strcmp(claimed, digest) != 0) {
		*reason = "x-acs-content-sha256 is not the body's";
	} else if (missing != NULL) {
		*reason = "a header that must be signed is not";
	} else if (!canonical_headers(request, signed_headers, &canonical)) {
		*reason = "SignedHeaders: absent header, or not in order";
	} else {
		buf_printf(&canonical, "\n%s\n%s", signed_headers, digest);
		signing_hex_sha256(canonical.data, canonical.bytes, digest);
		result = arena_printf(
		    request->arena, "ACS3-HMAC-SHA256\n%s", digest);
	}
	buf_free(&canonical);
	return result;
}

/* Code NULL if the time is good. */
static struct acs_refusal
check_time(const struct sim *sim, const char *text)
{
	struct tm when = {0};
	const char *end =
	    text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &when) : NULL;
	int64_t off;

	if (end == NULL || *end != '\0' || strlen(text) != 20)
		return (struct acs_refusal){400, "InvalidTimeStamp.Format",
		    "Specified time stamp or date value is not well "
		    "formatted."};
	off = (int64_t)timegm(&when) * SECOND_US - clock_wall() -
	      sim->clock_ahead_us;
	if (off > TOLERANCE_US || off < -TOLERANCE_US)
		return (struct acs_refusal){400, "InvalidTimeStamp.Expired",
		    "Specified time stamp or date value is expired."};
	return (struct acs_refusal){0};
}

static struct acs_refusal
check_nonce(struct sim *sim, const char *nonce)
{
	if (nonce == NULL || nonce[0] == '\0')
		return (struct acs_refusal){400, "MissingSignatureNonce",
		    "SignatureNonce is mandatory for this action."};
	if (!nonces_add(sim->nonces, nonce))
		return (struct acs_refusal){400, "SignatureNonceUsed",
		    "Specified signature nonce was used already."};
	return (struct acs_refusal){0};
}

static struct acs_refusal
check_key(struct sim *sim, const char *id)
{
	if (id == NULL || id[0] == '\0')
		return (struct acs_refusal){400, "MissingAccessKeyId",
		    "AccessKeyId is mandatory for this action."};
	if (strcmp(id, sim->access_key_id) != 0)
		return (struct acs_refusal){404, "InvalidAccessKeyId.NotFound",
		    "Specified access key is not found."};
	return (struct acs_refusal){0};
}

static struct acs_refusal
verify_acs3(struct sim *sim, const struct door_request *request,
    const struct acs_params *params, const char *text)
{
	struct signing_fields authorization = {0};
	struct acs_refusal refusal;
	const char *string_to_sign, *reason = NULL;
	uint8_t digest[32];
	char signature[65];

	if (!signing_read(
		text, authorization_labels, request->arena, &authorization))
		return (struct acs_refusal){400, "IncompleteSignature",
		    "The Authorization header is malformed."};
	refusal = check_key(sim, authorization.credential);
	if (refusal.code == NULL)
		refusal = check_time(sim, door_header(request, "x-acs-date"));
	if (refusal.code != NULL)
		return refusal;
	string_to_sign = acs3_string_to_sign(
	    request, params, authorization.signed_headers, &reason);
	if (string_to_sign == NULL)
		return not_matched(reason, request->arena);
	crypto_hmac_sha256(sim->access_key_secret,
	    strlen(sim->access_key_secret), string_to_sign,
	    strlen(string_to_sign), digest);
	crypto_hex(digest, sizeof(digest), signature);
	if (strcmp(signature, authorization.signature) != 0)
		return not_matched(string_to_sign, request->arena);
	return check_nonce(sim, door_header(request, "x-acs-signature-nonce"));
}

/* ---- the older scheme ---- */

static bool
rpc_signature_good(struct sim *sim, const struct door_request *request,
    const struct acs_params *params, const char **string_to_sign)
{
	struct buf canonical = BUF_INIT(16u << 20), sign = BUF_INIT(48u << 20);
	struct buf signature = BUF_INIT(128);
	const char *claimed = acs_param(params, "Signature");
	const char *key =
	    arena_printf(request->arena, "%s&", sim->access_key_secret);
	uint8_t digest[20];
	bool good;

	canonical_params(params, false, request->arena, &canonical);
	buf_printf(&sign, "%s&%%2F&", request->method);
	encode(buf_string(&canonical), &sign);
	*string_to_sign = arena_text(request->arena, buf_string(&sign));
	crypto_hmac_sha1(key, strlen(key), sign.data, sign.bytes, digest);
	crypto_base64(digest, sizeof(digest), &signature);
	good = strcmp(buf_string(&signature), claimed) == 0;
	buf_free(&canonical);
	buf_free(&sign);
	buf_free(&signature);
	return good;
}

static bool
param_is(const struct acs_params *params, const char *name, const char *value)
{
	const char *given = acs_param(params, name);

	return given != NULL && strcmp(given, value) == 0;
}

static struct acs_refusal
verify_rpc(struct sim *sim, const struct door_request *request,
    const struct acs_params *params)
{
	struct acs_refusal refusal =
	    check_key(sim, acs_param(params, "AccessKeyId"));
	const char *string_to_sign = "";

	if (refusal.code == NULL)
		refusal = check_time(sim, acs_param(params, "Timestamp"));
	if (refusal.code != NULL)
		return refusal;
	if (!param_is(params, "SignatureMethod", "HMAC-SHA1") ||
	    !param_is(params, "SignatureVersion", "1.0"))
		return (struct acs_refusal){400, "IncompleteSignature",
		    "SignatureMethod HMAC-SHA1, SignatureVersion 1.0."};
	if (!rpc_signature_good(sim, request, params, &string_to_sign))
		return not_matched(string_to_sign, request->arena);
	return check_nonce(sim, acs_param(params, "SignatureNonce"));
}

struct acs_refusal
acs_verify(struct sim *sim, const struct door_request *request,
    const struct acs_params *params)
{
	const char *authorization = door_header(request, "authorization");
	bool rpc = authorization == NULL;
	struct acs_refusal refusal;

	if (rpc && acs_param(params, "Signature") == NULL)
		return check_key(sim, NULL);
	refusal = rpc ? verify_rpc(sim, request, params)
		      : verify_acs3(sim, request, params, authorization);
	if (refusal.code == NULL)
		++*(rpc ? &sim->signed_rpc : &sim->signed_acs3);
	return refusal;
}
