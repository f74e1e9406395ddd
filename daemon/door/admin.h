#ifndef ADHERD_DOOR_ADMIN_H
#define ADHERD_DOOR_ADMIN_H

#include "base/clock.h"
#include "base/db.h"
#include "base/http_server.h"

/*
 * For operators, on a port of its own: GET /-/healthy (the process turns),
 * GET /-/ready (it can do its work), and where the clock may be moved
 * POST /-/care-time (demo and tests).
 */
struct admin {
	const struct clock *clock;
	struct db *db; /* single units */
	bool test_clock;
	/* NULL, or a fixed phrase: why it is not ready */
	const char *(*not_ready)(void *arg);
	void (*clock_moved)(void *arg); /* after it was stored */
	void *arg;
};

void admin_serve(struct http_server *server, struct admin *admin);

#endif
