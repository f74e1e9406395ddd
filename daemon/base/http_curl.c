/*
 * curl's multi interface on the loop, and the requests that are curl's from
 * beginning to end.
 *
 * Owns the multi handle with its connections, one event per socket that curl
 * waits for and one timer.  A call that was curl's keeps its easy handle in
 * the pool, for making one costs more than a request.
 *
 * curl asks before_request() each time it is about to send, on a new
 * connection or a kept one.  The second asking is curl's own retry: on a kept
 * connection that the server closed without an answer, curl sends again what
 * the server may already have read and obeyed.  That is refused, whatever the
 * method, and the call ends as unsure.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/http_inside.h"

#define CONNECTIONS_MAX 4096L
/*
 * Idle connections are given up before the usual servers do so (5 s in the
 * quickest), since a request that meets a closing one ends as unsure.
 */
#define IDLE_CONNECTION_S 4L

struct http_curl {
	struct loop *loop;
	struct loop_timer *timer; /* owned */
	CURLM *multi;             /* owned */
	const char *ca_file;      /* curl's own */
	const char *ca_path;
};

static void call_over(struct http_transfer *transfer, CURLcode code);

/* ---- curl's sockets and time, on the loop ---- */

/* Tell what is over. */
static void
http_curl_settle(struct http_curl *curl)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(curl->multi, &left)) != NULL) {
		CURLcode code = message->data.result;
		struct http_transfer *transfer;
		char *found = NULL;

		curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, &found);
		transfer = (struct http_transfer *)(void *)found;
		transfer->over(transfer, code);
	}
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct http_curl *curl = arg;
	int ready = (what & EV_READ ? CURL_CSELECT_IN : 0) |
		    (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(curl->multi, fd, ready, &running);
	http_curl_settle(curl);
}

static void
on_timer(void *arg)
{
	struct http_curl *curl = arg;
	int running;

	curl_multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	http_curl_settle(curl);
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
	if (what != CURL_POLL_IN || call == NULL ||
	    call->transfer.over != call_over || !call->asked || call->under_way)
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
	struct http_curl *curl = arg;
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
		event = event_new(loop_base(curl->loop), fd,
		    (short)(wanted | EV_PERSIST), on_socket, curl);
		assert(event != NULL);
		event_add(event, NULL);
	}
	curl_multi_assign(curl->multi, fd, event);
	return 0;
}

static int
watch_time(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_curl *curl = arg;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_disarm(curl->timer);
	else
		loop_timer_arm(curl->timer, timeout_ms * (SECOND_US / 1000));
	return 0;
}

struct http_curl *
http_curl_create(struct loop *loop)
{
	struct http_curl *curl = mem_alloc(sizeof(*curl));
	CURLcode failed = curl_global_init(CURL_GLOBAL_DEFAULT);

	assert(failed == CURLE_OK);
	curl->loop = loop;
	curl->timer = loop_timer_create(loop, on_timer, curl);
	curl->multi = curl_multi_init();
	assert(curl->multi != NULL);
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, watch_time);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	return curl;
}

void
http_curl_free(struct http_curl *curl)
{
	curl_multi_cleanup(curl->multi);
	loop_timer_free(curl->timer);
	free(curl);
	curl_global_cleanup();
}

void
http_curl_add(struct http_curl *curl, CURL *easy)
{
	CURLMcode failed = curl_multi_add_handle(curl->multi, easy);

	assert(failed == CURLM_OK);
}

void
http_curl_remove(struct http_curl *curl, CURL *easy)
{
	curl_multi_remove_handle(curl->multi, easy);
}

/* ---- what curl asks of a transfer ---- */

static int
before_request(
    void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct http_call *call = arg;

	(void)remote_ip;
	(void)local_ip;
	(void)remote_port;
	(void)local_port;
	return !call->asked && http_call_begin(call) ? CURL_PREREQFUNC_OK
						     : CURL_PREREQFUNC_ABORT;
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
	struct http_transfer *transfer = arg;

	if (purpose != CURLSOCKTYPE_IPCXN ||
	    (transfer->plain_allowed && !is_loopback(&address->addr)))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC,
	    address->protocol);
}

/* Take one header line; curl calls for each, of every response head. */
static size_t
on_header(char *line, size_t size, size_t bytes, void *arg)
{
	struct http_call *call = arg;
	struct http_answer *answer = &call->answer;
	const char *colon = memchr(line, ':', bytes), *end = line + bytes;
	struct http_header *header;
	char *name;

	(void)size; /* always 1 */
	if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		list_init(&answer->headers, call->arena, sizeof(*header));
		answer->header_bytes = 0;
		call->headers_complete = false;
		return bytes;
	}
	while (end > line && strchr("\r\n \t", end[-1]) != NULL)
		end--;
	if (end == line)
		call->headers_complete = true;
	if (colon == NULL || colon >= end || call->headers_complete)
		return bytes; /* a trailer says nothing that anyone asks for */
	answer->header_bytes += bytes;
	if (answer->headers.count == HTTP_ANSWER_HEADERS_MAX ||
	    answer->header_bytes > HTTP_ANSWER_HEADER_BYTES_MAX) {
		call->too_large = true;
		return 0;
	}
	header = list_add(&answer->headers);
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
	buf_add(&call->answer.body, piece, bytes);
	if (!call->answer.body.overflow)
		return bytes;
	call->too_large = true;
	return 0;
}

/* ---- starting ---- */

CURL *
http_easy_create(struct http_curl *curl, struct http_transfer *transfer)
{
	CURL *easy = curl_easy_init();

	assert(easy != NULL);
	transfer->curl = curl;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* a resolver's thread that came too late is left to its end */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	if (curl->ca_file == NULL) {
		char *found = NULL;

		curl_easy_getinfo(easy, CURLINFO_CAINFO, &found);
		curl->ca_file = found;
		found = NULL;
		curl_easy_getinfo(easy, CURLINFO_CAPATH, &found);
		curl->ca_path = found;
	}
	return easy;
}

void
http_easy_trust(const struct http_curl *curl, CURL *easy, bool plain_allowed,
    const char *ca_file)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
	    plain_allowed ? "http,https" : "https");
	curl_easy_setopt(
	    easy, CURLOPT_CAINFO, ca_file != NULL ? ca_file : curl->ca_file);
	curl_easy_setopt(
	    easy, CURLOPT_CAPATH, ca_file != NULL ? NULL : curl->ca_path);
}

/* ---- requests ---- */

/* Give it a handle for requests that are curl's. */
static void
call_ready_easy(struct http_curl *curl, struct http_call *call)
{
	CURL *easy = call->easy;

	if (easy != NULL)
		return;
	easy = http_easy_create(curl, &call->transfer);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "adherd/" ADHERD_VERSION);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	call->easy = easy;
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

/* Never 0, which would be "for ever". */
long
http_milliseconds(int64_t us)
{
	return us > 0 ? (long)((us + 999) / 1000) : 1;
}

static void
set_options(struct http_curl *curl, struct http_call *call,
    const struct http_request *request)
{
	CURL *easy = call->easy;

	/* A URL that cannot be tried ends the call in the usual way. */
	curl_easy_setopt(easy, CURLOPT_URL,
	    headers_valid(request) ? request->url : "refused:");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    request->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    http_milliseconds(request->connect_timeout_us > 0
				  ? request->connect_timeout_us
				  : HTTP_CONNECT_TIMEOUT_US));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
	    http_milliseconds(request->timeout_us > 0 ? request->timeout_us
						      : HTTP_TIMEOUT_US));
	http_easy_trust(curl, easy, request->plain_allowed, request->ca_file);
	set_body(call, request);
	set_headers(call, request);
}

void
http_curl_send(struct http_curl *curl, struct http_call *call,
    const struct http_request *request)
{
	call->transfer.over = call_over;
	call_ready_easy(curl, call);
	set_options(curl, call, request);
	http_curl_add(curl, call->easy);
}

void
http_curl_cancel(struct http_curl *curl, struct http_call *call)
{
	http_curl_remove(curl, call->easy);
}

/* curl is done with a call of its own. */
static void
call_over(struct http_transfer *transfer, CURLcode code)
{
	struct http_call *call = (struct http_call *)transfer;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->answer.status = (int)status;
	http_curl_remove(transfer->curl, call->easy);
	http_call_finish(call, code);
}
