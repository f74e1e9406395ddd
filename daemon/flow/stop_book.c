/*
 * The stops that stand, in memory of their own: most readings find what is
 * there already, for a stop never changes but by its end.
 */
#include "flow/stop_book.h"

#include <stdlib.h>

#include "base/log.h"

struct stop_book {
	struct stops stops;
	struct arena *arena; /* of the stops */
};

static const struct stop everything;

struct stop_book *
stop_book_create(void)
{
	struct stop_book *book = mem_alloc(sizeof(*book));

	book->arena = arena_create();
	return book;
}

void
stop_book_free(struct stop_book *book)
{
	arena_free(book->arena);
	free(book);
}

static bool
is_same(const struct stops *stops, const struct db_result *result)
{
	if (stops->count != (uint32_t)db_rows(result))
		return false;
	for (uint32_t i = 0; i < stops->count; i++)
		if (stops->list[i].stop_id != db_i64(result, (int)i, 0))
			return false;
	return true;
}

/* More than we may look through for each message: hold all of them. */
static void
hold_all(struct stop_book *book)
{
	if (book->stops.list == &everything)
		return;
	log_error("stops.too_many", log_n(COUNT, STOPS_MAX));
	book->stops = (struct stops){&everything, 1};
}

static void
take_stops(const struct db_result *result, void *arg)
{
	struct stop_book *book = arg;
	struct stop *list;

	if (db_rows(result) > STOPS_MAX) {
		hold_all(book);
		return;
	}
	if (is_same(&book->stops, result))
		return;
	arena_reset(book->arena);
	list = arena_array(
	    book->arena, (size_t)db_rows(result) + 1, sizeof(*list));
	for (int i = 0; i < db_rows(result); i++)
		list[i] = (struct stop){
		    .stop_id = (int32_t)db_i64(result, i, 0),
		    .tenant_id = (int32_t)db_i64(result, i, 1),
		    .kind = (enum kind)db_i64(result, i, 2),
		    .stage = (enum stage)db_i64(result, i, 3),
		    .drug = arena_text(book->arena, db_text(result, i, 4)),
		};
	book->stops = (struct stops){list, (uint32_t)db_rows(result)};
	log_notice("stops.changed", log_n(COUNT, db_rows(result)));
}

void
stop_book_read(struct stop_book *book, struct db_unit *unit)
{
	db_unit_add(unit, "stop_load", take_stops, book);
	db_param_i32(unit, STOPS_MAX);
}

const struct stops *
stop_book_stops(const struct stop_book *book)
{
	return &book->stops;
}
