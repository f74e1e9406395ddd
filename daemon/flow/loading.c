/*
 * The claimed people's dossiers and open deliveries, each found again by the
 * order of their keys.
 */
#include "flow/loading.h"

#include <stdlib.h>

struct loading {
	struct look_round *round;
	const struct clock *clock;
};

static int
compare_people(const void *left, const void *right)
{
	const struct person *a = left, *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return (a->patient_id > b->patient_id) -
	       (a->patient_id < b->patient_id);
}

static struct person *
find_person(struct look_round *round, const struct db_result *result, int row)
{
	struct person key = {
	    .bucket = (int16_t)db_i64(result, row, 0),
	    .patient_id = db_i64(result, row, 1),
	};

	return bsearch(&key, round->people.data, round->people.count,
	    sizeof(key), compare_people);
}

static void
take_dossiers(const struct db_result *result, void *arg)
{
	struct look_round *round = ((struct loading *)arg)->round;

	for (int row = 0; row < db_rows(result); row++) {
		struct person *person = find_person(round, result, row);
		const uint8_t *doc;
		size_t bytes;

		if (person == NULL)
			continue;
		doc = db_bytes(result, row, 3, &bytes);
		person->version = db_i64(result, row, 2);
		person->doc = arena_copy(round->arena, doc, bytes);
		person->doc_bytes = bytes;
	}
}

static void
take_open(const struct db_result *result, void *arg)
{
	const struct loading *loading = arg;
	const struct clock *clock = loading->clock;
	struct look_round *round = loading->round;

	for (int row = 0; row < db_rows(result); row++) {
		struct person *person = find_person(round, result, row);
		struct open_row *o;

		if (person == NULL)
			continue;
		o = list_add(&person->open);
		o->open = delivery_open_read(
		    result, row, clock->care_offset, round->care_now);
		o->gateway = arena_text(round->arena, db_text(result, row, 15));
		o->provider_id =
		    arena_text(round->arena, db_text(result, row, 16));
		o->contact_no = (int32_t)db_i64(result, row, 17);
	}
}

void
loading_add(
    struct look_round *round, const struct clock *clock, struct db_unit *unit)
{
	struct loading *loading = arena_alloc(round->arena, sizeof(*loading));
	struct person *people = round->people.data;
	struct db_array buckets, ids;
	struct delivery_keys recent;

	*loading = (struct loading){round, clock};
	qsort(people, round->people.count, sizeof(*people), compare_people);
	db_array_init(&buckets, DB_I16);
	db_array_init(&ids, DB_I64);
	delivery_keys_init(&recent);
	for (size_t i = 0; i < round->people.count; i++) {
		db_array_i64(&buckets, people[i].bucket);
		db_array_i64(&ids, people[i].patient_id);
		if (people[i].attention)
			planning_add_recent(&people[i], round->arena, &recent);
	}
	db_unit_add(unit, "dossier_load", take_dossiers, loading);
	db_param_array(unit, &buckets);
	db_param_array(unit, &ids);
	if (recent.bucket.count > 0) {
		db_unit_add(unit, "delivery_recent", take_open, loading);
		delivery_keys_params(&recent, unit);
	}
	db_array_free(&buckets);
	db_array_free(&ids);
	delivery_keys_free(&recent);
}
