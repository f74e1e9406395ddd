/*
 * Verification of TC3-HMAC-SHA256.  Owns nothing; all lives in the request's
 * arena.  There is no nonce: a request may come again within its time.
 */
#include "tests/sim/tc3.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/crypto.h"
#include "tests/sim/number.h"
#include "tests/sim/signing.h"

#define TOLERANCE_US (5 * MINUTE_US)
#define TIMESTAMP_DIGITS_MAX 11

static const char *const authorization_labels[] = {
    "TC3-HMAC-SHA256 Credential=", ", SignedHeaders=", ", Signature="};

static struct tc3_refusal
not_matched(void)
{
	return (struct tc3_refusal){"AuthFailure.SignatureFailure",
	    "The provided credentials could not be validated. Please check "
	    "your signature is correct."};
}

/* "2019-02-25" of a timestamp, UTC. */
static const char *
utc_date(int64_t seconds, struct arena *arena)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	char text[16];

	(void)gmtime_r(&when, &parts);
	(void)strftime(text, sizeof(text), "%Y-%m-%d", &parts);
	return arena_text(arena, text);
}

/* The header's only value, trimmed; NULL if it is absent or there twice. */
static const char *
only_value(const struct door_request *request, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < request->header_count; i++) {
		if (strcasecmp(request->headers[i].name, name) != 0)
			continue;
		if (found != NULL)
			return NULL;
		found =
		    signing_trimmed(request->headers[i].value, request->arena);
	}
	return found;
}

/* The signed headers, values in lower case; false if one is out of order. */
static bool
canonical_headers(
    const struct door_request *request, const char *list, struct buf *out)
{
	const char *previous = "";

	if (!signing_listed("host", list) ||
	    !signing_listed("content-type", list))
		return false;
	while (*list != '\0') {
		size_t bytes = strcspn(list, ";");
		const char *name = arena_text_n(request->arena, list, bytes);
		const char *value = only_value(request, name);

		if (strcmp(previous, name) >= 0 || value == NULL)
			return false;
		buf_printf(out, "%s:", name);
		for (; *value != '\0'; value++)
			buf_char(out, (char)tolower((unsigned char)*value));
		buf_char(out, '\n');
		previous = name;
		list += bytes;
		list += *list == ';';
	}
	return true;
}

/* NULL if the request cannot have one. */
static const char *
string_to_sign(const struct door_request *request, const char *signed_headers,
    const char *timestamp, const char *scope)
{
	struct buf canonical = BUF_INIT(16u << 20);
	const char *result = NULL;
	char digest[65];

	buf_printf(&canonical, "%s\n%s\n%s\n", request->method, request->path,
	    request->query);
	if (canonical_headers(request, signed_headers, &canonical)) {
		signing_hex_sha256(request->body, request->body_bytes, digest);
		buf_printf(&canonical, "\n%s\n%s", signed_headers, digest);
		signing_hex_sha256(canonical.data, canonical.bytes, digest);
		result = arena_printf(request->arena,
		    "TC3-HMAC-SHA256\n%s\n%s\n%s", timestamp, scope, digest);
	}
	buf_free(&canonical);
	return result;
}

/* The next key of the chain, in place. */
static void
derive(uint8_t key[32], const char *text)
{
	uint8_t next[32];

	crypto_hmac_sha256(key, 32, text, strlen(text), next);
	memcpy(key, next, sizeof(next));
}

static bool
signature_good(const struct sim *sim, const char *date, const char *service,
    const char *text, const char *claimed, struct arena *arena)
{
	const char *secret =
	    arena_printf(arena, "TC3%s", sim->access_key_secret);
	uint8_t key[32];
	char signature[65];

	crypto_hmac_sha256(secret, strlen(secret), date, strlen(date), key);
	derive(key, service);
	derive(key, "tc3_request");
	derive(key, text);
	crypto_hex(key, sizeof(key), signature);
	return strcmp(signature, claimed) == 0;
}

static struct tc3_refusal
check_time(const struct sim *sim, int64_t seconds)
{
	int64_t off = seconds * SECOND_US - clock_wall() - sim->clock_ahead_us;

	if (off > TOLERANCE_US || off < -TOLERANCE_US)
		return (struct tc3_refusal){"AuthFailure.SignatureExpire",
		    "The provided signature has expired."};
	return (struct tc3_refusal){0};
}

/* The key's id, before the scope. */
static struct tc3_refusal
check_key(const struct sim *sim, const char *credential, const char *scope)
{
	size_t id = strlen(sim->access_key_id);
	const char *slash = strchr(credential, '/');

	if (slash == NULL || (size_t)(slash - credential) != id ||
	    strncmp(credential, sim->access_key_id, id) != 0)
		return (struct tc3_refusal){"AuthFailure.SecretIdNotFound",
		    "The SecretId is not found, please ensure that your "
		    "SecretId is correct."};
	return strcmp(slash + 1, scope) == 0 ? (struct tc3_refusal){0}
					     : not_matched();
}

struct tc3_refusal
tc3_verify(const struct sim *sim, const struct door_request *request,
    const char *service)
{
	const char *text = door_header(request, "authorization");
	const char *timestamp = door_header(request, "x-tc-timestamp");
	struct signing_fields fields = {0};
	struct tc3_refusal refusal;
	const char *date, *scope, *to_sign;

	if (timestamp == NULL || !number_all_digits(timestamp) ||
	    strlen(timestamp) > TIMESTAMP_DIGITS_MAX)
		return (struct tc3_refusal){"MissingParameter",
		    "The request is missing the X-TC-Timestamp header."};
	if (text == NULL ||
	    !signing_read(text, authorization_labels, request->arena, &fields))
		return (struct tc3_refusal){"AuthFailure.InvalidAuthorization",
		    "The Authorization header is malformed."};
	date = utc_date(atoll(timestamp), request->arena);
	scope =
	    arena_printf(request->arena, "%s/%s/tc3_request", date, service);
	refusal = check_key(sim, fields.credential, scope);
	if (refusal.code == NULL)
		refusal = check_time(sim, atoll(timestamp));
	if (refusal.code != NULL)
		return refusal;
	to_sign =
	    string_to_sign(request, fields.signed_headers, timestamp, scope);
	if (to_sign == NULL || !signature_good(sim, date, service, to_sign,
				   fields.signature, request->arena))
		return not_matched();
	return (struct tc3_refusal){0};
}
