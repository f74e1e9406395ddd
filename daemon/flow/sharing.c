/*
 * Who shares an address, and what they were sent of late.  Read within the
 * round's transaction, behind its row locks; kept in the round's arena.
 */
#include "flow/sharing.h"

#include <stdlib.h>

#include "base/log.h"
#include "care/policy.h"

#define OTHERS_MAX 20000 /* of one round */

struct other {           /* another patient with an address of a sharer */
	uint32_t sharer; /* index */
	int16_t bucket;
	int64_t patient_id;
	int32_t contact_no;
};

struct record { /* what a patient was sent; by key */
	int16_t bucket;
	int64_t patient_id;
	bool locked; /* by us: nobody else is at work on them */
	const struct said *said;
	uint32_t said_count;
};

struct sharing {
	struct arena *arena;
	struct list sharers; /* struct sharer */
	struct list others;  /* struct other */
	struct record *records;
	size_t record_count;
};

struct sharing *
sharing_create(struct arena *arena)
{
	struct sharing *sharing = arena_alloc(arena, sizeof(*sharing));

	sharing->arena = arena;
	list_init(&sharing->sharers, arena, sizeof(struct sharer));
	list_init(&sharing->others, arena, sizeof(struct other));
	return sharing;
}

void
sharing_add(struct sharing *sharing, const struct sharer *sharer)
{
	*(struct sharer *)list_add(&sharing->sharers) = *sharer;
}

bool
sharing_empty(const struct sharing *sharing)
{
	return sharing->sharers.count == 0;
}

bool
sharing_found(const struct sharing *sharing)
{
	return sharing->others.count > 0;
}

/* ---- who ---- */

static void
take_others(const struct db_result *result, void *arg)
{
	struct sharing *sharing = arg;

	for (int row = 0; row < db_rows(result); row++)
		*(struct other *)list_add(&sharing->others) = (struct other){
		    .sharer = (uint32_t)db_i64(result, row, 0) - 1,
		    .bucket = (int16_t)db_i64(result, row, 1),
		    .patient_id = db_i64(result, row, 2),
		    .contact_no = (int32_t)db_i64(result, row, 3),
		};
	if (db_rows(result) == OTHERS_MAX)
		log_warning("sharing.too_many", log_n(COUNT, OTHERS_MAX));
}

void
sharing_ask(struct sharing *sharing, struct db_unit *unit)
{
	const struct sharer *sharers = sharing->sharers.data;
	struct db_array index, tenant, bucket, patient_id;

	db_array_init(&index, DB_BYTES);
	db_array_init(&tenant, DB_I32);
	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	for (size_t i = 0; i < sharing->sharers.count; i++) {
		db_array_bytes(&index, sharers[i].index, 16);
		db_array_i64(&tenant, sharers[i].tenant_id);
		db_array_i64(&bucket, sharers[i].bucket);
		db_array_i64(&patient_id, sharers[i].patient_id);
	}
	db_unit_add(unit, "contact_shared", take_others, sharing);
	db_param_array(unit, &index);
	db_param_array(unit, &tenant);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_param_i32(unit, OTHERS_MAX);
	db_array_free(&index);
	db_array_free(&tenant);
	db_array_free(&bucket);
	db_array_free(&patient_id);
}

/* ---- what ---- */

static int
compare_records(const void *left, const void *right)
{
	const struct record *a = left, *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return (a->patient_id > b->patient_id) -
	       (a->patient_id < b->patient_id);
}

static struct record *
find_record(const struct sharing *sharing, int16_t bucket, int64_t patient_id)
{
	struct record key = {.bucket = bucket, .patient_id = patient_id};

	return sharing->record_count == 0
		   ? NULL
		   : bsearch(&key, sharing->records, sharing->record_count,
			 sizeof(key), compare_records);
}

/* A record for each of the others, once. */
static void
make_records(struct sharing *sharing)
{
	const struct other *others = sharing->others.data;
	struct record *records = arena_array(
	    sharing->arena, sharing->others.count, sizeof(*records));
	size_t kept = 0;

	for (size_t i = 0; i < sharing->others.count; i++)
		records[i] = (struct record){
		    .bucket = others[i].bucket,
		    .patient_id = others[i].patient_id,
		};
	qsort(
	    records, sharing->others.count, sizeof(*records), compare_records);
	for (size_t i = 0; i < sharing->others.count; i++)
		if (kept == 0 ||
		    compare_records(&records[kept - 1], &records[i]) != 0)
			records[kept++] = records[i];
	sharing->records = records;
	sharing->record_count = kept;
}

static void
take_locked(const struct db_result *result, void *arg)
{
	struct sharing *sharing = arg;

	for (int row = 0; row < db_rows(result); row++)
		find_record(sharing, (int16_t)db_i64(result, row, 0),
		    db_i64(result, row, 1))
		    ->locked = true;
}

static void
take_recent(const struct db_result *result, void *arg)
{
	struct sharing *sharing = arg;

	for (int row = 0; row < db_rows(result); row++) {
		struct record *record = find_record(sharing,
		    (int16_t)db_i64(result, row, 0), db_i64(result, row, 1));
		size_t bytes;
		const uint8_t *recent = db_bytes(result, row, 2, &bytes);

		/* damaged: told of when that patient is planned */
		if (said_decode(recent, bytes, sharing->arena, &record->said,
			&record->said_count) != 0)
			record->said_count = 0;
	}
}

void
sharing_ask_recent(struct sharing *sharing, struct db_unit *unit)
{
	struct db_array bucket, patient_id;

	make_records(sharing);
	db_array_init(&bucket, DB_I16);
	db_array_init(&patient_id, DB_I64);
	for (size_t i = 0; i < sharing->record_count; i++) {
		db_array_i64(&bucket, sharing->records[i].bucket);
		db_array_i64(&patient_id, sharing->records[i].patient_id);
	}
	/* in this order: what is locked is read as it then stands */
	db_unit_add(unit, "agenda_lock_free", take_locked, sharing);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_unit_add(unit, "agenda_recent", take_recent, sharing);
	db_param_array(unit, &bucket);
	db_param_array(unit, &patient_id);
	db_array_free(&bucket);
	db_array_free(&patient_id);
}

/* ---- counting ---- */

void
sharing_planned(struct sharing *sharing, int16_t bucket, int64_t patient_id,
    const struct said *said, uint32_t count)
{
	struct record *record = find_record(sharing, bucket, patient_id);

	if (record == NULL)
		return;
	record->said = said;
	record->said_count = count;
}

/* What one of the others got at the address. */
static void
count_uses(const struct record *record, const struct other *other,
    int32_t contact_no, int64_t since_at, struct list *uses)
{
	for (uint32_t i = 0; i < record->said_count; i++) {
		const struct said *s = &record->said[i];

		if (s->contact_no == other->contact_no && s->at >= since_at &&
		    policy_counts_for_caps(s))
			*(struct address_use *)list_add(uses) =
			    (struct address_use){contact_no, s->at};
	}
}

enum sharing_answer
sharing_uses(const struct sharing *sharing, int16_t bucket, int64_t patient_id,
    int64_t since_at, struct arena *arena, const struct address_use **uses,
    uint32_t *count)
{
	enum sharing_answer answer = SHARING_ALONE;
	struct list list;

	list_init(&list, arena, sizeof(struct address_use));
	for (size_t i = 0; i < sharing->others.count; i++) {
		const struct other *other =
		    (const struct other *)sharing->others.data + i;
		const struct sharer *sharer =
		    (const struct sharer *)sharing->sharers.data +
		    other->sharer;
		const struct record *record =
		    find_record(sharing, other->bucket, other->patient_id);

		if (sharer->bucket != bucket ||
		    sharer->patient_id != patient_id)
			continue;
		if (!record->locked)
			return SHARING_LATER;
		answer = SHARING_SHARED;
		count_uses(record, other, sharer->contact_no, since_at, &list);
	}
	*uses = list.data;
	*count = (uint32_t)list.count;
	return answer;
}
