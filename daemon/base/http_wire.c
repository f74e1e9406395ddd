/*
 * Ordinary HTTP/1.1 requests as bytes: the same, in the same order, as curl
 * sends, without an Accept-Encoding.  Nothing is owned.
 */
#include "base/http_wire.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BODY_BYTES_MAX ((size_t)1 << 20)

/* They would change where the request or its answer ends. */
static const char *const reserved[] = {"Accept-Encoding", "Connection",
    "Content-Length", "Expect", "Keep-Alive", "TE", "Trailer",
    "Transfer-Encoding", "Upgrade"};

static bool
letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool
header_ordinary(const struct http_header *header)
{
	const char *name = header->name, *value = header->value;
	size_t bytes = strlen(value);

	if (*name == '\0')
		return false;
	for (const char *c = name; *c != '\0'; c++)
		if (!letter_or_digit(*c) && *c != '-' && *c != '_')
			return false;
	for (size_t i = 0; i < COUNT(reserved); i++)
		if (strcasecmp(name, reserved[i]) == 0)
			return false;
	for (const char *c = value; *c != '\0'; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return false;
	return bytes == 0 || (strchr(" \t", value[0]) == NULL &&
				 strchr(" \t", value[bytes - 1]) == NULL);
}

/* The first of this name; NULL: there is none. */
static const struct http_header *
find_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			return &request->headers[i];
	return NULL;
}

/* Signed requests say Host themselves: what we would say, at that. */
static bool
host_ordinary(
    const struct http_request *request, const struct http_place *place)
{
	const struct http_header *host = find_header(request, "Host");

	return host == NULL || (strlen(host->value) == place->authority_bytes &&
				   memcmp(host->value, place->authority,
				       place->authority_bytes) == 0);
}

/* The bytes of a name, an IPv4 or a bracketed IPv6 address; 0: none. */
static size_t
host_bytes(const char *at)
{
	size_t bytes = 0;

	if (*at == '[') {
		bytes = strspn(at + 1, "0123456789abcdefABCDEF:.");
		return bytes > 0 && at[bytes + 1] == ']' ? bytes + 2 : 0;
	}
	while (letter_or_digit(at[bytes]) ||
	       (at[bytes] != '\0' && strchr("-._", at[bytes]) != NULL))
		bytes++;
	return bytes;
}

/* `/path?query` or nothing, of visible ASCII; curl would undo dot segments. */
static bool
path_ordinary(const char *path)
{
	if (*path != '/' && *path != '\0')
		return false;
	for (const char *c = path; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || *c == '#' || *c == '\\' ||
		    (*c == '/' && c[1] == '.') || strncmp(c, "/%2", 3) == 0)
			return false;
	return true;
}

static bool
take_place(const char *url, struct http_place *place)
{
	const char *at = url;
	size_t bytes;
	long port = 0;

	place->tls = strncmp(url, "https://", 8) == 0;
	if (!place->tls && strncmp(url, "http://", 7) != 0)
		return false;
	at += place->tls ? 8 : 7;
	bytes = host_bytes(at);
	if (bytes == 0)
		return false;
	place->origin = url;
	place->authority = at;
	place->authority_bytes = bytes;
	at += bytes;
	if (*at == ':' && at[1] != '0') {
		for (at++; *at >= '0' && *at <= '9' && port <= 65535; at++)
			port = port * 10 + (*at - '0');
		if (port < 1 || port > 65535)
			return false;
		if (port != (place->tls ? 443 : 80))
			place->authority_bytes =
			    (size_t)(at - place->authority);
	}
	place->origin_bytes = (size_t)(at - url);
	place->path = at;
	return path_ordinary(at);
}

bool
http_wire_ordinary(const struct http_request *request, struct http_place *place)
{
	if (request->http2 || request->body_bytes > BODY_BYTES_MAX ||
	    (strcmp(request->method, "GET") != 0 &&
		strcmp(request->method, "POST") != 0) ||
	    !take_place(request->url, place) ||
	    (!place->tls && !request->plain_allowed))
		return false;
	for (size_t i = 0; i < request->header_count; i++)
		if (!header_ordinary(&request->headers[i]))
			return false;
	return host_ordinary(request, place);
}

void
http_wire_write(const struct http_request *request,
    const struct http_place *place, struct buf *out)
{
	bool is_post = strcmp(request->method, "POST") == 0;
	char length[48];

	buf_text(out, request->method);
	buf_char(out, ' ');
	buf_text(out, *place->path != '\0' ? place->path : "/");
	buf_text(out, " HTTP/1.1\r\nHost: ");
	buf_add(out, place->authority, place->authority_bytes);
	buf_text(out, "\r\n");
	if (find_header(request, "User-Agent") == NULL)
		buf_text(out, "User-Agent: adherd/" ADHERD_VERSION "\r\n");
	if (find_header(request, "Accept") == NULL)
		buf_text(out, "Accept: */*\r\n");
	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_header *header = &request->headers[i];

		if (strcasecmp(header->name, "Host") == 0)
			continue;
		buf_text(out, header->name);
		buf_text(out, *header->value != '\0' ? ": " : ":");
		buf_text(out, header->value);
		buf_text(out, "\r\n");
	}
	if (is_post || request->body_bytes > 0) {
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n",
		    request->body_bytes);
		buf_text(out, length);
	}
	buf_text(out, "\r\n");
	buf_add(out, request->body, request->body_bytes);
}
