/*
 * HTTP client: curl's multi interface on the loop.
 *
 * Owns the multi handle with its connections, one event per socket that curl
 * waits for, one timer, and the calls: those under way and a pool of idle
 * ones, each with an easy handle, for making one costs more than a request.
 *
 * Sure or unsure.  curl asks before_request() each time it is about to send
 * a request, on a new connection or a kept one.  A call that ends before
 * the first asking has surely sent nothing (HTTP_UNSENT); after it, bytes may
 * have left (HTTP_UNSURE).  The second asking is curl's own retry: on a kept
 * connection that the server closed without an answer, curl sends again what
 * the server may already have read and obeyed.  That is refused, whatever
 * the method, and the call ends as unsure.
 */
#include "base/http_client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/metric.h"

#define CONNECT_TIMEOUT_US (3 * SECOND_US)
#define TIMEOUT_US (20 * SECOND_US)
#define RESPONSE_BYTES_MAX ((size_t)64 << 10)
#define HEADER_BYTES_MAX ((size_t)32 << 10)
#define HEADERS_MAX 128
#define IDLE_CALLS_MAX 256
#define CONNECTIONS_MAX 4096L
/*
 * Idle connections are given up before the usual servers do so (5 s in the
 * quickest), since a request that meets a closing one ends as unsure.
 */
#define IDLE_CONNECTION_S 4L

struct http_call {
	struct http_client *client;
	struct http_call *next; /* in the pool */
	CURL *easy;             /* owned */
	struct arena *arena;    /* owned: the request, then the headers */
	struct buf body;        /* owned: the response's */
	struct list headers;    /* struct http_header */
	size_t header_bytes;
	bool headers_complete;
	bool plain_allowed;
	bool asked;          /* curl began to send the request */
	int64_t begin_until; /* clock_boot(); 0: no bound */
	bool too_large;
#ifdef ADHERD_FAULTS
	bool under_way;  /* sent, and the answer awaited */
	uint64_t failed; /* its number among all calls; 0: it does not fail */
#endif
	int64_t started_at; /* clock_boot() */
	void (*done)(const struct http_response *response, void *arg);
	void *arg;
};

struct http_client {
	struct loop *loop;
	struct loop_timer *timer; /* owned */
	CURLM *multi;             /* owned */
	struct http_call *idle;   /* owned */
	size_t idle_count;
	size_t calls;
	const char *ca_file; /* curl's own */
	const char *ca_path;
	bool calling; /* inside a done() */
};

/* ---- curl's sockets and time, on the loop ---- */

static void http_client_settle(struct http_client *client);

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *client = arg;
	int ready = (what & EV_READ ? CURL_CSELECT_IN : 0) |
		    (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(client->multi, fd, ready, &running);
	http_client_settle(client);
}

static void
on_timer(void *arg)
{
	struct http_client *client = arg;
	int running;

	curl_multi_socket_action(
	    client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	http_client_settle(client);
}

#ifdef ADHERD_FAULTS
/* curl has nothing to write any more: the request has left. */
static void
note_waiting(CURL *easy, int what)
{
	struct http_call *call;
	char *found = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &found);
	call = (struct http_call *)(void *)found;
	if (what != CURL_POLL_IN || call == NULL || !call->asked ||
	    call->under_way)
		return;
	call->under_way = true;
	fault_point(MID_REQUEST);
}
#endif

/* curl says what to wait for on a socket; its event is the socket's. */
static int
watch_socket(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *client = arg;
	struct event *event = socket_arg;
	short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
			       (what & CURL_POLL_OUT ? EV_WRITE : 0));

	(void)easy;
#ifdef ADHERD_FAULTS
	note_waiting(easy, what);
#endif
	if (event != NULL)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		event = event_new(loop_base(client->loop), fd,
		    (short)(wanted | EV_PERSIST), on_socket, client);
		assert(event != NULL);
		event_add(event, NULL);
	}
	curl_multi_assign(client->multi, fd, event);
	return 0;
}

static int
watch_time(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *client = arg;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_disarm(client->timer);
	else
		loop_timer_arm(client->timer, timeout_ms * (SECOND_US / 1000));
	return 0;
}

struct http_client *
http_client_create(struct loop *loop)
{
	struct http_client *client = mem_alloc(sizeof(*client));
	CURLcode failed = curl_global_init(CURL_GLOBAL_DEFAULT);

	assert(failed == CURLE_OK);
	client->loop = loop;
	client->timer = loop_timer_create(loop, on_timer, client);
	client->multi = curl_multi_init();
	assert(client->multi != NULL);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, watch_time);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	return client;
}

static void
call_free(struct http_call *call)
{
	curl_easy_cleanup(call->easy);
	arena_free(call->arena);
	buf_free(&call->body);
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
	curl_multi_cleanup(client->multi);
	loop_timer_free(client->timer);
	free(client);
	curl_global_cleanup();
}

size_t
http_client_calls(const struct http_client *client)
{
	return client->calls;
}

/* ---- what curl asks of a call ---- */

static int
before_request(
    void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct http_call *call = arg;

	(void)remote_ip;
	(void)local_ip;
	(void)remote_port;
	(void)local_port;
	if (call->asked)
		return CURL_PREREQFUNC_ABORT;
#ifdef ADHERD_FAULTS
	/* by turns it cannot leave, or its answer is lost: call_finish() */
	call->failed = fault_fails(REQUEST);
	if (call->failed % 2 == 1)
		return CURL_PREREQFUNC_ABORT;
#endif
	fault_point(BEFORE_REQUEST);
	/* the process may have been frozen since it was handed to us */
	if (call->begin_until != 0 && clock_boot() >= call->begin_until)
		return CURL_PREREQFUNC_ABORT;
	call->asked = true;
	return CURL_PREREQFUNC_OK;
}

static bool
is_loopback(const struct sockaddr *address)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (address->sa_family == AF_INET) {
		memcpy(&v4, address, sizeof(v4));
		return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	}
	if (address->sa_family != AF_INET6)
		return false;
	memcpy(&v6, address, sizeof(v6));
	return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

/* Where plain HTTP is allowed, the address that is really used decides. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_call *call = arg;

	if (purpose != CURLSOCKTYPE_IPCXN ||
	    (call->plain_allowed && !is_loopback(&address->addr)))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC,
	    address->protocol);
}

/* Take one header line; curl calls for each, of every response head. */
static size_t
on_header(char *line, size_t size, size_t bytes, void *arg)
{
	struct http_call *call = arg;
	const char *colon = memchr(line, ':', bytes), *end = line + bytes;
	struct http_header *header;
	char *name;

	(void)size; /* always 1 */
	if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		list_init(&call->headers, call->arena, sizeof(*header));
		call->header_bytes = 0;
		call->headers_complete = false;
		return bytes;
	}
	while (end > line && strchr("\r\n \t", end[-1]) != NULL)
		end--;
	if (end == line)
		call->headers_complete = true;
	if (colon == NULL || colon >= end || call->headers_complete)
		return bytes; /* a trailer says nothing that anyone asks for */
	call->header_bytes += bytes;
	if (call->headers.count == HEADERS_MAX ||
	    call->header_bytes > HEADER_BYTES_MAX) {
		call->too_large = true;
		return 0;
	}
	header = list_add(&call->headers);
	name = arena_text_n(call->arena, line, (size_t)(colon - line));
	for (char *c = name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	for (colon++; colon < end && (*colon == ' ' || *colon == '\t');)
		colon++;
	header->name = name;
	header->value = arena_text_n(call->arena, colon, (size_t)(end - colon));
	return bytes;
}

/* Take a piece of the body, decompressed. */
static size_t
on_body(char *piece, size_t size, size_t bytes, void *arg)
{
	struct http_call *call = arg;

	(void)size; /* always 1 */
	buf_add(&call->body, piece, bytes);
	if (!call->body.overflow)
		return bytes;
	call->too_large = true;
	return 0;
}

/* ---- starting ---- */

/* What all calls have in common, set once. */
static CURL *
easy_create(struct http_call *call)
{
	CURL *easy = curl_easy_init();

	assert(easy != NULL);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* a resolver's thread that came too late is left to its end */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "adherd/" ADHERD_VERSION);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	if (call->client->ca_file == NULL) {
		char *found = NULL;

		curl_easy_getinfo(easy, CURLINFO_CAINFO, &found);
		call->client->ca_file = found;
		found = NULL;
		curl_easy_getinfo(easy, CURLINFO_CAPATH, &found);
		call->client->ca_path = found;
	}
	return easy;
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
	call->easy = easy_create(call);
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
	buf_free(&call->body);
	call->next = client->idle;
	client->idle = call;
	client->idle_count++;
}

/* curl only reads the list, so it may live in the arena. */
static struct curl_slist **
add_line(struct http_call *call, struct curl_slist **end, char *line)
{
	*end = arena_alloc(call->arena, sizeof(**end));
	(*end)->data = line;
	return &(*end)->next;
}

/* No line break may be smuggled in by a value that came from outside. */
static bool
headers_valid(const struct http_request *request)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strpbrk(request->headers[i].name, "\r\n:; ") != NULL ||
		    strpbrk(request->headers[i].value, "\r\n") != NULL)
			return false;
	return true;
}

static void
set_headers(struct http_call *call, const struct http_request *request)
{
	struct curl_slist *lines = NULL, **end = &lines;
	bool typed = false;

	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_header *header = &request->headers[i];

		/* "name;" is curl's way to say an empty value. */
		end = add_line(call, end,
		    *header->value != '\0'
			? arena_printf(call->arena, "%s: %s", header->name,
			      header->value)
			: arena_printf(call->arena, "%s;", header->name));
		if (strcasecmp(header->name, "Content-Type") == 0)
			typed = true;
	}
	/* A name alone takes out what curl would add by itself. */
	end = add_line(call, end, "Expect:");
	if (!typed)
		add_line(call, end, "Content-Type:");
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, lines);
}

static void
set_body(struct http_call *call, const struct http_request *request)
{
	const char *method = request->method;
	bool is_get = strcmp(method, "GET") == 0;
	bool is_post = strcmp(method, "POST") == 0;

	if (request->body_bytes > 0 || is_post || strcmp(method, "PUT") == 0 ||
	    strcmp(method, "PATCH") == 0) {
		curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)request->body_bytes);
		curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS,
		    arena_copy(
			call->arena, request->body, request->body_bytes));
		curl_easy_setopt(
		    call->easy, CURLOPT_CUSTOMREQUEST, is_post ? NULL : method);
	} else {
		curl_easy_setopt(call->easy, CURLOPT_HTTPGET, 1L);
		curl_easy_setopt(
		    call->easy, CURLOPT_CUSTOMREQUEST, is_get ? NULL : method);
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(call->easy, CURLOPT_NOBODY, 1L);
}

/* Microseconds as curl's milliseconds, never 0, which would be "for ever". */
static long
milliseconds(int64_t us, int64_t standard_us)
{
	return (long)(((us > 0 ? us : standard_us) + 999) / 1000);
}

static void
set_options(struct http_call *call, const struct http_request *request)
{
	const struct http_client *client = call->client;
	CURL *easy = call->easy;

	/* A URL that cannot be tried ends the call in the usual way. */
	curl_easy_setopt(easy, CURLOPT_URL,
	    headers_valid(request) ? request->url : "refused:");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
	    request->plain_allowed ? "http,https" : "https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    request->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CAINFO,
	    request->ca_file != NULL ? request->ca_file : client->ca_file);
	curl_easy_setopt(easy, CURLOPT_CAPATH,
	    request->ca_file != NULL ? NULL : client->ca_path);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    milliseconds(request->connect_timeout_us, CONNECT_TIMEOUT_US));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
	    milliseconds(request->timeout_us, TIMEOUT_US));
	set_body(call, request);
	set_headers(call, request);
}

struct http_call *
http_client_send(struct http_client *client, const struct http_request *request,
    void (*done)(const struct http_response *response, void *arg), void *arg)
{
	struct http_call *call = call_create(client);
	CURLMcode failed;

	call->headers_complete = false;
	call->header_bytes = 0;
	call->plain_allowed = request->plain_allowed;
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
	call->body.bytes_max = request->response_bytes_max > 0
				   ? request->response_bytes_max
				   : RESPONSE_BYTES_MAX;
	list_init(&call->headers, call->arena, sizeof(struct http_header));
	set_options(call, request);
	client->calls++;
	failed = curl_multi_add_handle(client->multi, call->easy);
	assert(failed == CURLM_OK);
	return call;
}

void
http_client_cancel(struct http_call *call)
{
	struct http_client *client = call->client;

	curl_multi_remove_handle(client->multi, call->easy);
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

/* Tell how the call ended; code is curl's verdict. */
static void
call_finish(struct http_call *call, CURLcode code)
{
	struct http_client *client = call->client;
	struct http_response response = {.end = HTTP_ANSWERED,
	    .headers = call->headers.data,
	    .header_count = call->headers.count,
	    .body = buf_string(&call->body),
	    .body_bytes = call->body.bytes,
	    .took_us = clock_boot() - call->started_at};
	long status = 0;

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
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	response.status = (int)status;
	curl_multi_remove_handle(client->multi, call->easy);
	client->calls--;
	client->calling = true;
	call->done(&response, call->arg);
	client->calling = false;
	call_recycle(call);
}

/* Call done() for what is over and put the calls back into the pool. */
static void
http_client_settle(struct http_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
		char *call;

		curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, &call);
		call_finish(
		    (struct http_call *)(void *)call, message->data.result);
	}
}

const char *
http_response_header(const struct http_response *response, const char *name)
{
	for (size_t i = 0; i < response->header_count; i++)
		if (strcasecmp(response->headers[i].name, name) == 0)
			return response->headers[i].value;
	return NULL;
}
