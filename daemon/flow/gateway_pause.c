/*
 * What is paused: set here at once, stored by others, read at each look.  The
 * log has the beginning of what is paused by hand, or until somebody acts,
 * also where another copy stored it, and the end of whatever it has the
 * beginning of: by itself, or by whom.
 */
#include <string.h>

#include "base/log.h"
#include "flow/gateway_load.h"

#define PAUSES_MAX 4096
#define EVERY_GATEWAY "*"
#define BY_HAND "operator " /* and who, as the code that is stored */
/* a pause may not be in the database yet */
#define UNSTORED_US (10 * SECOND_US)

static struct pause *
pause_find(const struct list *list, const char *gateway, const char *scope)
{
	struct pause *pauses = list->data;

	for (size_t i = 0; i < list->count; i++)
		if (strcmp(pauses[i].gateway, gateway) == 0 &&
		    strcmp(pauses[i].scope, scope) == 0)
			return &pauses[i];
	return NULL;
}

static bool
is_paused(
    const struct gateways *gateways, const char *gateway, const char *scope)
{
	const struct pause *pause =
	    pause_find(&gateways->pauses, gateway, scope);

	return pause != NULL &&
	       pause->until_at > clock_unmoved(gateways->clock);
}

bool
gateways_all_paused(const struct gateways *gateways)
{
	return is_paused(gateways, EVERY_GATEWAY, "");
}

bool
gateway_paused(const struct gateway *gateway, const char *scope)
{
	if (scope[0] == '\0' &&
	    (gateway->retired || account_spent(gateway->account) ||
		gateways_all_paused(gateway->gateways)))
		return true;
	return is_paused(gateway->gateways, gateway->name, scope);
}

/* The entry, new or not; NULL: there are too many. */
static struct pause *
note_pause(struct gateways *gateways, const char *gateway, const char *scope,
    int64_t until_at, int64_t set_at)
{
	struct pause *pause = pause_find(&gateways->pauses, gateway, scope);

	if (pause == NULL) {
		if (gateways->pauses.count == PAUSES_MAX)
			return NULL;
		pause = list_add(&gateways->pauses);
		pause->gateway = arena_text(gateways->pause_arena, gateway);
		pause->scope = arena_text(gateways->pause_arena, scope);
		pause->set_at = AT_UNKNOWN;
	}
	if (until_at > pause->until_at)
		pause->until_at = until_at;
	if (set_at > pause->set_at)
		pause->set_at = set_at;
	return pause;
}

void
gateways_pause(struct gateways *gateways, const char *gateway,
    const char *scope, int64_t until_at)
{
	struct pause *pause = note_pause(
	    gateways, gateway, scope, until_at, clock_unmoved(gateways->clock));

	if (pause == NULL)
		return;
	pause->gone = false;
	pause->told = true;
}

/* ---- beginning and end in the log ---- */

static void
tell_begin(const struct pause *pause, const char *code, int64_t now)
{
	const char *by = pause->by_hand ? code + strlen(BY_HAND) : NULL;
	const char *reason = pause->by_hand ? "operator" : "until_resumed";

	if (pause->until_at == AT_NEVER)
		log_warning("gateway.paused", log_s(GATEWAY, pause->gateway),
		    log_s(SCOPE, pause->scope), log_s(REASON, reason),
		    by != NULL ? log_s(BY, by) : log_s(CODE, code));
	else
		log_warning("gateway.paused", log_s(GATEWAY, pause->gateway),
		    log_s(SCOPE, pause->scope), log_s(REASON, reason),
		    log_s(BY, by), log_n(MS, (pause->until_at - now) / 1000));
}

static void
tell_end(const struct pause *pause, const char *reason, const char *by)
{
	if (strcmp(pause->gateway, EVERY_GATEWAY) == 0)
		log_notice("database.settled", log_s(BY, by));
	else if (by != NULL)
		log_notice("gateway.resumed", log_s(GATEWAY, pause->gateway),
		    log_s(SCOPE, pause->scope), log_s(REASON, reason),
		    log_s(BY, by));
	else
		log_notice("gateway.resumed", log_s(GATEWAY, pause->gateway),
		    log_s(SCOPE, pause->scope), log_s(REASON, reason));
}

/* Its time is over; where the gateway is only tried, its answer tells. */
static void
tell_over(const struct gateways *gateways, const struct pause *pause)
{
	const struct gateway *gateway = gateways_find(gateways, pause->gateway);

	if (pause->told && (pause->scope[0] != '\0' || pause->by_hand ||
			       gateway == NULL || !gateway->pace.probing))
		tell_end(pause, "over", NULL);
}

/* ---- reading ---- */

/* One that is stored: told already, or to be told. */
static void
take_pause(struct gateways *gateways, const struct list *old,
    const struct db_result *result, int row, int64_t now)
{
	const char *code = db_text(result, row, 3);
	struct pause *pause = note_pause(gateways, db_text(result, row, 0),
	    db_text(result, row, 1), db_at(result, row, 2), AT_UNKNOWN);
	const struct pause *before;

	if (pause == NULL)
		return;
	before = pause_find(old, pause->gateway, pause->scope);
	if (before != NULL && before->gone) /* and paused anew */
		before = NULL;
	pause->by_hand = strncmp(code, BY_HAND, strlen(BY_HAND)) == 0;
	pause->told = before != NULL && before->told;
	if ((pause->by_hand && (before == NULL || !before->by_hand)) ||
	    (pause->until_at == AT_NEVER && !pause->told)) {
		pause->told = true;
		tell_begin(pause, code, now);
	}
}

/* One that is not stored any more, or not yet. */
static void
keep_pause(struct gateways *gateways, const struct pause *old, int64_t now)
{
	bool stands = old->until_at > now;
	bool unstored = old->set_at > now - UNSTORED_US;
	struct pause *pause;

	if (old->gone && old->told)
		tell_end(old, "removed", NULL);
	if (old->gone)
		return;
	if (!stands) {
		tell_over(gateways, old);
		return;
	}
	pause = note_pause(gateways, old->gateway, old->scope,
	    unstored ? old->until_at : AT_UNKNOWN,
	    unstored ? old->set_at : AT_UNKNOWN);
	if (pause == NULL)
		return;
	pause->told = old->told;
	pause->by_hand = old->by_hand;
	pause->gone = !unstored;
}

static void
take_pauses(const struct db_result *result, void *arg)
{
	struct gateways *gateways = arg;
	struct arena *old_arena = gateways->pause_arena;
	const struct list old = gateways->pauses;
	const struct pause *before = old.data;
	int64_t now = clock_unmoved(gateways->clock);

	gateways->pause_arena = arena_create();
	list_init(
	    &gateways->pauses, gateways->pause_arena, sizeof(struct pause));
	for (int row = 0; row < db_rows(result); row++)
		take_pause(gateways, &old, result, row, now);
	for (size_t i = 0; i < old.count; i++) {
		struct pause *pause = pause_find(
		    &gateways->pauses, before[i].gateway, before[i].scope);

		if (pause == NULL)
			keep_pause(gateways, &before[i], now);
		else if (before[i].set_at > now - UNSTORED_US)
			(void)note_pause(gateways, before[i].gateway,
			    before[i].scope, before[i].until_at,
			    before[i].set_at);
	}
	arena_free(old_arena);
}

/* Who ended what is gone. */
static void
take_ended(const struct db_result *result, void *arg)
{
	struct gateways *gateways = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct pause *pause = pause_find(&gateways->pauses,
		    db_text(result, row, 0), db_text(result, row, 1));

		if (pause == NULL || !pause->gone)
			continue;
		tell_end(pause, "operator", db_text(result, row, 2));
		pause->told = false;
	}
}

static bool
some_are_gone(const struct gateways *gateways)
{
	const struct pause *pauses = gateways->pauses.data;

	for (size_t i = 0; i < gateways->pauses.count; i++)
		if (pauses[i].gone)
			return true;
	return false;
}

void
gateways_read_pauses(
    struct gateways *gateways, struct db_unit *unit, int64_t now)
{
	if (some_are_gone(gateways)) {
		db_unit_add(unit, "gateway_pauses_ended", take_ended, gateways);
		db_param_at(unit, now);
	}
	db_unit_add(unit, "gateway_pauses", take_pauses, gateways);
	db_param_at(unit, now);
}
