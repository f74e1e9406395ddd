#ifndef ADHERD_DOOR_METRICS_H
#define ADHERD_DOOR_METRICS_H

#include "base/clock.h"
#include "base/db.h"
#include "base/http_server.h"
#include "flow/gateway_host.h"

/*
 * GET /metrics: what this process counts, and every 15 s, asked of the
 * database in one unit, what it knows for all copies.  Answered from memory,
 * also while the database is away; what the database said is left out once
 * it is older than a minute.
 */
struct metrics;

struct metrics_settings {
	struct loop *loop;
	const struct clock *clock;
	const struct gateways *gateways;
	struct db *db;            /* asked when idle; NULL: may not look */
	struct db *const *others; /* whose state is told, it included */
	const char *const *names; /* of these, in their order */
	size_t count;
	const int64_t *lease_us; /* may change */
};

/* The settings are copied; what they point to must outlive it. */
struct metrics *metrics_create(const struct metrics_settings *settings);
void metrics_serve(struct http_server *server, struct metrics *metrics);

#endif
