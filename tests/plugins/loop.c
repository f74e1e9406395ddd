/*
 * A plug-in that misbehaves on purpose: its send() never returns, or crashes,
 * when the text of a message contains the marker.  Else it posts one message
 * as JSON, as loopback does.  For tests; never installed.
 */
#include "gateway.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct gw_option options[] = {
    {"url", GW_OPTION_URL, .required = true, .help = "Where to post."},
    {"marker", GW_OPTION_TEXT, .help = "A text with this never leaves."},
    {"crash", GW_OPTION_BOOLEAN, .standard = "no",
	.help = "It crashes at such a text."},
};

static int
send(struct gw_call *call, const struct gw_message *messages, size_t count,
    struct gw_request *request, struct gw_outcome *outcomes)
{
	static const struct gw_pair headers[] = {
	    {"content-type", "application/json"}};
	const char *marker = gw_setting(call, "marker");
	const struct gw_host *host = call->host;
	struct gw_buf *body = host->buf(call);
	volatile char *volatile nowhere = NULL;
	volatile bool stuck;

	(void)count;
	(void)outcomes;
	stuck = marker != NULL && strstr(messages->text, marker) != NULL;
	if (stuck && strcmp(gw_setting(call, "crash"), "yes") == 0)
		*nowhere = 0;
	while (stuck)
		continue;
	host->buf_text(body, "{\"id\":");
	host->buf_json(body, messages->reference);
	host->buf_text(body, ",\"to\":");
	host->buf_json(body, messages->address);
	host->buf_text(body, ",\"template\":\"\",\"text\":");
	host->buf_json(body, messages->text);
	host->buf_text(body, ",\"params\":{}}");
	*request = (struct gw_request){.method = "POST",
	    .url = gw_setting(call, "url"),
	    .headers = headers,
	    .header_count = COUNT(headers),
	    .body = host->buf_string(body),
	    .body_bytes = host->buf_bytes(body)};
	return 0;
}

static void
sent(struct gw_call *call, const struct gw_message *messages, size_t count,
    const struct gw_response *response, struct gw_outcome *outcomes)
{
	(void)call;
	(void)messages;
	(void)count;
	outcomes[0] = (struct gw_outcome){
	    .verdict = response->status == 200 ? GW_ACCEPTED : GW_UNKNOWN,
	    .scope = GW_SCOPE_MESSAGE};
}

const struct gw_api adherd_gateway = {
    .abi = GW_ABI,
    .size = sizeof(struct gw_api),
    .name = "loop",
    .kind = GW_KIND_MESSAGES,
    .channels = "sms,push",
    .batch_max = 1,
    .options = options,
    .option_count = COUNT(options),
    .send = send,
    .sent = sent,
};
