/*
 * How the daemon is, for people and for systemd: ready or why not, one line
 * of status, and that it is alive.
 */
#include <stdio.h>

#include "base/systemd.h"
#include "base/watchdog.h"
#include "main.h"

#define STATUS_LOOKS 10                /* seconds, where nothing changed */
#define ANSWER_LATE_US (5 * SECOND_US) /* a healthy database takes less */
/* Longer than a unit lasts at most: after it a connection is given up. */
#define ANSWER_LOST_US (20 * SECOND_US)
#define PING_AGAIN_US SECOND_US

static bool
database_away(const struct daemon *daemon)
{
	for (int i = 0; i < DB_COUNT; i++)
		if (!db_ready(daemon->db[i]))
			return true;
	return false;
}

static bool
answered_within(const struct daemon *daemon, int64_t time_us)
{
	return clock_boot() - daemon->answered_at <= time_us;
}

static size_t
paused_gateways(const struct daemon *daemon, size_t *usable)
{
	size_t paused = 0;

	*usable = 0;
	for (size_t i = 0; i < gateways_count(daemon->gateways); i++) {
		const struct gateway *g = gateways_at(daemon->gateways, i);

		if (g->retired)
			continue;
		if (gateway_paused(g, ""))
			paused++;
		else
			++*usable;
	}
	return paused;
}

const char *
daemon_not_ready(void *arg)
{
	const struct daemon *daemon = arg;
	size_t usable;

	if (daemon->stopping)
		return "stopping";
	if (database_away(daemon))
		return "the database is away";
	if (!daemon->loaded)
		return "starting";
	if (!answered_within(daemon, ANSWER_LATE_US))
		return "the database does not answer";
	if (!clock_agrees(&daemon->clock))
		return "the clocks are apart";
	if (gateways_all_paused(daemon->gateways))
		return "the database is behind what was sent";
	if (paused_gateways(daemon, &usable) > 0 && usable == 0)
		return "every gateway is paused";
	return NULL;
}

/* ---- systemd ---- */

static size_t
addresses(const struct daemon *daemon)
{
	size_t count = 0;

	if (daemon->settings.only_to != NULL)
		while (daemon->settings.only_to[count] != NULL)
			count++;
	return count;
}

static void
tell_status(const struct daemon *daemon)
{
	static const char *const roles[] = {"all", "plan", "inbox"};
	const char *wrong = daemon_not_ready((void *)daemon);
	char staging[64] = "";
	size_t usable, paused = paused_gateways(daemon, &usable);

	if (daemon->settings.only_to != NULL)
		(void)snprintf(staging, sizeof(staging),
		    "; staging: only %zu addresses", addresses(daemon));
	systemd_notify("STATUS=%s%s; copy %s, role %s, database %s, %zu of "
		       "%zu gateways paused%s",
	    wrong == NULL ? "ready" : "not ready: ", wrong == NULL ? "" : wrong,
	    daemon->copy, roles[daemon->settings.role],
	    database_away(daemon) ? "away" : "up", paused, paused + usable,
	    staging);
}

void
daemon_tell_ready(const struct daemon *daemon)
{
	if (!daemon->loaded)
		return;
	if (daemon->settings.only_to != NULL)
		log_warning("staging", log_s(KEY, "only-to"),
		    log_n(COUNT, addresses(daemon)));
	systemd_notify("READY=1");
	tell_status(daemon);
}

/* Told each ten seconds, and at once where it became ready or is not. */
static void
on_status(void *arg)
{
	struct daemon *daemon = arg;
	const char *wrong = daemon_not_ready(daemon);

	loop_timer_arm(daemon->status, SECOND_US);
	if (wrong == daemon->wrong && ++daemon->status_looks < STATUS_LOOKS)
		return;
	daemon->wrong = wrong;
	daemon->status_looks = 0;
	tell_status(daemon);
}

/*
 * Alive is a loop that turns, which this call shows, with a database that
 * answers or is known to be away: killing us would not bring it back.
 */
static void
on_ping(void *arg)
{
	struct daemon *daemon = arg;
	bool alive =
	    database_away(daemon) || answered_within(daemon, ANSWER_LOST_US);

	loop_timer_arm(
	    daemon->ping, alive ? systemd_watchdog_us() / 2 : PING_AGAIN_US);
	if (alive)
		systemd_notify("WATCHDOG=1");
}

void
daemon_state_start(struct daemon *daemon)
{
	daemon->answered_at = clock_boot();
	daemon->status = loop_timer_create(daemon->loop, on_status, daemon);
	loop_timer_arm(daemon->status, 0);
	watchdog_start(
	    daemon->loop, daemon->settings.watchdog_us, daemon_on_stuck);
	if (systemd_watchdog_us() == 0)
		return;
	daemon->ping = loop_timer_create(daemon->loop, on_ping, daemon);
	loop_timer_arm(daemon->ping, systemd_watchdog_us() / 2);
}
