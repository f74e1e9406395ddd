#ifndef ADHERD_TESTS_SIM_DOOR_H
#define ADHERD_TESTS_SIM_DOOR_H

#include "base/buf.h"
#include "base/loop.h"

/*
 * The simulator's HTTP server, on 127.0.0.1 only.  It is not the daemon's:
 * it must see every header as sent, and it must be able to misbehave
 * (reset, fall silent, trickle), which a good server cannot.
 */
struct door;

struct door_pair {
	const char *name;
	const char *value;
};

struct door_request { /* lives until the handler returns */
	const char *method;
	const char *path;                /* raw */
	const char *query;               /* raw, "" if none */
	const struct door_pair *headers; /* every one, as sent */
	size_t header_count;
	const char *body; /* NUL-terminated besides */
	size_t body_bytes;
	struct arena *arena;
};

enum door_manner {
	DOOR_ANSWER,
	DOOR_RESET,   /* no answer; the connection ends with RST */
	DOOR_SILENT,  /* no answer; the connection stays open for 5 min */
	DOOR_TRICKLE, /* a byte each second */
};

struct door_reply { /* status 0: 200 */
	int status;
	const char *content_type; /* NULL: application/json */
	struct door_pair headers[4];
	size_t header_count;
	size_t filler_headers; /* so many x-filler-N besides */
	struct buf body;       /* freed by the door */
	enum door_manner manner;
	int64_t delay_us;
};

typedef void door_handler(
    const struct door_request *request, struct door_reply *reply, void *arg);

/* NULL with a message in error. port 0: any free one. */
struct door *door_open(
    struct loop *loop, uint16_t port, char *error, size_t bytes);
void door_close(struct door *door);
uint16_t door_port(const struct door *door);
void door_route(
    struct door *door, const char *path, door_handler *handler, void *arg);

/* The first header of this name (any case), or NULL. */
const char *door_header(const struct door_request *request, const char *name);
/* A number in the query, or otherwise. */
int64_t door_query_i64(
    const struct door_request *request, const char *name, int64_t otherwise);
void door_reply_header(
    struct door_reply *reply, const char *name, const char *value);

#endif
