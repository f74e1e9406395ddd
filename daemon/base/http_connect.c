/*
 * Connections that curl makes and hands over: it resolves, tries addresses,
 * speaks TLS and verifies, within the time given (CURLOPT_CONNECT_ONLY).
 *
 * Owns a pool of connectors, each an easy handle with a connection cache of
 * its own.  In the cache of the multi handle they would not be safe: any
 * other transfer looks there for connections that seem dead or too old and
 * closes them, also those that were handed over, for curl does not know that
 * they are in use; and each curl_easy_recv() would look through all of them.
 *
 * A plain connection is handed over by not closing its socket when curl says
 * so; one with TLS stays curl's, and its handle in the multi handle, for
 * there curl_easy_send() finds it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/http_inside.h"

#define IDLE_CONNECTORS_MAX 64

struct http_connector {
	struct http_transfer transfer; /* first */
	struct http_connectors *all;
	struct http_connector *next; /* in the pool */
	CURL *easy;                  /* owned */
	CURLSH *cache;               /* owned */
	curl_socket_t kept;          /* handed over: not to be closed by curl */
	bool tls;
	void (*done)(CURLcode code, int fd, void *arg);
	void *arg;
};

struct http_connectors {
	struct http_curl *curl;
	struct http_connector *idle; /* owned */
	size_t idle_count;
};

static void connector_over(struct http_transfer *transfer, CURLcode code);

static int
close_socket(void *arg, curl_socket_t fd)
{
	const struct http_connector *connector = arg;

	return fd == connector->kept ? 0 : close(fd);
}

static struct http_connector *
connector_create(struct http_connectors *all)
{
	struct http_connector *connector = all->idle;
	CURL *easy;

	if (connector != NULL) {
		all->idle = connector->next;
		all->idle_count--;
		return connector;
	}
	connector = mem_alloc(sizeof(*connector));
	connector->all = all;
	connector->transfer.over = connector_over;
	connector->kept = CURL_SOCKET_BAD;
	easy = http_easy_create(all->curl, &connector->transfer);
	connector->easy = easy;
	connector->cache = curl_share_init();
	assert(connector->cache != NULL);
	curl_share_setopt(
	    connector->cache, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT);
	curl_easy_setopt(easy, CURLOPT_SHARE, connector->cache);
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, connector);
	return connector;
}

static void
connector_free(struct http_connector *connector)
{
	CURLSHcode failed;

	curl_easy_cleanup(connector->easy);
	failed = curl_share_cleanup(connector->cache);
	assert(failed == CURLSHE_OK);
	free(connector);
}

/* Take it from curl, which closes what is not kept, and into the pool. */
void
http_connect_end(struct http_connector *connector)
{
	struct http_connectors *all = connector->all;

	http_curl_remove(all->curl, connector->easy);
	connector->kept = CURL_SOCKET_BAD;
	if (all->idle_count == IDLE_CONNECTORS_MAX) {
		connector_free(connector);
		return;
	}
	connector->next = all->idle;
	all->idle = connector;
	all->idle_count++;
}

static void
connector_over(struct http_transfer *transfer, CURLcode code)
{
	struct http_connector *connector = (struct http_connector *)transfer;
	void (*done)(CURLcode, int, void *) = connector->done;
	void *arg = connector->arg;
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (code == CURLE_OK) {
		curl_easy_getinfo(connector->easy, CURLINFO_ACTIVESOCKET, &fd);
		if (fd == CURL_SOCKET_BAD)
			code = CURLE_COULDNT_CONNECT;
	}
	if (code != CURLE_OK || !connector->tls) {
		connector->kept = fd;
		http_connect_end(connector);
	}
	done(code, fd, arg);
}

struct http_connector *
http_connect(struct http_connectors *connectors,
    const struct http_connect_options *options,
    void (*done)(CURLcode code, int fd, void *arg), void *arg)
{
	struct http_connector *connector = connector_create(connectors);

	connector->done = done;
	connector->arg = arg;
	connector->tls = strncmp(options->origin, "https:", 6) == 0;
	connector->transfer.plain_allowed = options->plain_allowed;
	curl_easy_setopt(connector->easy, CURLOPT_URL, options->origin);
	curl_easy_setopt(connector->easy, CURLOPT_CONNECTTIMEOUT_MS,
	    http_milliseconds(options->connect_timeout_us));
	curl_easy_setopt(connector->easy, CURLOPT_TIMEOUT_MS,
	    http_milliseconds(options->timeout_us));
	http_easy_trust(connectors->curl, connector->easy,
	    options->plain_allowed, options->ca_file);
	http_curl_add(connectors->curl, connector->easy);
	return connector;
}

CURLcode
http_connect_recv(
    struct http_connector *connector, void *data, size_t room, size_t *got)
{
	CURLcode code = curl_easy_recv(connector->easy, data, room, got);

	return code == CURLE_OK || code == CURLE_AGAIN ? code
						       : CURLE_RECV_ERROR;
}

CURLcode
http_connect_send(struct http_connector *connector, const void *data,
    size_t bytes, size_t *sent)
{
	CURLcode code = curl_easy_send(connector->easy, data, bytes, sent);

	return code == CURLE_OK || code == CURLE_AGAIN ? code
						       : CURLE_SEND_ERROR;
}

struct http_connectors *
http_connectors_create(struct http_curl *curl)
{
	struct http_connectors *connectors = mem_alloc(sizeof(*connectors));

	connectors->curl = curl;
	return connectors;
}

void
http_connectors_free(struct http_connectors *connectors)
{
	struct http_connector *connector;

	while ((connector = connectors->idle) != NULL) {
		connectors->idle = connector->next;
		connector_free(connector);
	}
	free(connectors);
}
