/*
 * adherctl gateway: what the configuration names, what is paused, and an
 * operator's pause.  A pause is a row that every copy reads at each look: it
 * gives back what waits for that gateway and lets end what is on its way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl.h"
#include "ctl_line.h"
#include "ctl_stop.h"
#include "flow/gateway_host.h"

static int
run_gateway_list(struct ctl *ctl, int argc, char **argv)
{
	struct gateways *gateways;

	(void)argv;
	if (argc != 0)
		ctl_usage(&ctl_gateway_list);
	gateways = ctl_gateways(ctl);
	for (size_t i = 0; i < gateways_count(gateways); i++) {
		const struct gateway *g = gateways_at(gateways, i);

		(void)printf(
		    ctl->json
			? "{\"name\":\"%s\",\"plugin\":\"%s\",\"channel\":"
			  "\"%s\",\"window\":%u,\"batch\":%u,\"lane\":%d}\n"
			: "%-16s %-14s %-12s window %-5u batch %-4u lane %d\n",
		    g->name, g->api->name, channel_word(g->channel),
		    g->pace.window_max, g->batch_max, g->lane);
	}
	gateways_free(gateways);
	return 0;
}

const struct ctl_verb ctl_gateway_list = {
    "gateway list",
    "[--json]",
    "the gateways of the configuration, loaded and checked",
    run_gateway_list,
};

/* ---- pauses ---- */

struct wish {
	const char *gateway, *scope, *by;
	int64_t until_at;
};

/* NAME [--scope SCOPE] [--until TIME] [--by NAME]; exits where it is wrong. */
static struct wish
read_wish(struct ctl *ctl, const struct ctl_verb *verb, int argc, char **argv)
{
	struct wish wish = {.scope = "", .until_at = AT_NEVER};

	for (int i = 0; i < argc; i++) {
		const char *value;

		if ((value = ctl_option(verb, argc, argv, &i, "--scope")) !=
		    NULL)
			wish.scope = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--by")) !=
			 NULL)
			wish.by = value;
		else if ((value = ctl_option(
			      verb, argc, argv, &i, "--until")) != NULL) {
			if (!instant_parse(value, &wish.until_at))
				ctl_fail(EXIT_USAGE_,
				    "--until %s: not an instant like "
				    "2026-03-08T09:59:30+08:00",
				    value);
		} else if (wish.gateway == NULL && argv[i][0] != '-')
			wish.gateway = argv[i];
		else
			ctl_stray(verb, argv[i]);
	}
	if (wish.gateway == NULL)
		ctl_usage(verb);
	(void)ctl_settings(ctl);
	return wish;
}

static bool
is_scope(const char *scope)
{
	return (strncmp(scope, "template:", 9) == 0 && scope[9] != '\0') ||
	       (strncmp(scope, "sender:", 7) == 0 && scope[7] != '\0');
}

static void
check_wish(
    const struct gateways *gateways, const struct wish *wish, int64_t now)
{
	if (gateways_find(gateways, wish->gateway) == NULL)
		ctl_fail(EXIT_NO_INPUT,
		    "%s: no such gateway in the configuration", wish->gateway);
	if (wish->scope[0] != '\0' && !is_scope(wish->scope))
		ctl_fail(EXIT_USAGE_,
		    "--scope %s: neither template:CODE nor sender:NAME",
		    wish->scope);
	if (wish->until_at <= now)
		ctl_fail(EXIT_USAGE_, "--until lies in the past");
}

/* "2026-03-08T02:00:00+00:00"; for people */
static const char *
until_words(int64_t until_at, char out[32])
{
	return until_at == AT_NEVER
		   ? "an operator acts"
		   : ctl_show_at(zone_open("UTC"), until_at, out);
}

/* The pause that the new one took the place of. */
static void
tell_stood(const struct db_result *result, void *arg)
{
	char when[32];

	(void)arg;
	if (db_rows(result) == 0)
		return;
	(void)printf("it was paused until %s (%s): that no longer holds\n",
	    until_words(db_at(result, 0, 0), when), db_text(result, 0, 1));
}

static int
run_pause(struct ctl *ctl, int argc, char **argv)
{
	struct wish wish = read_wish(ctl, &ctl_gateway_pause, argc, argv);
	struct gateways *gateways = ctl_gateways(ctl);
	struct clock clock = ctl_clock(ctl);
	int64_t now = clock_unmoved(&clock);
	struct db_unit *unit;
	char when[32];

	check_wish(gateways, &wish, now);
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "ctl_gateway_pause", tell_stood, NULL);
	db_param_text(unit, wish.gateway);
	db_param_text(unit, wish.scope);
	db_param_text(unit,
	    arena_printf(ctl->arena, "operator %s", stop_by(ctl, wish.by)));
	db_param_at(unit, wish.until_at);
	db_param_at(unit, now);
	ctl_run(unit);
	gateways_free(gateways);
	(void)printf("paused until %s\n", until_words(wish.until_at, when));
	return 0;
}

const struct ctl_verb ctl_gateway_pause = {
    .words = "gateway pause",
    .usage = "NAME [--scope SCOPE] [--until TIME] [--by NAME]",
    .help = "nothing more leaves through a gateway\n"
	    "  --scope  only template:CODE or sender:NAME of it\n"
	    "  --until  an instant; without it until `gateway resume`\n"
	    "  --by     who, for the trace; if not said, who runs this\n"
	    "What is on its way ends, what waits is kept while it is valid.\n"
	    "The latest command holds: a pause that stands, be it without\n"
	    "end, then ends --until, and is told.",
    .run = run_pause,
};

static void
take_count(const struct db_result *result, void *arg)
{
	*(int64_t *)arg = db_affected(result);
}

static int
run_resume(struct ctl *ctl, int argc, char **argv)
{
	struct wish wish = read_wish(ctl, &ctl_gateway_resume, argc, argv);
	struct clock clock;
	struct db_unit *unit;
	int64_t count = 0;

	if (strcmp(wish.gateway, "*") == 0)
		ctl_fail(EXIT_USAGE_, "the database is behind: adherctl resume "
				      "--assume-sent-until TIME");
	if (wish.until_at != AT_NEVER)
		ctl_usage(&ctl_gateway_resume);
	clock = ctl_clock(ctl);
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "gateway_pause_end", take_count, &count);
	db_param_text(unit, wish.gateway);
	db_param_text(unit, wish.scope);
	db_param_at(unit, clock_unmoved(&clock));
	db_param_text(unit, stop_by(ctl, wish.by));
	if (wish.scope[0] == '\0') {
		db_unit_add(unit, "gateway_strike_end", NULL, NULL);
		db_param_text(unit, wish.gateway);
	}
	db_unit_add(unit, "agenda_notify", NULL, NULL);
	ctl_run(unit);
	if (count == 0)
		ctl_fail(EXIT_NO_INPUT,
		    "%s: no pause of it stands; see adherctl gateway pauses",
		    wish.gateway);
	(void)printf("resumed\n");
	return 0;
}

const struct ctl_verb ctl_gateway_resume = {
    .words = "gateway resume",
    .usage = "NAME [--scope SCOPE] [--by NAME]",
    .help = "end a pause of a gateway, whoever made it\n"
	    "  --scope  only that of template:CODE or sender:NAME\n"
	    "  --by     who, for the trace; if not said, who runs this\n"
	    "A plug-in that was set aside because processes died in it is\n"
	    "trusted again.",
    .run = run_resume,
};

struct listing {
	struct ctl *ctl;
	bool over; /* what is listed has ended */
	struct buf out;
};

static void
print_pauses(const struct db_result *result, void *arg)
{
	struct listing *listing = arg;
	const struct zone *utc = zone_open("UTC");

	for (int row = 0; row < db_rows(result); row++) {
		int64_t until = db_at(result, row, 2);
		struct json_writer w;
		char when[32];

		if (listing->ctl->json) {
			w = ctl_line_begin(&listing->out, NULL);
			json_write_member(
			    &w, "gateway", db_text(result, row, 0));
			json_write_member(&w, "scope", db_text(result, row, 1));
			ctl_line_at(
			    &w, listing->over ? "ended" : "until", utc, until);
			json_write_member(&w, "code", db_text(result, row, 3));
			ctl_line_end(&w);
			continue;
		}
		(void)printf("%-16s %-24s %s %s  %s\n", db_text(result, row, 0),
		    db_text(result, row, 1)[0] == '\0'
			? "-"
			: db_text(result, row, 1),
		    listing->over ? "ended" : "until", until_words(until, when),
		    db_text(result, row, 3));
	}
}

static void
take_number(const struct db_result *result, void *arg)
{
	*(int64_t *)arg = db_i64(result, 0, 0);
}

/* The end of the account's day, where its quota is used up; else 0. */
static int64_t
quota_spent_until(struct ctl *ctl, const struct account *account, int64_t now)
{
	int32_t day_on = zone_local(account->zone, now, NULL);
	struct db_unit *unit;
	int64_t taken = 0;

	if (account->quota == 0)
		return 0;
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "ctl_account_taken", take_number, &taken);
	db_param_text(unit, account->name);
	db_param_on(unit, day_on);
	ctl_run(unit);
	return taken < account->quota
		   ? 0
		   : zone_instant(account->zone, day_on + 1, 0);
}

/* Nothing is stored of a quota that is used up: it ends by itself. */
static void
print_quotas(struct listing *listing, int64_t now)
{
	struct gateways *gateways = ctl_gateways(listing->ctl);
	const struct zone *utc = zone_open("UTC");
	char when[32];

	for (size_t i = 0; i < gateways_count(gateways); i++) {
		const struct gateway *g = gateways_at(gateways, i);
		int64_t until =
		    quota_spent_until(listing->ctl, g->account, now);
		struct json_writer w;

		if (until == 0)
			continue;
		if (!listing->ctl->json) {
			(void)printf("%-16s %-24s until %s  quota of %" PRId64
				     " is used up\n",
			    g->name, "-", ctl_show_at(utc, until, when),
			    g->account->quota);
			continue;
		}
		w = ctl_line_begin(&listing->out, NULL);
		json_write_member(&w, "gateway", g->name);
		json_write_member(&w, "scope", "");
		ctl_line_at(&w, "until", utc, until);
		json_write_member(&w, "code", "quota");
		ctl_line_end(&w);
	}
	gateways_free(gateways);
}

static void
list_stored(struct listing *listing, const char *statement, int64_t now)
{
	struct db_unit *unit = db_unit_begin(ctl_database(listing->ctl));

	db_unit_add(unit, statement, print_pauses, listing);
	db_param_at(unit, now);
	ctl_run(unit);
}

static int
run_pauses(struct ctl *ctl, int argc, char **argv)
{
	struct listing listing = {.ctl = ctl};
	bool all = argc == 1 && strcmp(argv[0], "--all") == 0;
	struct clock clock = ctl_clock(ctl);
	int64_t now = clock_unmoved(&clock);

	if (argc > 1 || (argc == 1 && !all))
		ctl_usage(&ctl_gateway_pauses);
	if (all) {
		listing.over = true;
		list_stored(&listing, "ctl_gateway_paused", now);
		listing.over = false;
	}
	list_stored(&listing, "gateway_pauses", now);
	print_quotas(&listing, now);
	buf_free(&listing.out);
	return 0;
}

const struct ctl_verb ctl_gateway_pauses = {
    .words = "gateway pauses",
    .usage = "[--all] [--json]",
    .help = "what is paused now, until when, and why\n"
	    "  --all  the last pause of each that is over, too: when it ended\n"
	    "Gateway * stands for all: the database is behind.",
    .run = run_pauses,
};
