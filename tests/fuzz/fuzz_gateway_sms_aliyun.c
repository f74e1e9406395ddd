/*
 * Foreign bytes for the Aliyun gateway: answers to a send and to a query,
 * pushes, and messages with any address and values.  Whatever comes in, an
 * outcome is whole, only a 200 is taken for acceptance, and a request has
 * nothing but what belongs into a URL and a form.
 */
#include <string.h>

#include "flow/gateway_call.h"
#include "fuzz.h"

#define MESSAGES 2
#define NOW_US INT64_C(1767573000000000) /* 2026-01-05 00:30 UTC */

extern const struct gw_api adherd_gateway_sms_aliyun;

static const struct gw_api *const api = &adherd_gateway_sms_aliyun;
static const struct gw_pair settings[2][4] = {
    {{"access-key-id", "id"}, {"access-key-secret", "secret"},
	{"endpoint", "https://dysmsapi.aliyuncs.com"}, {"signature", "acs3"}},
    {{"access-key-id", "id"}, {"access-key-secret", "secret"},
	{"endpoint", "https://dysmsapi.aliyuncs.com"}, {"signature", "rpc"}}};
static const struct gw_message messages[MESSAGES] = {
    {.reference = "ma"}, {.reference = "mb"}};

static void
check_outcomes(const struct gw_outcome *outcomes, size_t count, int status)
{
	for (size_t i = 0; i < count; i++) {
		must(outcomes[i].verdict >= GW_ACCEPTED &&
		     outcomes[i].verdict <= GW_UNKNOWN);
		must(outcomes[i].scope >= GW_SCOPE_RECIPIENT &&
		     outcomes[i].scope <= GW_SCOPE_GATEWAY);
		must(outcomes[i].code != NULL);
		must(outcomes[i].retry_after_s >= 0);
		must(outcomes[i].verdict != GW_ACCEPTED || status == 200);
		/* nobody is struck off for a neighbour in the batch */
		must(
		    count == 1 || (!outcomes[i].opted_out &&
				      outcomes[i].scope != GW_SCOPE_RECIPIENT));
	}
}

static void
fuzz_sent(struct gw_call *call, int status, const char *text, size_t bytes)
{
	const char *body = text + strcspn(text, "\n");
	const struct gw_pair limit = {"x-ratelimit-user", text};
	const struct gw_response response = {.status = status,
	    .headers = &limit,
	    .header_count = 1,
	    .body = body,
	    .body_bytes = bytes - (size_t)(body - text)};
	struct gw_outcome outcomes[MESSAGES] = {0};

	for (size_t count = 1; count <= MESSAGES; count++) {
		api->sent(call, messages, count, &response, outcomes);
		check_outcomes(outcomes, count, status);
	}
}

static void
fuzz_queried(struct gw_call *call, int status, const char *text, size_t bytes)
{
	const struct gw_query question = {.reference = "ma",
	    .address = "+8613800000000",
	    .sent_at_us = NOW_US};
	const struct gw_response response = {
	    .status = status, .body = text, .body_bytes = bytes};
	struct gw_query_result result = {0};

	api->queried(call, &question, &response, &result);
	must(result.found >= GW_FOUND_NOTHING &&
	     result.found <= GW_FOUND_UNSURE);
	must(status == 200 || result.found == GW_FOUND_UNSURE);
}

static void
fuzz_receive(struct gw_call *call, const char *text, size_t bytes)
{
	const struct gw_callback callback = {.method = "POST",
	    .path = "",
	    .query = "",
	    .body = text,
	    .body_bytes = bytes};
	const struct gw_event *events = NULL;
	struct gw_answer answer = {0};
	int count = api->receive(call, &callback, &events, &answer);

	must(count > 0 || (count == 0) == (answer.status == 200));
	for (int i = 0; i < count; i++) {
		must(events[i].address != NULL && events[i].address[0] == '+');
		must(events[i].type == GW_EVENT_REPLY
			 ? events[i].text != NULL &&
			       strlen(events[i].text) <= 8192
			 : events[i].type == GW_EVENT_RECEIPT &&
			       (events[i].reference != NULL ||
				   events[i].provider_id != NULL));
	}
}

/* All bytes printable, so no second header or request hides in it. */
static void
check_plain(const char *text)
{
	for (; *text != '\0'; text++)
		must(*text > ' ' && *text < 0x7f);
}

static void
fuzz_send(struct gw_call *call, char *text)
{
	struct gw_pair parameter = {"name", text};
	struct gw_message list[MESSAGES] = {{.reference = "ma",
						.address = text,
						.template_code = "SMS_1",
						.signature = text,
						.parameters = &parameter,
						.parameter_count = 1,
						.extension = text},
	    {.reference = "mb",
		.address = "+8613800000000",
		.template_code = "SMS_1",
		.signature = text,
		.parameters = &parameter,
		.parameter_count = 1}};
	struct gw_outcome outcomes[MESSAGES] = {0};
	struct gw_request request = {0};
	size_t first =
	    text[0] == '+' ? 0 : 1; /* an address, or the fixed one */

	for (size_t count = 1; count <= MESSAGES - first; count++) {
		if (api->send(call, list + first, count, &request, outcomes) ==
		    0) {
			check_plain(request.url);
			check_plain(request.body);
		} else {
			must(outcomes[0].verdict == GW_REJECTED);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const int statuses[] = {200, 200, 400, 403, 429, 500, 302};
	struct arena *arena = arena_create();
	struct gw_call call;
	char *text;
	int status;

	if (bytes >= 1) {
		status = statuses[(data[0] >> 2) % COUNT(statuses)];
		text = arena_text_n(arena, (const char *)data + 1, bytes - 1);
		gateway_call_init(&call, arena, "fuzz", settings[data[0] >> 7],
		    COUNT(settings[0]), NOW_US, NULL);
		switch (data[0] % 4) {
		case 0:
			fuzz_sent(&call, status, text, bytes - 1);
			break;
		case 1:
			fuzz_queried(&call, status, text, bytes - 1);
			break;
		case 2:
			fuzz_receive(&call, text, bytes - 1);
			break;
		default:
			fuzz_send(&call, text);
		}
	}
	arena_free(arena);
	return 0;
}
