/*
 * HTTP client: its calls, those under way and a pool of idle ones, and how
 * they end.  An ordinary request goes over connections of our own
 * (http_direct.c), any other is curl's (http_curl.c).
 *
 * Sure or unsure.  http_call_begin() is asked before the first byte of a
 * request may leave.  A call that ends before has surely sent nothing
 * (HTTP_UNSENT); after it, bytes may have left (HTTP_UNSURE).
 */
#include "base/http_client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/http_inside.h"
#include "base/metric.h"

#define RESPONSE_BYTES_MAX ((size_t)64 << 10)
#define IDLE_CALLS_MAX 256
#define CALL_BYTES_KEPT ((size_t)16 << 10) /* of each buffer */

struct http_client {
	struct http_curl *curl;     /* owned */
	struct http_direct *direct; /* owned */
	struct http_call *idle;     /* owned */
	size_t idle_count;
	size_t calls;
	bool calling; /* inside a done() */
};

struct http_client *
http_client_create(struct loop *loop)
{
	struct http_client *client = mem_alloc(sizeof(*client));

	client->curl = http_curl_create(loop);
	client->direct = http_direct_create(loop, client->curl);
	return client;
}

static void
call_free(struct http_call *call)
{
	curl_easy_cleanup(call->easy);
	arena_free(call->arena);
	http_answer_free(&call->answer);
	buf_free(&call->out);
	free(call);
}

void
http_client_free(struct http_client *client)
{
	struct http_call *call;

	if (client == NULL)
		return;
	assert(client->calls == 0 && !client->calling);
	while ((call = client->idle) != NULL) {
		client->idle = call->next;
		call_free(call);
	}
	http_direct_free(client->direct);
	http_curl_free(client->curl);
	free(client);
}

size_t
http_client_calls(const struct http_client *client)
{
	return client->calls;
}

/* ---- the beginning of a request ---- */

bool
http_call_in_time(const struct http_call *call)
{
	/* the process may have been frozen since it was handed to us */
	return call->begin_until == 0 || clock_boot() < call->begin_until;
}

bool
http_call_begin(struct http_call *call)
{
	assert(!call->asked);
#ifdef ADHERD_FAULTS
	/* by turns it cannot leave, or its answer is lost */
	call->failed = fault_fails(REQUEST);
	if (call->failed % 2 == 1)
		return false;
#endif
	fault_point(BEFORE_REQUEST);
	call->asked = http_call_in_time(call);
	return call->asked;
}

static struct http_call *
call_create(struct http_client *client)
{
	struct http_call *call = client->idle;

	if (call != NULL) {
		client->idle = call->next;
		client->idle_count--;
		return call;
	}
	call = mem_alloc(sizeof(*call));
	call->client = client;
	call->arena = arena_create();
	return call;
}

/* Put a call that is over into the pool, or free it if the pool is full. */
static void
call_recycle(struct http_call *call)
{
	struct http_client *client = call->client;

	if (client->idle_count == IDLE_CALLS_MAX) {
		call_free(call);
		return;
	}
	arena_reset(call->arena);
	if (call->out.capacity > CALL_BYTES_KEPT)
		buf_free(&call->out);
	if (call->answer.body.capacity > CALL_BYTES_KEPT)
		buf_free(&call->answer.body);
	call->next = client->idle;
	client->idle = call;
	client->idle_count++;
}

struct http_call *
http_client_send(struct http_client *client, const struct http_request *request,
    void (*done)(const struct http_response *response, void *arg), void *arg)
{
	struct http_call *call = call_create(client);
	struct http_place place;

	call->transfer.plain_allowed = request->plain_allowed;
	call->headers_complete = false;
	call->asked = false;
	call->begin_until = request->begin_until;
	call->too_large = false;
#ifdef ADHERD_FAULTS
	call->under_way = false;
	call->failed = 0;
#endif
	call->started_at = clock_boot();
	call->done = done;
	call->arg = arg;
	http_answer_begin(&call->answer, call->arena,
	    request->response_bytes_max > 0 ? request->response_bytes_max
					    : RESPONSE_BYTES_MAX);
	client->calls++;
	call->is_direct = http_wire_ordinary(request, &place);
	if (call->is_direct)
		http_direct_send(client->direct, call, request, &place);
	else
		http_curl_send(client->curl, call, request);
	return call;
}

void
http_client_cancel(struct http_call *call)
{
	struct http_client *client = call->client;

	if (call->is_direct)
		http_direct_cancel(call);
	else
		http_curl_cancel(client->curl, call);
	client->calls--;
	call_recycle(call);
}

/* ---- ending ---- */

/* A fixed phrase: curl's own may quote the address. */
static const char *
phrase(const struct http_call *call, CURLcode code)
{
	if (call->too_large)
		return "answer too large";
	switch (code) {
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_LOGIN_DENIED:
		return call->asked ? "no valid answer" : "URL refused";
	case CURLE_COULDNT_RESOLVE_HOST:
		return "name not resolved";
	case CURLE_COULDNT_CONNECT:
		return "not connected";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CIPHER:
		return "TLS failed";
	case CURLE_PEER_FAILED_VERIFICATION:
		return "certificate refused";
	case CURLE_OPERATION_TIMEDOUT:
		return call->asked ? "no answer in time"
				   : "not connected in time";
	case CURLE_ABORTED_BY_CALLBACK: /* before_request() refused it */
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return "connection lost";
	case CURLE_PARTIAL_FILE:
		return "answer cut off";
	case CURLE_BAD_CONTENT_ENCODING:
		return "answer not readable";
	default:
		return call->asked ? "no valid answer" : "not sent";
	}
}

void
http_call_finish(struct http_call *call, CURLcode code)
{
	struct http_client *client = call->client;
	struct http_answer *answer = &call->answer;
	struct http_response response = {.end = HTTP_ANSWERED,
	    .status = answer->status,
	    .headers = answer->headers.data,
	    .header_count = answer->headers.count,
	    .body = buf_string(&answer->body),
	    .body_bytes = answer->body.bytes,
	    .took_us = clock_boot() - call->started_at};

#ifdef ADHERD_FAULTS
	if (call->failed != 0)
		code = CURLE_RECV_ERROR;
	if (code == CURLE_OK)
		fault_point(AFTER_RESPONSE);
#endif
	if (code != CURLE_OK) {
		response.end = call->too_large ? HTTP_TOO_LARGE
			       : call->asked   ? HTTP_UNSURE
					       : HTTP_UNSENT;
		response.error = phrase(call, code);
		metric_add(METRIC_HTTP_CALLS_FAILED, response.error, NULL, 1);
	}
	client->calls--;
	client->calling = true;
	call->done(&response, call->arg);
	client->calling = false;
	call_recycle(call);
}

const char *
http_response_header(const struct http_response *response, const char *name)
{
	for (size_t i = 0; i < response->header_count; i++)
		if (strcasecmp(response->headers[i].name, name) == 0)
			return response->headers[i].value;
	return NULL;
}
