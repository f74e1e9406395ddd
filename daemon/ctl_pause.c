/*
 * Pauses as they stand in the database, and their words.  Reads only.
 */
#include "ctl_pause.h"

#include <string.h>

#include "ctl_line.h"

#define BY_HAND "operator "

struct loading {
	struct arena *arena;
	struct list rows; /* struct pause_row */
};

static void
take_rows(const struct db_result *result, void *arg)
{
	struct loading *loading = arg;
	struct arena *arena = loading->arena;

	for (int i = 0; i < db_rows(result); i++)
		*(struct pause_row *)list_add(&loading->rows) =
		    (struct pause_row){
			.gateway = arena_text(arena, db_text(result, i, 0)),
			.scope = arena_text(arena, db_text(result, i, 1)),
			.until_at = db_at(result, i, 2),
			.code = arena_text(arena, db_text(result, i, 3)),
		    };
}

uint32_t
pause_rows_load(struct ctl *ctl, const struct pause_row **rows)
{
	struct loading loading = {.arena = ctl->arena};
	struct clock clock = ctl_clock(ctl);
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	list_init(&loading.rows, ctl->arena, sizeof(struct pause_row));
	db_unit_add(unit, "gateway_pauses", take_rows, &loading);
	db_param_at(unit, clock_unmoved(&clock));
	ctl_run(unit);
	*rows = loading.rows.data;
	return (uint32_t)loading.rows.count;
}

bool
pause_is_of_all(const struct pause_row *row)
{
	return strcmp(row->gateway, "*") == 0;
}

const char *
pause_end_words(struct ctl *ctl, const struct pause_row *row)
{
	if (pause_is_of_all(row))
		return "adherctl resume --assume-sent-until TIME";
	return row->scope[0] == '\0'
		   ? arena_printf(
			 ctl->arena, "adherctl gateway resume %s", row->gateway)
		   : arena_printf(ctl->arena,
			 "adherctl gateway resume %s --scope '%s'",
			 row->gateway, row->scope);
}

/* Whose doing it is. */
static const char *
cause_words(struct ctl *ctl, const char *code)
{
	if (strncmp(code, BY_HAND, strlen(BY_HAND)) == 0)
		return arena_printf(
		    ctl->arena, "by operator %s", code + strlen(BY_HAND));
	if (strcmp(code, "plugin_dies") == 0)
		return "for its plug-in ended three processes";
	if (strcmp(code, "database_behind") == 0)
		return "for the database is behind what was sent";
	return code[0] == '\0'
		   ? "by what its provider answered"
		   : arena_printf(ctl->arena, "by its answer %s", code);
}

const char *
pause_words(struct ctl *ctl, const struct pause_row *row)
{
	const char *end = pause_end_words(ctl, row);
	const char *cause = cause_words(ctl, row->code);
	char until[32];

	if (row->until_at == AT_NEVER)
		return arena_printf(ctl->arena,
		    "paused %s, until somebody resumes it: %s", cause, end);
	return arena_printf(ctl->arena, "paused %s, until %s; sooner with: %s",
	    cause, ctl_show_at(zone_open("UTC"), row->until_at, until), end);
}
