/*
 * Operators' stops as they stand in the database, and their words.  Reads
 * only.
 */
#include <stdio.h>
#include <string.h>

#include "ctl_line.h"
#include "ctl_stop.h"

#define ROWS_MAX 10000 /* of the trace, the newest */

struct loading {
	struct arena *arena;
	struct list rows; /* struct stop_row */
};

static void
take_rows(const struct db_result *result, void *arg)
{
	struct loading *loading = arg;
	struct arena *arena = loading->arena;

	for (int i = 0; i < db_rows(result); i++)
		*(struct stop_row *)list_add(
		    &loading->rows) = (struct stop_row){
		    .stop =
			{
			    .stop_id = (int32_t)db_i64(result, i, 0),
			    .tenant_id = (int32_t)db_i64(result, i, 1),
			    .kind = (enum kind)db_i64(result, i, 3),
			    .stage = (enum stage)db_i64(result, i, 4),
			    .drug = arena_text(arena, db_text(result, i, 5)),
			},
		    .tenant = arena_text(arena, db_text(result, i, 2)),
		    .reason = arena_text(arena, db_text(result, i, 6)),
		    .began_at = db_at(result, i, 7),
		    .began_by = arena_text(arena, db_text(result, i, 8)),
		    .ended_at = db_at_or(result, i, 9, AT_NEVER),
		    .ended_by = arena_text(arena, db_text(result, i, 10)),
		};
}

uint32_t
stop_rows_load(struct ctl *ctl, bool ended_too, const struct stop_row **rows)
{
	struct loading loading = {.arena = ctl->arena};
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	list_init(&loading.rows, ctl->arena, sizeof(struct stop_row));
	db_unit_add(unit, "stop_list", take_rows, &loading);
	db_param_at(unit, ended_too ? AT_UNKNOWN : AT_NEVER);
	db_param_i32(unit, ROWS_MAX);
	ctl_run(unit);
	*rows = loading.rows.data;
	return (uint32_t)loading.rows.count;
}

bool
stop_same(const struct stop *a, const struct stop *b)
{
	return a->tenant_id == b->tenant_id && a->kind == b->kind &&
	       a->stage == b->stage && (a->drug == NULL) == (b->drug == NULL) &&
	       (a->drug == NULL || strcmp(a->drug, b->drug) == 0);
}

/* "product C08CA01, tenant north", "everything" */
static const char *
stop_words(struct ctl *ctl, const struct stop *stop, const char *tenant)
{
	const char *text = "";

	if (stop->drug != NULL)
		text = arena_printf(ctl->arena, ", product %s", stop->drug);
	if (stop->stage != STAGE_NONE)
		text = arena_printf(ctl->arena, "%s, template %s/%s", text,
		    kind_word(stop->kind), stage_word(stop->stage));
	else if (stop->kind != 0)
		text = arena_printf(
		    ctl->arena, "%s, kind %s", text, kind_word(stop->kind));
	if (tenant != NULL)
		text = arena_printf(ctl->arena, "%s, tenant %s", text, tenant);
	return *text == '\0' ? "everything" : text + 2;
}

static void
print_row_json(const struct stop_row *row)
{
	const struct stop *stop = &row->stop;
	struct buf out = BUF_INIT(0);
	struct json_writer w;

	w = ctl_line_begin(&out, "stop");
	ctl_line_number(&w, "stop", stop->stop_id);
	json_write_member(&w, "product", stop->drug);
	json_write_member(
	    &w, "kind", stop->kind == 0 ? NULL : kind_word(stop->kind));
	json_write_member(&w, "stage",
	    stop->stage == STAGE_NONE ? NULL : stage_word(stop->stage));
	json_write_member(&w, "tenant", row->tenant);
	json_write_member(&w, "reason", row->reason);
	ctl_line_at(&w, "began", zone_open("UTC"), row->began_at);
	json_write_member(&w, "by", row->began_by);
	ctl_line_at(&w, "ended", zone_open("UTC"), row->ended_at);
	json_write_member(&w, "ended_by", row->ended_by);
	ctl_line_end(&w);
	buf_free(&out);
}

void
stop_row_print(struct ctl *ctl, const struct stop_row *row)
{
	const struct zone *zone = zone_open("UTC");
	char began[32], ended[32];

	if (ctl->json) {
		print_row_json(row);
		return;
	}
	zone_format(zone, row->began_at, began, sizeof(began));
	(void)printf("stop %d: %s; since %s by %s", (int)row->stop.stop_id,
	    stop_words(ctl, &row->stop, row->tenant), began, row->began_by);
	if (row->reason[0] != '\0')
		(void)printf(" (%s)", row->reason);
	if (row->ended_at != AT_NEVER) {
		zone_format(zone, row->ended_at, ended, sizeof(ended));
		(void)printf("; ended %s by %s", ended, row->ended_by);
	}
	(void)putchar('\n');
}
