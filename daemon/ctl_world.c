/*
 * The daemon's own parts, loaded once for a verb that asks plan: rules and
 * stops, gateways and texts.  Reads only, and sends nothing.
 */
#include "ctl_world.h"

#include <stdio.h>

#include "base/log.h"
#include "flow/message.h"
#include "flow/rule_book.h"
#include "flow/template_files.h"

struct ctl_world {
	struct ctl *ctl;
	struct clock clock;
	struct stop_book *stops;
	struct rule_book *rules;
	struct gateways *gateways; /* NULL: taken as free */
	struct template_set *templates;
	struct messages *messages;
	struct gateways_view view;
	const char *note;
};

static void
on_refreshed(bool answered, void *arg)
{
	*(bool *)arg = answered;
}

/* Registrations and pauses; the others come behind them on the connection. */
static void
load_database(struct ctl_world *world)
{
	struct db *db = ctl_database(world->ctl);
	bool answered = true;
	struct db_unit *unit;

	if (world->messages != NULL)
		messages_refresh(world->messages, db,
		    clock_unmoved(&world->clock), on_refreshed, &answered);
	unit = db_unit_begin(db);
	stop_book_read(world->stops, unit);
	rule_book_ask(world->rules, unit);
	ctl_run(unit);
	unit = db_unit_begin(db);
	rule_book_read(world->rules, unit, clock_unmoved(&world->clock));
	ctl_run(unit);
	if (!answered)
		ctl_fail(EXIT_DEPENDENCY, "the database tells no texts");
}

/* The gateways of the configuration, where they can be loaded from here. */
static void
load_gateways(struct ctl_world *world)
{
	struct ctl *ctl = world->ctl;
	const struct settings *settings = ctl_settings(ctl);
	struct conf_error error;

	world->gateways = gateways_load(
	    ctl->conf, settings, NULL, NULL, &world->clock, &error);
	if (world->gateways == NULL) {
		world->note = arena_text(ctl->arena, error.text);
		return;
	}
	if (gateways_count(world->gateways) == 0) {
		world->note = "the configuration names none";
		return;
	}
	world->templates =
	    template_files_load(settings->template_dir, "zh-CN", &error);
	if (world->templates == NULL) {
		world->note = arena_text(ctl->arena, error.text);
		return;
	}
	world->messages =
	    messages_create(world->gateways, world->templates, NULL, NULL);
}

struct ctl_world *
ctl_world_load(struct ctl *ctl)
{
	struct ctl_world *world = arena_alloc(ctl->arena, sizeof(*world));

	/* texts without an approval are the daemon's to warn of */
	log_level_set(LOG_LEVEL_ERROR);
	world->ctl = ctl;
	world->stops = stop_book_create();
	world->rules = rule_book_create(
	    ctl_settings(ctl)->ask_after_us, stop_book_stops(world->stops));
	world->clock = ctl_clock(ctl);
	load_gateways(world);
	load_database(world);
	return world;
}

void
ctl_world_free(struct ctl_world *world)
{
	if (world->messages != NULL)
		messages_free(world->messages);
	if (world->templates != NULL)
		template_set_free(world->templates);
	if (world->gateways != NULL)
		gateways_free(world->gateways);
	rule_book_free(world->rules);
	stop_book_free(world->stops);
}

const struct rules *
ctl_world_rules(const struct ctl_world *world, int32_t tenant_id)
{
	return rules_of(world->rules, tenant_id);
}

const struct gateways_view *
ctl_world_gateways(
    struct ctl_world *world, int32_t tenant_id, const char *locale)
{
	if (world->messages == NULL)
		return gateways_view_free();
	messages_view(messages_audience(world->messages, tenant_id, locale), 0,
	    &world->view);
	return &world->view;
}

const struct audience *
ctl_world_audience(
    struct ctl_world *world, int32_t tenant_id, const char *locale)
{
	return world->messages == NULL
		   ? NULL
		   : messages_audience(world->messages, tenant_id, locale);
}

void
ctl_world_warn(const struct ctl_world *world)
{
	if (world->note != NULL)
		(void)fprintf(stderr,
		    "adherctl: every gateway is taken as free: %s\n",
		    world->note);
}
