/*
 * Ordinary requests over connections of our own: a request is one write, an
 * answer one read, and curl has no part in either where there is no TLS.
 *
 * Owns the pool of connections, the lists of calls, a timer for the first
 * deadline and one that begins the calls that were handed in since the last
 * pass of the loop.
 *
 * A connection carries one request at a time and belongs to its call from
 * the connecting on.  It is kept only after a whole and unambiguous answer
 * with nothing behind it, and taken again only if it is still silent: so a
 * request never goes to where its answer cannot be told from another.  From
 * the first byte on nothing is ever tried again.
 */
#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/http_pool.h"

#define TIMER_US_MIN 1000
#define INPUT_BYTES ((size_t)16 << 10)

struct http_direct {
	struct loop *loop;
	struct http_pool *pool;             /* owned */
	struct http_connectors *connectors; /* owned */
	struct http_calls waiting;          /* to begin */
	struct http_calls begun;
	struct loop_timer *start;    /* owned; armed while calls wait */
	struct loop_timer *deadline; /* owned */
	int64_t deadline_at;         /* when it fires; 0: it does not */
	char input[INPUT_BYTES];     /* read and taken at once */
};

static void call_end(struct http_call *call, CURLcode code);

/* ---- lists of calls ---- */

static void
calls_add(struct http_calls *list, struct http_call *call)
{
	call->list = list;
	call->next = NULL;
	call->before = list->last;
	if (list->last != NULL)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
	list->count++;
}

static void
calls_remove(struct http_call *call)
{
	struct http_calls *list = call->list;

	if (call->before != NULL)
		call->before->next = call->next;
	else
		list->first = call->next;
	if (call->next != NULL)
		call->next->before = call->before;
	else
		list->last = call->before;
	list->count--;
	call->list = NULL;
}

/* ---- writing and reading ---- */

/* Write what is left of the request; the call may be over afterwards. */
static void
call_write(struct http_call *call)
{
	struct connection *connection = call->connection;

	while (call->sent < call->out.bytes) {
		size_t sent;
		CURLcode code;

		if (call->sent == 0 && !(call->asked ? http_call_in_time(call)
						     : http_call_begin(call))) {
			call_end(call, CURLE_ABORTED_BY_CALLBACK);
			return;
		}
		code = http_connection_send(connection,
		    call->out.data + call->sent, call->out.bytes - call->sent,
		    &sent);
		if (code == CURLE_AGAIN) {
			event_add(connection->writable, NULL);
			return;
		}
		if (code != CURLE_OK) {
			call_end(call, code);
			return;
		}
		call->sent += sent;
	}
	fault_point(MID_REQUEST);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;

	(void)fd;
	(void)what;
	assert(connection->call != NULL);
	call_write(connection->call);
}

/* curl's word for it, which has a phrase. */
static CURLcode
verdict(enum http_answered answered)
{
	switch (answered) {
	case HTTP_ANSWER_WHOLE:
		return CURLE_OK;
	case HTTP_ANSWER_NONE:
		return CURLE_GOT_NOTHING;
	case HTTP_ANSWER_CUT:
		return CURLE_PARTIAL_FILE;
	case HTTP_ANSWER_TOO_LARGE:
		return CURLE_FILESIZE_EXCEEDED;
	case HTTP_ANSWER_CODED:
		return CURLE_BAD_CONTENT_ENCODING;
	default:
		return CURLE_WEIRD_SERVER_REPLY;
	}
}

/* Take the bytes that were read; no bytes are the end.  True: it is over. */
static bool
take_input(struct connection *connection, size_t got)
{
	struct http_call *call = connection->call;
	struct http_answer *answer = &call->answer;
	enum http_answered answered;
	size_t taken = 0;

	answered = got > 0 ? http_answer_push(
				 answer, connection->direct->input, got, &taken)
			   : http_answer_close(answer);
	if (answered == HTTP_ANSWER_MORE)
		return false;
	connection->clean = got > 0 && taken == got;
	call->too_large = answered == HTTP_ANSWER_TOO_LARGE;
	call_end(call, verdict(answered));
	return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;
	struct http_direct *direct = connection->direct;
	bool whole;
	size_t got;

	(void)fd;
	(void)what;
	if (connection->call == NULL) {
		if (http_connection_listen(connection) != CURLE_OK) {
			http_idle_remove(connection);
			http_connection_close(connection);
		}
		return;
	}
	do {
		CURLcode code = http_connection_recv(
		    connection, direct->input, INPUT_BYTES, &got);

		if (code == CURLE_AGAIN)
			return;
		if (code != CURLE_OK) {
			call_end(connection->call, code);
			return;
		}
		if (take_input(connection, got))
			return;
		/* TLS may hold bytes that the fd does not tell of */
		whole = connection->connector == NULL && got < INPUT_BYTES;
	} while (!whole);
}

/* ---- the life of a call ---- */

static void
on_connected(CURLcode code, int fd, void *arg)
{
	struct connection *connection = arg;
	struct http_call *call = connection->call;
	struct event_base *base = loop_base(connection->direct->loop);

	if (code != CURLE_OK ||
	    strncmp(connection->to->origin, "https", 5) != 0)
		connection->connector = NULL;
	if (code != CURLE_OK) {
		call_end(call, code);
		return;
	}
	connection->fd = fd;
	connection->readable =
	    event_new(base, fd, EV_READ | EV_PERSIST, on_readable, connection);
	connection->writable =
	    event_new(base, fd, EV_WRITE, on_writable, connection);
	assert(connection->readable != NULL && connection->writable != NULL);
	event_add(connection->readable, NULL);
	code = http_connection_listen(connection);
	if (code != CURLE_OK)
		call_end(call, code);
	else
		call_write(call);
}

static void
connection_open(struct http_direct *direct, struct http_call *call)
{
	struct connection *connection = http_connection_create(call->to);
	struct http_connect_options options = {.origin = call->to->origin,
	    .ca_file = call->to->ca_file,
	    .plain_allowed = call->to->plain_allowed,
	    .timeout_us = call->deadline - clock_boot(),
	    .connect_timeout_us = call->connect_timeout_us};

	connection->direct = direct;
	connection->call = call;
	call->connection = connection;
	connection->connector = http_connect(
	    direct->connectors, &options, on_connected, connection);
}

/* Give it a connection; the call may be over afterwards. */
static void
call_start(struct http_direct *direct, struct http_call *call)
{
	calls_remove(call);
	calls_add(&direct->begun, call);
	call->connection = http_idle_take(call->to);
	if (call->connection == NULL) {
		connection_open(direct, call);
		return;
	}
	call->connection->call = call;
	call_write(call);
}

/* Begin the calls that wait by now, not those that come meanwhile. */
static void
on_start(void *arg)
{
	struct http_direct *direct = arg;

	for (size_t left = direct->waiting.count;
	     left > 0 && direct->waiting.first != NULL; left--)
		call_start(direct, direct->waiting.first);
	if (direct->waiting.first != NULL)
		loop_timer_arm(direct->start, 0);
}

/* Part the call from all that it used; the connection lives on or not. */
static void
call_leave(struct http_call *call, bool keep)
{
	struct connection *connection = call->connection;

	calls_remove(call);
	call->connection = NULL;
	if (connection != NULL) {
		connection->call = NULL;
		if (keep)
			http_idle_add(connection);
		else
			http_connection_close(connection);
	}
	http_destination_leave(call->to);
	call->to = NULL;
}

/* The call is over; its connection is kept if it is surely clean. */
static void
call_end(struct http_call *call, CURLcode code)
{
	bool keep = code == CURLE_OK && call->answer.lasting &&
		    call->connection->clean && call->sent == call->out.bytes;

	call_leave(call, keep);
	http_call_finish(call, code);
}

static struct http_call *
find_overdue(const struct http_calls *list, int64_t now)
{
	struct http_call *call = list->first;

	while (call != NULL && call->deadline > now)
		call = call->next;
	return call;
}

/* Let the timer fire at this instant, or before. */
static void
deadline_arm(struct http_direct *direct, int64_t at)
{
	int64_t delay_us;

	if (direct->deadline_at != 0 && direct->deadline_at <= at)
		return;
	direct->deadline_at = at;
	delay_us = at - clock_boot();
	loop_timer_arm(direct->deadline,
	    delay_us > TIMER_US_MIN ? delay_us : TIMER_US_MIN);
}

/*
 * End what is overdue.  One timer does for all calls: nearly all are over
 * before it fires, and then it looks for the first deadline again.
 */
static void
on_deadline(void *arg)
{
	struct http_direct *direct = arg;
	int64_t now = clock_boot();
	struct http_call *call;

	while ((call = find_overdue(&direct->begun, now)) != NULL)
		call_end(call, CURLE_OPERATION_TIMEDOUT);
	direct->deadline_at = 0;
	for (call = direct->waiting.first; call != NULL; call = call->next)
		deadline_arm(direct, call->deadline);
	for (call = direct->begun.first; call != NULL; call = call->next)
		deadline_arm(direct, call->deadline);
}

void
http_direct_send(struct http_direct *direct, struct http_call *call,
    const struct http_request *request, const struct http_place *place)
{
	buf_clear(&call->out);
	http_wire_write(request, place, &call->out);
	call->sent = 0;
	call->connection = NULL;
	call->to = http_destination_take(direct->pool, request, place);
	call->connect_timeout_us = request->connect_timeout_us > 0
				       ? request->connect_timeout_us
				       : HTTP_CONNECT_TIMEOUT_US;
	call->deadline =
	    call->started_at +
	    (request->timeout_us > 0 ? request->timeout_us : HTTP_TIMEOUT_US);
	deadline_arm(direct, call->deadline);
	if (direct->waiting.first == NULL)
		loop_timer_arm(direct->start, 0);
	calls_add(&direct->waiting, call);
}

void
http_direct_cancel(struct http_call *call)
{
	call_leave(call, false);
}

struct http_direct *
http_direct_create(struct loop *loop, struct http_curl *curl)
{
	struct http_direct *direct = mem_alloc(sizeof(*direct));

	direct->loop = loop;
	direct->pool = http_pool_create(loop);
	direct->connectors = http_connectors_create(curl);
	direct->start = loop_timer_create(loop, on_start, direct);
	direct->deadline = loop_timer_create(loop, on_deadline, direct);
	return direct;
}

void
http_direct_free(struct http_direct *direct)
{
	http_pool_free(direct->pool);
	http_connectors_free(direct->connectors);
	loop_timer_free(direct->start);
	loop_timer_free(direct->deadline);
	free(direct);
}
