/*
 * Connections of our own: destinations, bytes to and from, and which are
 * idle.  Owns all of them, and a timer for those that are idle for too long.
 */
#include "base/http_pool.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define CONNECTIONS_MAX 4096 /* idle ones */
/*
 * Idle connections are given up before the usual servers do so (5 s in the
 * quickest), since a request that meets a closing one ends as unsure.
 */
#define IDLE_CONNECTION_US (4 * SECOND_US)
#define SWEEP_US_MIN 1000

struct http_pool {
	struct destination *destinations; /* owned */
	struct loop_timer *sweep;         /* owned */
	bool sweeping; /* it is armed, while there are destinations */
	size_t idle_count;
};

/* ---- destinations ---- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
destination_is(const struct destination *to, const struct http_request *request,
    const struct http_place *place)
{
	return strncmp(to->origin, place->origin, place->origin_bytes) == 0 &&
	       to->origin[place->origin_bytes] == '\0' &&
	       to->plain_allowed == request->plain_allowed &&
	       same_text(to->ca_file, request->ca_file);
}

struct destination *
http_destination_take(struct http_pool *pool,
    const struct http_request *request, const struct http_place *place)
{
	struct destination *to = pool->destinations;

	while (to != NULL && !destination_is(to, request, place))
		to = to->next;
	if (to == NULL) {
		to = mem_alloc(sizeof(*to));
		to->pool = pool;
		to->origin = mem_alloc(place->origin_bytes + 1);
		memcpy(to->origin, place->origin, place->origin_bytes);
		to->ca_file = mem_text(request->ca_file);
		to->plain_allowed = request->plain_allowed;
		to->next = pool->destinations;
		pool->destinations = to;
		if (!pool->sweeping)
			loop_timer_arm(pool->sweep, IDLE_CONNECTION_US);
		pool->sweeping = true;
	}
	to->users++;
	return to;
}

void
http_destination_leave(struct destination *to)
{
	to->users--;
}

/* Free it, whom nobody uses. */
static void
destination_free(struct destination *to)
{
	assert(to->users == 0);
	free(to->origin);
	free(to->ca_file);
	free(to->idle);
	free(to);
}

/* ---- connections ---- */

struct connection *
http_connection_create(struct destination *to)
{
	struct connection *connection = mem_alloc(sizeof(*connection));

	connection->to = to;
	to->users++;
	connection->fd = -1;
	return connection;
}

void
http_connection_close(struct connection *connection)
{
	if (connection->readable != NULL)
		event_free(connection->readable);
	if (connection->writable != NULL)
		event_free(connection->writable);
	if (connection->connector != NULL)
		http_connect_end(connection->connector);
	else if (connection->fd != -1)
		close(connection->fd);
	http_destination_leave(connection->to);
	free(connection);
}

static CURLcode
receive(struct connection *connection, void *data, size_t room, int flags,
    size_t *got)
{
	ssize_t bytes;

	*got = 0;
	if (connection->connector != NULL)
		return http_connect_recv(
		    connection->connector, data, room, got);
	do
		bytes = recv(connection->fd, data, room, flags);
	while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		return errno == EAGAIN ? CURLE_AGAIN : CURLE_RECV_ERROR;
	*got = (size_t)bytes;
	return CURLE_OK;
}

CURLcode
http_connection_recv(
    struct connection *connection, void *data, size_t room, size_t *got)
{
	return receive(connection, data, room, 0, got);
}

CURLcode
http_connection_send(
    struct connection *connection, const void *data, size_t bytes, size_t *sent)
{
	ssize_t done;

	*sent = 0;
	if (connection->connector != NULL)
		return http_connect_send(
		    connection->connector, data, bytes, sent);
	do
		done = send(connection->fd, data, bytes, MSG_NOSIGNAL);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return errno == EAGAIN ? CURLE_AGAIN : CURLE_SEND_ERROR;
	*sent = (size_t)done;
	return CURLE_OK;
}

CURLcode
http_connection_listen(struct connection *connection)
{
	char byte;
	size_t got;
	CURLcode code = receive(connection, &byte, 1, MSG_PEEK, &got);

	if (code == CURLE_AGAIN)
		return CURLE_OK;
	return code != CURLE_OK || got == 0 ? CURLE_RECV_ERROR
					    : CURLE_WEIRD_SERVER_REPLY;
}

/* ---- idle ones ---- */

/* Take these from the list, which keeps its order. */
static void
idle_cut(struct destination *to, size_t first, size_t count)
{
	to->idle_count -= count;
	to->pool->idle_count -= count;
	memmove(to->idle + first, to->idle + first + count,
	    (to->idle_count - first) * sizeof(*to->idle));
}

void
http_idle_remove(struct connection *connection)
{
	struct destination *to = connection->to;
	size_t at = to->idle_count;

	do
		assert(at > 0);
	while (to->idle[--at] != connection);
	idle_cut(to, at, 1);
}

void
http_idle_add(struct connection *connection)
{
	struct destination *to = connection->to;

	if (to->pool->idle_count == CONNECTIONS_MAX) {
		http_connection_close(connection);
		return;
	}
	if (to->idle_count == to->idle_capacity) {
		to->idle_capacity = to->idle_capacity * 2 + 8;
		to->idle =
		    mem_resize(to->idle, to->idle_capacity, sizeof(*to->idle));
	}
	connection->idle_at = clock_boot();
	to->idle[to->idle_count++] = connection;
	to->pool->idle_count++;
}

struct connection *
http_idle_take(struct destination *to)
{
	while (to->idle_count > 0) {
		struct connection *connection = to->idle[to->idle_count - 1];

		idle_cut(to, to->idle_count - 1, 1);
		if (clock_boot() - connection->idle_at < IDLE_CONNECTION_US &&
		    http_connection_listen(connection) == CURLE_OK)
			return connection;
		http_connection_close(connection);
	}
	return NULL;
}

/* Close those that are idle since this instant or longer. */
static void
idle_close(struct destination *to, int64_t since)
{
	size_t count = 0;

	while (count < to->idle_count && to->idle[count]->idle_at <= since)
		http_connection_close(to->idle[count++]);
	if (count > 0)
		idle_cut(to, 0, count);
}

/* Close what was idle for too long, and forget where nothing goes. */
static void
on_sweep(void *arg)
{
	struct http_pool *pool = arg;
	struct destination **at = &pool->destinations, *to;
	int64_t now = clock_boot(), delay_us = IDLE_CONNECTION_US;

	while ((to = *at) != NULL) {
		idle_close(to, now - IDLE_CONNECTION_US);
		if (to->idle_count > 0 &&
		    to->idle[0]->idle_at + IDLE_CONNECTION_US - now < delay_us)
			delay_us =
			    to->idle[0]->idle_at + IDLE_CONNECTION_US - now;
		if (to->users > 0) {
			at = &to->next;
			continue;
		}
		*at = to->next;
		destination_free(to);
	}
	pool->sweeping = pool->destinations != NULL;
	if (pool->sweeping)
		loop_timer_arm(pool->sweep,
		    delay_us > SWEEP_US_MIN ? delay_us : SWEEP_US_MIN);
}

struct http_pool *
http_pool_create(struct loop *loop)
{
	struct http_pool *pool = mem_alloc(sizeof(*pool));

	pool->sweep = loop_timer_create(loop, on_sweep, pool);
	return pool;
}

void
http_pool_free(struct http_pool *pool)
{
	struct destination *to;

	while ((to = pool->destinations) != NULL) {
		idle_close(to, INT64_MAX);
		pool->destinations = to->next;
		destination_free(to);
	}
	loop_timer_free(pool->sweep);
	free(pool);
}
