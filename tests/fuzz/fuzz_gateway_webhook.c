/*
 * Foreign bytes for the webhook gateway: answers to a send, callbacks with
 * any headers, callbacks that are signed, and messages with any address and
 * values.  Whatever comes in, an outcome is whole, only a 2xx is taken for
 * acceptance, nothing unsigned makes an event, and a request is JSON.
 */
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "flow/gateway_call.h"
#include "fuzz.h"

#define MESSAGES 2
#define NOW_S "1767573000" /* 2026-01-05 00:30 UTC */
#define NOW_US INT64_C(1767573000000000)
#define KEY "0123456789abcdef01234567" /* of verify-secret */

extern const struct gw_api adherd_gateway_webhook;

static const struct gw_api *const api = &adherd_gateway_webhook;
static const struct gw_pair settings[] = {
    {"url", "https://gateway.example/adherd"},
    {"signing-secret", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="},
    {"verify-secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"}};
static const struct gw_message messages[MESSAGES] = {
    {.reference = "ma"}, {.reference = "mb"}};

static void
fuzz_sent(struct gw_call *call, int status, const char *text, size_t bytes)
{
	const struct gw_response response = {
	    .status = status, .body = text, .body_bytes = bytes};
	struct gw_outcome outcomes[MESSAGES] = {0};

	for (size_t count = 1; count <= MESSAGES; count++) {
		api->sent(call, messages, count, &response, outcomes);
		for (size_t i = 0; i < count; i++) {
			const struct gw_outcome *o = &outcomes[i];

			must(o->verdict >= GW_ACCEPTED &&
			     o->verdict <= GW_UNKNOWN);
			must(o->scope >= GW_SCOPE_RECIPIENT &&
			     o->scope <= GW_SCOPE_GATEWAY);
			must(o->code != NULL && strlen(o->code) <= 64);
			must(
			    o->retry_after_s >= 0 && o->retry_after_s <= 86400);
			must(o->verdict != GW_ACCEPTED || status / 100 == 2);
			must(!o->opted_out || o->verdict == GW_REJECTED);
		}
	}
}

static void
check_event(const struct gw_event *event)
{
	must(event->id != NULL);
	switch (event->type) {
	case GW_EVENT_RECEIPT:
		must(event->reference != NULL || event->provider_id != NULL);
		break;
	case GW_EVENT_REPLY:
		must(event->address != NULL && event->text != NULL);
		must(strlen(event->text) <= 8192);
		break;
	case GW_EVENT_CREDIT:
		must(event->address != NULL);
		must(event->credits >= 1 && event->credits <= 1000);
		break;
	default:
		must(false);
	}
}

/* How many events it gave, or -1. */
static int
receive(struct gw_call *call, const struct gw_pair *headers, const char *body,
    size_t bytes, int *status)
{
	const struct gw_callback callback = {.method = "POST",
	    .path = "",
	    .query = "",
	    .headers = headers,
	    .header_count = 3,
	    .body = body,
	    .body_bytes = bytes};
	const struct gw_event *events = NULL;
	struct gw_answer answer = {0};
	int count = api->receive(call, &callback, &events, &answer);

	must((count >= 0) == (answer.status == 204));
	for (int i = 0; i < count; i++)
		check_event(&events[i]);
	*status = answer.status;
	return count;
}

/* A line for each header, then the body; nobody guesses a signature. */
static void
fuzz_forged(struct gw_call *call, char *text, size_t bytes)
{
	struct gw_pair headers[] = {{"webhook-id", ""},
	    {"webhook-timestamp", ""}, {"webhook-signature", ""}};
	const char *end = text + bytes;
	int status;

	for (int i = 0; i < 3; i++) {
		headers[i].value = text;
		text += strcspn(text, "\n");
		if (text < end && *text == '\n')
			*text++ = '\0';
	}
	must(receive(call, headers, text, (size_t)(end - text), &status) < 0);
	must(status == 401);
}

/* Signed: whatever is wrong now is in the body. */
static void
fuzz_signed(struct gw_call *call, const char *text, size_t bytes)
{
	struct buf content = BUF_INIT(0), signature = BUF_INIT(0);
	struct gw_pair headers[] = {{"webhook-id", "evt_1"},
	    {"webhook-timestamp", NOW_S}, {"webhook-signature", ""}};
	uint8_t digest[32];
	int status;

	buf_text(&content, "evt_1." NOW_S ".");
	buf_add(&content, text, bytes);
	crypto_hmac_sha256(
	    KEY, sizeof(KEY) - 1, content.data, content.bytes, digest);
	buf_text(&signature, "v1a,x v1,");
	crypto_base64(digest, sizeof(digest), &signature);
	headers[2].value = buf_string(&signature);
	(void)receive(call, headers, text, bytes, &status);
	must(status == 204 || status == 400);
	buf_free(&content);
	buf_free(&signature);
}

static void
fuzz_send(struct gw_call *call, char *text)
{
	struct gw_pair parameter = {text, text};
	struct gw_message list[MESSAGES] = {{.reference = "ma",
						.address = text,
						.appid = text,
						.text = text,
						.locale = text,
						.template_code = text,
						.signature = text,
						.parameters = &parameter,
						.parameter_count = 1,
						.extension = text,
						.valid_s = 60,
						.link = text},
	    {.reference = "mb", .address = "+8613800000000", .text = text}};
	struct gw_outcome outcomes[MESSAGES] = {0};
	struct gw_request request = {0};

	for (size_t count = 1; count <= MESSAGES; count++) {
		must(api->send(call, list, count, &request, outcomes) == 0);
		must(call->host->json_parse(
			 call, request.body, request.body_bytes) != NULL);
		for (size_t i = 0; i < request.header_count; i++)
			must(request.headers[i].value[strcspn(
				 request.headers[i].value, "\r\n")] == '\0');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const int statuses[] = {200, 202, 400, 401, 410, 429, 500, 503};
	struct arena *arena = arena_create();
	struct gw_call call;
	char *text;

	if (bytes >= 1) {
		text = arena_text_n(arena, (const char *)data + 1, bytes - 1);
		gateway_call_init(&call, arena, "fuzz", settings,
		    COUNT(settings), NOW_US, NULL);
		switch (data[0] % 4) {
		case 0:
			fuzz_sent(&call,
			    statuses[(data[0] >> 2) % COUNT(statuses)], text,
			    bytes - 1);
			break;
		case 1:
			fuzz_forged(&call, text, bytes - 1);
			break;
		case 2:
			fuzz_signed(&call, text, bytes - 1);
			break;
		default:
			fuzz_send(&call, text);
		}
	}
	arena_free(arena);
	return 0;
}
