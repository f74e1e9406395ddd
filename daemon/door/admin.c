/*
 * The operators' door.  Reads nothing of patients; moving the clock writes
 * the one row of care_clock.
 */
#include "door/admin.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/zone.h"

#define STEP_US_MAX (400 * DAY_US)

struct moving {
	struct admin *admin;
	struct http_exchange *exchange;
	int64_t care_at;
};

static void
on_healthy(struct http_exchange *exchange, void *arg)
{
	(void)arg;
	http_exchange_reply_text(exchange, 200, "text/plain", "healthy\n");
}

static void
on_ready(struct http_exchange *exchange, void *arg)
{
	struct admin *admin = arg;
	const char *reason = admin->not_ready(admin->arg);
	const char *text = reason == NULL
			       ? "ready\n"
			       : arena_printf(http_exchange_arena(exchange),
				     "not ready: %s\n", reason);

	http_exchange_reply_text(
	    exchange, reason == NULL ? 200 : 503, "text/plain", text);
}

/* "+90m", "+12h", "+3d": microseconds, 0 if it is none. */
static int64_t
parse_step(const char *text)
{
	char *end;
	long count;
	int64_t unit;

	if (text[0] != '+' || text[1] < '0' || text[1] > '9')
		return 0;
	count = strtol(text + 1, &end, 10);
	unit = *end == 's'   ? SECOND_US
	       : *end == 'm' ? MINUTE_US
	       : *end == 'h' ? HOUR_US
	       : *end == 'd' ? DAY_US
			     : 0;
	if (unit == 0 || end[1] != '\0' || count > STEP_US_MAX / unit)
		return 0;
	return count * unit;
}

static void
on_moved(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct moving *moving = arg;
	struct http_exchange *exchange = moving->exchange;
	char when[40];

	(void)sqlstate;
	if (outcome != DB_OK) {
		http_exchange_reply_text(
		    exchange, 503, "text/plain", "the database is away\n");
		return;
	}
	moving->admin->clock_moved(moving->admin->arg);
	zone_format(zone_open("UTC"), moving->care_at, when, sizeof(when));
	log_notice("clock.moved", log_s(KEY, when));
	http_exchange_reply_text(exchange, 200, "text/plain",
	    arena_printf(
		http_exchange_arena(exchange), "care time is %s\n", when));
}

static void
on_care_time(struct http_exchange *exchange, void *arg)
{
	struct admin *admin = arg;
	struct arena *arena = http_exchange_arena(exchange);
	struct moving *moving = arena_alloc(arena, sizeof(*moving));
	struct db_unit *unit;
	size_t bytes;
	const char *body = http_exchange_body(exchange, &bytes);
	char *text = arena_text_n(arena, body, bytes < 64 ? bytes : 64);
	int64_t now, step;

	if (!admin->test_clock || !admin->clock->synced) {
		http_exchange_reply_text(exchange, 403, "text/plain",
		    "care time is moved only with test-clock = yes, for demo "
		    "and tests\n");
		return;
	}
	text[strcspn(text, "\r\n")] = '\0';
	now = clock_care(admin->clock);
	step = parse_step(text);
	moving->care_at = now + step;
	if ((step == 0 && !instant_parse(text, &moving->care_at)) ||
	    moving->care_at < now || moving->care_at - now > STEP_US_MAX) {
		http_exchange_reply_text(exchange, 400, "text/plain",
		    "give +90m, +12h, +3d or an instant like "
		    "2026-03-08T09:59:30+08:00, ahead of care time\n");
		return;
	}
	moving->admin = admin;
	moving->exchange = exchange;
	unit = db_unit_begin(admin->db);
	db_unit_add(unit, "clock_move", NULL, NULL);
	db_param_i64(unit, moving->care_at - clock_unmoved(admin->clock));
	db_unit_send(unit, on_moved, moving);
}

void
admin_serve(struct http_server *server, struct admin *admin)
{
	http_server_route(server, HTTP_GET, "/-/healthy", on_healthy, admin);
	http_server_route(server, HTTP_GET, "/-/ready", on_ready, admin);
	http_server_route(
	    server, HTTP_POST, "/-/care-time", on_care_time, admin);
}
