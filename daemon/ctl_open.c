/*
 * What adherctl's verbs share, opened when one asks for it: configuration,
 * database, key ring, its clock and tenants, files.  Whatever cannot be had
 * ends the process with a message.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/zone.h"
#include "ctl.h"
#include "flow/clock_sync.h"
#include "flow/gateway_host.h"
#include "flow/schema.h"
#include "flow/statements.h"

#define WAIT_DATABASE_US (10 * SECOND_US)

const struct settings *
ctl_settings(struct ctl *ctl)
{
	const char *path =
	    ctl->config_path != NULL ? ctl->config_path : SETTINGS_PATH;
	struct conf_error error;
	struct settings *settings;

	if (ctl->settings != NULL)
		return ctl->settings;
	settings = arena_alloc(ctl->arena, sizeof(*settings));
	ctl->conf = settings_read(path, settings, &error);
	if (ctl->conf == NULL)
		ctl_fail(EXIT_CONFIGURATION, "%s", error.text);
	ctl->settings = settings;
	return settings;
}

static void
on_probe(const struct db_result *result, const char *sqlstate, void *arg)
{
	char error[160];

	(void)arg;
	if (schema_check(result, sqlstate, error) != 0)
		ctl_fail(EXIT_CONFIGURATION, "%s", error);
}

struct db *
ctl_database(struct ctl *ctl)
{
	struct db_settings settings = {
	    .label = "adherctl",
	    .statements = statements,
	    .statement_count = statement_count,
	    .probe = SCHEMA_PROBE,
	    .on_probe = on_probe,
	    .patient = true,
	};

	if (ctl->db != NULL)
		return ctl->db;
	settings.dsn = ctl_settings(ctl)->database;
	ctl->loop = loop_create();
	ctl->db = db_open(ctl->loop, &settings);
	if (!db_wait_ready(ctl->db, WAIT_DATABASE_US))
		ctl_fail(EXIT_DEPENDENCY, "no database: %s",
		    db_last_reason(ctl->db));
	return ctl->db;
}

struct keyring *
ctl_keyring(struct ctl *ctl)
{
	const struct settings *settings = ctl_settings(ctl);
	char error[256];

	if (ctl->keyring == NULL)
		ctl->keyring = keyring_open(
		    settings_secret_path(settings->keyring_file, ctl->arena),
		    error, sizeof(error));
	if (ctl->keyring == NULL)
		ctl_fail(EXIT_CONFIGURATION, "%s", error);
	return ctl->keyring;
}

struct gateways *
ctl_gateways(struct ctl *ctl)
{
	static const struct clock no_clock;
	const struct settings *settings = ctl_settings(ctl);
	struct conf_error error;
	struct gateways *gateways =
	    gateways_load(ctl->conf, settings, NULL, NULL, &no_clock, &error);

	if (gateways == NULL)
		ctl_fail(EXIT_CONFIGURATION, "%s", error.text);
	return gateways;
}

/*
 * What comes from files was checked there, so this is an argument; the
 * server would refuse it without saying which.
 */
static _Noreturn void
refuse_text(const char *text)
{
	struct buf out = BUF_INIT(0);

	for (const char *at = text; *at != '\0'; at++)
		if (*at >= ' ' && *at <= '~')
			buf_char(&out, *at);
		else
			buf_printf(&out, "\\x%02x", (unsigned char)*at);
	ctl_fail(EXIT_USAGE_, "not valid UTF-8: \"%s\"", buf_string(&out));
}

void
ctl_run(struct db_unit *unit)
{
	const char *bad_text = db_unit_bad_text(unit);
	char sqlstate[6] = "";

	if (bad_text != NULL)
		refuse_text(bad_text);
	switch (db_unit_run(unit, sqlstate)) {
	case DB_OK:
		return;
	case DB_FAILED:
		ctl_fail(EXIT_INTERNAL, "the database refused: %s", sqlstate);
	case DB_LOST:
		ctl_fail(EXIT_DEPENDENCY, "the database went away");
	}
}

struct clock
ctl_clock(struct ctl *ctl)
{
	struct clock clock = {0};

	if (!clock_sync_read(ctl_database(ctl), &clock))
		ctl_fail(EXIT_DEPENDENCY, "the database tells no time");
	return clock;
}

int64_t
ctl_now(struct ctl *ctl, const char *given)
{
	struct clock clock;
	int64_t at;

	if (given != NULL) {
		if (!instant_parse(given, &at))
			ctl_fail(EXIT_USAGE_, "\"%s\" is no instant", given);
		return at;
	}
	clock = ctl_clock(ctl);
	return clock_care(&clock);
}

/* ---- tenants ---- */

struct tenant_search {
	struct arena *arena;
	const char *name;
	struct ctl_tenant found;
};

static void
take_tenants(const struct db_result *result, void *arg)
{
	struct tenant_search *search = arg;

	for (int row = 0; row < db_rows(result); row++)
		if (strcmp(db_text(result, row, 1), search->name) == 0)
			search->found = (struct ctl_tenant){
			    .tenant_id = (int32_t)db_i64(result, row, 0),
			    .zone = zone_open(db_text(result, row, 2)),
			    .locale = arena_text(
				search->arena, db_text(result, row, 3)),
			};
}

struct ctl_tenant
ctl_tenant(struct ctl *ctl, const char *name)
{
	struct tenant_search search = {.arena = ctl->arena, .name = name};
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	db_unit_add(unit, "tenant_load", take_tenants, &search);
	ctl_run(unit);
	if (search.found.tenant_id == 0)
		ctl_fail(EXIT_DATA, "no tenant \"%s\"", name);
	return search.found;
}

/* ---- files ---- */

char *
ctl_read_file(
    struct ctl *ctl, const char *path, size_t bytes_max, size_t *bytes)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	struct buf buf = BUF_INIT(bytes_max);
	char chunk[65536], *text;
	size_t got;

	if (file == NULL)
		ctl_fail(EXIT_NO_INPUT, "%s: %s", path, strerror(errno));
	while (
	    !buf.overflow && (got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&buf, chunk, got);
	if (ferror(file))
		ctl_fail(EXIT_NO_INPUT, "%s: cannot be read", path);
	if (buf.overflow)
		ctl_fail(EXIT_DATA, "%s: over %zu bytes", path, bytes_max);
	if (file != stdin)
		(void)fclose(file);
	*bytes = buf.bytes;
	text = arena_text_n(ctl->arena, buf_string(&buf), buf.bytes);
	buf_free(&buf);
	return text;
}

const struct json *
ctl_read_json(struct ctl *ctl, const char *path, size_t bytes_max)
{
	struct json_error error;
	const struct json *json;
	size_t bytes;
	const char *text = ctl_read_file(ctl, path, bytes_max, &bytes);

	json = json_parse(text, bytes, NULL, ctl->arena, &error);
	if (json == NULL)
		ctl_fail(
		    EXIT_DATA, "%s:%d: %s", path, error.line, error.reason);
	return json;
}
